"""Backward passes written from forward lines: line by line, in closed form, and as short as they get."""
