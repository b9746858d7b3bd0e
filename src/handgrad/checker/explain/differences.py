"""What kind of mistake makes one formula of another."""

import ast
from collections import Counter
from collections.abc import Callable, Collection

from handgrad.checker.read.trees import called


def kind_of_difference(old: ast.expr, new: ast.expr, sizes: Collection[str] = ()) -> str:
    """The kind of the mistake where `old` stands in the place of `new`; `unknown` where it is none of them.

    A name in `sizes` tells nothing where it is an argument.

    >>> parsed = lambda text: ast.parse(text, mode="eval").body
    >>> kind_of_difference(parsed("b.T @ dx + a.T @ dy"), parsed("a.T @ dx + b.T @ dy"))
    'wrong-variable'
    >>> kind_of_difference(parsed("dx * s"), parsed("dx * s * gain"))
    'missing-factor'
    """
    before, after = (_reads(tree, sizes) for tree in (old, new))
    terms = _count(new, _is_term) - _count(old, _is_term)
    if are_alike(old, new):
        return "wrong-variable" if _names(old) != _names(new) else "wrong-constant"
    if _count(new, _is_sum) > _count(old, _is_sum) and before <= after:
        return "missing-term" if terms > 0 or _sum_is_a_term(new) else "missing-sum"
    if before ^ after <= set(sizes) and before != after:
        return "scale"
    if before < after:
        return "missing-term" if terms > 0 else "missing-factor"
    if after < before:
        return "extra-term" if terms < 0 else "extra-factor"
    if before != after:
        return "wrong-variable"
    if terms:
        return "missing-term" if terms > 0 else "extra-term"
    if _signs(old) != _signs(new) and _skeleton(old, signs=False) == _skeleton(new, signs=False):
        return "sign"
    if _operations(old) == _operations(new):
        return "unknown" if _numbers(old) == _numbers(new) else "wrong-constant"
    more, fewer = _operations(new) - _operations(old), _operations(old) - _operations(new)
    if not set(more + fewer) <= {"Mult", "Div", "USub"} or (more and fewer):
        return "wrong-operator"
    return "missing-factor" if more else "extra-factor"


def are_alike(old: ast.AST, new: ast.AST) -> bool:
    """Whether two formulas differ in names and numbers alone."""
    return _skeleton(old) == _skeleton(new)


def _reads(tree: ast.AST, sizes: Collection[str]) -> set[str]:
    """The names whose values count: not those of which a shape alone is taken."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    arguments = {id(p) for call in calls for a in call.args for p in ast.walk(a)}
    shapes = {id(a) for call in calls if (called(call) or "").endswith(("_like", "_as")) for a in call.args}
    shapes |= {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr == "shape"}
    names = (n for n in ast.walk(tree) if isinstance(n, ast.Name) and n.id not in MODULES and id(n) not in shapes)
    return {n.id for n in names if not (n.id in sizes and id(n) in arguments)}


MODULES = {"torch", "F", "np", "math"}


def _skeleton(tree: ast.AST, signs: bool = True) -> list[object]:
    """The formula without its names and numbers."""
    return [
        getattr(node, "attr", None) or type(node)
        for node in ast.walk(tree)
        if signs or not isinstance(node, ast.Add | ast.Sub | ast.USub | ast.UnaryOp)
    ]


def _names(tree: ast.AST) -> list[str]:
    return [node.id for node in ast.walk(tree) if isinstance(node, ast.Name)]


def _numbers(tree: ast.AST) -> list[str]:
    return sorted(repr(node.value) for node in ast.walk(tree) if isinstance(node, ast.Constant))


def _signs(tree: ast.AST) -> Counter[type]:
    return Counter(type(node) for node in ast.walk(tree) if isinstance(node, ast.Add | ast.Sub | ast.USub))


def _operations(tree: ast.AST) -> Counter[str]:
    """The operators and functions, each as often as it occurs."""
    operators = (
        type(node).__name__ for node in ast.walk(tree) if isinstance(node, ast.operator | ast.unaryop | ast.cmpop)
    )
    return Counter([*operators, *filter(None, map(called, ast.walk(tree)))])


def _count(tree: ast.expr, test: Callable[[ast.AST], bool]) -> int:
    return sum(map(test, ast.walk(tree)))


def _is_sum(node: ast.AST) -> bool:
    """Whether a call sums, or makes one dimension of several, over which a product then sums."""
    return called(node) in ("sum", "mean", "flatten")


def _is_term(node: ast.AST) -> bool:
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub)


def _sum_is_a_term(tree: ast.expr) -> bool:
    """Whether a sum is subtracted or added somewhere inside."""
    return any(_is_term(node) and any(map(_is_sum, ast.walk(node))) for node in ast.walk(tree))
