"""Whether a setting makes sense."""

from collections.abc import Callable
from numbers import Real

from handgrad.errors import ConfigError


def require_integer(name: str, value: object, *, at_least: int, at_most: int | None = None) -> None:
    """Raise ConfigError unless `value` is an integer within the bounds."""
    in_bounds = isinstance(value, int) and value >= at_least and (at_most is None or value <= at_most)
    if isinstance(value, bool) or not in_bounds:
        bounds = f"an integer of at least {at_least:,}" if at_most is None else f"{at_least:,} to {at_most:,}"
        raise ConfigError(f"{name} makes no sense", got=value, expected=bounds)


def require_number(name: str, value: object, fits: Callable[[float], bool], expected: str) -> None:
    """Raise ConfigError unless `value` is a number that fits."""
    if isinstance(value, bool) or not isinstance(value, Real) or not fits(float(value)):
        raise ConfigError(f"{name} makes no sense", got=value, expected=expected)


def require_choice(name: str, value: object) -> None:
    """Raise ConfigError unless `value` is True or False."""
    if not isinstance(value, bool):
        raise ConfigError(f"{name} makes no sense", got=value, expected="True or False")


def require_share(name: str, value: object) -> None:
    """Raise ConfigError unless `value` is a number from 0 up to, but not, 1."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1:
        raise ConfigError(f"{name} makes no sense", got=value, expected="a number of at least 0 and below 1")
