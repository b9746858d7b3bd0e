"""The loss of a program that has none, and is given an upstream gradient in its place: `dx = backward(dout, cache)`.

The gradient given belongs to the output of the forward half: that which it is called after, that of the same object, or
that which came with the same cache.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from handgrad.checker.read.names import uses, variables_of
from handgrad.checker.read.source import Statement
from handgrad.checker.read.spelling import are_halves, seems_a_gradient
from handgrad.checker.read.trees import called

GIVEN = "given_loss"
"""What the loss is called that follows from the gradient given for an output."""
_MADE_UP = re.compile(r"\b(rand\w*|normal\w*|uniform\w*|ones\w*|array|linspace|arange|full\w*|tensor)\(")


def with_losses_given(statements: list[Statement]) -> list[Statement]:
    """The program with a loss before each call that an upstream gradient is handed to."""
    found: list[Statement] = []
    given: set[str] = set()
    for one in statements:
        if not isinstance(one.node, ast.FunctionDef | ast.ClassDef | ast.Import | ast.ImportFrom):
            pairs = [pair for call in _calls(one.node) for pair in _outputs(call, given, found)]
            if pairs:
                found.append(loss_given(one, pairs))
                given -= {gradient for _, gradient in pairs}
            given = given - uses(one.node).binds | _made_up(one.node)
        found.append(one)
    return found


def _calls(node: ast.stmt) -> list[ast.Call]:
    value = getattr(node, "value", None)
    return [part for part in ast.walk(value) if isinstance(part, ast.Call)] if value is not None else []


def _made_up(node: ast.stmt) -> set[str]:
    """The gradients that a statement makes of nothing that was computed, but of sizes and numbers."""
    if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Name):
        return set()
    name, text = node.targets[0].id, ast.unparse(node.value)
    computed = any(not other.isupper() and len(other) > 1 for other in _read(node.value))
    return {name} if seems_a_gradient(name) and _MADE_UP.search(text) and not computed else set()


def _read(node: ast.AST) -> Iterator[str]:
    """The names of which an expression uses more than a size or a function."""
    match node:
        case ast.Name(name):
            yield name
        case ast.Attribute(_, "shape" | "size"):
            return
        case ast.Attribute(ast.Name()):
            return
        case ast.Call(function, given):
            plain = ast.unparse(function).endswith(("_like", "len"))
            for part in [function] if plain else [*given, *(k.value for k in node.keywords)]:
                yield from _read(part) if not isinstance(part, ast.Name) or part is not function else ()
        case _:
            for part in ast.iter_child_nodes(node):
                yield from _read(part)


def _outputs(call: ast.Call, given: set[str], before: list[Statement]) -> Iterator[tuple[str, str]]:
    """For each gradient that a call is handed, the output that it is given for."""
    names = [a.id for a in [*call.args, *(k.value for k in call.keywords)] if isinstance(a, ast.Name)]
    handed = [name for name in names if name in given]
    others = {name for name in names if name not in given}
    for position, gradient in enumerate(handed):
        latest = [s.node for s in reversed(before) if isinstance(s.node, ast.Assign)]
        outputs = (_own(node, gradient, call, others, position) for node in latest)
        if output := next(filter(None, outputs), None):
            yield output, gradient


def _own(node: Any, gradient: str, call: ast.Call, others: set[str], position: int) -> str | None:
    """The name of an output that an assignment makes, where it is that of the gradient."""
    target, value = node.targets[0], node.value
    names = [t.id for t in getattr(target, "elts", [target]) if isinstance(t, ast.Name)]
    if (own := next((name for name in variables_of(gradient) if name in names), None)) is not None:
        return own
    if not isinstance(value, ast.Call) or not names:
        return None
    receiver = getattr(call.func, "value", None)
    of_object = receiver is not None and ast.unparse(receiver) in (
        ast.unparse(value.func),
        ast.unparse(getattr(value.func, "value", value.func)),
    )
    of_cache = others & set(names[1:])
    of_pair = are_halves(called(value) or "", called(call) or "") and called(value) != called(call)
    outputs = [name for name in names if name not in others]
    return outputs[position] if (of_object or of_cache or of_pair) and position < len(outputs) else None


def loss_given(at: Statement, pairs: list[tuple[str, str]]) -> Statement:
    """`(out * dout).sum()`, which has the gradient that is given for each output."""
    text = " + ".join(f"({output} * {gradient}).sum()" for output, gradient in dict.fromkeys(pairs))
    node = ast.parse(f"{GIVEN} = {text}").body[0]
    return replace(at, node=ast.fix_missing_locations(ast.copy_location(node, at.node)), role="entry")
