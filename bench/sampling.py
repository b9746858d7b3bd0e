"""Lines a second, on one core: from the table, from the distributions met so far, and turned into strings.

Run: python bench/sampling.py
"""

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ["HANDGRAD_THREADS"] = "1"

import numpy as np

import handgrad
from handgrad import engine
from handgrad.training.config import PRESETS

ROUNDS = 5


def a_second(n_lines: int, draw: Callable[[], object]) -> list[float]:
    """Lines per second of processor time, one number a round."""
    rates = []
    for _ in range(ROUNDS):
        begun = time.process_time()
        draw()
        rates.append(n_lines / (time.process_time() - begun))
    return rates


def rates(folder: Path) -> dict[str, list[float]]:
    """Of models of the lecture's and of the default sizes, trained on the built-in names."""
    lecture = handgrad.train(config=PRESETS["lecture"], steps=20_000, out=folder / "lecture")
    default = handgrad.train(out=folder / "default")
    table, decode = sampler(lecture), lecture.vocabulary.decode
    table.draw(1, range(1_000_000))
    sampler(default).draw(1, range(100))
    return {
        "lecture's sizes, table": a_second(1_000_000, lambda: table.draw(1, range(1_000_000))),
        "the same as strings": a_second(1_000_000, lambda: decode(table.draw(1, range(1_000_000))).split("\n")),
        "lecture's sizes, 2,000 lines": a_second(2_000, lambda: sampler(lecture).draw(1, range(2_000))),
        "default sizes, 2,000 lines": a_second(2_000, lambda: sampler(default).draw(1, range(2_000))),
        "default sizes, 1,000,000 lines": a_second(1_000_000, lambda: sampler(default).draw(1, range(1_000_000))),
    }


def sampler(model: handgrad.Model) -> engine.Sampler:
    """One that has drawn nothing yet."""
    return engine.Sampler(model.parameters, model.buffers["bnmean"], model.buffers["bnvar"])


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        for name, values in rates(Path(temporary)).items():
            q1, median, q3 = np.quantile(values, [0.25, 0.5, 0.75])
            print(f"{name:<30} {median:>10,.0f} ({q1:,.0f} to {q3:,.0f}) lines a second")
