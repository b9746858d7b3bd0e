"""The result of a derivation as PyTorch source."""

from collections.abc import Mapping, Sequence

from handgrad.derive.derivative import form_of
from handgrad.derive.emit.layout import UnsayableError
from handgrad.derive.emit.torch import assign
from handgrad.derive.expr import Expr
from handgrad.derive.lower import lower
from handgrad.derive.read.program import Program
from handgrad.derive.shortest import eliminate, equations
from handgrad.derive.sweep import gradient_name
from handgrad.derive.wording.words import Words
from handgrad.errors import DeriveError


def closing(program: Program, end: str, targets: Sequence[str]) -> str:
    """The gradients of some variables from that of an end, in as few words as possible."""
    graph = lower(program)
    words = Words(graph)
    order, known = equations(graph, end)
    needed: set[str] = set()
    todo = list(targets)
    while todo:
        name = todo.pop()
        if name not in needed:
            needed.add(name)
            said = known[name].names()
            todo += [other for other in order if gradient_name(graph, other) in said]
    order = [name for name in order if name in needed]
    kept = eliminate(words, order, {name: known[name] for name in order}, targets)
    return written(words, [name for name in order if name in kept], kept)


def written(words: Words, order: Sequence[str], gradients: Mapping[str, Expr]) -> str:
    """Gradients as lines of source."""
    graph = words.graph
    lines: list[str] = []
    for name in order:
        try:
            lines += assign(words, gradient_name(graph, name), name, form_of(graph, name), gradients[name])
        except UnsayableError as reason:
            raise DeriveError(f"the gradient of `{name}` has no short source: {reason}") from None
    return "\n".join(lines)
