"""Which definitions of products lead from one form of a gradient to the next."""

from collections.abc import Iterator

from handgrad.derive.expr import Factor
from handgrad.derive.lower.graph import Graph, is_hidden
from handgrad.derive.simplify.opening import body
from handgrad.derive.wording.tree import Tree, leaves


def used(graph: Graph, before: Tree, after: Tree) -> set[str]:
    """The program's names for products that have to be opened or closed to get from one tree to the other."""
    old, new = set(_products(graph, before)), set(_products(graph, after))
    found: set[str] = set()
    for mine, other in ((old, new), (new, old)):
        made_of = {name for user in other - mine for name in _ingredients(graph, user)}
        for name in mine - other - made_of:
            _open(graph, name, other, found)
    return found


def _open(graph: Graph, name: str, known: set[str], found: set[str]) -> None:
    """Add a name, and those that it is made of and that the other side does not know."""
    found.add(name)
    for inner in _ingredients(graph, name):
        if inner not in known and inner not in found and not is_hidden(inner) and body(graph, inner) is not None:
            _open(graph, inner, known, found)


def _ingredients(graph: Graph, name: str) -> set[str]:
    return {n for argument in graph.definitions[name].arguments for n in argument.names()}


def _products(graph: Graph, tree: Tree) -> Iterator[str]:
    """The program's names for products in a tree, those inside of hidden names too."""
    todo = [b.name for b in leaves(tree) if isinstance(b, Factor)]
    seen: set[str] = set()
    while todo:
        name = todo.pop()
        if name in seen or name not in graph.definitions:
            continue
        seen.add(name)
        if is_hidden(name):
            todo += _ingredients(graph, name)
        elif body(graph, name) is not None:
            yield name
