"""What is known while lines are read: the lines so far, and what every name in them is."""

import ast
import builtins
import importlib
import re
import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from handgrad.derive.read.calls import is_array
from handgrad.derive.read.drawing import Draws, replaced
from handgrad.derive.read.program import Line, Loop, Store, place
from handgrad.derive.read.running import Converter, in_float64
from handgrad.derive.read.terms import Closure, Frame, Parts, Stale, Term, is_path, name_of
from handgrad.errors import DeriveError


@dataclass
class Made:
    """A name that a line makes: what it is called in the source, and whether that is the program's own.

    `order` counts all of them; `round` is that of a name in a loop's lines when they are written out; `index` says that
    it is the index of a loop.
    """

    base: str
    own: bool
    order: int
    round: int | None = None
    index: bool = False


class Reader:
    """Reads code into lines, one value at a time.

    A name that a line makes has a serial number (`x·3`) until all lines are read and `naming` gives it one to print.

    Args:
        namespace: what is there before the lines.
    """

    def __init__(self, namespace: Mapping[str, Any]):  # noqa: D107
        self.namespace = namespace
        self.convert = Converter()
        self.values: dict[str, Any] = {}
        self.count = 0
        self.lines: list[Line | Loop | Store] = []
        self.made: dict[str, Made] = {}
        self.bindings: dict[str, str] = {}
        self.frames: list[Frame] = []
        self.attributes: dict[tuple[int, str], Term] = {}
        self.notes: dict[str, None] = {}
        self.draws = Draws()
        self.taken: set[str] = set(namespace) | set(dir(builtins))
        self.hint = ""
        self.current: dict[str, Term] = {}
        self.detached: set[str] = set()
        self.no_grad = 0
        self.alive: list[Any] = []
        self.buffers: set[str] = set()
        self.starts: set[str] = set()
        self._known: dict[int, Term] = {}
        self.sizes: dict[str, list[Term]] = {}

    @property
    def frame(self) -> Frame:
        """The body of code that is being read."""
        return self.frames[-1]

    @property
    def quoted(self) -> tuple[str, int, str]:
        """Text and number of the statement that is being read, and the function that it is in, '' if in none."""
        frame = next(f for f in reversed(self.frames) if not f.library)
        return frame.text(frame.statement), getattr(frame.statement, "lineno", 0), frame.within

    def refuse(self, what: str, next_step: str = "", cause: BaseException | None = None) -> NoReturn:
        """Raise a DeriveError that names the statement that is being read."""
        text, number, within = self.quoted
        raise DeriveError(plain(what), where=place(number, text, within), next_step=plain(next_step)) from cause

    def run(self, function: Callable[..., Any], *args: Any, **keywords: Any) -> Any:
        """Call what the user's code calls; what that raises is said with its line."""
        try:
            return function(*args, **keywords)
        except DeriveError:
            raise
        except Exception as error:
            said = str(error).strip().splitlines()
            self.refuse(f"this line raises {type(error).__name__}{': ' + said[0] if said else ''}", cause=error)

    def emit(self, base: str, term: Term, *, own: bool | None = None) -> Term:
        """A line that gives a value a name."""
        (made,) = self.emit_all((base,), term, (term.value,), own=own)
        return made

    def emit_all(
        self, bases: tuple[str, ...], term: Term, values: tuple[Any, ...], *, own: bool | None = None
    ) -> list[Term]:
        """A line that gives each part of a value a name."""
        if calls := self.draws.inside(term, self.values):
            names = {id(call.node): self.emit("noise", call, own=False).node for call in calls}
            term = Term(replaced(term.node, names), term.value)
        targets = [self.new(base, value, own=own) for base, value in zip(bases, values, strict=True)]
        if self.draws.is_drawn(term):
            self.draws.names.update(target.name for target in targets if target.name)
        if self.no_grad:
            self.detached.update(target.name for target in targets if target.name)
        text, number, within = self.quoted
        self.lines.append(Line(tuple(str(t.name) for t in targets), term.node, text, number, within))
        return targets

    def new(self, base: str, value: Any, *, own: bool | None = None) -> Term:
        """A name that nothing else has."""
        name = f"{base}·{self.count}"
        self.made[name] = Made(base, not self.frame.within if own is None else own, self.count)
        self.count += 1
        self.values[name] = in_float64(value)
        return Term(name_of(name), self.values[name])

    def named(self, base: str, term: Term) -> Term:
        """A term under a name, in a line where it has none yet."""
        simple = term.name is not None or isinstance(term, Parts | Closure) or isinstance(term.node, ast.Constant)
        return term if simple else self.emit(base, term)

    def sized(
        self, bases: tuple[str, ...], term: Term, values: tuple[Any, ...], *, own: bool | None = None
    ) -> list[Term]:
        """A line that gives sizes their names; in a function, the names that they have already."""
        own = not self.frame.within if own is None else own
        said = ast.unparse(term.node)
        if own or said not in self.sizes:
            self.sizes[said] = self.emit_all(bases, term, values, own=own)
        return self.sizes[said]

    def arrays(self) -> list[Term]:
        """The arrays that have names from before the lines."""
        return [term for term in self._known.values() if is_array(term.value)]

    def held(self) -> Iterator[tuple[Any, Any, Term]]:
        """Every place where the code that is being read holds a term, and the term; containers after their elements."""

        def within(holder: Any) -> Iterator[tuple[Any, Any, Term]]:
            pairs = list(holder.items() if isinstance(holder, dict) else enumerate(holder))
            for key, term in pairs:
                if isinstance(term, Parts):
                    yield from within(term.parts)
                yield holder, key, term

        for frame in self.frames:
            yield from within(frame.scope)
        yield from within(self.attributes)
        yield from within(self.current)

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

    def lookup(self, name: str) -> Term:
        """What a name stands for in the body that is being read."""
        term = self.frame.scope.get(name) or self.frame.outside(name)
        term = self.current.get(term.name or "", term)
        if isinstance(term, Stale):
            self.refuse(f"'{name}' cannot be read here: {term.reason}", term.advice)
        return term

    def from_namespace(self, name: str) -> Term:
        """What a name is before the lines."""
        if name in self.namespace:
            return self.outside(name, self.namespace[name])
        if hasattr(builtins, name):
            return Term(name_of(name), getattr(builtins, name))
        return self.refuse(f"the name '{name}' is not defined", "Give its value, or add the line that makes it.")

    def from_function(self, function: types.FunctionType, said: str) -> Callable[[str], Term]:
        """How to find what a function's names are that it does not assign: in its closure, and where it was defined."""
        cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))

        def find(name: str) -> Term:
            if name in cells:
                number = function.__code__.co_freevars.index(name)
                return self.outside(name, cells[name].cell_contents, f"{said}.__closure__[{number}].cell_contents")
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
        if said and not isinstance(value, types.FunctionType | type) and type(value) in (int, float, bool, str, tuple):
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

    def bound(self, value: Any, node: ast.expr, *, buffer: bool = False) -> Term:
        """A name for a float tensor that an expression such as `self.fc.weight` or `params["W"]` stands for.

        A `buffer` of a module is no input, unless nothing else is.
        """
        if id(value) in self._known:
            return self._known[id(value)]
        for name, raw in self.namespace.items():
            if is_array(raw) and self.convert.made_of(raw) is value:
                return self.outside(name, raw)
        wanted = [self.hint, *_plain(node)]
        name = next((name for name in wanted if name and name not in self.taken), self.free(wanted[-1]))
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
        while not isinstance(node, ast.Name):
            node = node.value  # type: ignore[attr-defined]
        return node.id not in self.made

    def free(self, wanted: str) -> str:
        """A name like this one that is not taken."""
        name, count = wanted, 2
        while name in self.taken:
            name = f"{wanted}_{count}" if wanted[-1].isdigit() else f"{wanted}{count}"
            count += 1
        return name


def plain(text: str) -> str:
    """A text without the serial numbers of names."""
    return re.sub("·[0-9]+", "", text)


def _literal(value: Any) -> ast.expr | None:
    parts = value if isinstance(value, tuple) else (value,)
    if all(type(part) in (int, float, bool, str) for part in parts):
        return ast.parse(repr(value), mode="eval").body
    return None


def _plain(node: ast.expr) -> list[str]:
    """Names for a path: `fc_weight` for `model.fc.weight`, `W1` for `params["W1"]`, `params_0` for `params[0]`."""
    parts: list[str] = []
    while not isinstance(node, ast.Name):
        if isinstance(node, ast.Attribute):
            parts.insert(0, node.attr)
        else:
            assert isinstance(node, ast.Subscript)
            parts.insert(0, str(getattr(node.slice, "value", "")))
        node = node.value
    found = ("_".join(parts), "_".join([node.id, *parts]))
    plain = ("".join(c if c.isalnum() or c == "_" else "_" for c in name) for name in found)
    return [name for name in plain if name.isidentifier()]
