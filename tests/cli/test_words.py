"""What the words of a command mean, and what is said of a mistake in them: help, suggestions, numbers."""

import contextlib
import signal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handgrad.cli import COMMANDS, main
from handgrad.cli.console import padded
from handgrad.integers import read_integer
from handgrad.training.progress import clock

from .command import Ended, assert_refused

MISTAKES = {
    "trian": ("no such command: 'trian'", "Did you mean train?", f"{', '.join(COMMANDS)}, help."),
    "hlep": ("no such command: 'hlep'", "Did you mean help?"),
    "help trian": ("no such command: 'trian'", "Did you mean train?"),
    "--versoin": ("--versoin: there is no such option. Did you mean --version?", "handgrad --help"),
    "data": ("'handgrad data' needs a command", "one of list, fetch, show"),
    "data fecth": ("no such command: 'fecth'. Did you mean fetch?", "list, fetch, show, clear."),
    "data fetch": ("NAME is missing", "'handgrad data fetch --help'"),
    "learn solutoin x": ("no such command: 'solutoin'. Did you mean solution?",),
    "train --stepz 20": ("--stepz: there is no such option. Did you mean --steps?", "train --help"),
    "train --stepz=20": ("--stepz: there is no such option. Did you mean --steps?", "train --help"),
    "train --tyro-print-completion tcsh": ("--tyro-print-completion: there is no such option",),
    "train -q": ("-q: there is no such option. 'handgrad train --help'",),
    "train --model gruu": ("--model: there is no such choice", "got 'gruu'", "bigram, ngram", "Did you mean gru?"),
    "train a.txt b.txt": ("'b.txt': this is one word too many",),
    "train --steps --json": ("--steps: its value is missing (expected INT)",),
    "train --json=yes": ("--json: this option takes no value (got 'yes')",),
    "train --lr fast": ("--lr: this is no number (got 'fast', expected one such as 0.5",),
    "sample run --seed one": ("--seed: this is no whole number (got 'one', expected one such as 2500, 2_500, 2.5k",),
}


@pytest.mark.parametrize(("words", "says"), MISTAKES.items(), ids=list(MISTAKES))
def test_a_mistake_in_the_words(capsys, words, says):
    code = main(words.split())
    assert_refused(Ended(code, *capsys.readouterr()), *says)


@pytest.mark.parametrize("words", ["train", "data fetch", "data", "learn run"])
def test_help_of_a_command(capsys, words):
    for asked in (["help", *words.split()], [*words.split(), "-h"], [*words.split(), "--help"]):
        with pytest.raises(SystemExit, match="0"):
            main(asked)
        assert capsys.readouterr().out.startswith(f"usage: handgrad {words} [-h]")


def test_after_help_ctrl_c_is_what_it_was():
    ours = signal.default_int_handler
    before = signal.signal(signal.SIGINT, ours)
    try:
        with pytest.raises(SystemExit, match="0"):
            main(["train", "--help"])
        assert signal.getsignal(signal.SIGINT) is ours
    finally:
        signal.signal(signal.SIGINT, before)


def test_help_is_wrapped_between_words(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    with pytest.raises(SystemExit, match="0"):
        main(["check", "--help"])
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) == 60
    assert "what it should be.\n\nThe file is checked as it is: a forward pass in named steps," in shown


def test_a_number_of_steps(handgrad, tmp_path):
    """As people write it, in a process, up to the first thing that is wrong beside it."""
    ended = handgrad("train", "--steps", "2.5k", "--n-hidden", "1e3", "--batch-size", "0", folder=tmp_path)
    assert_refused(ended, "batch_size makes no sense", "got 0")


NUMBERS = {"0": 0, "-3": -3, "2_000": 2000, "1e3": 1000, "1E3": 1000, "10k": 10_000, "1.5M": 1_500_000, "20.0": 20,
           "10K": 10_000, "123456789012345678901": 123456789012345678901}  # fmt: skip


@pytest.mark.parametrize(("text", "number"), NUMBERS.items(), ids=list(NUMBERS))
def test_whole_numbers(text, number):
    assert read_integer(text) == number


@pytest.mark.parametrize(
    "text", ["", "k", "2.5", "1e-3", "ten", "10 k m", "inf", "nan", "1e999999999", "0x10", "1,000", "--"]
)
def test_what_is_no_whole_number(text):
    with pytest.raises(ValueError, match="no whole number"):
        read_integer(text)


@given(st.text(max_size=12))
def test_any_word_is_a_number_or_refused(text):
    with contextlib.suppress(ValueError):
        assert isinstance(read_integer(text), int)


@given(st.integers(-(10**25), 10**25))
def test_every_whole_number_is_read_back(number):
    assert read_integer(str(number)) == read_integer(f"{number:_}") == number


def test_columns_of_wide_letters():
    from rich.cells import cell_len

    assert {cell_len(padded(text, 12)) for text in ("emma", "山田太郎", "Zoé", "김", "e\u0301")} == {12}
    assert padded("a" * 30, 12) == "a" * 30


def test_elapsed_and_left_are_told_apart():
    assert [clock(seconds) for seconds in (0, 59.4, 59.6, 3599.4, 3600, 90_000)] == [
        "0s", "59s", "1m 00s", "59m 59s", "1h 00m", "25h 00m",
    ]  # fmt: skip
