"""Write what was derived: as source of PyTorch or NumPy, in the program's own names."""
