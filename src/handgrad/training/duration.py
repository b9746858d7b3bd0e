"""Times as people write them."""

import math
import re

from handgrad.errors import ConfigError

_UNITS = {"": 1, "s": 1, "m": 60, "min": 60, "h": 3600}
_TIME = re.compile(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*(s|m|min|h|)\s*")


def seconds_of(time: str | float, where: str | None = None) -> float:
    """Read '12s', '1m', '1.5h' or a number of seconds; `where` is the option that says it.

    Raises:
        ConfigError: it is no time, or none at all.

    Example:
        >>> seconds_of("1m"), seconds_of(12)
        (60.0, 12.0)
    """
    match = _TIME.fullmatch(str(time))
    seconds = float(match[1]) * _UNITS[match[2]] if match and not isinstance(time, bool) else 0.0
    if not 0 < seconds < math.inf:
        raise ConfigError(
            "time makes no sense", where=where, got=repr(time), expected="seconds such as 12s, or 5m, or 1h"
        )
    return seconds
