"""`handgrad bench`."""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import arg

from handgrad.bench.shapes import LECTURE, Compared, Shape, every, usual
from handgrad.cli.parse import parse, saying
from handgrad.errors import ConfigError
from handgrad.models.config import require_integer

if TYPE_CHECKING:
    from handgrad.bench.measure import Measurement

PROGRAM = "handgrad bench"
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "NPROC")
SECONDS_A_SHAPE, SECONDS_A_ROUND, SECONDS_A_SCRIPT = 12.0, 0.75, 1.5


@dataclass(frozen=True)
class Bench:
    """Time a training step of the engine beside what you would use instead, on this machine.

    Beside it stand the notebook's own loop, PyTorch with autograd, by hand, and by hand and compiled, and JAX, as far
    as they are installed. Each has to compute the same before it is timed. The arithmetic floor is the time of a
    step's matrix products at the rate of a large one. All of it is on one core; figures are medians, with quartiles.

    examples:
      handgrad bench
      handgrad bench --batch-size 256 --n-hidden 64 --png bench.png
      handgrad bench --model gru
      handgrad bench --model microgpt --script microgpt.py
      handgrad bench --all --json > bench.json
      handgrad bench --from bench.json --markdown
    """

    all: bool = False
    """Every family, and the lecture's in larger batches and with other hidden layers: some ten minutes."""
    shape: Shape = LECTURE
    rounds: Annotated[int, arg(metavar="N")] = 15
    """In each round everyone takes a turn."""
    threads: Annotated[int, arg(metavar="N")] = 1
    """For PyTorch, JAX and the floor; the engine's step takes one. Several want a quiet machine: wall time counts."""
    script: Annotated[Path | None, arg(metavar="FILE", help_behavior_hint="")] = None
    """Your copy of microgpt.py, whose first steps are run as they are, beside microgpt at its usual sizes."""
    source: Annotated[Path | None, arg(name="from", metavar="FILE", help_behavior_hint="")] = None
    """Measure nothing, and show what an earlier --json printed."""
    json: bool = False
    """Print the figures as JSON."""
    markdown: bool = False
    """Print the figures as a Markdown table."""
    png: Annotated[Path | None, arg(metavar="FILE", help_behavior_hint="")] = None
    """Draw a bar chart into this file, too."""

    def check(self) -> None:
        """Raise ConfigError for what cannot be done, before anything is measured."""
        require_integer("rounds", self.rounds, at_least=1, at_most=10_000)
        require_integer("threads", self.threads, at_least=1, at_most=os.cpu_count())
        changed = {f.name for f in fields(self) if getattr(self, f.name) != f.default}
        if self.json and self.markdown:
            raise ConfigError("--json and --markdown exclude each other", next_step="Choose one of the two.")
        if self.all and self.shape != LECTURE:
            raise ConfigError("--all has sizes of its own", got=str(self.shape), next_step="Leave out one of the two.")
        if self.script and not self.script.is_file():
            raise ConfigError("there is no such script", where=self.script, expected="a copy of microgpt.py")
        if self.script and not self.all and self.shape != usual("microgpt"):
            raise ConfigError(
                "--script has sizes of its own", got=str(self.shape), expected=str(usual("microgpt")),
                next_step="Say --model microgpt, and no sizes.",
            )  # fmt: skip
        if self.source and changed & {"all", "shape", "rounds", "threads", "script"}:
            raise ConfigError("--from measures nothing", next_step="Leave out what to measure, or --from.")
        if self.png and (self.png.is_dir() or not os.access(self.png.parent, os.W_OK)):
            place = "a file in a folder that can be written to"
            raise ConfigError("no picture can be written there", where=self.png, expected=place)


def main(words: list[str]) -> None:
    """Parse, measure, and show what came of it."""
    options = parse(Bench, PROGRAM, words, Bench(shape=usual(_model(words))))
    options.check()
    if options.source:
        from handgrad.bench.result import read_result

        _show(read_result(options.source), options)
        return
    _use_threads(options.threads)
    done: list[Measurement] = []
    try:
        _measure(options, done)
    except KeyboardInterrupt:
        done = [measurement for measurement in done if measurement.done]
        if not done:
            raise KeyboardInterrupt("Nothing was measured yet.") from None
        _show(_result(options, done), options)
        reached = f"{done[-1].shape}: {len(done[-1].done)} of {options.rounds} rounds."
        raise KeyboardInterrupt(reached) from None
    _show(_result(options, done), options)


def _model(words: list[str]) -> Compared:
    """The family that the words name, on which the usual sizes depend."""
    return parse(_Model, PROGRAM, saying({"--model"}, words), _Model()).model


@dataclass(frozen=True)
class _Model:
    model: Compared = "mlp"


def _use_threads(threads: int) -> None:
    """Tell NumPy, PyTorch and JAX, which look when they are imported; and no accelerator, no server to compile."""
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(threads)))
    os.environ.update({"JAX_PLATFORMS": "cpu", "TORCHINDUCTOR_COMPILE_THREADS": "1"})


def _measure(options: Bench, done: "list[Measurement]") -> None:
    """Append one measurement after the other, so that after a Ctrl-C `done` has what there is."""
    from handgrad.bench.measure import Measurement, choose_clock, rivals_of

    shapes = every() if options.all else (options.shape,)
    parts = sum(len(rivals_of(shape)) + options.rounds for shape in shapes) + bool(options.script)
    seconds = len(shapes) * (SECONDS_A_SHAPE + SECONDS_A_ROUND * options.rounds)
    seconds += bool(options.script) * SECONDS_A_SCRIPT * (1 + options.rounds)
    with _progress(shapes, options.rounds, parts, 5 * round(seconds / 5)) as progress:
        for shape in shapes:
            done.append(Measurement(shape, choose_clock(options.threads), options.script))
            done[-1].run(options.rounds, progress)


@contextmanager
def _progress(shapes: Sequence[Shape], rounds: int, parts: int, seconds: int) -> Iterator[Callable[[str], None]]:
    """On a terminal say how long it will take, and show what goes on; drawn between the turns, never during one."""
    from rich.progress import BarColumn, Progress, TextColumn

    from handgrad.cli.console import console

    screen = console(stderr=True)
    columns = BarColumn(24), TextColumn("{task.description}")
    with Progress(*columns, console=screen, transient=True, auto_refresh=False, disable=not screen.is_terminal) as bar:
        if screen.is_terminal:
            what = f"{len(shapes)} sizes" if len(shapes) > 1 else str(shapes[0])
            long = f"about {seconds:,} s, up to a minute more the first time, to compile"
            screen.print(f"{what}, {rounds} round{'s' * (rounds > 1)}: {long}.", style="dim")
        task = bar.add_task("", total=parts)
        yield lambda what: bar.update(task, description=what, advance=1, refresh=True)


def _result(options: Bench, done: "list[Measurement]") -> dict[str, Any]:
    from handgrad.bench.measure import choose_clock, machine

    method = {"rounds": options.rounds, "threads": options.threads, "clock": choose_clock(options.threads)}
    return {"machine": machine(), "method": method, "shapes": [measurement.summary() for measurement in done]}


def _show(result: dict[str, Any], options: Bench) -> None:
    from handgrad.bench.report import markdown

    if options.json:
        print(json.dumps(result, ensure_ascii=False, indent=1))
    elif options.markdown:
        print(markdown(result), end="")
    else:
        _show_tables(result)
    if options.png:
        from handgrad.bench.chart import bar_chart

        options.png.write_bytes(bar_chart(result))


def _show_tables(result: dict[str, Any]) -> None:
    from rich.markup import escape

    from handgrad.bench.report import conclusion, microseconds, spread, times
    from handgrad.cli.console import console, show_figures

    show = console().print
    for shape in result["shapes"]:
        rows = [
            (
                row["name"],
                spread(row["us"], microseconds),
                *(spread(row[key], times) for key in ("times_engine", "times_floor")),
            )
            for row in shape["rows"]
        ]
        show(f"[bold]{escape(shape['title'])}[/]: arithmetic floor {spread(shape['floor_us'], microseconds)} µs")
        show_figures(("", "µs a step", "× engine", "× floor"), rows)
        for name, reason in shape["not_measured"].items():
            show(f"{name}: {reason}", style="dim", markup=False, soft_wrap=True)
        show()
    for sentence in conclusion(result):
        show(sentence, markup=False, soft_wrap=True)
    for line in _made_on(result):
        show(line, style="dim", markup=False, soft_wrap=True)


def _made_on(result: dict[str, Any]) -> list[str]:
    return [", ".join(f"{key} {value}" for key, value in result[part].items()) for part in ("machine", "method")]
