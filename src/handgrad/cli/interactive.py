"""`handgrad sample --interactive`: a beginning as it is typed, and how the model would go on."""

import importlib.util
import shlex
import signal
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from handgrad import ctrl_c
from handgrad.cli.console import console, working
from handgrad.cli.letters import bar, figure, spelt, style_of
from handgrad.engine.reading import along
from handgrad.errors import ConfigError
from handgrad.evaluation import likeliest
from handgrad.keys import Keys, cbreak
from handgrad.models.forms import form_of
from handgrad.sampling import SampleConfig, choice_of, fresh_seed, sample

if TYPE_CHECKING:
    from handgrad.models.trained import Model

STEP, HOTTEST = 0.1, 5.0
"""By how much an arrow changes the temperature, and the highest that it goes to."""
LEAVE = ("escape", "end")
HELP = (
    ("↑↓", "temperature"), ("Tab", "likeliest letter"), ("Enter", "draw others"), ("Ctrl-U", "clear"), ("Esc", "leave"),
)  # fmt: skip
SMALL = 12
"""Windows of fewer rows show the line, the letters and the keys alone."""
LEAD = 12
"""Columns of what is typed that are repeated before each way to go on."""
LOOK_AGAIN_SECONDS = 0.2
"""How often it is seen whether the window has another size."""


@dataclass(frozen=True)
class Typed:
    """What was typed so far, and is drawn with.

    Args:
        text: the beginning.
        temperature: at least 0.
        seed: of the lines that are shown.
        remark: on the last key.
    """

    text: str
    temperature: float
    seed: int
    remark: str = ""


class Session:
    """A model that goes on with what is typed.

    Args:
        model: that is drawn from.
        config: which lines to draw, and what to begin with.
    """

    def __init__(self, model: "Model", config: SampleConfig):  # noqa: D107
        self.model, self.config = model, config
        self._reader = form_of(model.config.name).readers(model).new()
        self._most = min(config.max_length, model.config.longest or config.max_length) - 1

    def begin(self) -> Typed:
        """What is there before the first key."""
        seed = fresh_seed() if self.config.seed is None else self.config.seed
        return Typed(unicodedata.normalize("NFC", self.config.prefix), self.config.temperature, seed)

    def press(self, typed: Typed, key: str) -> Typed:
        """What a key makes of it."""
        typed = replace(typed, remark="")
        if key in ("up", "down"):
            changed = round(typed.temperature + (STEP if key == "up" else -STEP), 2)
            return replace(typed, temperature=min(max(changed, 0.0), HOTTEST))
        if key == "enter":
            return replace(typed, seed=(typed.seed + 1) % 2**63)
        if key in ("backspace", "clear"):
            return replace(typed, text=typed.text[:-1] if key == "backspace" else "")
        if key == "tab":
            (token,) = likeliest(self.shares(replace(typed, temperature=0.0)), 1)
            if token == 0:
                return replace(typed, remark="Here the line most likely ends.")
            key = self.model.vocabulary.itos[token]
        if len(key) != 1:
            return typed
        text = unicodedata.normalize("NFC", typed.text + key)
        if self.model.vocabulary.unseen(text):
            return replace(typed, remark=f"The model has not seen {spelt(key)}.")
        if len(text) > self._most:
            return replace(typed, remark=f"It takes at most {self._most:,} letters.")
        return replace(typed, text=text)

    def shares(self, typed: Typed) -> np.ndarray:
        """Of the draws of the next letter, what share each letter has, and the end of the line: (vocab_size,)."""
        tokens = self.model.vocabulary.encode(typed.text)
        *_, logprobs = along(self.model, self._reader, tokens)
        return choice_of(self.drawn(typed)).shares(logprobs, is_begun=bool(typed.text))

    def drawn(self, typed: Typed) -> SampleConfig:
        """Which lines are drawn."""
        return replace(self.config, prefix=typed.text, temperature=typed.temperature, seed=typed.seed)

    def lines(self, typed: Typed, n: int) -> list[str]:
        """The likeliest way to go on, letter by letter, and others as they are drawn."""
        config = self.drawn(typed)
        first = sample(self.model, 1, config, temperature=0.0, unique=False, new_only=False)
        return first + (sample(self.model, n - 1, config) if n > 1 and typed.temperature else [])

    def view(self, typed: Typed, title: str, width: int, height: int) -> RenderableType:
        """All of it, for a window of this size."""
        is_small = height < SMALL
        rows = max(height - (2 if is_small else 7), 1)
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(no_wrap=True)
        table.add_column(overflow="ellipsis")  # of the two this one is made narrower, as its rows do not wrap
        if not is_small:
            table.add_row(*(Text(title, style="dim", no_wrap=True) for title in ("next letter", "how it may go on")))
        letters, lines = self._letters(typed, rows, width), self._lines(typed, rows)
        table.add_row(letters, Group(*lines))
        filling = [Text()] * (rows - max(letters.row_count, len(lines)))
        line = Text.assemble((_tail(typed.text, width - 2), "bold"), (" ", "reverse"))
        below = Text(typed.remark, style="yellow") if typed.remark else _help()
        above = Text(f"{title}   temperature {typed.temperature:g}   seed {typed.seed}", style="dim")
        for text in (line, below, above):
            text.no_wrap, text.overflow = True, "ellipsis"
        if is_small:
            return Group(line, table, *filling, below)
        return Group(above, Text(), line, Text(), table, *filling, Text(), below)

    def _letters(self, typed: Typed, rows: int, width: int) -> Table:
        shares, letters = self.shares(typed), self.model.vocabulary.itos
        table, bar_width = Table.grid(padding=(0, 1, 0, 0)), 20 if width >= 72 else 8 if width >= 48 else 0
        table.add_column(no_wrap=True, min_width=3)
        table.add_column(no_wrap=True, justify="right")
        possible = [token for token in likeliest(shares, len(shares)) if shares[token]]
        shown = possible if len(possible) <= rows else possible[: rows - 1]
        for token in shown:
            share, name = float(shares[token]), Text(spelt(letters.get(token)), style="" if token else "dim")
            drawn = [bar(share, bar_width)] * bool(bar_width)
            table.add_row(name, Text(figure(share), style=style_of(share)), *drawn)
        if others := possible[len(shown) :]:
            more = f"{len(others)}…", figure(float(shares[others].sum()))
            table.add_row(*(Text(text, style="dim") for text in more))
        return table

    def _lines(self, typed: Typed, rows: int) -> list[Text]:
        lead, shown = _tail(typed.text, LEAD), []
        for number, line in enumerate(self.lines(typed, rows)):
            rest, is_first = line[len(typed.text) :] + "…" * (len(line) > self._most), number == 0
            parts = (lead, "dim"), (rest, "bold green" if is_first else ""), ("  likeliest" * is_first, "dim")
            shown.append(Text.assemble(*parts, no_wrap=True, overflow="ellipsis"))
        return shown


def run(model: "Model", config: SampleConfig, folder: Path) -> None:
    """Show a session in the terminal until it is left.

    Raises:
        ConfigError: there is no terminal, or none that can be written all over.
    """
    shown = console()
    is_terminal = sys.stdin.isatty() and shown.is_terminal and not shown.is_dumb_terminal
    if not is_terminal or importlib.util.find_spec("termios") is None:
        raise ConfigError(
            "--interactive needs a terminal to read keys from and to write to",
            next_step="Leave it out to draw lines, with --prefix to begin them.",
        )
    title = f"{folder} ({model.config.name})"
    with working("loading"):
        session = Session(model, config)
        typed = session.begin()
        session.view(typed, title, *shown.size)
    with _not_disturbed(), cbreak(), Live(console=shown, screen=True, auto_refresh=False) as live:
        typed = _follow(session, typed, title, shown, live)
    words = ["handgrad", "sample", str(folder), *_flags(session.drawn(typed))]
    shown.print(shlex.join(words), style="dim", markup=False, soft_wrap=True)


def _follow(session: Session, typed: Typed, title: str, shown: Console, live: Live) -> Typed:
    """Show what each key makes of it, those at once that were pressed at once."""
    keys, drawn = Keys(), None
    with suppress(KeyboardInterrupt):
        while not ctrl_c.pressed:
            if drawn != (typed, shown.size):
                drawn = typed, shown.size
                live.update(session.view(typed, title, *drawn[1]), refresh=True)
            key = keys.next(LOOK_AGAIN_SECONDS)
            while key is not None:
                if key in LEAVE:
                    return typed
                typed = session.press(typed, key)
                key = keys.next(0)
    return typed


@contextmanager
def _not_disturbed() -> Iterator[None]:
    """Leave the terminal as it was when the process is told to end; it cannot be put in the background."""

    def end(_number: int, _frame: object) -> None:
        raise SystemExit(128 + signal.SIGTERM)

    before = [(number, signal.getsignal(number)) for number in (signal.SIGTERM, signal.SIGTSTP)]
    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGTSTP, signal.SIG_IGN)
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)


def _flags(config: SampleConfig) -> Iterator[str]:
    """Those that draw such lines again."""
    for field in fields(config):
        value = getattr(config, field.name)
        if value != field.default:
            said = f"={value:g}" if isinstance(value, float) else f"={value}"
            yield f"--{field.name.replace('_', '-')}{'' if value is True else said}"


def _tail(text: str, width: int) -> str:
    """The end of a text, in so many columns."""
    kept = text[-4 * max(width, 1) :]
    while kept and cell_len(kept) > max(width - (kept != text), 0):
        kept = kept[1:]
    return kept if kept == text else f"…{kept}"


def _help() -> Text:
    return Text("  ").join(Text.assemble((key, "bold"), f" {what}") for key, what in HELP)
