"""Kernels of the compiled engine: one file an operation, forward and backward beside each other."""
