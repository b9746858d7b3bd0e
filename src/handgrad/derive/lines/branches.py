"""One term for what comes back to a variable through both branches of a `torch.where`."""

import ast
from collections.abc import Iterator

from handgrad.derive.lines.terms import binary, filled, minus, parsed

ONE = ast.Constant(1.0)


def chosen(terms: list[ast.expr]) -> list[ast.expr]:
    """The terms, where two of them are of both branches of one choice, as one term.

    Example:
        >>> from handgrad.derive.emit.source import written
        >>> leaky = ["torch.where(x > 0, dy, 0)", "0.1 * torch.where(x > 0, 0, dy)"]
        >>> [written(term) for term in chosen([parsed(text) for text in leaky])]
        ['torch.where(x > 0, 1.0, 0.1) * dy']
    """
    found: list[ast.expr] = []
    for term in terms:
        both = ((i, made) for i, other in enumerate(found) if (made := _both(other, term)) is not None)
        i, made = next(both, (len(found), term))
        found[i : i + 1] = [made]
    return found


def _both(first: ast.expr, second: ast.expr) -> ast.expr | None:
    """The sum of two terms that are of both branches of one choice, in their order; None of any others."""
    for one, a in _factored(first):
        for other, b in _factored(second):
            match one, other:
                case ast.Call(where, [mask, dy, ast.Constant(0)]), ast.Call(again, [same, ast.Constant(0), left]):
                    pairs = (where, parsed("torch.where")), (again, where), (same, mask), (left, dy)
                    if all(ast.dump(p) == ast.dump(q) for p, q in pairs):
                        return filled("torch.where(mask, a, b) * dy", {"mask": mask, "a": a, "b": b, "dy": dy})
    return None


def _factored(term: ast.expr) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Each factor of a product, and the product without it."""
    yield term, ONE
    match term:
        case ast.BinOp(left, ast.Mult() | ast.Div() as op, right):
            yield from ((factor, binary(op, rest, right)) for factor, rest in _factored(left))
            if isinstance(op, ast.Mult):
                yield from ((factor, binary(op, left, rest)) for factor, rest in _factored(right))
        case ast.UnaryOp(ast.USub(), operand):
            yield from ((factor, minus(rest)) for factor, rest in _factored(operand))
