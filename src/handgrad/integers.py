"""Whole numbers as people write them."""

from decimal import Decimal, DecimalException

SCALES = {"k": 10**3, "m": 10**6}
MOST_DIGITS = 30


def read_integer(text: str) -> int:
    """The whole number that a text stands for.

    Raises:
        ValueError: it stands for none.

    Example:
        >>> [read_integer(text) for text in ("2500", "2_500", "2.5k", "1e6", "1M")]
        [2500, 2500, 2500, 1000000, 1000000]
        >>> read_integer("2.5")
        Traceback (most recent call last):
        ValueError: 2.5 is no whole number
    """
    word = text.strip()
    scale = SCALES.get(word[-1:].lower(), 1)
    try:
        value = Decimal(word[:-1] if scale > 1 else word) * scale
    except DecimalException:
        value = Decimal("nan")
    if not value.is_finite() or value.adjusted() > MOST_DIGITS or value % 1:
        raise ValueError(f"{text} is no whole number")
    return int(value)
