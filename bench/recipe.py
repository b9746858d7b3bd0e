"""Validation loss against seconds: the default recipe, and the lecture's, on the built-in names.

A rate that falls to 0 makes a loss on the way worse than that of a shorter run, so every point of the curve is a whole
run of its own. Seconds are the processor's, on one core, for the steps alone: compiled code, no measuring, no files.
Run: python bench/recipe.py [--json FILE] [--png FILE] [--seeds N]
"""

import argparse
import itertools
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from handgrad import engine
from handgrad.data import resolve_corpus, split
from handgrad.models.mlp import MLP
from handgrad.training.config import PRESETS, TrainConfig
from handgrad.training.schedule import examples_of, learning_rate

LECTURE_LOSS = 2.11
STEPS_AT_ONCE = 50


CURVES = {
    "default": (PRESETS["default"], (150, 300, 600, 1200, 2500)),
    "lecture": (PRESETS["lecture"], (12_500, 25_000, 50_000, 100_000, 200_000)),
}


def run(recipe: TrainConfig, steps: int, seed: int) -> dict[str, float]:
    """Train, then measure the losses."""
    recipe = replace(recipe, steps=steps, seed=seed)
    corpus = resolve_corpus()
    train, val, _ = split(corpus)
    draw = np.random.Generator(np.random.Philox(key=seed, counter=1 << 192))
    config = MLP(corpus.vocabulary.size, recipe.block_size, recipe.n_embd, recipe.n_hidden)
    parameters = config.initial(lambda _, shape: draw.standard_normal(shape, np.float32))
    moments, seconds = engine.no_moments(parameters), 0.0
    for part in _parts(steps):
        begun = time.process_time()
        positions, rates = examples_of(recipe, part, len(train)), [learning_rate(step, recipe) for step in part]
        batches = *engine.read_batches(train.tokens, positions, recipe.block_size), rates
        if recipe.optimizer == "adam":
            parameters, moments, _ = engine.adam_steps(parameters, moments, *batches, recipe.weight_decay)
        else:
            parameters, _ = engine.sgd_steps(parameters, *batches)
        seconds += time.process_time() - begun
    statistics = engine.calibrate(parameters, train.tokens, recipe.block_size)
    losses = {
        name: engine.mean_loss(parameters, *statistics, part.tokens, recipe.block_size)
        for name, part in (("train", train), ("val", val))
    }
    return {"steps": steps, "seed": seed, "seconds": seconds, **losses}


def curves(seeds: int = 3) -> dict[str, Any]:
    """All runs, printed as they end: for each recipe its settings and its points."""
    run(PRESETS["default"], 1, 0)  # compile
    result = {}
    for name, (recipe, budgets) in CURVES.items():
        result[name] = {"recipe": asdict(recipe), "points": []}
        for steps, seed in itertools.product(budgets, range(1, seeds + 1)):
            point = run(recipe, steps, seed)
            result[name]["points"].append(point)
            print(f"{name:<8}", "  ".join(f"{key} {value:,.4g}" for key, value in point.items()), flush=True)
    return result


def picture(result: dict[str, Any], path: Path) -> None:
    """A PNG of the curves: the mean over the seeds, and each run as a dot."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 4.5), layout="constrained")
    for name, curve in result.items():
        points = curve["points"]
        budgets = sorted({point["steps"] for point in points})
        means = [
            [np.mean([point[key] for point in points if point["steps"] == steps]) for steps in budgets]
            for key in ("seconds", "val")
        ]
        (line,) = axes.plot(*means, label=f"{name} recipe")
        seconds, losses = ([point[key] for point in points] for key in ("seconds", "val"))
        axes.plot(seconds, losses, ".", color=line.get_color())
    axes.axhline(LECTURE_LOSS, color="gray", linewidth=0.8, linestyle="--", label=f"the lecture's loss, {LECTURE_LOSS}")
    axes.set_xscale("log")
    axes.set_xlabel("seconds of training on one core")
    axes.set_ylabel("validation loss, nats a character")
    axes.legend()
    figure.savefig(path, dpi=120)
    plt.close(figure)


def _parts(steps: int) -> Iterator[range]:
    for start in range(0, steps, STEPS_AT_ONCE):
        yield range(start, min(start + STEPS_AT_ONCE, steps))


def main() -> None:
    """Measure, print, and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="write the runs into this file")
    parser.add_argument("--png", type=Path, help="draw the curves into this file")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    result = curves(options.seeds)
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")
    if options.png:
        picture(result, options.png)


if __name__ == "__main__":
    main()
