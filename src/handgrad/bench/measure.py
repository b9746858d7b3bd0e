"""Interleaved rounds: in each, every rival takes its turn, then comes a large matrix product.

So all of them meet the same disturbances, and ratios are taken within a round.
"""

import os
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from handgrad import ctrl_c
from handgrad.bench import feedforward_rivals, gpt_rivals, line_rivals, rivals
from handgrad.bench.rivals import Arrays, Steps, UnavailableError
from handgrad.bench.script import Script
from handgrad.bench.shapes import Shape, usual

SECONDS_A_TURN, SECONDS_OF_LINES = 0.1, 0.2
FLOOR_SIZE = 1024
COMPARED_STEPS = 8
MOST_STEPS, MOST_EXAMPLES = 2_000, 100_000
TOLERANCE, EPSILON = 1e-4, 1e-6
"""How far a parameter may be from the engine's: relative to the way from its start, and, for what rounding alone moves,
to its size. Rounding stays below a third of that; a variance divided by N for N - 1 is far above it."""
TOLERANCE_OF_ADAM = 2e-3
"""Likewise: Adam divides by the size of a gradient, and so by rounding where there is next to none."""

Rivals = Mapping[str, Callable[[Any], Steps]]
Turn = Callable[[], float]
"""Takes some steps; the seconds of one."""


class Round(NamedTuple):
    """Microseconds of a step's matrix products at the rate of a large one, and of a step by the name of the rival."""

    floor_us: float
    times_us: dict[str, float]


@dataclass
class Measurement:
    """The times of one shape. `run` fills it round by round, so that after a Ctrl-C it holds the rounds before.

    Args:
        shape: of the minibatches and the model.
        clock: a function of `time`. `process_time` counts the processor's work, which other programs hardly lengthen.
        script: a copy of microgpt.py, which is timed beside microgpt at its usual sizes.
        done: the rounds.
        not_measured: for each rival that is not in them the reason.
    """

    shape: Shape
    clock: str = "process_time"
    script: Path | None = None
    done: list[Round] = field(default_factory=list)
    not_measured: dict[str, str] = field(default_factory=dict)

    def run(
        self, rounds: int, progress: Callable[[str], object] = lambda _: None, rivals: Rivals | None = None
    ) -> None:
        """Prepare each rival, and time those that compute what the engine does.

        Args:
            rounds: how many.
            progress: called with what comes next before each rival is prepared, and before each round.
            rivals: by name; the first is the engine. By default all there are for the shape.
        """
        steps = int(np.clip(MOST_EXAMPLES / self.shape.batch_size, COMPARED_STEPS, MOST_STEPS))
        problem, floor = _of(self.shape).draw(self.shape, steps), operations(self.shape)
        (name, engine), *others = (rivals or rivals_of(self.shape)).items()
        self._announce(progress, name)
        take = engine(problem)
        expected, tolerance = take(COMPARED_STEPS), TOLERANCE if self.shape.model == "mlp" else TOLERANCE_OF_ADAM
        turns = {name: self._turn(take, steps)}

        def compared(rival: Callable[[Any], Steps]) -> Turn:
            take = rival(problem)
            require_agreement(problem.parameters, expected, take(COMPARED_STEPS), tolerance)
            return self._turn(take, steps)

        prepared: dict[str, Callable[[], Turn]] = {name: partial(compared, rival) for name, rival in others}
        if self.script and self.shape == usual("microgpt"):
            prepared[f"{self.script.name} itself"] = Script(self.script, self.clock).turn
        for name, prepare in prepared.items():
            self._announce(progress, name)
            try:
                turns[name] = prepare()
            except UnavailableError as reason:
                self.not_measured[name] = str(reason)
            except ModuleNotFoundError as missing:
                extra = "jax" if missing.name == "jax" else "'handgrad[torch]'"
                self.not_measured[name] = f"{missing.name} is not installed; pip install {extra}"
            except Exception as error:  # a rival's own troubles are no reason to lose the others
                said = str(error).strip().partition("\n")[0]
                self.not_measured[name] = f"fails here, {type(error).__name__}: {said}"
        for number in range(1, rounds + 1):
            self._announce(progress, f"round {number} of {rounds}")
            times = {name: turn() * 1e6 for name, turn in turns.items()}
            self.done.append(Round(floor / self._product_rate() * 1e6, times))

    def summary(self) -> dict[str, Any]:
        """Median and quartiles over the rounds: of the floor, and for each rival of its time and of its two ratios."""
        names = list(self.done[0].times_us)
        times = {name: np.array([a_round.times_us[name] for a_round in self.done]) for name in names}
        floor = np.array([a_round.floor_us for a_round in self.done])
        rows = [
            {
                "name": name,
                "us": quartiles(values),
                "times_engine": quartiles(values / times[names[0]]),
                "times_floor": quartiles(values / floor),
            }
            for name, values in times.items()
        ]
        title = {
            "shape": {"batch_size": self.shape.batch_size, **self.shape.sizes, "model": self.shape.model},
            "title": str(self.shape),
            "rounds": len(floor),
        }
        return {**title, "floor_us": quartiles(floor), "rows": rows, "not_measured": self.not_measured}

    def _turn(self, take: Steps, most: int) -> Turn:
        """Of as many steps as fill the time of one, but at most so many."""
        n, seconds = COMPARED_STEPS, SECONDS_OF_LINES if self.shape.reads_lines else SECONDS_A_TURN
        for _ in range(2):  # the first estimate has in it what a call takes before its first step
            a_step = self._seconds(take, n) / n
            n = int(np.clip(seconds / max(a_step, 1e-9), 1, most))
            take(n)  # JAX compiles for each number of steps
        return lambda: self._seconds(take, n) / n

    def _seconds(self, take: Callable[[int], object], n: int) -> float:
        clock = getattr(time, self.clock)
        begun = clock()
        take(n)
        return clock() - begun

    def _product_rate(self) -> float:
        """Floating-point operations a second in a large float32 matrix product."""
        a = np.ones((FLOOR_SIZE, FLOOR_SIZE), np.float32)
        return 2 * FLOOR_SIZE**3 / self._seconds(lambda _: a @ a, 1)

    def _announce(self, progress: Callable[[str], object], what: str) -> None:
        if ctrl_c.pressed:  # and its exception lost
            raise KeyboardInterrupt
        progress(f"{self.shape}: {what}")


def _of(shape: Shape) -> Any:
    return {
        "mlp": rivals, "bigram": feedforward_rivals, "bow": feedforward_rivals, "wavenet": feedforward_rivals,
        "transformer": gpt_rivals, "microgpt": gpt_rivals,
    }.get(shape.model, line_rivals)  # fmt: skip


def rivals_of(shape: Shape) -> Rivals:
    """All there are, by name; the first is the engine."""
    return _of(shape).RIVALS


def operations(shape: Shape, vocab_size: int = 27) -> int:
    """Floating-point operations of the matrix products of a step: the lecture's six, or those of another family.

    Example:
        >>> from handgrad.bench.shapes import LECTURE
        >>> operations(LECTURE)
        2188800
    """
    if shape.model != "mlp":
        return _of(shape).operations(shape)
    return 6 * shape.batch_size * shape.n_hidden * (shape.block_size * shape.n_embd + vocab_size)


def require_agreement(start: Arrays, expected: Arrays, got: Arrays, tolerance: float = TOLERANCE) -> None:
    """Raise UnavailableError if a parameter differs from the engine's by more than rounding, or is not a number."""
    for name in expected:
        way = np.abs(expected[name] - start[name]).max()
        apart = np.abs(got[name] - expected[name]).max()
        if not apart <= tolerance * way + EPSILON * np.abs(start[name]).max():
            found = (
                f"after {COMPARED_STEPS} steps {name} is {apart:.2g} from the engine's, which has moved by {way:.2g}"
            )
            raise UnavailableError(f"does not compute the same: {found}")


def quartiles(values: np.ndarray) -> dict[str, float]:
    """The median and the quartiles, by name."""
    q1, median, q3 = np.quantile(values, [0.25, 0.5, 0.75])
    return {"median": float(median), "q1": float(q1), "q3": float(q3)}


def choose_clock(threads: int) -> str:
    """The processor's time for one thread; the time on the wall for more, or where the former comes in coarse ticks."""
    return "process_time" if threads == 1 and time.get_clock_info("process_time").resolution < 1e-4 else "perf_counter"


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    from llvmlite import binding

    versions = {}
    for package in ("numpy", "numba", "torch", "jax"):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return {
        "machine": platform.machine(),
        "cpu": binding.get_host_cpu_name(),
        "cores": os.cpu_count(),
        "system": platform.system(),
        "python": platform.python_version(),
        **versions,
    }
