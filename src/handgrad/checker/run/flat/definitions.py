"""The user's functions as they are written: what they name, what a call gives them, whether a body can stand alone."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from handgrad.checker.read.names import uses
from handgrad.checker.read.source import Statement
from handgrad.checker.read.trees import called


@dataclass(frozen=True)
class Callee:
    """A function of the user's that is called: its definition, the statement that stands in, its object and class."""

    node: ast.FunctionDef
    statement: Statement
    receiver: ast.expr | None
    within: str | None


def changing(node: ast.FunctionDef) -> list[ast.expr]:
    """The decorators that make a function do something else, as those of static and class methods do not."""
    return [d for d in node.decorator_list if getattr(d, "id", None) not in ("staticmethod", "classmethod")]


def arguments_of(node: ast.FunctionDef, call: ast.Call, receiver: ast.expr | None) -> dict[str, ast.expr]:
    """What each parameter is given."""
    names = [a.arg for a in node.args.args]
    given = dict(zip(names[len(names) - len(node.args.defaults) :], node.args.defaults, strict=True))
    given.update(zip(names, [*([receiver] if receiver is not None else []), *call.args], strict=False))
    given.update({k.arg: k.value for k in call.keywords if k.arg is not None})
    if node.args.vararg:
        rest = call.args[len(names) - (receiver is not None) :]
        given[node.args.vararg.arg] = ast.Tuple(rest, ast.Load())
        names.append(node.args.vararg.arg)
    return {name: given[name] for name in names if name in given}


def strict_calls(value: ast.AST) -> list[ast.Call]:
    """The calls in an expression that are always made, in the order in which they are."""
    lazy = ast.Lambda | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp | ast.IfExp | ast.BoolOp
    if isinstance(value, lazy):
        return []
    found = [call for child in ast.iter_child_nodes(value) for call in strict_calls(child)]
    return [*found, value] if isinstance(value, ast.Call) else found


def goes_over_objects(node: ast.For, methods: set[str]) -> bool:
    """Whether a loop calls its counter, or one of these methods of it."""
    counters = {n.id for n in ast.walk(node.target) if isinstance(n, ast.Name)}
    if node.orelse or any(isinstance(n, ast.Break | ast.Continue) for n in ast.walk(node)):
        return False
    for call in (n for n in ast.walk(node) if isinstance(n, ast.Call)):
        receiver = call.func.value if isinstance(call.func, ast.Attribute) else call.func
        known = receiver is call.func or called(call) in methods
        if known and isinstance(receiver, ast.Name) and receiver.id in counters:
            return True
    return False


def key_of(node: ast.FunctionDef) -> tuple[str, int]:
    """What tells a function from all others once it is compiled: its name and its first line."""
    return node.name, min(part.lineno for part in (node, *node.decorator_list))


def functions_in(node: ast.AST) -> Iterator[ast.FunctionDef]:
    """The functions that are defined in it, itself included."""
    return (part for part in ast.walk(node) if isinstance(part, ast.FunctionDef))


def local_names(node: ast.FunctionDef) -> set[str]:
    """The names of a function's own that can be numbered; those of modules and classes cannot."""
    parts = [part for n in node.body for part in _own_parts(n)]
    elsewhere = {name for part in parts if isinstance(part, ast.Global | ast.Nonlocal) for name in part.names}
    fixed = set().union(*(uses(n).binds for n in parts if isinstance(n, ast.Import | ast.ImportFrom | ast.ClassDef)))
    given = {a.arg for a in (*node.args.args, *node.args.kwonlyargs, node.args.vararg, node.args.kwarg) if a}
    return given.union(*(uses(n).binds for n in node.body)) - elsewhere - fixed


_NEEDS_A_FUNCTION = (ast.Yield, ast.YieldFrom, ast.Await, ast.AsyncFor, ast.AsyncWith)


def can_stand_alone(callee: Callee, call: ast.Call) -> bool:
    """Whether the body can stand in the place of the call: no return inside a loop, and nothing that keeps names."""
    node, arguments = callee.node, callee.node.args
    if arguments.kwarg or arguments.kwonlyargs or arguments.posonlyargs:
        return False
    if any(isinstance(a, ast.Starred) for a in call.args) or any(k.arg is None for k in call.keywords):
        return False
    parts = [part for n in node.body for part in ast.walk(n)]
    if any(isinstance(part, _NEEDS_A_FUNCTION) or _is_private(part, callee.within) for part in parts):
        return False
    blocks = [part for part in parts if isinstance(part, ast.For | ast.While | ast.With | ast.Try)]
    if any(returns_inside(block) for block in blocks):
        return False
    return arguments.vararg is not None or len(call.args) + (callee.receiver is not None) <= len(arguments.args)


def _own_parts(node: ast.AST) -> Iterator[ast.AST]:
    """The parts of a statement, those inside other functions left out."""
    yield node
    for child in ast.iter_child_nodes(node) if not isinstance(node, ast.FunctionDef | ast.Lambda) else ():
        yield from _own_parts(child)


def returns_inside(node: ast.AST) -> bool:
    """Whether there is a `return` in it, those of functions defined in it left out."""
    return any(isinstance(part, ast.Return) for part in _own_parts(node))


def _is_private(node: ast.AST, within: str | None) -> bool:
    """Whether a name means something else outside of its function or class."""
    if isinstance(node, ast.Attribute):
        return node.attr.startswith("__") and not node.attr.endswith("__")
    return isinstance(node, ast.Name) and node.id in ("locals", "vars", "__class__", *([] if within else ["super"]))
