"""What is there before the lines: values under the names that lines have for them."""

import ast
import builtins
import importlib
import types
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from handgrad.derive.read.calls import is_array
from handgrad.derive.read.drawing import Draws
from handgrad.derive.read.running import Converter
from handgrad.derive.read.terms import Term, is_path, name_of


class Outside:
    """The values that lines find, each under one name: copies of the user's, float tensors in float64.

    `bindings` says what stands for a name in the user's program where that is no name. `current` is what a name from
    before the lines stands for once something was written into it. `buffers` are tensors of modules that are no
    parameters.

    Args:
        namespace: what is there before the lines.
    """

    def __init__(self, namespace: Mapping[str, Any]):
        """See the class."""
        self.namespace = namespace
        self.convert = Converter()
        self.values: dict[str, Any] = {}
        self.bindings: dict[str, str] = {}
        self.current: dict[str, Term] = {}
        self.buffers: set[str] = set()
        self.taken: set[str] = set(namespace) | set(dir(builtins))
        self.draws = Draws()
        self.hint = ""
        self.word = ""
        self._known: dict[int, Term] = {}

    def refuse(self, what: str, next_step: str = "", cause: BaseException | None = None) -> NoReturn:
        """Raise a DeriveError that names the statement that is being read."""
        raise NotImplementedError

    def arrays(self) -> list[Term]:
        """The arrays that have names from before the lines."""
        return [term for term in self._known.values() if is_array(term.value)]

    def helper(self, name: str, value: Any) -> Term:
        """A function that lines call and that no user has."""
        if id(value) not in self._known:
            unsaid = self.free(name)
            self.taken.add(unsaid)
            self.values[unsaid] = value
            self._known[id(value)] = Term(name_of(unsaid), value)
        return self._known[id(value)]

    def module(self, name: str) -> Term:
        """A module, by the name that the program has for it."""
        value = importlib.import_module(name)
        for known, raw in self.namespace.items():
            if raw is value:
                return self.outside(known, value)
        return self.outside(name.rpartition(".")[2], value, name)

    def from_namespace(self, name: str) -> Term:
        """What a name is before the lines."""
        if name in self.namespace:
            return self.outside(name, self.namespace[name])
        if hasattr(builtins, name):
            return Term(name_of(name), getattr(builtins, name))
        return self.refuse(f"the name '{name}' is not defined", "Give its value, or add the line that makes it.")

    def from_function(self, function: types.FunctionType, said: ast.expr) -> Callable[[str], Term]:
        """How to find what a function's names are that it does not assign: in its closure, and where it was defined."""
        cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))

        def find(name: str) -> Term:
            if name in cells:
                cell = f"__closure__[{function.__code__.co_freevars.index(name)}].cell_contents"
                return self.outside(name, cells[name].cell_contents, f"{ast.unparse(said)}.{cell}")
            if function.__globals__ is self.namespace or name not in function.__globals__:
                return self.from_namespace(name)
            return self.outside(name, function.__globals__[name], f"{function.__module__}.{name}")

        return find

    def outside(self, name: str, raw: Any, said: str = "") -> Term:
        """A name for a value from before the lines; `said` is an expression for it where the name alone is none."""
        value = self.convert(raw)
        if hasattr(value, "bit_generator") or hasattr(value, "clone_state"):
            self.draws.generators.append(value)
            self.draws.begin()
        if id(value) in self._known:
            return self._known[id(value)]
        if isinstance(value, types.ModuleType) and said:
            said = value.__name__
            name = next((known for known, one in self.namespace.items() if one is value), name)
        if said and self.namespace.get(name, self) is raw:
            said = ""
        if said and (value is None or type(value) in (int, float, bool, str, tuple)):
            literal = _literal(value)
            if literal is not None:
                return Term(literal, value)
        unsaid = name if not said else self.free(name)
        self.values[unsaid] = value
        self.taken.add(unsaid)
        if said:
            self.bindings[unsaid] = said
        term = Term(name_of(unsaid), value)
        if not isinstance(value, int | float | str | bool | None | bytes):
            self._known[id(value)] = term
        return term

    def imported(self, name: str, value: Any, said: str) -> Term:
        """What a line imports, under its own name where that is free."""
        if name not in self.values and id(value) not in self._known:
            self.values[name] = value
            self.bindings[name] = said
            self._known[id(value)] = Term(name_of(name), value)
        return self.outside(name, value, said)

    def bound(self, value: Any, node: ast.expr, *, buffer: bool = False) -> Term:
        """A name for a float tensor that an expression such as `self.fc.weight` or `params["W"]` stands for.

        A `buffer` of a module is no input, unless nothing else is.
        """
        if id(value) in self._known:
            return self._known[id(value)]
        for name, raw in self.namespace.items():
            if is_array(raw) and self.convert.made_of(raw) is value:
                return self.outside(name, raw)
        words = _words(node)
        name = next((name for name in words if name not in self.taken), None) or self.free(words[-1])
        if self.hint and self.hint not in self.values and self.hint not in self.namespace:
            name = self.hint
        self.bindings[name] = ast.unparse(node)
        self.values[name] = value
        self.taken.add(name)
        self._known[id(value)] = Term(name_of(name), value)
        if buffer:
            self.buffers.add(name)
        return self._known[id(value)]

    def from_before(self, node: ast.expr) -> bool:
        """Whether an expression leads from a name that was there before the lines to a part of it."""
        if not is_path(node):
            return False
        while isinstance(node, ast.Attribute | ast.Subscript):
            node = node.value
        return isinstance(node, ast.Name) and "·" not in node.id

    def free(self, wanted: str) -> str:
        """A name like this one that is not taken."""
        name, count = wanted, 2
        while name in self.taken:
            name = f"{wanted}_{count}" if wanted[-1].isdigit() else f"{wanted}{count}"
            count += 1
        return name


def _literal(value: Any) -> ast.expr | None:
    parts = value if isinstance(value, tuple) else (value,)
    if all(part is None or type(part) in (int, float, bool, str) for part in parts):
        return ast.parse(repr(value), mode="eval").body
    return None


def _words(node: ast.expr) -> list[str]:
    """Names for a path, from short to long: `fc_weight` for `model.fc.weight`, `W1` for `params["W1"]`.

    What stands before the last two words is left out, unless it is counted: `h_0_ln_weight` for `gpt.h[0].ln.weight`.
    """
    words: list[str] = []
    while isinstance(node, ast.Attribute | ast.Subscript):
        word = node.attr if isinstance(node, ast.Attribute) else str(getattr(node.slice, "value", ""))
        words.insert(0, "".join(c if c.isalnum() or c == "_" else "_" for c in word))
        node = node.value
    counted = next((k for k, word in enumerate(words) if word.isdigit()), None)
    short = words[-2:] if counted is None else words[max(counted - 1, 0) :]
    found = ("_".join(part) for part in (short, words, [*(n.id for n in [node] if isinstance(n, ast.Name)), *words]))
    return [name for name in found if name.isidentifier()]
