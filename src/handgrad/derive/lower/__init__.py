"""Programs in index notation: each line by a rule of its family, checked against the numbers it came to."""

from handgrad.derive.lower.lines import lower

__all__ = ["lower"]
