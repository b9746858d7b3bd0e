"""Which line is wrong itself, which only passes on what another got wrong, and what every name stands for."""
