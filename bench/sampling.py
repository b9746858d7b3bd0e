"""Lines a second, on one core: from the table, from the distributions met so far, from models of lines, and as strings.

Models of lines are trained for a part of their recipe only, which is enough to draw lines as long as names.
Run: python bench/sampling.py
"""

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["HANDGRAD_THREADS"] = "1"

import numpy as np

import handgrad
from handgrad.engine.distributions import Choice
from handgrad.models.forms import form_of
from handgrad.training.config import PRESETS, TrainConfig

ROUNDS, MAX_LENGTH = 5, 100


def a_second(n_lines: int, draw: Callable[[], object]) -> list[float]:
    """Lines per second of processor time, one number a round."""
    rates = []
    for _ in range(ROUNDS):
        begun = time.process_time()
        draw()
        rates.append(n_lines / (time.process_time() - begun))
    return rates


def rates(folder: Path) -> dict[str, list[float]]:
    """Of models of the lecture's and of default sizes, trained on the built-in names."""
    lecture = handgrad.train(config=PRESETS["lecture"], steps=20_000, out=folder / "lecture", progress=False)
    default = handgrad.train(config=TrainConfig.of("mlp"), out=folder / "default", progress=False)
    table, decode = sampler(lecture), lecture.vocabulary.decode
    table.draw(1, range(1_000_000))
    sampler(default).draw(1, range(100))
    found = {
        "lecture's sizes, table": a_second(1_000_000, lambda: table.draw(1, range(1_000_000))),
        "the same as strings": a_second(1_000_000, lambda: decode(table.draw(1, range(1_000_000))).split("\n")),
        "lecture's sizes, 2,000 lines": a_second(2_000, lambda: sampler(lecture).draw(1, range(2_000))),
        "mlp, 2,000 lines": a_second(2_000, lambda: sampler(default).draw(1, range(2_000))),
        "mlp, 1,000,000 lines": a_second(1_000_000, lambda: sampler(default).draw(1, range(1_000_000))),
    }
    for name in ("gru", "transformer"):
        draws = sampler(handgrad.train(config=TrainConfig.of(name, steps=3_000), out=folder / name, progress=False))
        for n_lines in (2_000, 20_000, 200_000):
            found[f"{name}, {n_lines:,} lines"] = a_second(n_lines, lambda d=draws, n=n_lines: d.draw(1, range(n)))
    return found


def sampler(model: handgrad.Model) -> Any:
    """One that has drawn nothing yet."""
    return form_of(model.config.name).sampler(model, Choice(), [], MAX_LENGTH)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        for name, values in rates(Path(temporary)).items():
            q1, median, q3 = np.quantile(values, [0.25, 0.5, 0.75])
            print(f"{name:<30} {median:>10,.0f} ({q1:,.0f} to {q3:,.0f}) lines a second")
