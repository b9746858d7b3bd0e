"""Keys as terminals send them, also in pieces."""

import os
import pty
import sys
import termios

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handgrad.keys import OTHER, Keys, cbreak, first_key

SENT = {
    "\x1b[A": "up", "\x1bOA": "up", "\x1b[B": "down", "\r": "enter", "\n": "enter", "\t": "tab", "\x7f": "backspace",
    "\x04": "end", "\x15": "clear", "\x1b": "escape", "é": "é", "東": "東", " ": " ",
    "\x1b[C": OTHER, "\x1b[1;5A": OTHER, "\x1b[3~": OTHER, "\x1bx": OTHER, "\x1b[": OTHER, "\x00": OTHER, "\x01": OTHER,
}  # fmt: skip


@pytest.mark.parametrize(("sent", "key"), SENT.items(), ids=map(repr, SENT))
def test_a_key_is_named(sent, key):
    assert first_key(sent) == (key, "")


@given(st.text(st.sampled_from("\x1b[OA;1~ a\t\r\x04é東"), min_size=1))
def test_whatever_is_sent_is_some_keys(text):
    while text:
        key, rest = first_key(text)
        assert len(key) == 1 or key in (*SENT.values(), OTHER)
        assert text.endswith(rest)
        assert len(rest) < len(text)
        assert first_key(text, is_all=False) in ((key, rest), None)
        text = rest


@pytest.fixture
def terminal(monkeypatch):
    """A terminal to read from, and what its keyboard writes to."""
    keyboard, screen = pty.openpty()
    with os.fdopen(screen) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield keyboard
    os.close(keyboard)


def test_keys_are_read_as_they_come(terminal):
    before = termios.tcgetattr(terminal)
    with cbreak():
        keys = Keys()
        assert keys.next(0) is None
        os.write(terminal, "aé".encode()[:2])
        assert keys.next(1) == "a"
        assert keys.next(0.01) is None
        os.write(terminal, "é".encode()[1:] + b"\x1b[")
        assert keys.next(1) == "é"
        os.write(terminal, b"Ab\x1b")
        assert [keys.next(1) for _ in range(3)] == ["up", "b", "escape"]
        assert termios.tcgetattr(terminal) != before
    assert termios.tcgetattr(terminal) == before
