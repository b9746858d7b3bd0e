"""All names, keys and attributes of a program, and what among them is spelled like a gradient."""

import ast
from collections.abc import Iterator
from typing import Any

from handgrad.checker.read.names import base_name, gradient_of
from handgrad.checker.read.source import Source
from handgrad.checker.read.spelling import (
    _BACKWARD,
    LOSS,
    bare,
    is_dict_of_gradients,
    key_of,
    seems_a_gradient,
)
from handgrad.checker.read.trees import called


class Words:
    """All names, keys and attributes a program writes, and what among them is spelled like a gradient."""

    def __init__(self, source: Source):
        """Read the program; `leading` are the functions through which those that compute gradients are called.

        `storing` are those that put gradients into entries or attributes, `beside` the lists that are written where
        they are gone through with others.
        """
        nodes = [node for statement in source.statements for node in ast.walk(statement.node)]
        self.known = {word for node in nodes for word in _written(node)}
        self._containers = {word for node in nodes for word in _given_containers(node)}
        functions = [node for node in nodes if isinstance(node, ast.FunctionDef)]
        self.backward_functions = {
            f.name for f in functions if any(map(self.spells_gradient, f.body)) or _is_a_backward_half(f)
        }
        of_layers = [f for f in functions if _BACKWARD.search(f.name) and any(map(self._stores_gradient, f.body))]
        self.storing = {f.name for f in of_layers}
        self.leading = _callers(functions, self.backward_functions | source.halves)
        outside = [s.node for s in source.statements if not isinstance(s.node, ast.FunctionDef | ast.ClassDef)]
        self.in_entries_or_calls = any(map(self.computes_gradients, outside))
        self.has_elements = any(map(self._stores_element, nodes))
        self.uses_modules = any(map(_is_of_torch_nn, nodes))
        self.beside = [a.elts for n in nodes for a in _zipped(n) if isinstance(a, ast.List | ast.Tuple)]

    def is_loss(self, name: str) -> bool:
        """Whether the name is that of a loss."""
        return LOSS.search(name) is not None and gradient_of(bare(name), self.known) is None

    def spells_gradient(self, node: ast.AST) -> bool:
        """Whether a name, an entry or an attribute that a statement binds is spelled like a gradient."""
        stores = (n for n in ast.walk(node) if isinstance(n, ast.Name | ast.Subscript) and isinstance(n.ctx, ast.Store))
        names = {bare(name) for name in map(base_name, stores) if name}
        return any(gradient_of(n, self.known - {n}) for n in names) or self._stores_gradient(node)

    def computes_gradients(self, node: ast.AST) -> bool:
        """Whether a statement stores a gradient in an entry, or calls a function that computes some."""
        calls = {called(n) for n in ast.walk(node) if isinstance(n, ast.Call)}
        return bool(calls & self.leading) or self._stores_gradient(node)

    def entries(self, node: ast.Assign) -> list[tuple[str, ast.expr]]:
        """The entries of `grads = {"W": x.T @ dy, ...}`; none where they are no gradients, or all known by a name."""
        value, target = node.value, node.targets[0]
        if not (isinstance(value, ast.Dict) and len(node.targets) == 1 and isinstance(target, ast.Name)):
            return []
        keys = [k.value for k in value.keys if isinstance(k, ast.Constant) and isinstance(k.value, str)]
        if len(keys) < len(value.keys) or not all(map(str.isidentifier, keys)):
            return []
        pairs = list(zip(keys, value.values, strict=True))
        of_gradients = any(self._is_gradient(key, target.id) for key, _ in pairs)
        return pairs if of_gradients and any(not isinstance(v, ast.Name | ast.Constant) for _, v in pairs) else []

    def _stores_element(self, node: ast.AST) -> bool:
        """Whether this puts gradients into a list, or into a dict under keys that are computed."""
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _FILLING:
            return self._is_container(node.func.value)
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
            holder = node.value
            while isinstance(holder, ast.Subscript) and key_of(holder) is None:  # self.grads[0][...] = dW
                holder = holder.value
            return key_of(node) is None and self._is_container(holder)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.List | ast.ListComp | ast.DictComp):
            value: Any = node.value
            parts = value.elts if isinstance(value, ast.List) else [getattr(value, "elt", None) or value.value]
            made = [p for p in parts if not isinstance(p, ast.Name | ast.Constant) and "zeros" not in ast.unparse(p)]
            return bool(made) and any(map(self._is_container, node.targets))
        return False

    def _is_container(self, node: ast.expr) -> bool:
        """Whether what is filled is called like gradients: `grads`, `self.grads`, or `dWs` beside `Ws`."""
        word = bare(key_of(node) or getattr(node, "id", ""))
        spelled = is_dict_of_gradients(word) or gradient_of(word, self.known - {word}) is not None
        return spelled and word in self._containers

    def _is_gradient(self, key: str, dictionary: str | None) -> bool:
        if dictionary is not None and is_dict_of_gradients(dictionary):
            return key in self.known or gradient_of(key, self.known) is not None
        return gradient_of(key, self.known - {key}) is not None

    def _stores_gradient(self, node: ast.AST) -> bool:
        for part in ast.walk(node):
            if self._stores_element(part):
                return True
            if not isinstance(part, ast.Assign | ast.AugAssign) or _is_empty(part.value):
                continue
            if isinstance(part, ast.Assign) and self.entries(part):
                return True
            for target in part.targets if isinstance(part, ast.Assign) else [part.target]:
                for place in ast.walk(target):
                    key = key_of(place)
                    if key is not None and (
                        (key == "grad" and isinstance(place, ast.Attribute))
                        or self._is_gradient(key, ast.unparse(_holder(place)))
                    ):
                        return True
        return False


_FILLING = ("append", "insert", "extend", "appendleft")


def _holder(node: Any) -> ast.expr:
    """What holds an entry: `grads` for `grads["W"]` and for `grads["layer"]["W"]`."""
    node = node.value
    while isinstance(node, ast.Subscript):
        node = node.value
    return node


def _is_a_backward_half(node: ast.FunctionDef) -> bool:
    """Whether a function that is called like one is handed a gradient, as in `backward(dout, cache)`."""
    return bool(_BACKWARD.search(node.name)) and any(seems_a_gradient(argument.arg) for argument in node.args.args)


def _zipped(node: ast.AST) -> list[ast.expr]:
    """What is gone through side by side, as in `for p, grad in zip([W, b], grads)`."""
    return node.args if isinstance(node, ast.Call) and called(node) == "zip" else []


def _is_of_torch_nn(node: ast.AST) -> bool:
    if isinstance(node, ast.ImportFrom):
        return (node.module or "").startswith("torch.nn")
    return isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "nn"


def _callers(functions: list[ast.FunctionDef], wanted: set[str]) -> set[str]:
    """The names of the functions `wanted`, of those that call them, and so on."""
    calls = {f.name: {called(n) for n in ast.walk(f) if isinstance(n, ast.Call)} for f in functions}
    found: set[str] = set()
    while found != wanted:
        found = wanted
        wanted = found | {name for name, inside in calls.items() if inside & found}
    return found


def _given_containers(node: ast.AST) -> Iterator[str]:
    """The names and attributes that a statement gives a list or a dict."""
    pairs: list[tuple[Any, Any]] = []
    if isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        pairs += [(target, node.value) for target in targets]
    for target, value in pairs:
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
            pairs += zip(target.elts, value.elts, strict=False)
        parts = [value.left, value.right] if isinstance(value, ast.BinOp) else [value]
        if called(value) in ("list", "dict", "defaultdict") or any(isinstance(part, _CONTAINERS) for part in parts):
            yield key_of(target) or getattr(target, "id", "")


_CONTAINERS = (ast.List, ast.ListComp, ast.Dict, ast.DictComp)


def _is_empty(value: ast.expr) -> bool:
    """Whether this is `None` or 0, as in `W.grad = None`."""
    return isinstance(value, ast.Constant) and not value.value


def _written(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id
    elif isinstance(node, ast.arg):
        yield node.arg
    elif isinstance(node, ast.Attribute | ast.Subscript) and isinstance(node.ctx, ast.Store):
        yield from filter(None, [key_of(node)])
    elif isinstance(node, ast.Dict):
        yield from (k.value for k in node.keys if isinstance(k, ast.Constant) and isinstance(k.value, str))
