"""What stands in lists, and in dicts under computed keys, as names: `dWs[i] = ...`, `grads[f"W{i}"] = ...`.

Before a statement the parameters in such containers are given names, so that the forward pass is cut at them, and after
it the gradients that it has put into others: `dWs[1]` becomes `dWs·at1`, which is judged with all the statements that
made it. Which variables they are the gradients of, in a list from which end, is chosen once the truth is known.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.nn import Module

from handgrad.checker.read.names import variables_of
from handgrad.checker.read.spelling import DOT, bare, is_dict_of_gradients
from handgrad.checker.read.trees import simple_statements
from handgrad.checker.run.flat.entries import LONGEST_LIST, Entries, assignment
from handgrad.checker.run.values import attributes, is_float

_LIMITS = re.compile(r"clip|clamp|norm|scale|coef")
DEEPEST = 2
Keys = tuple[Any, ...]


@dataclass(frozen=True)
class Element:
    """A float tensor in a container: its name, how it is reached, and what it is."""

    name: str
    access: ast.expr
    value: Tensor


@dataclass(frozen=True)
class Container:
    """A list, tuple or dict: how it is reached, what it is called, and whether that is spelled like gradients."""

    node: ast.expr
    word: str
    holder: Any
    of_gradients: bool


class Elements:
    """The elements met so far.

    `mappings` say, for each container of gradients, of which variables its elements may be, the likeliest first.
    """

    def __init__(self, entries: Entries, beside: list[list[ast.expr]]):
        """None yet; `beside` are lists of variables that stand beside gradients, as in `zip([W, b], grads)`."""
        self.beside = beside
        self.entries, self.namespace = entries, entries.machine.namespace
        self.mappings: dict[str, list[dict[str, str]]] = {}
        self._made: set[str] = set()
        self._held: dict[str, tuple[Tensor, int]] = {}

    def begin(self) -> None:
        """Another pass begins: the parameters are given their names again."""
        gradients = {name for mappings in self.mappings.values() for mapping in mappings for name in mapping}
        self._held = {name: held for name, held in self._held.items() if name in gradients | self._made}
        self._made = set()

    def parameters(self, at: ast.AST) -> Iterator[ast.stmt]:
        """Names for what containers hold that are not spelled like gradients."""
        named = {id(value) for name, value in self.namespace.items() if DOT not in name and is_float(value)}
        for container in self._containers():
            for one in self._elements(container).values() if not container.of_gradients else ():
                if id(one.value) not in named and self._is_new(one):
                    yield assignment(one.name, one.access, at)

    def made(self, at: ast.stmt) -> Iterator[ast.stmt]:
        """Names for the gradients that a statement has put into containers; limiting them makes no new ones."""
        limits = all(_LIMITS.search(ast.unparse(line)) for line in simple_statements(at))
        containers = self._containers()
        for container in containers:
            found = self._elements(container) if container.of_gradients else {}
            new = [one for one in found.values() if self._is_new(one) and not (limits and one.name in self._made)]
            if not new:
                continue
            path = self.entries.path(container.node, container.holder)
            self.mappings[path] = self._mappings(container, found, containers)
            for one in new:
                self._made.add(one.name)
                yield assignment(one.name, one.access, at)

    def variables(self, name: str) -> Iterator[str]:
        """The variables that an element may be the gradient of, the likeliest first."""
        for mappings in self.mappings.values():
            yield from (mapping[name] for mapping in mappings if name in mapping)

    def _is_new(self, one: Element) -> bool:
        """Whether this is not what the name stood for last; zeros after a gradient only prepare the next."""
        held, version = self._held.get(one.name, (self.namespace.get(one.name), one.value._version))
        self._held[one.name] = one.value, one.value._version
        if held is one.value and version == one.value._version:
            return False
        return one.name not in self._made or bool(one.value.any())

    # --- containers ------------------------------------------------------------------------------------------------

    def _containers(self) -> list[Container]:
        """The containers that can be reached by a name, or by an attribute of an object with a name."""
        found: dict[int, Container] = {}
        names = {n: v for n, v in self.namespace.items() if not n.startswith(("__", f"items{DOT}"))}
        words = {bare(n) for n in names}
        for name in sorted(names, key=lambda n: DOT in n):
            node = ast.Name(name, ast.Load())
            users = self.entries.is_users(names[name])
            inside = {k: v for k, v in attributes(names[name]).items() if not k.startswith("_")} if users else {}
            places = [(node, bare(name), names[name])]
            places += [(ast.Attribute(node, key, ast.Load()), key, held) for key, held in inside.items()]
            for place, word, holder in places:
                if isinstance(holder, list | dict | tuple) and 0 < len(holder) <= LONGEST_LIST:
                    variables = variables_of(word)
                    known = any(v in words or v in inside for v in variables)
                    spelled = known or is_dict_of_gradients(word)
                    if id(holder) not in found or (spelled and not found[id(holder)].of_gradients):
                        found[id(holder)] = Container(place, word, holder, spelled)
        return list(found.values())

    def _elements(self, container: Container) -> dict[Keys, Element]:
        """The float tensors in a container, in the containers inside it too, by the keys that lead to them."""
        path = self.entries.path(container.node, container.holder)
        return dict(self._inside(container.node, container.holder, path, ()))

    def _inside(self, node: ast.expr, holder: Any, path: str, keys: Keys) -> Iterator[tuple[Keys, Element]]:
        for key, value in list(holder.items() if isinstance(holder, dict) else enumerate(holder)):
            if not isinstance(key, str | int):
                continue
            access = ast.Subscript(node, ast.Constant(key), ast.Load())
            if is_float(value):
                yield (*keys, key), Element(self.entries.add(path, key, False), access, value)
            elif isinstance(value, list | dict | tuple) and len(value) <= LONGEST_LIST and len(keys) < DEEPEST:
                yield from self._inside(access, value, self.entries.inside(path, key, value), (*keys, key))

    def _mappings(
        self, container: Container, mine: dict[Keys, Element], containers: list[Container]
    ) -> list[dict[str, str]]:
        """For each container that may hold the variables of these gradients: the variable of every element."""
        found: list[tuple[int, dict[str, str]]] = []
        named = isinstance(container.holder, dict)
        alike = [c for c in containers if not c.of_gradients and isinstance(c.holder, dict) == named]
        others = [(self._elements(c), c.word, len(c.holder)) for c in alike]
        unnamed = () if named else (*self._of_modules(), *self._beside())
        others += [(found, "", len(found)) for found in unnamed]
        for theirs, word, length in others:
            called = 100 * (word in variables_of(container.word))
            for turned in (False, True) if not named else (False,):
                if not named and length != len(container.holder):
                    continue
                pairs = [(one, theirs.get(_counterpart(keys, theirs, turned), None)) for keys, one in mine.items()]
                alike = sum(other is not None and one.value.shape == other.value.shape for one, other in pairs)
                if alike:
                    mapping = {one.name: self._name(its) for one, its in pairs if its is not None}
                    found.append((called + alike, mapping))
        return [mapping for _, mapping in sorted(found, key=lambda scored: -scored[0])]

    def _of_modules(self) -> Iterator[dict[Keys, Element]]:
        """The parameters of each module in the order of `model.parameters()`."""
        for name, module in self.namespace.items():
            if isinstance(module, Module) and not name.startswith("__"):
                access = ast.Name(name, ast.Load())
                yield {(i,): Element("", access, p) for i, p in enumerate(module.parameters())}

    def _beside(self) -> Iterator[dict[Keys, Element]]:
        """The variables in each list that is written where it is gone through with gradients."""
        for nodes in self.beside:
            held = [(node, self.entries.resolve(node)) for node in nodes]
            yield {(i,): Element("", node, value) for i, (node, value) in enumerate(held) if is_float(value)}

    def _name(self, one: Element) -> str:
        """What the checker calls a variable: the element's name, or the plain one of the same tensor."""
        if self.namespace.get(one.name) is one.value:
            return one.name
        return next((n for n, v in self.namespace.items() if v is one.value and not n.startswith("__")), one.name)


def _counterpart(keys: Keys, theirs: dict[Keys, Element], turned: bool) -> Keys:
    """The keys of a gradient's variable: the same, or `W` for `dW`; in a turned list those counted from its end."""
    if turned and theirs:
        return max(first for first, *_ in theirs) - keys[0], *keys[1:]
    last = keys[-1]
    words = [last, *variables_of(last)] if isinstance(last, str) else [last]
    return next((k for word in words if (k := (*keys[:-1], word)) in theirs), keys)
