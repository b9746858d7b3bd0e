"""How long the user's code may run, and how deep its syntax trees may be."""

import ast
import contextlib
import ctypes
import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator

FRAMES_A_LEVEL = 20
"""What `copy.deepcopy` and `ast.unparse` need at most for one level of a syntax tree, and some to spare."""


class TimeIsUp(BaseException):
    """Raised inside the user's code when the time limit has passed; not an Exception, so that no `except` eats it."""


@contextlib.contextmanager
def time_limit(seconds: float | None) -> Iterator[None]:
    """Raise `TimeIsUp` in this thread after `seconds`, and again every half second until the block is left.

    In the main thread a timer signal does it, which ends a `time.sleep` too; elsewhere another thread does.
    """
    if not seconds or seconds >= threading.TIMEOUT_MAX:
        yield
    elif threading.current_thread() is threading.main_thread() and hasattr(signal, "setitimer"):
        with _signalled(seconds):
            yield
    else:
        with _watched(seconds):
            yield


@contextlib.contextmanager
def _signalled(seconds: float) -> Iterator[None]:
    ends = time.monotonic() + seconds

    def ring(_number, _frame):
        if (left := ends - time.monotonic()) > 0.01:  # an alarm that the program has set, in the place of ours
            signal.setitimer(signal.ITIMER_REAL, left, 0.5)
        else:
            raise TimeIsUp

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds, 0.5)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextlib.contextmanager
def _watched(seconds: float) -> Iterator[None]:
    thread, done = threading.get_ident(), threading.Event()

    def watch():
        wait = seconds
        while not done.wait(wait):
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(TimeIsUp))
            wait = 0.5

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


@contextlib.contextmanager
def deep_enough(nodes: Iterable[ast.AST]) -> Iterator[None]:
    """Room on the stack to walk through these syntax trees, such as a sum of 500 terms, where Python's own is short."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, FRAMES_A_LEVEL * max(map(_depth, nodes), default=0)))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


def _depth(node: ast.AST) -> int:
    level, depth = [node], 0
    while level:
        level, depth = [child for part in level for child in ast.iter_child_nodes(part)], depth + 1
    return depth
