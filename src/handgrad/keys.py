"""Single key presses from a terminal."""

import codecs
import os
import re
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager

NAMES = {
    "\r": "enter", "\n": "enter", "\t": "tab", "\x7f": "backspace", "\b": "backspace", "\x04": "end", "\x15": "clear",
    "\x1b": "escape", "\x1b[A": "up", "\x1bOA": "up", "\x1b[B": "down", "\x1bOB": "down",
}  # fmt: skip
OTHER = "other"
"""A key that has no name here, and is no letter."""
_SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|O[ -~]|[^\x1b\[O])", re.DOTALL)
_UNFINISHED = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|O)?")
_UNFINISHED_SECONDS = 0.05
"""In which the rest of a key that sends several characters comes; if not, it was Esc."""


@contextmanager
def cbreak() -> Iterator[None]:
    """Let keys be read one by one, and unseen; the terminal is as it was when the block is left.

    Raises:
        ImportError: this system has no such terminals.
    """
    import termios
    import tty

    before = termios.tcgetattr(sys.stdin)
    try:
        tty.setcbreak(sys.stdin, termios.TCSADRAIN)  # what was typed ahead counts
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def first_key(text: str, is_all: bool = True) -> tuple[str, str] | None:
    r"""The first key of what a terminal sent, and what is left of it.

    Args:
        text: at least one character.
        is_all: whether nothing more will come.

    Returns:
        A letter, a name of `NAMES` or `OTHER`, and the rest; None where the key may still be unfinished.

    Example:
        >>> first_key("\x1b[Aab"), first_key("ab"), first_key("\x1b", is_all=False)
        (('up', 'ab'), ('a', 'b'), None)
    """
    if not is_all and _UNFINISHED.fullmatch(text):
        return None
    if sequence := _SEQUENCE.match(text):
        return NAMES.get(sequence.group(), OTHER), text[sequence.end() :]
    if (unfinished := _UNFINISHED.match(text)) and unfinished.end() > 1:
        return OTHER, text[unfinished.end() :]
    key = NAMES.get(text[0], text[0] if text[0].isprintable() else OTHER)
    return key, text[1:]


class Keys:
    """The keys pressed in a terminal, within `cbreak`; standard input that has come to its end is `end` for ever."""

    def __init__(self):  # noqa: D107
        self._decoder, self._waiting = codecs.getincrementaldecoder("utf-8")("ignore"), ""

    def next(self, seconds: float) -> str | None:
        """The next key; None where none is pressed in that time."""
        while True:
            if self._waiting and (found := first_key(self._waiting, is_all=False)):
                break
            if not self._wait(_UNFINISHED_SECONDS if self._waiting else seconds):
                if not self._waiting:
                    return None
                found = first_key(self._waiting)
                break
        assert found is not None
        key, self._waiting = found
        return key

    def _wait(self, seconds: float) -> bool:
        """Whether something came."""
        if not select.select([sys.stdin], [], [], seconds)[0]:
            return False
        data = os.read(sys.stdin.fileno(), 4096)
        self._waiting += self._decoder.decode(data) if data else "\x04"
        return True
