"""What is known of derivatives, in one place: a slope for each elementwise function, an adjoint for each other one."""
