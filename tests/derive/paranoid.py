"""Every rewriting step and every tree against what it was made of, in numbers."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch

from handgrad.derive.expr import Expr, Factor
from handgrad.derive.indices import Axis
from handgrad.derive.lower.graph import Graph, Indexed
from handgrad.derive.lower.values import value
from handgrad.derive.simplify import steps
from handgrad.derive.wording import search
from handgrad.derive.wording.tree import Add, Flat, Leaf, Mul, Num, Sum, Tree, free
from handgrad.derive.wording.words import Words


@dataclass
class Steps:
    """How many steps of each kind there were, and those that changed the value."""

    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def __call__(self, graph: Graph, step: str, before: Expr, after: Expr) -> None:
        draw(graph, before, after)
        axes = order(before.free() | after.free())
        self.compare(step, value(graph, Indexed(before, axes)), value(graph, Indexed(after, axes)), before)

    def tree(self, words: Words, expr: Expr, made: Tree) -> None:
        draw(words.graph, expr)
        axes = order(expr.free())
        right = value(words.graph, Indexed(expr, axes))
        self.compare("tree", right, tree_value(words.graph, made, axes).expand(right.shape), expr)

    def compare(self, step: str, right: torch.Tensor, found: torch.Tensor, what: object) -> None:
        self.counts[step] += 1
        scale = right.abs().max().item() if right.numel() else 0.0
        if not torch.allclose(right, found, rtol=1e-7, atol=1e-9 * max(1.0, scale), equal_nan=True):
            self.wrong.append(f"{step}: off by {(right - found).abs().max():.1e} in {what}"[:600])


def order(axes: frozenset[Axis]) -> tuple[Axis, ...]:
    return tuple(sorted(axes))


def draw(graph: Graph, *expressions: Expr) -> None:
    """Give random values to gradients that have none."""
    for expr in expressions:
        for name in expr.names():
            definition = graph.definitions.get(name)
            if definition is not None and not definition.arguments and name not in graph.values:
                shape = [1 if i is None else _extent(i) for i in definition.axes]
                generator = torch.Generator().manual_seed(len(name))
                graph.values[name] = torch.randn(shape, generator=generator, dtype=torch.float64)
            elif definition is not None:
                draw(graph, *definition.arguments)


def _extent(index: object) -> int:
    from handgrad.derive.expr import extent

    return extent(index)  # type: ignore[arg-type]


def tree_value(graph: Graph, tree: Tree, axes: tuple[Axis, ...]) -> torch.Tensor:
    """The numbers of a tree over some indices, one for each axis, of length one where it does not have it."""
    match tree:
        case Num(number):
            return torch.full([1] * len(axes), float(number), dtype=torch.float64)
        case Leaf(base):
            have = tuple(a for a in axes if a in free(tree))
            made = value(graph, Indexed(Expr([_term(base)]), have))
            return made.reshape([a.size.number if a in have else 1 for a in axes])
        case Add(parts):
            return sum((tree_value(graph, part, axes) for part in parts), torch.zeros((), dtype=torch.float64))
        case Mul(coefficient, parts):
            total = torch.full([1] * len(axes), float(coefficient), dtype=torch.float64)
            for part, power in parts:
                total = total * tree_value(graph, part, axes) ** float(power)
            return total
        case Sum(over, body):
            inner = tree_value(graph, body, (*axes, *over))
            for k, axis in enumerate(over):
                if inner.shape[len(axes) + k] == 1:
                    inner = inner * axis.size.number
            return inner.sum(tuple(range(len(axes), len(axes) + len(over))))
        case Flat(body, group, axis):
            at = axes.index(axis)
            inner = (*axes[:at], *group, *axes[at + 1 :])
            made = tree_value(graph, body, inner)
            made = made.expand([*made.shape[:at], *(a.size.number for a in group), *made.shape[at + len(group) :]])
            return made.flatten(at, at + len(group) - 1)


def _term(base: object):
    from handgrad.derive.expr import term

    return term((), [(base, 1)])  # type: ignore[list-item]


@contextmanager
def watched() -> Iterator[Steps]:
    """Look at every rewriting step, and at every tree that is made."""
    found = Steps()
    made = search._tree

    def watching(words: Words, expr: Expr) -> Tree:
        out = made(words, expr)
        found.tree(words, expr, out)
        return out

    steps.WATCHERS.append(found)
    search._tree = watching
    try:
        yield found
    finally:
        steps.WATCHERS.remove(found)
        search._tree = made


__all__ = ["Factor", "Steps", "watched"]
