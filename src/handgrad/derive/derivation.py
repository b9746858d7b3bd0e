"""A derivation step by step, as data: for each variable the chain rule of its uses, and what that comes to."""

import ast
from dataclasses import dataclass

from handgrad.derive.derivative import form_of
from handgrad.derive.emit.layout import UnsayableError
from handgrad.derive.emit.torch import assign
from handgrad.derive.expr import Expr
from handgrad.derive.indices import Form
from handgrad.derive.lower import lower
from handgrad.derive.lower.graph import Graph
from handgrad.derive.read.program import Line, Loop, Program
from handgrad.derive.shortest import equations
from handgrad.derive.simplify.sums import Reason
from handgrad.derive.sweep import backward, gradient_name, made_of, missing
from handgrad.derive.wording.search import tree
from handgrad.derive.wording.tree import Tree
from handgrad.derive.wording.words import Words


@dataclass(frozen=True)
class Step:
    """The gradient of one variable.

    Attributes:
        variable: the name.
        gradient: what its gradient is called.
        uses: the lines that read it.
        form: an index for each of its axes; None is an axis of length one.
        chain: the chain rule, a sum over its uses, in the gradients of what they make.
        short: what that comes to from the end, in the names of the program, as short as it gets.
        reasons: why the steps between hold, where a definition is what they rest on.
        source: `short` as PyTorch source; empty where there is none.
        expr: `short` as an expression.
    """

    variable: str
    gradient: str
    uses: tuple[Line | Loop, ...]
    form: Form
    chain: Tree
    short: Tree
    reasons: tuple[Reason, ...]
    source: str
    expr: Expr


@dataclass(frozen=True)
class Derivation:
    """The steps from an end back to a target, and the graph and words that say what the names in them stand for."""

    graph: Graph
    words: Words
    end: str
    steps: tuple[Step, ...]


def derivation(program: Program, target: str, end: str | None = None) -> Derivation:
    """The steps of the gradient of a variable, from the end back to it.

    Raises:
        DeriveError: the program has no such variable, or a line between has no index notation.
    """
    graph = lower(program)
    words = Words(graph)
    end = end or program.output
    for name in (target, end):
        if name not in graph.definitions:
            raise missing(graph, name)
    between = {n for n in made_of(graph, {target}, set()) if graph.definitions[n].user}
    known = equations(graph, end, {n for n, d in graph.definitions.items() if d.user and d.function != "constant"})
    found = backward(words, end, [target])
    steps = []
    for name, made in found.items():
        if name == end or name not in between or name not in known.of:
            continue
        try:
            said = "\n".join(assign(words, gradient_name(graph, name), name, made.form, made.short))
        except UnsayableError:
            said = ""
        chain = tree(words, known.of[name])
        short = tree(words, made.short)
        steps.append(
            Step(name, gradient_name(graph, name), _uses(program, name), form_of(graph, name), chain, short,
                 made.reasons, said, made.short)
        )  # fmt: skip
    return Derivation(graph, words, end, tuple(steps))


def _uses(program: Program, name: str) -> tuple[Line | Loop, ...]:
    """The lines that read a name."""

    def reads(line: Line | Loop) -> bool:
        if isinstance(line, Loop):
            return any(reads(inner) for inner in line.body) or name in line.carried
        return any(isinstance(n, ast.Name) and n.id == name for n in ast.walk(line.value))

    return tuple(line for line in program.lines if reads(line))
