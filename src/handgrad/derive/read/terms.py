"""What stands for a value while lines are read: an expression in single assignment, and what it was."""

import ast
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Term:
    """An expression of names of single assignment, and its value."""

    node: ast.expr
    value: Any

    @property
    def name(self) -> str | None:
        """The name, where the expression is one."""
        return self.node.id if isinstance(self.node, ast.Name) else None


class Parts(Term):
    """A list, tuple or dict of which every element is known for itself; `of` is its type."""

    def __init__(self, of: type, parts: "list[Term] | dict[Any, Term]"):
        """See the class."""
        self.of, self.parts = of, parts

    @property
    def node(self) -> ast.expr:  # type: ignore[override]
        """The display of the elements."""
        if isinstance(self.parts, dict):
            return ast.Dict([ast.Constant(key) for key in self.parts], [part.node for part in self.parts.values()])
        if hasattr(self.of, "_fields"):
            return ast.Tuple([part.node for part in self.parts], ast.Load())
        return (ast.List if self.of is list else ast.Tuple)([part.node for part in self.parts], ast.Load())

    @property
    def value(self) -> Any:  # type: ignore[override]
        """The elements' values in such a container."""
        if isinstance(self.parts, dict):
            return {key: part.value for key, part in self.parts.items()}
        values = [part.value for part in self.parts]
        return self.of(*values) if hasattr(self.of, "_fields") else self.of(values)


class Closure(Term):
    """A function or lambda that the lines themselves define."""

    def __init__(self, function: ast.FunctionDef | ast.Lambda, frame: "Frame"):
        """See the class."""
        self.function, self.frame = function, frame
        self.value = self

    @property
    def node(self) -> ast.expr:  # type: ignore[override]
        """The name that errors give it."""
        return ast.Name(self.called, ast.Load())

    @property
    def called(self) -> str:
        """The function's name."""
        return getattr(self.function, "name", "<lambda>")


@dataclass
class Stale(Term):
    """What a name stood for and does not any more, why, and what to do about it."""

    reason: str = ""
    advice: str = ""


@dataclass
class Frame:
    """The names of one body of code: the program's own, or those of a function that it calls.

    `outside` finds what a name is that is not assigned here; `text` gives the source of a statement; `statement` is the
    one that is being read. What a `library` does has short names, and no lines to `quote`.
    """

    outside: Callable[[str], Term]
    text: Callable[[ast.AST], str]
    within: str = ""
    library: bool = False
    quote: bool = True
    scope: dict[str, Term] = field(default_factory=dict)
    statement: ast.AST = field(default_factory=ast.Pass)


def name_of(text: str) -> ast.Name:
    """A name as an expression."""
    return ast.Name(text, ast.Load())


def is_literal(node: ast.expr) -> bool:
    """Whether an expression is a number or a text, or several."""
    return not any(isinstance(part, ast.Name | ast.Call) for part in ast.walk(node))


def is_path(node: ast.expr) -> bool:
    """Whether an expression is a name, or attributes and constant elements of one."""
    while isinstance(node, ast.Attribute) or (isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant)):
        node = node.value
    return isinstance(node, ast.Name)


def is_marked(node: ast.expr) -> bool:
    """Whether the index of a loop is in an expression: a constant of a `kind`, while rounds are read."""
    return any(isinstance(part, ast.Constant) and part.kind is not None and "·" in part.kind for part in ast.walk(node))
