"""What is the same limit in several places; without NumPy, so that settings can be read before it is imported."""

MAX_LINE = 10_000
"""The longest line, in characters, that is read."""
