"""`handgrad sample --interactive`: in a real terminal, and key by key without one."""

import io
import re
import signal
import termios
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import settings as unhurried
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

import handgrad
from handgrad.cli.interactive import Session
from handgrad.sampling import SampleConfig

from ..models.test_reading import model_of
from ..tiny_model import tiny_model
from .command import ENVIRONMENT, assert_refused, cold, command

MODEL = tiny_model()
KEYS = ("up", "down", "enter", "tab", "backspace", "clear", "other", "a", "b", "c", "x", "é", " ")


def seen(session, typed, width=80, height=24) -> list[str]:
    """The rows of the screen."""
    console = Console(file=io.StringIO(), width=width, height=height)
    console.print(session.view(typed, "runs/abc (mlp)", width, height))
    return console.file.getvalue().rstrip("\n").split("\n")


def pressed(session, *keys):
    typed = session.begin()
    for key in keys:
        typed = session.press(typed, key)
    return typed


def test_keys_change_what_is_typed():
    session = Session(MODEL, SampleConfig(seed=7, prefix="a"))
    assert pressed(session, "b", "c", "backspace").text == "ab"
    assert pressed(session, "b", "clear", "c").text == "c"
    assert pressed(session, "up", "up", "down").temperature == 1.1
    assert pressed(session, *["down"] * 12).temperature == 0
    assert pressed(session, "enter", "enter").seed == 9
    refused = pressed(session, "x")
    assert (refused.text, refused.remark) == ("a", "The model has not seen x.")
    assert pressed(session, "x", "b").remark == ""


@pytest.mark.slow
def test_tab_takes_the_likeliest_letter_until_the_line_ends():
    session = Session(MODEL, SampleConfig(seed=7))
    (likeliest,) = handgrad.sample(MODEL, 1, temperature=0, max_length=9)
    typed = pressed(session, *["tab"] * 9)
    assert typed.text == likeliest[: len(typed.text)]
    assert len(typed.text) == 9 or typed.remark == "Here the line most likely ends."


@pytest.mark.slow
def test_the_screen_shows_what_sample_draws():
    config = SampleConfig(seed=7, top_k=3)
    session = Session(MODEL, config)
    typed = pressed(session, "b", "up")
    lines = handgrad.sample(MODEL, 16, config, prefix="b", temperature=1.1)
    (first,) = handgrad.sample(MODEL, 1, prefix="b", temperature=0)
    assert session.lines(typed, 17) == [first, *lines]
    rows = seen(session, typed)
    assert "temperature 1.1" in rows[0]
    assert rows[2] == "b "
    table = rows[5:-2]
    assert len([row for row in table if re.match(r"(a|b|c|end) +0\.\d{4} [█▏▎▍▌▋▊▉]", row)]) == 3  # the top three
    for row, line in zip(table, [first, *lines], strict=True):
        assert line[:9] in row


@pytest.mark.slow
@unhurried(deadline=None, max_examples=50)
@given(st.lists(st.sampled_from(KEYS), max_size=12), st.integers(1, 90), st.integers(1, 30))
def test_any_keys_in_any_window(keys, width, height):
    session = Session(MODEL, SampleConfig(seed=1, max_length=5))
    typed = pressed(session, *keys)
    assert set(typed.text) <= set("abc")
    assert len(typed.text) < 5
    rows = seen(session, typed, width, height)
    assert len(rows) <= max(height, 3)
    assert max(map(cell_len, rows)) <= width


def test_wide_letters_and_a_model_that_reads_few():
    session = Session(tiny_model("".join(sorted("東京都"))), SampleConfig(seed=1, prefix="東" * 60))
    rows = seen(session, session.begin(), 40, 20)
    assert max(map(cell_len, rows)) <= 40
    assert rows[2].startswith("…東")
    assert all(re.match(r"\S+ +0\.\d{4} ", row) for row in seen(session, session.begin(), 24, 6)[1:-1])
    short = Session(model_of("transformer"), SampleConfig(seed=1))  # of 5 letters and the end
    assert pressed(short, *"abcabca").text == "abcab"
    assert pressed(short, *"abcabc").remark == "It takes at most 5 letters."
    assert len(seen(short, pressed(short, *"abcab"))) == 24


@contextmanager
def terminal(folder, *words, rows=24, columns=80, **variables):
    """The command in a terminal; `see` waits for a screen on which a pattern is found, and returns it."""
    pexpect = pytest.importorskip("pexpect")
    environment = {key: value for key, value in ENVIRONMENT.items() if key not in ("COLUMNS", "LINES")}
    script, *rest = command("sample", *words, "--interactive")
    child = pexpect.spawn(
        script, rest, cwd=folder, env={**environment, "TERM": "xterm", **variables}, dimensions=(rows, columns),
        encoding="utf-8", timeout=60,
    )  # fmt: skip
    before, shown = termios.tcgetattr(child.child_fd), ""

    def see(pattern: str) -> str:
        nonlocal shown
        while not (found := re.search(pattern, screen := plain(shown.rpartition("\x1b[H")[2]), re.MULTILINE)):
            shown += child.read_nonblocking(4096, timeout=60)
        assert found
        return screen

    def left() -> str:
        """What is there when it has ended, the terminal being as it was."""
        child.expect(pexpect.EOF)
        after = (shown + child.before).rpartition("\x1b[?1049l")
        assert after[1], "the screen is not what it was"
        assert "\x1b[?25h" in child.before
        child.wait()
        assert termios.tcgetattr(child.child_fd) == before
        return plain(after[2])

    child.see, child.left = see, left
    try:
        yield child
    finally:
        child.close(force=True)


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).replace("\r", "")


@pytest.mark.slow
def test_a_session(work, handgrad):
    with terminal(work, "run", "--seed", 5, "--max-length", 12) as child:
        assert len(child.see("Esc leave").splitlines()) == 24
        child.send("e")
        child.see(r"^e +$")
        child.send("m\x1b[B\x1b[B")
        screen = child.see(r"temperature 0\.8 +seed 5[^¶]*^em +$[^¶]*leave")
        wishes = ("--seed", 5, "--max-length", 12, "--prefix", "em", "--temperature", 0.8)
        drawn = handgrad("sample", "run", *wishes, folder=work).out.splitlines()
        shown = [row.split()[-1].rstrip("…") for row in screen.splitlines()[6:-2]]
        assert len(shown) > 10
        assert shown == drawn[: len(shown)]
        child.send("\r")
        child.see("seed 6")
        child.setwinsize(8, 50)
        child.see(r"\Aem +$")
        child.send("É")
        child.see("has not seen É")
        child.send("\x1b")
        assert child.left().strip() == "handgrad sample run --seed=6 --temperature=0.8 --prefix=em --max-length=12"
    assert child.exitstatus == 0


@pytest.mark.slow
@pytest.mark.one_in(3)
@pytest.mark.parametrize("way", ["\x04", "\x03", signal.SIGTERM], ids=["Ctrl-D", "Ctrl-C", "told to end"])
def test_ways_to_leave(work, way):
    with terminal(work, "run", "--prefix", "a", NO_COLOR="1") as child:
        child.see(r"^a +$")
        child.send("\x1a")  # Ctrl-Z does not leave it in the background
        child.send("v")
        child.see(r"^av +$")
        child.kill(way) if isinstance(way, int) else child.send(way)
        child.left()
    assert child.exitstatus == (143 if isinstance(way, int) else 0)


@pytest.mark.slow
def test_without_a_terminal_it_is_refused(work):
    ended = cold("sample", "run", "--interactive", folder=work)
    assert_refused(ended, "needs a terminal", "Leave it out", "--prefix")
    ended = cold("sample", "run", "--interactive", "--json", folder=work)
    assert_refused(ended, "--interactive shows a screen", "Leave out --json")
