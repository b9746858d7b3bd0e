"""Random numbers: they are drawn once, in lines of their own, and are constants."""

import ast
from collections.abc import Mapping
from typing import Any

from handgrad.derive.read.running import is_float, random_states
from handgrad.derive.read.terms import Term


class Draws:
    """Notices what draws random numbers: calls in expressions, and the lines that are made of them."""

    def __init__(self) -> None:
        """See the class."""
        self.names: set[str] = set()
        self.generators: list[Any] = []
        self._calls: dict[int, Term] = {}
        self._state: tuple[Any, ...] | None = None

    def begin(self) -> None:
        """Random numbers that were drawn up to now are not the lines'."""
        self._state = random_states(self.generators)

    def drawn(self) -> bool:
        """Whether random numbers were drawn since this was asked last."""
        before, self._state = self._state, random_states(self.generators)
        return self._state != before

    def seen(self, term: Term) -> Term:
        """A call that was just made, kept if it drew."""
        if self.drawn():
            self._calls[id(term.node)] = term
        return term

    def inside(self, term: Term, values: dict[str, Any]) -> list[Term]:
        """The calls that draw in an expression that reads float tensors beside them; none where it is all drawn."""
        found = [self._calls[id(node)] for node in ast.walk(term.node) if id(node) in self._calls]
        return found if found and self._reads(term.node, values) else []

    def _reads(self, node: ast.AST, values: dict[str, Any]) -> bool:
        """Whether an expression reads float tensors outside the calls that draw."""
        if id(node) in self._calls:
            return False
        if isinstance(node, ast.Name):
            return is_float(values.get(node.id))
        return any(self._reads(part, values) for part in ast.iter_child_nodes(node))

    def is_drawn(self, term: Term) -> bool:
        """Whether an expression has a call in it that drew."""
        return any(id(node) in self._calls for node in ast.walk(term.node))


def replaced(node: Any, others: Mapping[int, ast.expr]) -> Any:
    """An expression with others in the place of some of its parts, which are given by their ids, as a copy."""
    if isinstance(node, list):
        return [replaced(part, others) for part in node]
    if not isinstance(node, ast.AST):
        return node
    if id(node) in others:
        return others[id(node)]
    return type(node)(**{field: replaced(value, others) for field, value in ast.iter_fields(node)})
