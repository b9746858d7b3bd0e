"""Lower lines that a person writes for a gradient, with what is added to places of it."""

import ast

from handgrad.derive.expr import Expr, delta
from handgrad.derive.indices import Affine, Axis, Index, Merged, plain_order
from handgrad.derive.lower import values
from handgrad.derive.lower.arithmetic import plus, power, times
from handgrad.derive.lower.graph import Indexed, UnsupportedError
from handgrad.derive.lower.indexing import subscripted
from handgrad.derive.lower.lowering import Lowering
from handgrad.derive.read.calls import call_of


def lower_lines(low: Lowering, source: str) -> Indexed:
    """The value of the last of some lines: an expression, or the name that it assigns.

    Lines may assign names, change them (`dx /= n`), and add to places of them (`dx[range(n), Y] -= 1`).

    Raises:
        UnsupportedError: a line is none of these, or cannot be put in index notation.
    """
    made: dict[str, Indexed] = {}
    last: Indexed | None = None
    for node in ast.parse(source).body:
        match node:
            case ast.Expr(ast.Call(ast.Attribute(ast.Name(name), method), given)) if name in made and method[-1] == "_":
                last = made[name] = _added(low, made, name, method, given)
            case ast.Expr(value):
                last = _value(low, value, made)
            case ast.Assign([ast.Name(name)], value):
                last = made[name] = _value(low, value, made)
            case ast.AugAssign(ast.Name(name), op, value) if name in made:
                last = made[name] = _changed(low, low.refreshed(made[name]), op, _value(low, value, made))
            case ast.AugAssign(ast.Subscript(ast.Name(name), index), ast.Add() | ast.Sub() as op, value) if (
                name in made
            ):
                put = _placed(low, made[name], index, _value(low, value, made), once=True)
                last = made[name] = _changed(low, low.refreshed(made[name]), op, put)
            case ast.Assign([ast.Subscript(ast.Name(name), index)], value) if name in made and not made[name].expr:
                last = made[name] = _placed(low, made[name], index, _value(low, value, made), once=True)
            case _:
                raise UnsupportedError(f"`{ast.unparse(node)}` is no line that can be put in index notation")
    if last is None:
        raise UnsupportedError("there is no line")
    return last


def _value(low: Lowering, node: ast.expr, made: dict[str, Indexed]) -> Indexed:
    """An expression, in which names that lines before it made stand for what they made."""
    if isinstance(node, ast.Name) and node.id in made:
        return low.refreshed(made[node.id])
    low.forget()
    for name in {part.id for part in ast.walk(node) if isinstance(part, ast.Name)} & made.keys():
        low.know(name, made[name])
        low.values[name] = values.value(low.graph, made[name])
    call = call_of(node, low.values)
    if call is not None and call.name in ("zeros_like", "zeros"):
        return Indexed(Expr(), low.tensor(call["x"]).axes)
    lowered = low.tensor(node)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr.endswith("_"):
        raise UnsupportedError(f"`{ast.unparse(node)}` changes a tensor inside an expression")
    return lowered


def _changed(low: Lowering, before: Indexed, op: ast.operator, value: Indexed) -> Indexed:
    match op:
        case ast.Add():
            return plus(low, before, value)
        case ast.Sub():
            return plus(low, before, value, -1)
        case ast.Mult():
            return times(low, before, value)
        case ast.Div():
            return times(low, before, power(low, value, -1))
    raise UnsupportedError(f"`{type(op).__name__}` in place has no index notation here")


def _placed(low: Lowering, whole: Indexed, index: ast.expr, value: Indexed, *, once: bool = False) -> Indexed:
    """A value at the places that a subscript names, and zero elsewhere.

    Where a place that is named twice keeps one of its values, each has to be named `once`.
    """
    plain = low.graph.unknown(whole.axes)
    picked = subscripted(low, plain, index)
    single = picked.expr.single()
    assert single is not None
    picked, value, axes = low.align(picked, value)
    single = picked.expr.single()
    assert single is not None
    distinct = set().union(*map(_told_apart, single.indices))
    if once and not all(axis in distinct for i in axes for axis in plain_order(i)):
        said = ast.unparse(index).strip("()")
        raise UnsupportedError(f"`[{said}]` may name a place twice, and only one of its values is kept")
    return _at_places(low, whole, list(single.indices), axes, value)


def _told_apart(place: Index | None) -> set[Axis]:
    """The axes along which no place is named twice."""
    match place:
        case Axis():
            return {place}
        case Merged(parts):
            return set().union(*map(_told_apart, parts))
        case Affine([(_, part)]):
            return _told_apart(part)
    return set()


def _at_places(low: Lowering, whole: Indexed, places: list[Index | None], axes, value: Indexed) -> Indexed:
    fresh = low.refreshed(Indexed(Expr(), whole.axes)).axes
    made = low.one(value).expr if value.expr else Expr()
    for index, place in zip(fresh, places, strict=True):
        if index is not None and place is not None:
            made = made * delta(index, place)
    return Indexed(made.sum(dict.fromkeys(a for i in axes for a in plain_order(i))), fresh)


def _added(low: Lowering, made: dict[str, Indexed], name: str, method: str, arguments: list[ast.expr]) -> Indexed:
    """What `dC.index_add_(0, X.view(-1), value)` makes of a tensor."""
    if method != "index_add_" or len(arguments) != 3:
        raise UnsupportedError(f"`{name}.{method}` has no index notation here")
    d = low.integer(arguments[0]) % len(made[name].axes)
    index = ast.Tuple([*[ast.Slice()] * d, arguments[1]], ast.Load())
    put = _placed(low, made[name], index, _value(low, arguments[2], made))
    return plus(low, low.refreshed(made[name]), put)
