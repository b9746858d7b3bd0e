"""Read statements, one after the other, as they run."""

import ast
import sys
import types
from collections.abc import Sequence
from typing import Any

from handgrad.derive.read import containers, expressions, loops, targets, writing
from handgrad.derive.read.calls import is_array
from handgrad.derive.read.objects import attribute
from handgrad.derive.read.reader import Reader
from handgrad.derive.read.running import in_library
from handgrad.derive.read.terms import Closure, Parts, Term, is_path

ROUNDS = 24
NO_GRAD = frozenset({"no_grad", "inference_mode"})
SKIPPED = frozenset({"zero_grad", "step", "print", "display"})
SHOWING = frozenset(
    {"matplotlib", "seaborn", "plotly", "IPython", "logging", "warnings", "wandb", "tqdm", "rich", "time"}
)
"""Packages whose calls as statements change nothing that is computed."""


class LoopEnd(BaseException):
    """`break` or `continue`."""

    def __init__(self, stops: bool):
        """See the class."""
        self.stops = stops


class ForwardEnd(BaseException):
    """`loss.backward()`: the forward pass ends here."""

    def __init__(self, output: Term):
        """See the class."""
        self.output = output


def block(reader: Reader, body: Sequence[ast.stmt]) -> Term | None:
    """Read statements one after the other; the value where one returns, None where none does."""
    for node in body:
        reader.frame.statement = node
        found = statement(reader, node)
        if found is not None:
            return found
    return None


def statement(reader: Reader, node: ast.stmt) -> Term | None:
    """Read a statement; the value that it returns, None where it does not."""
    since = reader.count
    match node:
        case ast.Assign(goals, value):
            _assign(reader, goals, value, since)
        case ast.AnnAssign(target, _, value):
            if value is not None:
                _assign(reader, [target], value, since)
        case ast.AugAssign():
            _augment(reader, node)
        case ast.Expr(value):
            _evaluate(reader, value)
        case ast.Return(value):
            term = expressions.expression(reader, value) if value else Term(ast.Constant(None), None)
            return reader.named("out", term) if reader.no_grad else term
        case ast.If(test, body, orelse):
            chosen = expressions.decided(reader, expressions.expression(reader, test), test)
            return block(reader, body if chosen else orelse)
        case ast.For():
            return loops.read_for(reader, node)
        case ast.While():
            return _while(reader, node)
        case ast.With(contexts, body):
            return _with(reader, contexts, body)
        case ast.FunctionDef(name):
            reader.frame.scope[name] = Closure(node, reader.frame)
        case ast.Import() | ast.ImportFrom():
            _import(reader, node)
        case ast.Delete(goals):
            for target in goals:
                if isinstance(target, ast.Name):
                    reader.frame.scope.pop(target.id, None)
        case ast.Break() | ast.Continue():
            raise LoopEnd(isinstance(node, ast.Break))
        case ast.Global(names) | ast.Nonlocal(names) if len(reader.frames) > 1:
            reader.refuse(f"'{names[0]}' is assigned outside the function", "Return it instead.")
        case ast.Assert() | ast.Pass() | ast.Global() | ast.Nonlocal():
            pass
        case ast.Raise():
            reader.refuse("these values end in an error that the lines raise", "Call it with others.")
        case _:
            kind = type(node).__name__.lower()
            reader.refuse(f"a statement of this kind ('{kind}') cannot be read", "Leave it out of the forward pass.")
    return None


def _assign(reader: Reader, goals: list[ast.expr], value: ast.expr, since: int) -> None:
    term = _valued(reader, goals[0], value)
    for k, target in enumerate(goals):
        targets.assign(reader, target, term, since if k == 0 else sys.maxsize)
        if isinstance(target, ast.Name):
            term = reader.frame.scope[target.id]


def _valued(reader: Reader, target: ast.expr, value: ast.expr) -> Term:
    """A value that is going to be assigned, whose name is a hint for what it finds."""
    match target, value:
        case ast.Tuple(names) | ast.List(names), ast.Tuple(parts) if len(names) == len(parts):
            if not any(isinstance(node, ast.Starred) for node in (*names, *parts)):
                return Parts(tuple, [_valued(reader, *pair) for pair in zip(names, parts, strict=True)])
        case ast.Name(name), ast.Attribute() | ast.Subscript() if not reader.frame.within:
            reader.hint = name
        case ast.Name(name), ast.ListComp():
            reader.word = name
    term = expressions.expression(reader, value)
    reader.hint = reader.word = ""
    return term


def _augment(reader: Reader, node: ast.AugAssign) -> None:
    """`x += y`: in place where x is a tensor or a list, otherwise a new value."""
    term = expressions.expression(reader, node.value)
    target = node.target
    if isinstance(target, ast.Subscript):
        writing.store(reader, target, term, node.op)
        return
    if isinstance(target, ast.Attribute):
        old = attribute(reader, expressions.expression(reader, target.value), target.attr)
    else:
        old = reader.lookup(target.id)
    if isinstance(old, Parts) and isinstance(old.parts, list):
        old.parts.extend(containers.items(reader, term))
        return
    new = expressions.operated(reader, node.op, old, term)
    if is_array(old.value) and isinstance(old.value.shape, tuple) and not _is_number(old.value):
        if new.value.shape != old.value.shape:
            reader.refuse(
                "the result has another shape than what it is written into", "Write 'y = x + ...' with a new name."
            )
        writing.update(reader, old, new, target)
    else:
        targets.assign(reader, target, new)


def _is_number(value: Any) -> bool:
    """Whether the value is a number of NumPy, which nothing can be written into."""
    return any(kind.__name__ == "generic" for kind in type(value).__mro__)


def _evaluate(reader: Reader, node: ast.expr) -> None:
    """An expression as a statement: for what it does, if it does anything."""
    if isinstance(node, ast.Constant):
        return
    if isinstance(node, ast.Call):
        called = getattr(node.func, "attr", getattr(node.func, "id", ""))
        if called == "backward" and isinstance(node.func, ast.Attribute) and not node.args:
            raise ForwardEnd(expressions.expression(reader, node.func.value))
        if called in SKIPPED or _shows(reader, node.func):
            reader.skipped.add(id(node))
            return
    expressions.expression(reader, node)


def _shows(reader: Reader, function: ast.expr) -> bool:
    """Whether a call only shows, writes or logs something: what it calls is neither the user's nor one of tensors."""
    if not is_path(function):
        return False
    value = expressions.expression(reader, function).value
    owner = getattr(value, "__self__", None)
    kind = value if owner is None or isinstance(owner, types.ModuleType) else type(owner)
    module = (getattr(kind, "__module__", None) or "builtins").partition(".")[0]
    return module in SHOWING


def _while(reader: Reader, node: ast.While) -> Term | None:
    for count in range(ROUNDS + 1):
        reader.frame.statement = node
        test = expressions.expression(reader, node.test)
        if not reader.run(bool, test.value):
            _, number, within = reader.quoted
            place = f"line {number}{f' of {within}' if within else ''}"
            reader.notes[f"{place}: 'while {ast.unparse(node.test)}' is written out for its {count} rounds"] = None
            return None
        try:
            found = block(reader, node.body)
        except LoopEnd as end:
            if end.stops:
                return None
            continue
        if found is not None:
            return found
    reader.frame.statement = node
    return reader.refuse(
        f"this loop goes round more than {ROUNDS} times", "Write it as 'for t in range(T)', which stays a loop."
    )


def _with(reader: Reader, contexts: list[ast.withitem], body: list[ast.stmt]) -> Term | None:
    detached = 0
    for item in contexts:
        term = expressions.expression(reader, item.context_expr)
        name = type(term.value).__name__
        if not in_library(type(term.value)) or item.optional_vars is not None:
            reader.refuse(
                f"the context '{ast.unparse(item.context_expr)}' cannot be read", "Write the lines without it."
            )
        detached += name in NO_GRAD or (name == "set_grad_enabled" and not term.value.prev)
    reader.no_grad += detached
    try:
        return block(reader, body)
    finally:
        reader.no_grad -= detached


def _import(reader: Reader, node: ast.Import | ast.ImportFrom) -> None:
    found: dict[str, Any] = {}
    code = compile(ast.fix_missing_locations(ast.Module([node], [])), "<forward>", "exec")
    reader.run(exec, code, found)
    found.pop("__builtins__", None)
    for alias in node.names:
        name = alias.asname or alias.name.partition(".")[0]
        value = found[name]
        said = value.__name__ if isinstance(value, types.ModuleType) else f"{getattr(node, 'module', '')}.{alias.name}"
        reader.frame.scope[name] = reader.imported(name, value, said)
