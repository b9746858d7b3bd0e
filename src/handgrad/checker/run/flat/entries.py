"""Entries of dicts and attributes of objects as names: `grads["W"]` is `grads·W`, `self.x` of `net` is `net·x`."""

import ast
import copy
import inspect
import re
from dataclasses import dataclass
from types import MemberDescriptorType
from typing import Any

from torch import Tensor
from torch.nn import Module

from handgrad.checker.read.names import base_name, uses
from handgrad.checker.read.source import segment
from handgrad.checker.read.spelling import DOT, bare, key_of
from handgrad.checker.run.machine import Machine
from handgrad.checker.run.values import attribute_of, attributes, has_attributes

LONGEST_LIST = 64


@dataclass(frozen=True)
class Entry:
    """An entry or an attribute: the name of what holds it, its key, and how the user may write it."""

    path: str
    key: str
    text: str
    is_attribute: bool


class Entries:
    """The entries met so far, by the names they were given; one object has one name, however it is reached."""

    def __init__(self, machine: Machine):
        """Start with none; what things stand for is looked up in the machine's namespace."""
        self.machine = machine
        self.found: dict[str, Entry] = {}
        self._texts: dict[str, str] = {}
        self._paths: dict[int, tuple[Any, str]] = {}

    def add(self, path: str, key: str | int, is_attribute: bool) -> str:
        """The name of an entry."""
        holder = self._texts.get(path, bare(path))
        name = f"{path}{DOT}" + (f"at{key}" if isinstance(key, int) else re.sub("[^0-9a-zA-Z_]", "_", key))
        self._texts[name] = f"{holder}.{key}" if is_attribute else f"{holder}[{key!r}]"
        self.found.setdefault(name, Entry(path, str(key), self._texts[name], is_attribute))
        return name

    def inside(self, path: str, key: str | int, holder: Any) -> str:
        """The name of what an entry holds that has entries itself."""
        return self._paths.setdefault(id(holder), (holder, self.add(path, key, False)))[1]

    def at(self, node: Any) -> tuple[str, Any] | None:
        """The name for an entry or attribute, and what it holds now; None where the node is to stay as it is."""
        if (key := key_of(node)) is None:
            return self._layer(node)
        holder = self.resolve(node.value)
        if isinstance(holder, Module):
            held = _member(holder, key)
            if held is not None or not self.is_users(holder):
                return (self.add(self.path(node.value, holder), key, True), held) if held is not None else None
        if isinstance(node, ast.Subscript):
            return (self.add(self.path(node.value, holder), key, False), holder.get(key)) if _is_dict(holder) else None
        if isinstance(holder, Tensor):
            return self._grad(node, holder) if key == "grad" else None
        if self.is_users(holder) and not _is_computed(holder, key):
            return self.add(self.path(node.value, holder), key, True), attributes(holder).get(key)
        return None

    def _layer(self, node: Any) -> tuple[str, Any] | None:
        """The same for one of the modules in another: `model[0]`."""
        holder = self.resolve(node.value) if isinstance(node, ast.Subscript) else None
        if isinstance(holder, Module) and (held := self.resolve(node)) is not None:
            return self.add(self.path(node.value, holder), node.slice.value, False), held
        return None

    def _grad(self, node: ast.Attribute, tensor: Tensor) -> tuple[str, Any] | None:
        """The same for `W.grad`, once the program has stored it: what autograd stores is no gradient by hand."""
        entry = self.at(node.value)
        path = node.value.id if isinstance(node.value, ast.Name) else entry and entry[0]
        if path is None or (isinstance(node.ctx, ast.Load) and f"{path}{DOT}grad" not in self.found):
            return None
        return self.add(path, "grad", True), tensor.grad

    def path(self, node: ast.expr, holder: Any) -> str:
        """The name of a dict or an object."""
        if id(holder) not in self._paths:
            self._paths[id(holder)] = holder, self._new_path(node, holder)
        return self._paths[id(holder)][1]

    def _new_path(self, node: ast.expr, holder: Any) -> str:
        global_names = {n: v for n, v in self.machine.namespace.items() if DOT not in n}
        for name, value in global_names.items():
            inside = attributes(value).items() if self.is_users(value) else ()
            for text, items in [(name, value), *((f"{name}.{attribute}", held) for attribute, held in inside)]:
                for i, item in enumerate(items[:LONGEST_LIST] if isinstance(items, list) else ()):
                    if item is holder:
                        path = f"{text.replace('.', DOT)}{DOT}at{i}"
                        self._texts[path] = f"{text}[{i}]"
                        return path
        for name, value in global_names.items():
            if value is holder:
                return name
        entry = self.at(node)
        path = entry[0] if entry else getattr(node, "id", type(holder).__name__.lower())
        taken = {other for _, other in self._paths.values()}
        unique = next(p for i in range(len(taken) + 1) if (p := f"{path}{DOT}no{i}" if i else path) not in taken)
        self._texts.setdefault(unique, self._texts.get(path, bare(path)))
        return unique

    def resolve(self, node: Any) -> Any:
        """What an expression stands for now, as far as that can be seen without running anything of the user's."""
        if isinstance(node, ast.Name):
            return self.machine.namespace.get(node.id)
        if isinstance(node, ast.Attribute):
            owner = self.resolve(node.value)
            if isinstance(owner, Module) and ((held := _member(owner, node.attr)) is not None):
                return held
            if self.is_users_class(owner) and isinstance(
                inspect.getattr_static(owner, node.attr, None), staticmethod | classmethod
            ):
                return getattr(owner, node.attr)
            plain = self.is_users(owner) and not isinstance(getattr(type(owner), node.attr, None), property)
            if plain or isinstance(owner, super):
                return attribute_of(owner, node.attr)
        if isinstance(node, ast.Call) and getattr(node.func, "id", None) == "super" and len(node.args) == 2:
            return super(*map(self.resolve, node.args))
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
            owner, key = self.resolve(node.value), node.slice.value
            if isinstance(owner, Module) and isinstance(key, int):
                inside = list(owner._modules.values())
                return inside[key] if -len(inside) <= key < len(inside) else None
            if isinstance(owner, list | tuple) and isinstance(key, int):
                return owner[key] if -len(owner) <= key < len(owner) else None
            return owner.get(key) if _is_dict(owner) else None
        return None

    def is_users_class(self, value: Any) -> bool:
        """Whether the value is a class in the user's program."""
        return isinstance(value, type) and value.__module__ == self.machine.namespace.get("__name__")

    def is_users(self, value: Any) -> bool:
        """Whether the value is an instance of a class in the user's program."""
        ours = type(value).__module__ == self.machine.namespace.get("__name__")
        return ours and has_attributes(value) and not isinstance(value, type)


def _member(module: Module, name: str) -> Any:
    """A parameter, a buffer or a module in a module, without asking the user's class."""
    return next((held[name] for held in (module._parameters, module._buffers, module._modules) if name in held), None)


def _is_computed(holder: Any, key: str) -> bool:
    """Whether the class has a say in what is stored under this name, as a property has."""
    found = inspect.getattr_static(type(holder), key, None)
    return hasattr(type(found), "__set__") and not isinstance(found, MemberDescriptorType)


def _is_dict(value: Any) -> bool:
    return isinstance(value, dict)


class Renaming(ast.NodeTransformer):
    """Replaces the entries and attributes in one statement by their names.

    `loads` are the names that have to be given a value before it, `texts` the user's words for the names.
    """

    def __init__(self, entries: Entries, node: ast.stmt, code: str):
        """Leave what hangs on a name that a compound statement itself binds, such as a counter, as it is."""
        self.entries, self.code = entries, code
        self.bound = uses(node).binds if hasattr(node, "body") else set()
        self.loads: dict[str, Any] = {}
        self.texts: list[tuple[str, str]] = []
        self._stores: dict[str, Any] = {}

    def take_stores(self, at: ast.AST) -> list[ast.stmt]:
        """The statements that put the values named since the last call back where they belong."""
        stores = [placed(ast.Assign([to], ast.Name(name, ast.Load())), at) for name, to in self._stores.items()]
        self._stores = {}
        return stores

    def _entry(self, node: Any) -> Any:
        found = self._found(node)
        if found is None:
            return self.generic_visit(node)
        name, held = found
        if isinstance(node.ctx, ast.Load) and not isinstance(held, Tensor | float):
            return self.generic_visit(node)
        self.texts.append((name, segment(self.code, node)))
        if isinstance(node.ctx, ast.Store):
            self._stores[name] = copy.deepcopy(node)
        else:
            self._load(name, held, node)
        return ast.copy_location(ast.Name(name, node.ctx), node)

    def _found(self, node: Any) -> tuple[str, Any] | None:
        return None if base_name(node) in self.bound else self.entries.at(node)

    def _load(self, name: str, held: Any, node: Any) -> None:
        namespace = self.entries.machine.namespace
        if name not in namespace or namespace[name] is not held:
            self.loads[name] = copy.deepcopy(node)
            self.loads[name].ctx = ast.Load()

    visit_Attribute = visit_Subscript = _entry  # noqa: N815 - the names that ast looks for

    def visit_Assign(self, node: Any) -> Any:
        """The value before the targets; `W.grad = None` stays."""
        node.value = self.visit(node.value)
        if isinstance(node.value, ast.Constant) and any(key_of(target) == "grad" for target in node.targets):
            return node
        node.targets = [self.visit(target) for target in node.targets]
        return node

    def visit_AugAssign(self, node: Any) -> Any:
        """The target is read too."""
        node.value = self.visit(node.value)
        if (found := self._found(node.target)) is not None:
            self._load(*found, node.target)
        node.target = self.visit(node.target)
        return node

    def _compound(self, node):
        for part in ("test", "iter"):
            if hasattr(node, part):
                setattr(node, part, self.visit(getattr(node, part)))
        for part in ("body", "orelse", "finalbody"):
            if block := getattr(node, part, []):
                setattr(node, part, [new for s in block for new in (self.visit(s), *self.take_stores(s))])
        return node

    visit_For = visit_While = visit_If = visit_With = visit_Try = _compound  # noqa: N815

    def _left_alone(self, node):
        return node

    visit_FunctionDef = visit_ClassDef = visit_Lambda = _left_alone  # noqa: N815
    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _left_alone  # noqa: N815


def placed(new: Any, at: ast.AST) -> Any:
    """The new node at the place of another."""
    return ast.fix_missing_locations(ast.copy_location(new, at))


def assignment(target: str, value: Any, at: ast.AST) -> ast.stmt:
    """`target = value`, at the place of another node."""
    return placed(ast.Assign([ast.Name(target, ast.Store())], value), at)
