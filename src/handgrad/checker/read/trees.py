"""Syntax trees: walk through them, write them in short, and put one node in the place of another."""

import ast
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any


def simple_statements(node: Any) -> Iterator[ast.stmt]:
    """The statements inside a compound one, or the statement itself."""
    if isinstance(node, ast.For | ast.While | ast.If | ast.With | ast.Try | ast.FunctionDef):
        if isinstance(node, ast.For):
            yield node
        for part in [*node.body, *getattr(node, "orelse", []), *getattr(node, "finalbody", [])]:
            yield from simple_statements(part)
    else:
        yield node


@dataclass(eq=False)
class Edit:
    """One edit of a statement: its kind, the node that another takes the place of, and the names the new one brings."""

    kind: str
    cost: float
    old: ast.AST
    new: ast.AST
    statement: ast.stmt
    names: set[str] = field(init=False)

    def __post_init__(self):
        """Note the names while it can be seen which parts are new."""
        self.names = {part.id for part in fresh(self.new) if isinstance(part, ast.Name)}
        if isinstance(self.new, ast.AugAssign) and isinstance(self.new.target, ast.Name):
            self.names.add(self.new.target.id)

    @property
    def edited(self) -> ast.stmt:
        """The statement as it should be."""
        return substitute(self.statement, self.old, self.new)


def fresh(tree: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a tree that have no place in the user's text yet, since a rule made them."""
    queue: list[Any] = [tree]
    while queue:
        node = queue.pop()
        if isinstance(node, list):
            queue += node
        elif isinstance(node, ast.AST) and not hasattr(node, "lineno"):
            queue += [getattr(node, key, None) for key in node._fields]
            if node._attributes:
                yield node


def locate(new: Any, like: Any) -> Any:
    """The tree, its new parts put in the place of the node they stand for."""
    place = {key: getattr(like, key) for key in ("lineno", "col_offset", "end_lineno", "end_col_offset")}
    for part in list(fresh(new)):
        part.__dict__.update(place)
    return new


@contextlib.contextmanager
def in_place(tree: ast.AST, old: ast.AST, new: ast.AST) -> Iterator[bool]:
    """The tree with one node replaced for a while; yields whether the node was found. No part of it is copied."""
    slot = next(_slots(tree, old), None)
    if slot is None:
        yield False
        return
    holder, key = slot
    locate(new, old if hasattr(old, "lineno") else tree)
    _put(holder, key, new)
    try:
        yield True
    finally:
        _put(holder, key, old)


def _put(holder: Any, key: Any, node: ast.AST) -> None:
    if isinstance(holder, list):
        holder[key] = node
    else:
        setattr(holder, key, node)


def _slots(tree: ast.AST, wanted: ast.AST) -> Iterator[tuple[Any, Any]]:
    for key in tree._fields:
        value = getattr(tree, key, None)
        if value is wanted:
            yield tree, key
        elif isinstance(value, ast.AST):
            yield from _slots(value, wanted)
        elif isinstance(value, list):
            for i, item in enumerate(value):
                if item is wanted:
                    yield value, i
                elif isinstance(item, ast.AST):
                    yield from _slots(item, wanted)


def name(id: str) -> ast.Name:
    """A name that is read."""
    return ast.Name(id, ast.Load())


def number(value: float) -> ast.expr:
    """A number, with its sign."""
    if value < 0:
        return ast.UnaryOp(ast.USub(), ast.Constant(-value))
    return ast.Constant(value)


def binary(left: ast.expr, op: type[ast.operator], right: ast.expr) -> ast.BinOp:
    """Two operands and an operator."""
    return ast.BinOp(left, op(), right)


def negative(node: Any) -> ast.expr:
    """Minus the expression."""
    return ast.UnaryOp(ast.USub(), node)


def method(receiver: Any, called: str, *args: ast.expr, **keywords: Any) -> ast.Call:
    """A method call."""
    words = [ast.keyword(k, ast.Constant(v)) for k, v in keywords.items()]
    return ast.Call(ast.Attribute(receiver, called, ast.Load()), list(args), words)


def expression(text: str) -> ast.expr:
    """The syntax tree of an expression, as yet without a place."""
    return _without_place(ast.parse(text, mode="eval").body)


def statement(text: str) -> ast.stmt:
    """The syntax tree of a statement, as yet without a place."""
    return _without_place(ast.parse(text).body[0])


def _without_place(tree: Any) -> Any:
    for part in ast.walk(tree):
        for position in part._attributes:
            delattr(part, position)
    return tree


def same(a: ast.AST, b: ast.AST) -> bool:
    """Whether two trees say the same."""
    return ast.dump(a) == ast.dump(b)


def called(node: Any) -> str | None:
    """The name of the function or method that is called."""
    if not isinstance(node, ast.Call):
        return None
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else None


def with_name(node: Any, what: str) -> ast.expr:
    """The call, or what a sign stands before, with another function or method."""
    if isinstance(node, ast.UnaryOp):
        return ast.UnaryOp(node.op, with_name(node.operand, what))
    func = node.func
    func = ast.Attribute(func.value, what, ast.Load()) if isinstance(func, ast.Attribute) else name(what)
    return ast.Call(func, node.args, node.keywords)


def as_value(node: Any) -> ast.expr:
    """An assignment target as an expression that is read."""
    return expression(ast.unparse(node))


def substitute(tree: Any, old: ast.AST, new: ast.AST) -> Any:
    """The tree with one node replaced; everything off its path is shared."""
    if tree is old:
        return new
    changed: dict[str, Any] = {}
    for key, value in ast.iter_fields(tree):
        if isinstance(value, ast.AST):
            if (replaced := substitute(value, old, new)) is not value:
                changed[key] = replaced
        elif isinstance(value, list):
            items = [substitute(v, old, new) if isinstance(v, ast.AST) else v for v in value]
            if any(a is not b for a, b in zip(items, value, strict=True)):
                changed[key] = items
    if not changed:
        return tree
    fields = {key: changed.get(key, value) for key, value in ast.iter_fields(tree)}
    return ast.copy_location(type(tree)(**fields), tree)
