"""Assign: let a name, an attribute or an element stand for what an expression makes."""

import ast
from typing import Any

from handgrad.derive.read.expressions import Expressions
from handgrad.derive.read.names import Scope
from handgrad.derive.read.reader import Reader, is_float


class Targets:
    """Assigns expressions to targets; what is computed becomes a line, and a list or a dict stands for its elements."""

    def __init__(self, reader: Reader, expressions: Expressions):  # noqa: D107
        self.reader, self.expressions = reader, expressions

    def assign(self, target: ast.expr, made: ast.expr, scope: Scope) -> ast.expr:
        """Let a target stand for an expression; what comes back is a name for it, where it has one."""
        reader = self.reader
        match target:
            case ast.Name(name):
                return self._name(name, made, scope)
            case ast.Tuple(parts) | ast.List(parts):
                self._parts(parts, made, scope)
            case ast.Attribute(owner, attribute):
                holder = self.expressions.read(owner, scope)
                named = reader.named(made, attribute)
                reader.stored[id(reader.evaluate(holder)), attribute] = named
                return named
            case ast.Subscript(owner, index):
                self._store(owner, index, made, scope)
            case _:
                raise reader.refusal(f"{ast.unparse(target)} cannot be assigned here", "Assign to a name.")
        return made

    def _name(self, name: str, made: ast.expr, scope: Scope) -> ast.expr:
        reader = self.reader
        if isinstance(made, ast.List | ast.Dict | ast.Tuple) and self._is_symbolic(made):
            scope.meanings[name] = self._each_named(made, name)
        elif isinstance(made, ast.Name | ast.Constant) and (scope.outer is not None or _is(made, name)):
            scope.meanings[name] = made
        else:
            reader.line([name], made, scope)
        return scope.meanings[name]

    def _is_symbolic(self, node: Any) -> bool:
        return self.reader.reached(node) or not (node.keys if isinstance(node, ast.Dict) else node.elts)

    def _each_named(self, node: Any, name: str) -> ast.expr:
        """A list or dict of names: each of its expressions gets a line."""
        if isinstance(node, ast.Dict):
            keys = [str(k.value) if isinstance(k, ast.Constant) else name for k in node.keys if k is not None]
            words = [key if key.isidentifier() else f"{name}_{key}" for key in keys]
            node.values = [self.reader.named(v, word) for word, v in zip(words, node.values, strict=True)]
        else:
            node.elts = [self.reader.named(e, f"{name}_{i}") for i, e in enumerate(node.elts)]
        return node

    def _parts(self, parts: list[ast.expr], made: ast.expr, scope: Scope) -> None:
        reader = self.reader
        if isinstance(made, ast.Tuple | ast.List):
            if len(made.elts) != len(parts):
                raise reader.refusal(f"{len(made.elts)} values for {len(parts)} names", "Give each value a name.")
            named = [reader.named(e, word_for(p)) for p, e in zip(parts, made.elts, strict=True)]
            for part, element in zip(parts, named, strict=True):
                self.assign(part, element, scope)
            return
        if any(isinstance(part, ast.Starred | ast.Tuple) for part in parts):
            raise reader.refusal("these targets cannot be followed", "Give each value a name.")
        plain = all(isinstance(part, ast.Name) for part in parts)
        targets = reader.line([word_for(part) for part in parts], made, scope if plain else None)
        for part, target in zip(parts, targets, strict=True):
            if not isinstance(part, ast.Name):
                self.assign(part, ast.Name(target, ast.Load()), scope)

    def augment(self, target: ast.expr, op: ast.operator, value: ast.expr, scope: Scope) -> None:
        """`x += y` as `x = x + y`."""
        read = ast.parse(ast.unparse(target), mode="eval").body
        before, by = self.expressions.read(read, scope), self.expressions.read(value, scope)
        if isinstance(before, ast.List) and isinstance(by, ast.List | ast.Tuple):
            before.elts += by.elts
            return
        self._refuse_view(before)
        self.assign(target, ast.BinOp(before, op, by), scope)

    def _refuse_view(self, node: ast.expr) -> None:
        """A value that shares its numbers with another name's would change that one too."""
        mine = self.reader.values.get(node.id) if isinstance(node, ast.Name) else None
        base = getattr(mine, "_base", getattr(mine, "base", None)) if is_float(mine) else None
        if base is not None:
            raise self.reader.refusal(
                f"{ast.unparse(node)} is a view, so that this changes another tensor too",
                "Write x = x + y in place of x += y.",
            )

    def _store(self, owner: ast.expr, index: ast.expr, made: ast.expr, scope: Scope) -> None:
        """`x[index] = value`: an element of a list or a dict, or a tensor with other elements."""
        reader = self.reader
        container = self.expressions.read(owner, scope)
        place = self.expressions.read(index, scope)
        word = word_for(owner)
        if isinstance(container, ast.Dict):
            self._put(container, reader.evaluate(place), made, word)
        elif isinstance(container, ast.List):
            number = reader.evaluate(place)
            container.elts[number] = reader.named(made, f"{word}_{number}")
        elif is_float(reader.evaluate(container)):
            self._refuse_view(container)
            reader.values.setdefault("setitem", setitem)
            reader.values.setdefault("at", At())
            chosen = ast.Subscript(ast.Name("at", ast.Load()), place, ast.Load())
            self.assign(owner, ast.Call(ast.Name("setitem", ast.Load()), [container, chosen, made], []), scope)
        elif reader.reached(made):
            raise reader.refusal("this container cannot be followed", "Collect the values in a list or a dict.")
        else:
            reader.evaluate(container)[reader.evaluate(place)] = reader.evaluate(made)

    def _put(self, container: ast.Dict, key: Any, made: ast.expr, word: str) -> None:
        wanted = str(key) if str(key).isidentifier() else f"{word}_{key}"
        named = self.reader.named(made, wanted if wanted.isidentifier() else word)
        pairs: dict[Any, tuple[ast.expr | None, ast.expr]] = {
            self.reader.evaluate(k): (k, v) for k, v in zip(container.keys, container.values, strict=True) if k
        }
        pairs[key] = (ast.Constant(key), named)
        container.keys = [k for k, _ in pairs.values()]
        container.values = [v for _, v in pairs.values()]


def _is(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


class At:
    """Gives the index in brackets: `at[1:, 0]`."""

    def __getitem__(self, index: Any) -> Any:
        """The index."""
        return index


def setitem(x: Any, index: Any, value: Any) -> Any:
    """A copy of a tensor or an array with another value at an index."""
    made = x.clone() if hasattr(x, "clone") else x.copy()
    made[index] = value
    return made


def word_for(node: ast.expr) -> str:
    """A word for what an expression stands for."""
    match node:
        case ast.Name(name):
            return name
        case ast.Attribute(attr=name):
            return name
        case ast.Subscript(_, ast.Constant(str(key))) if key.isidentifier():
            return key
        case ast.Subscript(value):
            return word_for(value)
    return "value"
