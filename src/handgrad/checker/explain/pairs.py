"""Two edits that repair a chain only together, found without trying every pair."""

import math
from collections.abc import Iterator

import torch

from handgrad.checker.explain.trials import Change, Trials

MOST_RESULTS = 700
MOST_PAIRS = 40
"""How many edits are paired, and how many pairs are then tried."""


def repairing_pair(trials: Trials) -> tuple[Change, Change] | None:
    """Two edits that together make the gradient right.

    Two edits of different terms add what each changes, and two of different factors multiply it: with g what the line
    makes, a and b what it makes after each edit, and w what it should make, a + b = g + w or a * b = g * w. A few
    elements of what single trials made are enough to see which pairs fit; these alone are tried.
    """
    for first, second in list(_fitting(trials))[:MOST_PAIRS]:
        if trials.right(first, second):
            return first, second
    return None


def _fitting(trials: Trials) -> Iterator[tuple[Change, Change]]:
    got, want = trials.own, trials.case.want
    if got is None or got.shape != want.shape or not len(trials.sampled):
        return
    g, w = (t.reshape(-1)[trials.sampled].to(torch.float64) for t in (got, want))
    unchanged = g.tolist()
    results = [r for r in trials.results if r[1] != unchanged and all(map(math.isfinite, r[1]))][:MOST_RESULTS]
    if not results or not all(map(math.isfinite, unchanged)):
        return
    made = torch.tensor([m for _, m in results], dtype=torch.float64)
    size = w.abs() + g.abs() + 1e-30
    additive = _close(made[:, None] + made[None], g + w, size)
    multiplicative = _close(made[:, None] * made[None], g * w, size**2)
    hits = (additive | multiplicative).triu(1).nonzero().tolist()
    for i, j in sorted(hits, key=lambda pair: sum(results[k][0][0].cost for k in pair)):
        yield results[i][0], results[j][0]


def _close(made: torch.Tensor, wanted: torch.Tensor, size: torch.Tensor) -> torch.Tensor:
    return ((made - wanted).abs() <= 1e-6 * size).all(-1)
