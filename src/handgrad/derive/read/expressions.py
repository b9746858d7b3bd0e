"""Read expressions: put names of single assignment in, and evaluate each part once."""

import ast
import builtins
import operator
from typing import Any

from handgrad.derive.read import calling, comprehensions, containers, targets
from handgrad.derive.read.drawing import replaced
from handgrad.derive.read.objects import attribute, element
from handgrad.derive.read.reader import Reader
from handgrad.derive.read.running import has_float
from handgrad.derive.read.terms import Closure, Parts, Term

BINARY: dict[type, Any] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.MatMult: operator.matmul,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
    ast.BitXor: operator.xor,
    ast.LShift: operator.lshift,
    ast.RShift: operator.rshift,
}
UNARY: dict[type, Any] = {
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Not: operator.not_,
    ast.Invert: operator.invert,
}
COMPARED: dict[type, Any] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
    ast.In: lambda a, b: a in b,
    ast.NotIn: lambda a, b: a not in b,
}


def expression(reader: Reader, node: ast.expr) -> Term:
    """The expression in names of single assignment, and its value.

    Calls of the user's own functions in it are read into lines of their own.
    """
    match node:
        case ast.Constant():
            return Term(node, node.value)
        case ast.Name():
            return reader.lookup(node.id)
        case ast.BinOp(left, op, right):
            return operated(reader, op, expression(reader, left), expression(reader, right))
        case ast.UnaryOp(op, operand):
            term = expression(reader, operand)
            return Term(ast.UnaryOp(op, term.node), reader.run(UNARY[type(op)], term.value))
        case ast.Compare():
            return _compared(reader, node)
        case ast.BoolOp(op, operands):
            for operand in operands:
                term = expression(reader, operand)
                if operand is not operands[-1] and decided(reader, term, operand) is not isinstance(op, ast.And):
                    break
            return term
        case ast.IfExp(test, body, orelse):
            return expression(reader, body if decided(reader, expression(reader, test), test) else orelse)
        case ast.Attribute(value, attr):
            return attribute(reader, expression(reader, value), attr)
        case ast.Subscript(value, slice):
            return element(reader, expression(reader, value), index(reader, slice))
        case ast.Call():
            return calling.call(reader, node)
        case ast.Tuple(elts) | ast.List(elts):
            return Parts(tuple if isinstance(node, ast.Tuple) else list, elements(reader, elts))
        case ast.Dict(keys, values):
            return _dict(reader, keys, values)
        case ast.Lambda():
            return Closure(node, reader.frame)
        case ast.NamedExpr(target, value):
            targets.assign(reader, target, expression(reader, value))
            return reader.lookup(target.id)
        case ast.ListComp() | ast.GeneratorExp() | ast.SetComp() | ast.DictComp():
            if isinstance(node, ast.SetComp) or not touches_floats(reader, node):
                return compiled(reader, node)
            if isinstance(node, ast.DictComp):
                return comprehensions.mapped(reader, node)
            return comprehensions.listed(reader, node)
        case ast.JoinedStr():
            value = compiled(reader, node).value
            return Term(ast.Constant(value), value)
    return reader.refuse(f"'{ast.unparse(node)}' cannot be read", "Write it without.")


def operated(reader: Reader, op: ast.operator, left: Term, right: Term) -> Term:
    """Two terms and the operator between them."""
    value = reader.run(BINARY[type(op)], left.value, right.value)
    if isinstance(left, Parts) and isinstance(left.parts, list) and isinstance(value, list | tuple):
        if isinstance(op, ast.Add):
            return Parts(left.of, [*left.parts, *containers.items(reader, right)])
        return Parts(left.of, left.parts * right.value)
    return Term(ast.BinOp(left.node, op, right.node), value)


def elements(reader: Reader, nodes: list[ast.expr]) -> list[Term]:
    """The elements of a display or a call, those behind a star one by one."""
    found: list[Term] = []
    for node in nodes:
        if isinstance(node, ast.Starred):
            found += containers.items(reader, expression(reader, node.value))
        else:
            found.append(expression(reader, node))
    return found


def index(reader: Reader, node: ast.expr) -> Term:
    """What stands in the brackets of a subscript."""
    if isinstance(node, ast.Slice):
        parts = [expression(reader, part) if part else None for part in (node.lower, node.upper, node.step)]
        value = slice(*(part.value if part else None for part in parts))
        return Term(ast.Slice(*(part.node if part else None for part in parts)), value)
    if isinstance(node, ast.Tuple):
        return Parts(tuple, [index(reader, part) for part in node.elts])
    return expression(reader, node)


def _asks_for_none(test: ast.expr) -> bool:
    """Whether a condition only asks if something is given, which does not hang on its values."""
    match test:
        case ast.Compare(_, [ast.Is() | ast.IsNot()], [ast.Constant(None)]):
            return True
        case ast.BoolOp(_, parts):
            return all(map(_asks_for_none, parts))
        case ast.UnaryOp(ast.Not(), part):
            return _asks_for_none(part)
    return False


def decided(reader: Reader, term: Term, test: ast.expr) -> bool:
    """Which way a condition went when the lines ran; that it was so is noted where it is no constant."""
    value = bool(reader.run(bool, term.value))
    if not isinstance(term.node, ast.Constant) and reader.frame.quote and not _asks_for_none(test):
        _, number, within = reader.quoted
        place = f"line {number}{f' of {within}' if within else ''}"
        reader.notes[f"{place}: '{ast.unparse(test)}' is {'true' if value else 'false'}"] = None
    return value


def touches_floats(reader: Reader, node: ast.AST) -> bool:
    """Whether an expression reads float tensors, or objects or functions that may hold some."""
    inside = {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    for part in ast.walk(node):
        if isinstance(part, ast.Name) and part.id not in inside:
            term = reader.lookup(part.id)
            if isinstance(term, Closure) or has_float(term.value) or calling.reads_floats(term.value):
                return True
    return False


def compiled(reader: Reader, node: ast.expr) -> Term:
    """An expression with names of its own in it, such as a comprehension, evaluated as a whole."""
    inside = {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    inside |= {n.arg for n in ast.walk(node) if isinstance(n, ast.arg)}
    names = [n for n in ast.walk(node) if isinstance(n, ast.Name) and n.id not in inside]
    others = {id(name): reader.lookup(name.id).node for name in names}
    made = replaced(node, others)
    code = compile(ast.fix_missing_locations(ast.Expression(made)), "<forward>", "eval")
    return reader.draws.seen(Term(made, reader.run(eval, code, {"__builtins__": builtins, **reader.values})))


def _compared(reader: Reader, node: ast.Compare) -> Term:
    terms = [expression(reader, part) for part in (node.left, *node.comparators)]
    made: Any = True
    for op, left, right in zip(node.ops, terms, terms[1:], strict=False):
        made = reader.run(COMPARED[type(op)], left.value, right.value)
        if len(node.ops) > 1 and not made:
            break
    return Term(ast.Compare(terms[0].node, node.ops, [term.node for term in terms[1:]]), made)


def _dict(reader: Reader, keys: list[ast.expr | None], values: list[ast.expr]) -> Term:
    found: dict[Any, Term] = {}
    for key, value in zip(keys, values, strict=True):
        if key is not None:
            found[expression(reader, key).value] = expression(reader, value)
            continue
        whole = expression(reader, value)
        found.update((k.value, element(reader, whole, k)) for k in containers.items(reader, whole))
    return Parts(dict, found)
