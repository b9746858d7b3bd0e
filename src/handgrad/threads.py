"""How many threads work at once, and work shared among them. Results never depend on their number."""

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

from handgrad.errors import ConfigError

VARIABLE = "HANDGRAD_THREADS"
Part = TypeVar("Part")
Result = TypeVar("Result")


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


def share(parts: Sequence[Part], begin: Callable[[], Callable[[Part], Result]]) -> list[Result]:
    """The result of each part, in their order, whichever thread takes it.

    Args:
        parts: what is to be done.
        begin: called once for each thread, but by this one, whose memory C's library gives back; what it returns is
            called with one part after another, so that it may use arrays of its own.

    Example:
        >>> share([1, 2, 3], lambda: lambda number: number**2)
        [1, 4, 9]
    """
    threads = min(n_threads(), len(parts))
    doing = [begin() for _ in range(threads)]
    if threads <= 1:
        return [do(part) for do in doing for part in parts]
    results: list = [None] * len(parts)
    waiting, stop = iter(range(len(parts))), threading.Event()

    def work(do: Callable[[Part], Result]) -> None:
        try:
            for number in waiting:
                if stop.is_set():
                    return
                results[number] = do(parts[number])
        except BaseException:
            stop.set()
            raise

    with ThreadPoolExecutor(threads) as pool:
        futures = [pool.submit(work, do) for do in doing]
        try:
            wait(futures)
        except BaseException:
            stop.set()
            raise
    for future in futures:
        future.result()
    return results
