"""Numbers as people write them: decimals where these are short, powers of ten where they are small."""

from fractions import Fraction

DIGITS = 12
"""A decimal of more digits is written as a fraction."""
HALVES = (2, 3, 4, 8, 16)
"""Denominators of fractions that are written as such, and not as decimals."""


def decimal(value: Fraction) -> str:
    """A positive number as a decimal, empty where it is none, is long, or is better written as a fraction.

    Example:
        >>> decimal(Fraction("0.044715")), decimal(Fraction(1, 2)), decimal(Fraction(1, 7))
        ('0.044715', '', '')
    """
    if value.denominator in HALVES and value.numerator < 10:
        return ""
    text = f"{float(value):.17g}" if "e" in repr(float(value)) else repr(float(value))
    return text if Fraction(text) == value and len(text.replace(".", "").strip("0")) <= DIGITS else ""


def scientific(value: Fraction) -> tuple[str, int] | None:
    """The digits and the exponent of a small positive number, None where a number is not so small.

    Example:
        >>> scientific(Fraction("1e-5")), scientific(Fraction("0.25"))
        (('1', -5), None)
    """
    if value >= Fraction(1, 1000):
        return None
    mantissa, _, exponent = f"{float(value):.15e}".partition("e")
    digits = mantissa.rstrip("0").rstrip(".")
    return (digits, int(exponent)) if Fraction(f"{digits}e{exponent}") == value else None
