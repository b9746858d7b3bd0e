"""The gradient of one variable as one expression."""

from handgrad.derive.backward import Backward, GradientLine
from handgrad.derive.emit import helpers
from handgrad.derive.emit.layout import UnsayableError
from handgrad.derive.emit.torch import assign
from handgrad.derive.lower import lower
from handgrad.derive.read.program import Program
from handgrad.derive.sweep import backward, gradient_name, missing
from handgrad.derive.wording.words import Words
from handgrad.errors import DeriveError


def closed(program: Program, target: str, end: str | None = None) -> Backward:
    """The gradient of `target` from that of `end`, the program's output where it is left out, as one expression."""
    graph = lower(program)
    words = Words(graph)
    end = end or program.output
    for name in (target, end):
        if name not in graph.definitions:
            raise missing(graph, name)
    found = backward(words, end, [target])
    if target not in found:
        raise DeriveError(f"`{end}` does not depend on `{target}`", next_step="Name a variable that it is made of.")
    made = found[target]
    name = gradient_name(graph, target)
    try:
        before = helpers.lines(words, helpers.choose(words, [made.short]))
        lines = [*before.values(), *assign(words, name, target, made.form, made.short)]
    except UnsayableError as reason:
        raise DeriveError(f"the gradient of `{target}` has no short source: {reason}") from None
    upstream = gradient_name(graph, end) if graph.definitions[end].axes else None
    return Backward((GradientLine(name, "\n".join(lines)),), {target: name}, upstream)
