"""Derivations: how a gradient comes about, step by step, as a lecturer writes it."""

from collections.abc import Sequence
from dataclasses import replace

from handgrad.derive.explain.building import Building
from handgrad.derive.explain.closing import closing
from handgrad.derive.explain.explanation import Explanation
from handgrad.derive.explain.insides import with_insides
from handgrad.derive.explain.lines import LineByLine, explain_lines
from handgrad.derive.lower import lower
from handgrad.derive.read.program import Program
from handgrad.derive.sweep import missing
from handgrad.errors import DeriveError

__all__ = ["Explanation", "LineByLine", "explain", "explain_lines"]


def explain(
    program: Program, target: str | Sequence[str], end: str | None = None, *, given: Sequence[str] = ()
) -> Explanation:
    """The derivation of a variable's gradient, or of several: the chain rule, what is put in, and every simplification.

    Args:
        program: the forward pass.
        target: the variable, or the variables.
        end: where the derivation begins; the program's output where it is left out.
        given: variables whose gradients are known already.

    Raises:
        DeriveError: a line on the way has no index notation, or a step is not equal to the one before in numbers.

    Example:
        >>> import torch
        >>> from handgrad.derive.read.statements import read_program
        >>> program = read_program("y = a * b\\nz = y**2", {"a": torch.ones(3), "b": torch.ones(3) * 2})
        >>> print(explain(program, "a"))
        dz is given. From z back through the lines: dy and da. Each is a sum, with a term for each line that
        uses the variable.
        <BLANKLINE>
        y is used in line 2: z = y**2
            dyᵢ = 2 yᵢ · dzᵢ
            ✓ as autograd, exactly
        <BLANKLINE>
        a is used in line 1: y = a * b
            daᵢ = bᵢ · dyᵢ
                = 2 bᵢ · yᵢ · dzᵢ
                    (dy put in)
            ✓ as autograd, exactly
        <BLANKLINE>
        In PyTorch:
            da = 2 * b * y * dz
        <BLANKLINE>
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
    insides = [line for name, line in named.makers() if name not in program.values]
    building = Building(graph, end, targets, given, insides)
    for name in targets:
        if name not in building.equations:
            raise DeriveError(f"`{end}` does not depend on `{name}`", next_step="Name a variable that it is made of.")
    made = building.explanation()
    return replace(made, source=closing(program, end, targets, given)) if insides else made
