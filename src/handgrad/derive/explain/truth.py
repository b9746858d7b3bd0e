"""What the gradients are, by means that derive nothing, and how far a formula is from them."""

from collections.abc import Mapping
from dataclasses import replace

import torch

from handgrad.derive.expr import Delta, Expr, term
from handgrad.derive.indices import Axis, Form, extent, plain_order
from handgrad.derive.lower.graph import Graph, Indexed
from handgrad.derive.lower.values import value
from handgrad.derive.read.program import Program
from handgrad.derive.sweep import gradient_name, upstream
from handgrad.derive.verify.comparison import FLOOR, TOLERANCES
from handgrad.derive.verify.references import Slopes, Truth, by_autograd, by_differences
from handgrad.derive.verify.running import Forward, quietly
from handgrad.derive.wording.tree import Add, Flat, Leaf, Mul, Num, Sum, Tree, free
from handgrad.errors import DeriveError

SEED = 1
"""Of the random gradient that the derivation begins with."""


class Truths:
    """The right gradients of one program's variables, at its own values, with a random gradient of its end.

    The graph learns the gradients' values, so that formulas with gradients in them have one.
    """

    def __init__(self, graph: Graph, end: str):
        """Run the program and differentiate it."""
        self.graph = graph
        program = graph.program
        shape = tuple(program.values[end].shape)
        generator = torch.Generator().manual_seed(SEED)
        cotangent = torch.randn(shape, generator=generator, dtype=torch.float64) if shape else torch.ones(()).double()
        forward = Forward(_ending(program, end))
        self.measured = program.library == "numpy"
        with quietly():
            differentiate = by_differences if self.measured else by_autograd
            given = cotangent.numpy() if self.measured else cotangent
            self.truths: Mapping[str, Truth] = differentiate(forward, forward.start(), given, SEED)[0]
        self.largest = max((truth.largest for truth in self.truths.values()), default=0.0)
        for name, truth in self.truths.items():
            if name in graph.definitions and not isinstance(truth, Slopes):
                self.learn(name, torch.as_tensor(truth.values))
        self.learn(end, cotangent)

    def learn(self, name: str, gradient: torch.Tensor) -> None:
        """Tell the graph what the gradient of a variable is."""
        upstream(self.graph, name)
        self.graph.values[gradient_name(self.graph, name)] = gradient.double()

    def check(self, name: str, form: Form, *trees: Tree) -> float:
        """How far formulas are from the gradient of a variable at most.

        Raises:
            DeriveError: one is farther than rounding explains.
        """
        truth = self.truths.get(name)
        found = [number(self.graph, tree, form) for tree in trees]
        if truth is None:
            self.learn(name, found[0])
            return max(float((made - found[0]).abs().max()) for made in found)
        least = FLOOR * self.largest or 1e-300
        off = max(truth.error(made.numpy(), least) for made in found)
        if not off <= TOLERANCES[self.graph.program.library]:
            raise DeriveError(
                f"a step of the derivation of {gradient_name(self.graph, name)} is off by {off:.2g}",
                next_step="Please report it, with the forward lines: no wrong step is shown.",
            )
        if self.measured:
            self.learn(name, found[0])
        return off * max(truth.largest, least)


def _ending(program: Program, end: str) -> Program:
    """The program with another output."""
    return program if end == program.output else replace(program, output=end, outputs=(end,))


def number(graph: Graph, tree: Tree, form: Form) -> torch.Tensor:
    """What a tree comes to, with the axes of a form."""
    axes = tuple(axis for index in form for axis in plain_order(index))
    return _value(graph, tree, axes).expand([a.size.number for a in axes]).reshape([extent(i) for i in form])


def _value(graph: Graph, tree: Tree, axes: tuple[Axis, ...]) -> torch.Tensor:
    """The numbers of a tree over some axes, of length one where it does not have them."""
    match tree:
        case Num(number):
            return torch.full([1] * len(axes), float(number), dtype=torch.float64)
        case Leaf(base):
            have = [a for a in axes if a in free(tree)]
            made = value(graph, Indexed(Expr([term((), [(base, 1)])]), tuple(have)))
            return made.reshape([a.size.number if a in have else 1 for a in axes])
        case Add(parts):
            return sum((_value(graph, part, axes) for part in parts), torch.zeros([1] * len(axes), dtype=torch.float64))
        case Mul(coefficient, parts):
            made = where = torch.full([1] * len(axes), float(coefficient), dtype=torch.float64)
            for part, power in parts:
                factor = _value(graph, part, axes) ** float(power)
                made = made * factor
                if isinstance(part, Leaf) and isinstance(part.base, Delta):
                    where = where * factor
            return torch.where(where == 0, 0, made)  # also where the rest is infinite
        case Sum(over, body):
            made = _value(graph, body, (*axes, *over))
            whole = made.expand([*made.shape[: len(axes)], *(a.size.number for a in over)])
            return whole.sum(tuple(range(len(axes), whole.dim())))
        case Flat(body, group, axis):
            at = axes.index(axis)
            made = _value(graph, body, (*axes[:at], *group, *axes[at + 1 :]))
            sizes = [a.size.number for a in group]
            return made.expand([*made.shape[:at], *sizes, *made.shape[at + len(group) :]]).flatten(
                at, at + len(group) - 1
            )
