"""What is right: the true gradients of a recorded program, in its own situation and in others."""
