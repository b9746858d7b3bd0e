"""Derivations: how a gradient comes about, step by step, as a lecturer writes it."""

from collections.abc import Sequence
from dataclasses import replace

from handgrad.derive.explain.building import Building
from handgrad.derive.explain.closing import closing
from handgrad.derive.explain.explanation import Explanation
from handgrad.derive.explain.insides import with_insides
from handgrad.derive.lower import lower
from handgrad.derive.read.program import Program
from handgrad.derive.sweep import missing
from handgrad.errors import DeriveError

__all__ = ["Explanation", "explain"]


def explain(program: Program, target: str | Sequence[str], end: str | None = None) -> Explanation:
    """The derivation of a variable's gradient, or of several.

    Args:
        program: the forward pass.
        target: the variable, or the variables.
        end: where the derivation begins; the program's output where it is left out.

    Raises:
        DeriveError: a line on the way has no index notation, or a step is not equal to the one before in numbers.
    """
    targets = [target] if isinstance(target, str) else list(target)
    end = end or program.output
    named = with_insides(program)
    graph = lower(named)
    for name in (*targets, end):
        if name not in graph.definitions:
            raise missing(graph, name)
    if end in graph.errors:
        raise graph.errors[end]
    building = Building(graph, end, targets)
    for name in targets:
        if name not in building.equations:
            raise DeriveError(f"`{end}` does not depend on `{name}`", next_step="Name a variable that it is made of.")
    made = building.explanation()
    return made if named is program else replace(made, source=closing(program, end, targets))
