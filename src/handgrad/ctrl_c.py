"""Ctrl-C, which can get lost: an exception that is raised while C code calls Python, as a compiler may, is dropped."""

pressed = False
"""Whether it was pressed since the command began; long work looks here now and then."""
