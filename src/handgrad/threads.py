"""How many threads work at once. Results never depend on it."""

import os

from handgrad.errors import ConfigError

VARIABLE = "HANDGRAD_THREADS"


def n_threads() -> int:
    """As many as the processor's cores that this process may use, or what the environment says.

    Raises:
        ConfigError: HANDGRAD_THREADS is no number of threads.
    """
    if word := os.environ.get(VARIABLE):
        if not (word.isdecimal() and 1 <= int(word) <= 1024):
            raise ConfigError("this is no number of threads", where=VARIABLE, got=repr(word), expected="1 to 1,024")
        return int(word)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
