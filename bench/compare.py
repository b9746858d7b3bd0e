"""Training steps of the engine beside those of its rivals: interleaved rounds, medians, spread.

Every round times each rival once and then a large matrix product, so that all of them meet the same disturbances, and
ratios are taken within a round. Run: python bench/compare.py [--json] [--png FILE] [--rounds N] [--all]
"""

import argparse
import json
import os
import platform
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
    os.environ.setdefault(variable, "1")
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")

import numpy as np  # noqa: E402  (NumPy and the rivals read the variables when they are imported)
from rivals import LECTURE, Shape, installed  # noqa: E402

SHAPES = [LECTURE, *(Shape(batch, hidden) for batch in (256, 2048) for hidden in (64, 200, 1024))]
SECONDS_A_TURN = 0.05
FLOOR_SIZE = 1024


def product_rate() -> float:
    """Floating-point operations a second in a large float32 matrix product, one core."""
    a = np.ones((FLOOR_SIZE, FLOOR_SIZE), np.float32)
    begun = time.process_time()
    a @ a
    return 2 * FLOOR_SIZE**3 / (time.process_time() - begun)


def operations(shape: Shape, vocab_size: int = 27) -> int:
    """Floating-point operations of the six matrix products of a step, as the lecture multiplies them."""
    return 6 * shape.batch_size * shape.n_hidden * (shape.block_size * shape.n_embd + vocab_size)


def measure(shape: Shape, rounds: int = 15) -> dict[str, Any]:
    """Microseconds a step for each installed rival, ratios to the engine, and the engine's to the arithmetic floor.

    Returns:
        `shape`, `floor_us`, and `rows`: for each rival its name, and median, lower and upper quartile of `us`, of
        `times_engine` and of `times_floor`.
    """
    most = 2000
    rivals = installed(shape, most)
    turns = {}
    for name, steps in rivals.items():
        steps(2)
        a_step = min(steps(2) for _ in range(3)) / 2
        turns[name] = int(np.clip(SECONDS_A_TURN / a_step, 2, most))
        steps(turns[name])
    times = {name: np.empty(rounds) for name in rivals}
    floor = np.empty(rounds)
    for n in range(rounds):
        for name, steps in rivals.items():
            times[name][n] = steps(turns[name]) / turns[name] * 1e6
        floor[n] = operations(shape) / product_rate() * 1e6
    rows = [
        {
            "name": name,
            "us": _quartiles(values),
            "times_engine": _quartiles(values / times["engine"]),
            "times_floor": _quartiles(values / floor),
        }
        for name, values in times.items()
    ]
    return {"shape": asdict(shape), "title": str(shape), "floor_us": _quartiles(floor), "rows": rows}


def table(shapes: list[Shape], rounds: int = 15) -> dict[str, Any]:
    """All measurements, and what they were made on."""
    machine = {"machine": platform.machine(), "system": platform.system(), "python": platform.python_version()}
    return {"machine": machine | {"cores": os.cpu_count()}, "shapes": [measure(shape, rounds) for shape in shapes]}


def bar_chart(result: dict[str, Any], path: Path) -> None:
    """A PNG: for each shape how many times as long as the engine each rival takes."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    shapes = result["shapes"]
    names = [row["name"] for row in shapes[0]["rows"]]
    figure, axes = plt.subplots(figsize=(8, 0.6 + 0.35 * len(shapes) * len(names)), layout="constrained")
    height = 0.8 / len(names)
    for i, name in enumerate(names):
        found = [next(row["times_engine"] for row in shape["rows"] if row["name"] == name) for shape in shapes]
        places = np.arange(len(shapes)) + i * height
        middle = np.array([quartiles["median"] for quartiles in found])
        spread = [middle - [q["q1"] for q in found], [q["q3"] for q in found] - middle]
        axes.barh(places, middle, height, xerr=spread, label=name)
        for place, value in zip(places, middle, strict=True):
            axes.text(value, place, f" {value:.1f}", va="center", fontsize=8)
    axes.set_yticks(np.arange(len(shapes)) + 0.4 - height / 2, [shape["title"] for shape in shapes])
    axes.invert_yaxis()
    axes.set_xlabel("time of a training step, in times the engine's")
    axes.legend()
    figure.savefig(path, dpi=120)
    plt.close(figure)


def lines(result: dict[str, Any]) -> list[str]:
    """The table as text."""
    text = []
    for shape in result["shapes"]:
        text.append(f"{shape['title']}: arithmetic floor {_show(shape['floor_us'], 0)} µs")
        for row in shape["rows"]:
            parts = (_show(row["us"], 0), _show(row["times_engine"], 1), _show(row["times_floor"], 1))
            text.append("  {:<18} {:>22} µs {:>20} × engine {:>20} × floor".format(row["name"], *parts))
    return text


def _quartiles(values: np.ndarray) -> dict[str, float]:
    q1, median, q3 = np.quantile(values, [0.25, 0.5, 0.75])
    return {"median": float(median), "q1": float(q1), "q3": float(q3)}


def _show(quartiles: dict[str, float], digits: int) -> str:
    return "{median:,.{d}f} ({q1:,.{d}f} to {q3:,.{d}f})".format(**quartiles, d=digits)


def main() -> None:
    """Measure, print, and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--png", type=Path, help="draw a bar chart into this file")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--all", action="store_true", help="all shapes, not the lecture's alone")
    options = parser.parse_args()
    result = table(SHAPES if options.all else [LECTURE], options.rounds)
    print(json.dumps(result, indent=2) if options.json else "\n".join(lines(result)))
    if options.png:
        bar_chart(result, options.png)


if __name__ == "__main__":
    main()
