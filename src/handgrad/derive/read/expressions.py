"""Make an expression one of names and known functions alone: calls of the user's own functions are gone into."""

import ast
from typing import Any

from handgrad.derive.read.calls import call_of, is_array
from handgrad.derive.read.inlining import body_of, bound_arguments, is_users
from handgrad.derive.read.modules import as_function
from handgrad.derive.read.names import Scope
from handgrad.derive.read.reader import Reader, Returned, in_float64, is_float


class Expressions:
    """Reads the expressions of one program; `blocks` reads the bodies of the functions they call."""

    def __init__(self, reader: Reader, blocks: Any):  # noqa: D107
        self.reader, self.blocks = reader, blocks

    def read(self, node: ast.expr, scope: Scope) -> ast.expr:
        """An expression of the source, in the names of values."""
        return self.plain(scope.expressed(node))

    def plain(self, node: Any) -> Any:
        """An expression in which lists are opened, calls gone into, and what is found in objects has a name."""
        match node:
            case ast.ListComp() | ast.GeneratorExp() if self._matters(node):
                return self.blocks.comprehension(node)
            case ast.Call():
                return self._call(node)
            case ast.Subscript() | ast.Attribute():
                return self._found(node)
            case ast.Lambda() | ast.Constant() | ast.Name():
                return node
            case ast.IfExp(test=test) if not self.reader.reached(test):
                return self.plain(node.body if self.reader.evaluate(test) else node.orelse)
            case ast.JoinedStr() | ast.BinOp() | ast.UnaryOp():
                return self._folded(self._inside(node))
        return self._inside(node)

    def _folded(self, node: ast.expr) -> ast.expr:
        """Whole numbers and text that were put together of constants alone."""
        if any(isinstance(part, ast.Name) for part in ast.walk(node)):
            return node
        value = self.reader.evaluate(node)
        return ast.Constant(value) if isinstance(value, str) or (type(value) is int and value >= 0) else node

    def _inside(self, node: Any) -> Any:
        for name, value in ast.iter_fields(node):
            if isinstance(value, list):
                setattr(node, name, [self.plain(v) if isinstance(v, ast.AST) else v for v in value])
            elif isinstance(value, ast.AST):
                setattr(node, name, self.plain(value))
        return node

    def _matters(self, node: ast.AST) -> bool:
        """Whether a value of the pass is in it, or an object that may hold parameters is called."""
        return self.reader.reached(node) or any(
            isinstance(part, ast.Call) and is_users(self._value(part.func)) for part in ast.walk(node)
        )

    def _value(self, node: ast.expr) -> Any:
        names = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
        if not names <= self.reader.values.keys():
            return None
        return self.reader.evaluate(node)

    # --- calls ---------------------------------------------------------------------------------------------------

    def _call(self, node: ast.Call) -> ast.expr:
        if isinstance(node.func, ast.Name) and node.func.id not in self.reader.values:
            return self._builtin(self._inside(node))
        if isinstance(node.func, ast.Attribute):
            node.func.value = self.plain(node.func.value)
            if isinstance(node.func.value, ast.List | ast.Dict | ast.Tuple):
                return self._of_container(node)
        function = self._value(node.func)
        node.args = [self.plain(a) for a in node.args]
        node.args = [e for a in node.args for e in self._starred(a)]
        for keyword in node.keywords:
            keyword.value = self.plain(keyword.value)
        if function is not None and (known := as_function(node, function)) is not None:
            return self.plain(known)
        if not is_users(function) or call_of(node, self.reader.values) is not None:
            return node
        if not (self.reader.reached(node) or self._holds_floats(function)):
            return node
        ended = self.gone_into(node)
        return ast.Constant(None) if ended.node is None else ended.node

    @staticmethod
    def _holds_floats(function: Any) -> bool:
        owner = getattr(function, "__self__", function)
        inside = list(vars(owner).values()) if hasattr(owner, "__dict__") and not callable_plainly(owner) else []
        inside += [c.cell_contents for c in getattr(function, "__closure__", None) or ()]
        return any(is_float(v) or hasattr(v, "_parameters") for v in inside) or hasattr(owner, "_parameters")

    @staticmethod
    def _starred(node: ast.expr) -> list[ast.expr]:
        inside = node.value if isinstance(node, ast.Starred) else None
        return list(inside.elts) if isinstance(inside, ast.List | ast.Tuple) else [node]

    def gone_into(self, node: ast.Call) -> Returned:
        """What a call of a function of the user's returns, its lines read in its own scope."""
        reader, function = self.reader, self._value(node.func)
        definition, outer, owner = body_of(function, node.func, reader)
        scope = Scope(reader.values, reader.names, outer)
        for name, argument in bound_arguments(function, definition, node, owner, reader).items():
            simple = isinstance(argument, ast.Name | ast.Constant | ast.Attribute | ast.List | ast.Tuple | ast.Dict)
            scope.meanings[name] = argument if simple else reader.named(argument, name)
        if isinstance(definition, ast.Lambda):
            return Returned(self.read(definition.body, scope), ast.unparse(definition.body), definition.lineno)
        return self.blocks.run(definition.body, scope) or Returned(None)

    def _builtin(self, node: ast.Call) -> ast.expr:
        """`len`, `zip`, `sum` and others of lists whose elements are known one by one."""
        lists = [a for a in node.args if isinstance(a, ast.List | ast.Tuple)]
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        match name, lists:
            case "len", [one]:
                return ast.Constant(len(one.elts))
            case (("list" | "tuple"), [one]):
                return one
            case "reversed", [one]:
                return ast.List(one.elts[::-1], ast.Load())
            case "sum", [one] if one.elts:
                total = one.elts[0] if len(node.args) == 1 else ast.BinOp(node.args[1], ast.Add(), one.elts[0])
                for element in one.elts[1:]:
                    total = ast.BinOp(total, ast.Add(), element)
                return total
            case "zip", _ if lists and len(lists) == len(node.args):
                columns = zip(*(one.elts for one in lists), strict=False)
                return ast.List([ast.Tuple(list(row), ast.Load()) for row in columns], ast.Load())
            case "enumerate", [one]:
                rows: list[ast.expr] = [ast.Tuple([ast.Constant(i), e], ast.Load()) for i, e in enumerate(one.elts)]
                return ast.List(rows, ast.Load())
        return node

    def _of_container(self, node: ast.Call) -> ast.expr:
        function, owner = node.func, None
        assert isinstance(function, ast.Attribute)
        owner = function.value
        if isinstance(owner, ast.Dict):
            keys = [k for k in owner.keys if k is not None]
            pairs = [ast.Tuple([k, v], ast.Load()) for k, v in zip(keys, owner.values, strict=False)]
            shown = {"keys": keys, "values": owner.values, "items": pairs}.get(function.attr)
            if shown is not None:
                return ast.List(list(shown), ast.Load())
            if function.attr == "get" and node.args:
                return self._found(ast.Subscript(owner, self.plain(node.args[0]), ast.Load()))
        raise self.reader.refusal(f"{ast.unparse(function)[-40:]}() cannot be followed", "Write it with names.")

    # --- what lies in objects ------------------------------------------------------------------------------------

    def _found(self, node: Any) -> ast.expr:
        node.value = self.plain(node.value)
        if isinstance(node, ast.Subscript):
            node.slice = self.plain(node.slice)
            if not self.reader.reached(node.slice) and isinstance(self._value(node.slice), str):
                node.slice = ast.Constant(self._value(node.slice))
            if isinstance(node.value, ast.List | ast.Tuple | ast.Dict):
                return self._element(node)
        elif (written := self._attribute_written(node)) is not None:
            return written
        if self.reader.reached(node):
            return node
        owner = self._value(node.value)
        if is_array(owner) or isinstance(owner, type(ast)) or owner is None:
            return node
        value = self._value(node)
        if not is_float(value) or isinstance(node.value, ast.Call):
            return node
        buffers = getattr(owner, "_buffers", {})
        is_input = self.reader.wanted_leaf(value) and getattr(node, "attr", None) not in buffers
        return ast.Name(self._leaf(node, value, is_input), ast.Load())

    def _attribute_written(self, node: ast.Attribute) -> ast.expr | None:
        if not self.reader.stored or self.reader.reached(node.value):
            return None
        return self.reader.stored.get((id(self._value(node.value)), node.attr))

    def _leaf(self, node: ast.expr, value: Any, is_input: bool) -> str:
        """A name for a float tensor that lies in an object, a list or a dict."""
        reader, text = self.reader, ast.unparse(node)
        for name, known in reader.bindings.items():
            if known == text:
                return name
        name = reader.names.fresh(_worded(node))
        reader.names.renamed.pop(name, None)
        reader.values[name] = in_float64(value)
        reader.bindings[name] = text
        if is_input:
            reader.active.add(name)
            reader.leaves.append(name)
        return name

    def _element(self, node: ast.Subscript) -> ast.expr:
        container = node.value
        if isinstance(container, ast.Dict):
            key = self.reader.evaluate(node.slice)
            for k, v in zip(container.keys, container.values, strict=True):
                if k is not None and self.reader.evaluate(k) == key:
                    return v
            raise self.reader.refusal(f"there is nothing under {key!r} yet", "Look at the key.")
        assert isinstance(container, ast.List | ast.Tuple)
        place = self.reader.evaluate(node.slice) if not isinstance(node.slice, ast.Slice) else self._slice(node.slice)
        try:
            chosen = container.elts[place]
        except (IndexError, TypeError) as error:
            raise self.reader.refusal(f"{type(error).__name__}: {error}", "Look at the index.") from error
        return ast.List(chosen, ast.Load()) if isinstance(chosen, list) else chosen

    def _slice(self, node: ast.Slice) -> slice:
        parts = (node.lower, node.upper, node.step)
        return slice(*(self.reader.evaluate(part) if part is not None else None for part in parts))


def callable_plainly(value: Any) -> bool:
    """Whether a value is a function, and no object that can be called."""
    return type(value).__name__ in ("function", "builtin_function_or_method", "method", "type")


def _worded(node: ast.expr) -> str:
    """The name a person would give to what lies there: `W` for `self.W`, `fc_weight` for `self.fc.weight`."""
    words: list[str] = []
    while isinstance(node, ast.Attribute | ast.Subscript):
        if isinstance(node, ast.Attribute):
            words.append(node.attr)
        elif isinstance(node.slice, ast.Constant):
            words.append(str(node.slice.value))
        node = node.value
    kept = [w for k, w in enumerate(words) if k < 2 or w.isdigit() or words[k - 1].isdigit()]
    name = "_".join(reversed(kept))
    return name if name.isidentifier() else f"{node.id if isinstance(node, ast.Name) else 'value'}_{name}"
