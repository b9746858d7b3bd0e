"""Which tensors a program trains: those from which it takes something off, outside of its forward pass."""

import ast
from collections.abc import Iterator, Sequence

from handgrad.checker.read.names import uses
from handgrad.checker.read.source import Source
from handgrad.forward.ran import Ran
from handgrad.forward.reading import is_update


def updated(source: Source, ran: Sequence[Ran]) -> set[str]:
    """The names that a statement which did not run makes smaller: `W -= lr * dW`, alone or in a loop over them.

    >>> from handgrad.checker.read.source import parse_code
    >>> code = "params = [W, b]\\nfor p, g in zip(params, [X, Y]):\\n    p -= lr * g\\nc = c - lr * dc"
    >>> sorted(updated(parse_code(code), []))
    ['W', 'b', 'c', 'p', 'params']
    """
    done = {(one.statement.place.cell, one.statement.place.line) for one in ran}
    nodes = [(s.place.cell, node) for s in source.statements for node in ast.walk(s.node)]
    lists = {name: names for _, node in nodes for name, names in _listed(node)}
    found: set[str] = set()
    for cell, node in nodes:
        if is_update(node) and (cell, getattr(node, "lineno", 0)) not in done:
            found |= uses(node).changes | uses(node).binds
    for _, node in nodes:
        for target, over in _gone_through(node):
            if found & uses(target).binds:
                found |= over.union(*(lists.get(name, set()) for name in over))
    return found


def _gone_through(node: ast.AST) -> Iterator[tuple[ast.expr, set[str]]]:
    """The targets of a loop, and the names or the list of names that each goes through."""
    match node:
        case ast.For(target=ast.Tuple(elts=targets), iter=ast.Call(func=ast.Name(id="zip"), args=over)):
            yield from ((target, _members(one)) for target, one in zip(targets, over, strict=False))
        case ast.For(target=target, iter=over):
            yield target, _members(over)


def _members(node: ast.expr) -> set[str]:
    parts = node.elts if isinstance(node, ast.List | ast.Tuple) else [node]
    return {part.id for part in parts if isinstance(part, ast.Name)}


def _listed(node: ast.AST) -> Iterator[tuple[str, set[str]]]:
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.List | ast.Tuple):
        for target in node.targets:
            if isinstance(target, ast.Name):
                yield target.id, _members(node.value)
