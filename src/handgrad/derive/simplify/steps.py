"""Rewriting steps, each of which can be watched: what went in, what came out."""

import functools
from collections.abc import Callable
from typing import Any, Protocol

from handgrad.derive.expr import Expr
from handgrad.derive.lower.graph import Graph


class Watcher(Protocol):
    """Told of each rewriting step."""

    def __call__(self, graph: Graph, step: str, before: Expr, after: Expr) -> None:
        """Look at a step."""


WATCHERS: list[Watcher] = []
"""Who is told; none outside of tests."""


def rewriting(step: Callable[..., Expr]) -> Callable[..., Expr]:
    """Mark a function of a graph and an expression as a step: what it returns is equal to what it is given."""

    @functools.wraps(step)
    def watched(graph: Graph, expr: Expr, *arguments: Any, **options: Any) -> Expr:
        after = step(graph, expr, *arguments, **options)
        for watcher in WATCHERS:
            watcher(graph, step.__name__, expr, after)
        return after

    return watched
