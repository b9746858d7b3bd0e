"""Random numbers: they are drawn once, in lines of their own, and are constants."""

import ast
from typing import Any

from handgrad.derive.read.running import is_float, random_states
from handgrad.derive.read.terms import Term, name_of


class Draws:
    """Notices what draws random numbers: calls in expressions, and the lines that are made of them."""

    def __init__(self) -> None:  # noqa: D107
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
        within = {id(node) for call in found for node in ast.walk(call.node)}
        beside = any(
            id(node) not in within and isinstance(node, ast.Name) and is_float(values.get(node.id))
            for node in ast.walk(term.node)
        )
        return found if beside else []

    def is_drawn(self, term: Term) -> bool:
        """Whether an expression has a call in it that drew."""
        return any(id(node) in self._calls for node in ast.walk(term.node))


class _Replacing(ast.NodeTransformer):
    def __init__(self, others: dict[int, str]):
        self.others = others

    def visit(self, node: ast.AST) -> ast.AST:
        return name_of(self.others[id(node)]) if id(node) in self.others else super().visit(node)

    def generic_visit(self, node: ast.AST) -> ast.AST:
        """A copy, since parts of expressions are shared."""
        return type(node)(**{field: self._part(value) for field, value in ast.iter_fields(node)})

    def _part(self, value: object) -> object:
        if isinstance(value, list):
            return [self._part(part) for part in value]
        return self.visit(value) if isinstance(value, ast.AST) else value


def replaced(node: ast.expr, others: dict[int, str]) -> ast.expr:
    """An expression with names in the place of some of its parts, which are given by their ids."""
    return _Replacing(others).visit(node)
