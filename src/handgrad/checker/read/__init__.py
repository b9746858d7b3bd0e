"""Read a program: its files, its statements, and what their names are spelled like."""
