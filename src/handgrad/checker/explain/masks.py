"""Where the derivative of a formula is not zero, as the formula itself says it."""

import ast
from collections.abc import Iterator

from handgrad.checker.read.trees import called


def masks_of(node: ast.AST) -> Iterator[ast.expr]:
    """Where the derivative of a part of a formula is not zero.

    >>> [ast.unparse(mask) for mask in masks_of(ast.parse("y = np.maximum(0, x) + z.clamp(min=low) * (u < v)"))]
    ['x > 0', 'z > low', 'u < v']
    """
    for part in ast.walk(node):
        if isinstance(part, ast.Compare):
            yield part
        if not isinstance(part, ast.Call) or (what := called(part)) not in _MASKED:
            continue
        words = {word.arg: word.value for word in part.keywords}
        receiver = getattr(part.func, "value", None)
        given = [*part.args] if receiver is None or _is_module(receiver) else [receiver, *part.args]
        first, *bounds = [*given, *(words[n] for n in ("input", "x") if n in words)] or [None]
        if first is None:
            continue
        low = words.get("min", words.get("a_min", bounds[0] if bounds else None))
        high = words.get("max", words.get("a_max", bounds[1] if len(bounds) > 1 else None))
        if "relu" in what:
            yield ast.Compare(first, [ast.Gt()], [ast.Constant(0)])
        elif what in ("maximum", "minimum") and bounds and bounds[0] is not None:
            one, other = (bounds[0], first) if isinstance(first, ast.Constant) else (first, bounds[0])
            yield ast.Compare(one, [ast.Gt() if what == "maximum" else ast.Lt()], [other])
        elif what in ("clamp", "clip", "clamp_"):
            sides = [(ast.Gt(), low), (ast.Lt(), high)]
            masks = [
                ast.Compare(first, [op], [bound]) for op, bound in sides if bound is not None and not _is_none(bound)
            ]
            yield from masks[:1] if len(masks) < 2 else [ast.BinOp(masks[0], ast.BitAnd(), masks[1])]


_MASKED = {"relu", "relu_", "leaky_relu", "maximum", "minimum", "clamp", "clamp_", "clip"}


def _is_module(node: ast.AST) -> bool:
    """Whether a name stands for a module, as far as its text shows."""
    return ast.unparse(node) in ("torch", "F", "np", "numpy", "torch.nn.functional", "nn.functional")


def _is_none(node: ast.AST | None) -> bool:
    """Whether it is not written, or written as None."""
    return node is None or (isinstance(node, ast.Constant) and node.value is None)
