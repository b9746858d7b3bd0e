"""The result of a derivation as PyTorch source."""

from collections.abc import Mapping, Sequence

from handgrad.derive.emit.layout import UnsayableError
from handgrad.derive.expr import Expr
from handgrad.derive.lower import lower
from handgrad.derive.read.program import Program
from handgrad.derive.shortest import eliminate, equations, said
from handgrad.derive.sweep import gradient_name
from handgrad.derive.wording.words import Words


def closing(program: Program, end: str, targets: Sequence[str], given: Sequence[str] = ()) -> str:
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
            used = known[name].names()
            todo += [o for o in order if o not in given and gradient_name(graph, o) in used]
    order = [name for name in order if name in needed]
    kept = eliminate(words, order, {name: known[name] for name in order}, targets)
    return written(words, [name for name in order if name in kept], kept)


def written(words: Words, order: Sequence[str], gradients: Mapping[str, Expr]) -> str:
    """Gradients as lines of source, empty where there is none that is short."""
    try:
        return "\n".join(line.source for line in said(words, list(order), gradients))
    except UnsayableError:
        return ""
