"""The loss before the gradients, where a program has it after them or not at all.

As in `dx, dw = backward(dout, cache)`, and then `loss = (out * dout).sum()`, `out.backward(dout)`, or nothing.
"""

import ast
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from handgrad.checker.read.names import uses
from handgrad.checker.read.source import Source, Statement
from handgrad.checker.read.trees import called
from handgrad.checker.read.words import Words
from handgrad.checker.run.given import loss_given, with_losses_given

_BLOCKS = ast.For | ast.While | ast.If | ast.With | ast.Try
_DEFINITIONS = ast.FunctionDef | ast.ClassDef | ast.Import | ast.ImportFrom


def with_the_loss_first(source: Source) -> Source:
    """The program with its loss where the first gradient begins.

    Only statements outside of functions, loops and blocks are moved, and none that computes a gradient of another.
    """
    words = Words(source)
    statements = [*source.statements]
    if any(isinstance(one.node, _BLOCKS) and _binds_a_loss(one.node, words) for one in statements):
        return source
    ends = [i for i, one in enumerate(statements) if _binds_a_loss(one.node, words)]
    if not ends:
        at = _end_given(statements)
        if at is None:
            return replace(source, statements=with_losses_given(statements))
        ends = [at[0]]
        statements.insert(*at)
    runs = [not isinstance(one.node, _DEFINITIONS) for one in statements]
    starts = [i for i, one in enumerate(statements[: ends[0]]) if runs[i] and _computes(one.node, words)]
    if not starts:
        return replace(source, statements=statements)
    begun = statements[starts[0] : ends[0] + 1]
    moved = _needed(begun)
    if any(words.leading & _calls(one.node) for one in moved):
        return source
    rest = [one for one in begun if one not in moved]
    return replace(source, statements=[*statements[: starts[0]], *moved, *rest, *statements[ends[0] + 1 :]])


def _binds_a_loss(node: ast.stmt, words: Words) -> bool:
    if isinstance(node, _DEFINITIONS):
        return False
    return any(map(words.is_loss, uses(node).binds)) or bool(_differentiated(node, given=False))


def _computes(node: ast.stmt, words: Words) -> bool:
    return words.spells_gradient(node) or words.computes_gradients(node)


def _needed(statements: list[Statement]) -> list[Statement]:
    """The last statement, and those before it that it is computed from."""
    kept, wanted = [statements[-1]], uses(statements[-1].node).reads
    for one in reversed(statements[:-1]):
        found = uses(one.node)
        if (found.binds | found.changes) & wanted:
            kept.append(one)
            wanted = wanted | found.reads
    return kept[::-1]


def _calls(node: ast.AST) -> set[str | None]:
    return {called(part) for part in ast.walk(node) if isinstance(part, ast.Call)}


def _differentiated(node: ast.AST, given: bool) -> list[tuple[ast.expr, ast.expr]]:
    """What a statement has autograd differentiate, each with the gradient that is given for it, if one is `given`."""
    found = []
    for call in (part for part in ast.walk(node) if isinstance(part, ast.Call)):
        keywords: dict[Any, ast.expr] = {k.arg: k.value for k in call.keywords}
        text = ast.unparse(call.func)
        if text.endswith("autograd.backward") and call.args:
            output, gradient = call.args[0], [*call.args[1:2], *filter(None, [keywords.get("grad_tensors")])]
        elif text.endswith("autograd.grad") and call.args:
            output, gradient = call.args[0], [*call.args[2:3], *filter(None, [keywords.get("grad_outputs")])]
        elif text.endswith(".backward") and len(call.args) < 2 and isinstance(call.func, ast.Attribute):
            output, gradient = call.func.value, [*call.args, *filter(None, [keywords.get("gradient")])]
            gradient = [g for g in gradient if not (isinstance(g, ast.Constant) and g.value is None)]
        else:
            continue
        if bool(gradient) == given and (gradient or isinstance(output, ast.Name)):
            found.append((output, gradient[0] if gradient else output))
    return found


def _end_given(statements: list[Statement]) -> tuple[int, Statement] | None:
    """A statement for the loss that a program without one has all the same, and where it belongs."""
    defined = {name for one in statements if isinstance(one.node, _DEFINITIONS) for name in uses(one.node).binds}
    classes = {one.node.name for one in statements if isinstance(one.node, ast.ClassDef)}
    instances = set().union(*(uses(s.node).binds for s in statements if _calls(s.node) & classes))
    for i, one in enumerate(statements):
        if isinstance(one.node, _BLOCKS | _DEFINITIONS):
            continue
        for output, gradient in _differentiated(one.node, given=True):
            names = {part.id for part in ast.walk(output) if isinstance(part, ast.Name)}
            if not names & (defined | instances):
                pairs = [(ast.unparse(o), ast.unparse(g)) for o, g in _pairs(output, gradient)]
                return i, loss_given(one, pairs)
    return None


def _pairs(output: ast.expr, gradient: ast.expr) -> Iterator[tuple[ast.expr, ast.expr]]:
    if isinstance(output, ast.Tuple | ast.List) and isinstance(gradient, ast.Tuple | ast.List):
        yield from zip(output.elts, gradient.elts, strict=False)
    else:
        yield output, gradient
