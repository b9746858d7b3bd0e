"""PyTorch text as NumPy text."""

import ast
import copy
import types
from collections.abc import Mapping
from typing import Any

from handgrad.derive.emit.entries import Entry, entries
from handgrad.derive.emit.numpy_forms import FUNCTIONS, IN_PLACE, METHODS, SAME, SAME_IN_LINALG, SAME_METHODS
from handgrad.derive.emit.source import lines_of, written
from handgrad.derive.lines.terms import called, parsed, rebuilt
from handgrad.derive.read.calls import is_array
from handgrad.errors import DeriveError

MODULES = ("torch", "F", "torch.nn.functional", "torch.special")
KINDS = {"torch.bool": "bool", "torch.float64": "np.float64", "torch.float32": "np.float32", "torch.int64": "np.int64"}
KEYWORDS = {"keepdim": "keepdims", "dim": "axis"}


def to_numpy(source: str, values: Mapping[str, Any]) -> str:
    """PyTorch text, as the forms of a derivation write it, as NumPy text.

    What is NumPy in it already, as parts of forward lines in NumPy are, stays as it is.

    Args:
        source: lines that use PyTorch under the names `torch`, `F` and `math`.
        values: what the names of the program are.

    Raises:
        DeriveError: something has no form in NumPy; it is named.

    Example:
        >>> print(to_numpy("dx = (dy * torch.sigmoid(x)).sum(1, keepdim=True)", {}))
        dx = (dy / (1 + np.exp(-x))).sum(1, keepdims=True)
    """
    converter = _Converter(values, source)
    return "\n".join(line for node in ast.parse(source).body for line in converter.statement(node))


class _Converter:
    def __init__(self, values: Mapping[str, Any], source: str):
        self.values = values
        self.own = any(is_array(v) and type(v).__module__ == "numpy" for v in values.values())
        self.taken = {*values, *(n.id for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Name))}
        self.before: list[str] = []

    def statement(self, node: ast.stmt, depth: int = 0) -> list[str]:
        """The lines of a statement, with what has to be computed before it."""
        match node:
            case ast.For(target, over, body):
                inner = [line for part in body for line in self.statement(part, depth + 1)]
                return [f"{'    ' * depth}for {written(target)} in {written(self.plain(over))}:", *inner]
            case ast.Expr(ast.Call(ast.Attribute(x, name), given, keywords)) if name.endswith("_"):
                node = self._in_place(x, name, given, keywords)
            case ast.Assign([ast.Name(made)], ast.Call(ast.Attribute(start, name), given, keywords)) if name.endswith(
                "_"
            ) and "zeros_like" in ast.unparse(start):
                call = ast.Call(ast.Attribute(ast.Name(made, ast.Load()), name, ast.Load()), given, keywords)
                lines = self.statement(ast.Assign(node.targets, start), depth)
                return [*lines, *self.statement(ast.Expr(call), depth)]
            case ast.Assign() | ast.AugAssign() | ast.Expr():
                node = copy.copy(node)
                node.value = self.plain(node.value)
        before = ["    " * depth + line for line in self.before]
        self.before = []
        return [*before, *lines_of(node, depth)]

    def plain(self, node: ast.expr) -> ast.expr:
        """An expression in NumPy."""
        return rebuilt(node, self._in_numpy)

    def _in_numpy(self, node: ast.expr) -> ast.expr | None:
        """What a call or an attribute of PyTorch is in NumPy; None where it is the same, but for its parts."""
        match node:
            case ast.Attribute(ast.Call(ast.Attribute(x, "max" | "min" as name), given, keywords), "indices"):
                return self._method(x, f"arg{name}", given, [k for k in keywords if k.arg != "keepdim"])
            case ast.Attribute(ast.Call(ast.Attribute(x, "max" | "min" as name), given, keywords), "values"):
                return self._method(x, f"a{name}", given, keywords)
            case ast.Call(ast.Attribute(ast.Call(ast.Attribute(_, "new_zeros"), [size]), "index_add_"), [_, i, v]):
                return _call("np.bincount", [self.plain(i), self.plain(v), self.plain(size)])
            case ast.Call(ast.Attribute(x, "flatten"), [ast.Constant(int(start)), ast.Constant(int(end))]):
                return self._flattened(self.plain(x), start, end)
            case ast.Call(ast.Attribute(x, "flatten"), [ast.Constant(int(start))]):
                return self._flattened(self.plain(x), start, -1)
            case ast.Call(function, given, keywords) if (path := self._path(function)) is not None:
                return self._function(path, given, keywords)
            case ast.Call(ast.Attribute(x, name), given, keywords) if not self._in_module(x):
                return self._method(x, name, given, keywords)
            case ast.Attribute() if (path := self._path(node)) is not None:
                return parsed(KINDS.get(path) or f"np.{path.rpartition('.')[2]}")
        return None

    def _path(self, node: ast.expr) -> str | None:
        """The dotted name of what lies in PyTorch or `math`; None for anything else."""
        names: list[str] = []
        while isinstance(node, ast.Attribute):
            names.append(node.attr)
            node = node.value
        if not names or not isinstance(node, ast.Name) or node.id not in ("torch", "F", "math"):
            return None
        return None if is_array(self.values.get(node.id)) else ".".join([node.id, *reversed(names)])

    def _in_module(self, node: ast.expr) -> bool:
        """Whether an expression is a module of the program's."""
        while isinstance(node, ast.Attribute):
            node = node.value
        return isinstance(node, ast.Name) and isinstance(self.values.get(node.id), types.ModuleType)

    def _function(self, path: str, given: list[ast.expr], keywords: list[ast.keyword]) -> ast.expr:
        module, _, name = path.rpartition(".")
        arguments, named = self._arguments(given, keywords)
        if module == "math" or (module in MODULES and name in SAME):
            return _call(f"np.{name}", arguments, named)
        if module == "torch.linalg" and name in SAME_IN_LINALG:
            return _call(f"np.linalg.{name}", arguments, named)
        if name == "pad":
            return self._padded(given, arguments, named)
        entry = entries(FUNCTIONS).get(name) or entries(METHODS).get(name)
        if entry is None and name in SAME_METHODS and given:
            return _method_of(arguments, name, named)
        return self._filled(entry, path, arguments, named)

    def _method(self, x: ast.expr, name: str, given: list[ast.expr], keywords: list[ast.keyword]) -> ast.expr | None:
        arguments, named = self._arguments([x, *given], keywords)
        if self.own and _is_numpys(name, given, named):
            return None
        if not self.own and name in ("max", "min", "repeat", "sort", "topk") and given:
            raise DeriveError(f"`.{name}()` has no form in NumPy", next_step="Derive it with --style torch.")
        if (entry := entries(METHODS).get(name)) is not None:
            return self._filled(entry, f".{name}()", arguments, named)
        if name in SAME and name not in SAME_METHODS:
            return _call(f"np.{name}", arguments, named)
        if name not in SAME_METHODS and not self.own:
            raise DeriveError(f"`.{name}()` has no form in NumPy", next_step="Derive it with --style torch.")
        return _method_of(arguments, name, named)

    def _arguments(
        self, given: list[ast.expr], keywords: list[ast.keyword]
    ) -> tuple[list[ast.expr], dict[str, ast.expr]]:
        return [self.plain(a) for a in given], {str(k.arg): self.plain(k.value) for k in keywords if k.arg != "device"}

    def _filled(self, entry: Entry | None, said: str, given: list[ast.expr], named: Mapping[str, ast.expr]) -> ast.expr:
        known = entry.bound(given, named) if entry else None
        if entry is None or known is None:
            raise DeriveError(f"`{said}` has no form in NumPy", next_step="Derive it with --style torch.")
        if entry.first:
            name, template = entry.first
            fresh = self._fresh(name)
            self.before.append(f"{fresh} = {written(_with(template, known))}")
            known[name] = ast.Name(fresh, ast.Load())
        return _with(entry.template, known)

    def _in_place(self, x: ast.expr, name: str, given: list[ast.expr], keywords: list[ast.keyword]) -> ast.stmt:
        arguments, named = self._arguments([x, *given], keywords)
        match name, x, given:
            case "index_add_", _, [ast.Constant(int(dim)), index, source]:
                places, added = _unflattened(index, source)
                index = self.plain(places)
                if dim:
                    index = ast.Tuple([*[parsed("slice(None)")] * dim, index], ast.Load())
                return ast.Expr(_call("np.add.at", [arguments[0], index, self.plain(added)]))
            case "add_", ast.Call(ast.Attribute(matrix, "diagonal"), []), [value]:
                diagonal = _with('np.einsum("...ii->...i", x)[...]', {"x": matrix})
                return _added(diagonal, self.plain(value))
        entry = entries(IN_PLACE).get(name)
        if entry is not None and entry.template.startswith("x += "):
            added = Entry(entry.arguments, entry.template.removeprefix("x += "), entry.first)
            return _added(arguments[0], self._filled(added, name, arguments, named))
        return ast.Expr(self._filled(entry, f".{name}()", arguments, named))

    def _flattened(self, x: ast.expr, start: int, end: int) -> ast.expr:
        lead = "".join(f"x.shape[{d}], " for d in range(start)) if start >= 0 else "*x.shape[:{start}], "
        tail = f", *x.shape[{end + 1}:]" if end != -1 else ""
        return _with(f"x.reshape({lead}-1{tail})", {"x": x})

    def _padded(self, given: list[ast.expr], arguments: list[ast.expr], named: Mapping[str, ast.expr]) -> ast.expr:
        """`F.pad` has its widths from the last dimension on, two for each; `np.pad` a pair for each dimension."""
        rank = self._rank(given[0])
        widths = given[1].elts if isinstance(given[1], ast.Tuple) else []
        if rank is None or len(widths) % 2 or len(arguments) != 2:
            raise DeriveError("`F.pad` has no form in NumPy here", next_step="Derive it with --style torch.")
        zero = ast.Constant(0)
        pairs = [ast.Tuple(widths[i : i + 2], ast.Load()) for i in range(0, len(widths), 2)][::-1]
        pairs = [ast.Tuple([zero, zero], ast.Load())] * (rank - len(pairs)) + pairs
        value = {"constant_values": named["value"]} if "value" in named else {}
        return _call("np.pad", [arguments[0], ast.Tuple([*pairs], ast.Load())], value)

    def _rank(self, node: ast.expr) -> int | None:
        """The number of dimensions of a variable, of a gradient, or of a part of one."""
        match node:
            case ast.Name(name):
                value = self.values.get(name, self.values.get(name.removeprefix("d")))
                return value.ndim if is_array(value) else None
            case ast.Subscript(x, index):
                parts = index.elts if isinstance(index, ast.Tuple) else [index]
                if (rank := self._rank(x)) is None or not all(isinstance(p, ast.Slice | ast.Constant) for p in parts):
                    return None
                added = sum(isinstance(p, ast.Constant) and p.value is None for p in parts)
                return rank + added - sum(isinstance(p, ast.Constant) and type(p.value) is int for p in parts)
        return None

    def _fresh(self, wanted: str) -> str:
        name, count = wanted, 1
        while name in self.taken:
            count += 1
            name = f"{wanted}{count}"
        self.taken.add(name)
        return name


def _is_numpys(name: str, given: list[ast.expr], named: Mapping[str, ast.expr]) -> bool:
    """Whether a call is one of a method that NumPy has under another meaning, and no form writes so."""
    match name:
        case "max" | "min" | "repeat" | "take" | "argsort":
            return True
        case "var" | "std":
            return "correction" not in named
        case "transpose":
            return len(given) != 2
    return False


def _unflattened(index: ast.expr, source: ast.expr) -> tuple[ast.expr, ast.expr]:
    """An index and what is added there, before both were made flat."""
    match index, source:
        case ast.Call(ast.Attribute(places, "flatten"), []), ast.Call(ast.Attribute(added, "flatten")):
            return places, added
    return index, source


def _with(template: str, known: Mapping[str, ast.expr]) -> ast.expr:
    filled = rebuilt(parsed(template), lambda node: known.get(node.id) if isinstance(node, ast.Name) else None)
    if isinstance(filled, ast.Call):
        filled.keywords = [k for k in filled.keywords if ast.unparse(k.value) not in ("None", "False")]
    return filled


def _added(target: ast.expr, value: ast.expr) -> ast.stmt:
    """`target += value`."""
    return ast.parse(f"{written(target)} += {written(value)}").body[0]


def _method_of(arguments: list[ast.expr], name: str, named: Mapping[str, ast.expr]) -> ast.expr:
    """The call of a method of the first argument."""
    renamed = [ast.keyword(KEYWORDS.get(word, word), part) for word, part in named.items()]
    return called(ast.Attribute(arguments[0], name, ast.Load()), arguments[1:], renamed)


def _call(path: str, given: list[ast.expr], named: Mapping[str, ast.expr] | None = None) -> ast.expr:
    return ast.Call(parsed(path), given, [ast.keyword(word, part) for word, part in (named or {}).items()])
