"""What more workers would give a sweep, on paper, from docs/sweep.json: python studies/sweep_scale.py"""

import heapq
import json
import math
from itertools import pairwise
from pathlib import Path
from typing import Any

from handgrad.sweep.driver import BEFORE, CHECKPOINT_SECONDS
from handgrad.sweep.trials import SHARES

CONSTANTS = Path(__file__).parents[1] / "docs" / "sweep.json"
WORKERS = (2, 8, 64, 512)
BUDGETS = (10, 60, 600)
"""Seconds of a trial."""


def main() -> None:
    """Print the table."""
    found = json.loads(CONSTANTS.read_text())
    moved = found["sent"] + found["returned"]
    print(f"| workers | trials a round | {' | '.join(f'{budget} s' for budget in BUDGETS)} |")
    print("|--:|--:|" + "--:|" * len(BUDGETS))
    for workers in WORKERS:
        for size in sorted({8, max(8, workers), max(8, 2 * workers)}):
            gains = [
                _simulated(1, size, budget, found) / _simulated(workers, size, budget, found) for budget in BUDGETS
            ]
            print(f"| {workers} | {size} | " + " | ".join(f"{gain:.1f}" for gain in gains) + " |")
    a_task = f"{found['driver'] * 1e3:.0f} ms of the driver, {moved / 1e6:.1f} MB"
    a_character = found["text"] / found["characters"]
    print(f"\nA task: {a_task}, of a network of {found['parameters']:,} parameters; ", end="")
    print(f"the text: {a_character:.1f} bytes a character, once a machine.")


def _simulated(workers: int, size: int, budget: float, found: dict[str, Any], rounds: int = 6) -> float:
    """Seconds of some rounds of equal trials on so many workers; the driver does one thing at a time."""
    spans = [share - before for before, share in pairwise((0.0, *SHARES))]
    counts = [-(-size // 2**stage) for stage in range(len(SHARES))]
    now, driver, free = 0.0, 0.0, workers
    waiting: list[tuple[int, int]] = []  # the round and the stage of each trial that can go on, as a heap
    events: list[tuple[float, int, int]] = []
    left: dict[int, int] = {}
    ended, begun = set(), 0
    while True:
        while begun < rounds and all(number in ended for number in range(begun - BEFORE + 1)):
            left[begun] = counts[0]
            for _ in range(counts[0]):
                heapq.heappush(waiting, (begun, 0))
            begun += 1
        while free and waiting:
            number, stage = heapq.heappop(waiting)
            tasks = max(1, math.ceil(spans[stage] * budget / CHECKPOINT_SECONDS))  # each brings a checkpoint back
            driver = max(driver, now) + tasks * found["driver"]
            heapq.heappush(events, (driver + spans[stage] * budget + tasks * found["task"], number, stage))
            free -= 1
        if not events:
            return now
        now, number, stage = heapq.heappop(events)
        free, left[number] = free + 1, left[number] - 1
        if left[number]:
            continue
        if stage + 1 == len(SHARES):
            ended.add(number)
        else:
            left[number] = counts[stage + 1]
            for _ in range(counts[stage + 1]):
                heapq.heappush(waiting, (number, stage + 1))


if __name__ == "__main__":
    main()
