"""Gradients of what was broadcast: summed where the value was wider, spread where the gradient is narrower."""

import ast
from collections.abc import Callable

from handgrad.derive.lines.arithmetic import binary, is_number
from handgrad.derive.lines.running import run, shape_of
from handgrad.derive.lines.steps import Term
from handgrad.derive.lines.terms import filled


def spread(term: Term, like: ast.expr) -> ast.expr:
    """The source of a gradient in the full shape of the value that it is the gradient of."""
    if is_number(term.source, 1):
        return filled("torch.ones_like(x)", {"x": like})
    if term.constant:
        return filled("torch.full_like(x, c)", {"x": like, "c": term.source})
    return filled("c * torch.ones_like(x)", {"x": like, "c": term.source})


def summed(term: Term, result: tuple[int, ...], wanted: tuple[int, ...], size: Callable[[int], ast.expr]) -> Term:
    """The gradient of an argument of shape `wanted` that was broadcast to the shape of a call's `result`.

    It is summed over the dimensions along which the argument was repeated; where it is the same for all of them, it is
    multiplied by their number, as `size` gives it for a dimension of the result.
    """
    lead, missing = len(result) - len(wanted), len(result) - len(shape_of(term.example))
    repeated = [d for d in range(len(result)) if d < lead or wanted[d - lead] == 1 != result[d]]
    alike = [d for d in repeated if d < missing or shape_of(term.example)[d - missing] == 1]
    gone = tuple(d - missing for d in range(missing, lead))
    kept = tuple(d - missing - len(gone) for d in repeated if d >= lead and d not in alike)
    if gone:
        term = _sum(term, gone, keepdim=False)
    if kept:
        term = _sum(term, kept, keepdim=True)
    for d in alike:
        if result[d] != 1:
            term = Term(binary(ast.Mult(), size(d), term.source), term.example)
    return term


def _sum(term: Term, dims: tuple[int, ...], *, keepdim: bool) -> Term:
    over = str(dims) if len(dims) > 1 else str(dims[0])
    if len(dims) == len(shape_of(term.example)) and not keepdim:
        over = ""
    template = f"dy.sum({over}, keepdim=True)" if keepdim else f"dy.sum({over})"
    return Term(filled(template, {"dy": term.source}), run(template, {"dy": term.example}))
