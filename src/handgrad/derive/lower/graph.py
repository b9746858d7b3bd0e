"""Definitions in index notation: each name of the program, and each hidden one, in terms of others."""

import ast
import copy
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields, replace
from typing import Any

import torch

from handgrad.derive.expr import Expr, element
from handgrad.derive.indices import Axis, Form, Index, Size, fresh, plain_order, put_index, symbol
from handgrad.derive.lower.sizes import Sizes
from handgrad.derive.read.program import Program
from handgrad.errors import DeriveError


class UnsupportedError(Exception):
    """This piece of source cannot be put in index notation; the reason, as a clause."""


@dataclass(frozen=True)
class Indexed:
    """A value in index notation: the expression, and which index each of its axes is; None is an axis of length one."""

    expr: Expr
    axes: Form = ()

    def put(self, mapping: dict[Index, Index]) -> "Indexed":
        """The same value over other indices."""
        return Indexed(self.expr.put(mapping), tuple(put_index(a, mapping) for a in self.axes)) if mapping else self


@dataclass(frozen=True)
class Definition:
    """What a name stands for, over the indices `axes`.

    Its value is the expression `arguments[0]` or, with `function`, that function of its arguments, element by element,
    or over the indices `over`. "input" is what is differentiated by, "constant" what is not, and "unknown" what could
    not be lowered. `user` names are the program's own; others are said by `text`, or as what they stand for.
    """

    axes: Form
    arguments: tuple[Expr, ...] = ()
    function: str = ""
    over: tuple[Axis, ...] = ()
    user: bool = False
    line: int = -1
    text: str = ""

    @property
    def expr(self) -> Expr | None:
        """The expression that the name stands for, None where it is a function or given."""
        return self.arguments[0] if not self.function else None

    @property
    def given(self) -> bool:
        """Whether nothing is known of it but its values."""
        return self.function in ("input", "constant", "unknown")


@dataclass(frozen=True)
class Table:
    """A map from places to a place: a tensor of integers, or what `roll` and `flip` do.

    `text` is the subscript that says it; a `method` says instead what to call, with `{dim}` for the axis, as in
    `roll(1, {dim})`; `inverse` is the table that undoes it.
    """

    text: str
    values: torch.Tensor
    method: str = ""
    inverse: str = ""


@dataclass
class Graph:
    """All that is known of a program."""

    program: Program
    definitions: dict[str, Definition] = field(default_factory=dict)
    tables: dict[str, Table] = field(default_factory=dict)
    masks: dict[str, str] = field(default_factory=dict)  # each with its complement, or nothing
    numbered: dict[Any, str] = field(default_factory=dict)
    sizes: Sizes = field(default_factory=Sizes)
    values: dict[str, torch.Tensor] = field(default_factory=dict)
    errors: dict[str, DeriveError] = field(default_factory=dict)
    settled: set[str] = field(default_factory=set)  # those of them that stand for sizes for good
    named: dict[str, Size] = field(default_factory=dict)  # sizes that whole numbers of the program stand for
    filled: dict[str, str] = field(default_factory=dict)  # names with -inf outside of a mask, and the mask
    ties: dict[str, str] = field(default_factory=dict)  # numbers taken for sizes since they are as large
    numbers: set[str] = field(default_factory=set)  # names of plain numbers
    words: dict[str, str] = field(default_factory=dict)  # what hidden names are called where they get a line
    aliases: dict[str, str] = field(
        default_factory=dict
    )  # shorter words for masks: that of relu is where it is positive
    gradients: dict[str, str] = field(default_factory=dict)  # what gradients are called that are not `dname`
    adjoints: dict[str, str] = field(default_factory=dict)  # hidden names of gradients, and what these are called
    views: set[tuple[Index, ...]] = field(default_factory=set)  # indices that a gradient has as one axis
    cache: dict[Any, Any] = field(default_factory=dict)
    reasons: list[Any] = field(default_factory=list)
    containers: dict[str, ast.expr] = field(default_factory=dict)  # lists and dicts that lines make
    line: int = -1
    _counter: Iterator[int] = field(default_factory=itertools.count)

    def copy(self) -> "Graph":
        """The same knowledge, to which more can be added apart."""
        own = {f.name: getattr(self, f.name) for f in fields(self)}
        apart = {name: copy.copy(kept) for name, kept in own.items() if isinstance(kept, dict | set | list)}
        return replace(self, **{**apart, "sizes": self.sizes.copy(), "cache": {}})

    def define(self, name: str, definition: Definition) -> None:
        """Give a name its meaning."""
        self.definitions[name] = definition

    def hidden(self) -> str:
        """A name that the program cannot have."""
        return f"?{next(self._counter)}"

    def key(self, value: Indexed, function: str, arguments: Iterable[Expr], over: tuple[Axis, ...]) -> Any:
        """What two equal values have in common, whatever their indices are called."""
        mapping: dict[Index, Index] = {}
        for axis in dict.fromkeys([*(a for i in value.axes for a in plain_order(i)), *over]):
            mapping[axis] = Axis(self.sizes.find(axis.size), -1000 - len(mapping))
        axes = tuple(put_index(a, mapping) for a in value.axes)
        return function, axes, tuple(e.put(mapping) for e in arguments), len(over)

    def name(self, value: Indexed, text: str = "") -> Indexed:
        """The value as one element of a named tensor: a name that it has already, or a hidden one."""
        single = value.expr.single()
        if single is not None and single.indices == value.axes:
            return value
        return self.apply("", (value.expr,), value.axes, text=text)

    def apply(
        self, function: str, arguments: tuple[Expr, ...], axes: Form, over: tuple[Axis, ...] = (), text: str = ""
    ) -> Indexed:
        """A function of values over `axes`, as one element of a named tensor, the same for equal values."""
        key = self.key(Indexed(arguments[0], axes), function, arguments, over)
        if key not in self.numbered:
            name = self.hidden()
            self.define(name, Definition(axes, arguments, function, over, line=self.line, text=text))
            self.numbered[key] = name
        return Indexed(element(self.numbered[key], axes), axes)

    def use(self, name: str) -> Indexed:
        """A named tensor over indices of its own."""
        axes = self.form(name)
        return Indexed(element(name, axes), axes)

    def form(self, name: str) -> Form:
        """Indices for a named tensor that nothing else uses."""
        mapping: dict[Index, Index] = {}
        for index in self.definitions[name].axes:
            for axis in plain_order(index):
                mapping[axis] = fresh(self.sizes.find(axis.size))
        return tuple(put_index(i, mapping) for i in self.definitions[name].axes)

    def constant(self, text: str, value: torch.Tensor, *, user: bool = False) -> Indexed:
        """A tensor that nothing is differentiated by, under the source that says it."""
        if text not in self.definitions:
            axes = tuple(fresh(symbol(n)) if n > 1 else None for n in value.shape)
            self.define(text, Definition(axes, (), "constant", user=user, line=self.line, text=text))
            self.values[text] = value.double()
            if value.dtype == torch.bool:
                self.masks.setdefault(text, "")
            self.say_sizes(text, axes, user=user)
        return self.use(text)

    def unknown(self, axes: Form) -> Indexed:
        """A tensor of which nothing is known, over these axes."""
        name = self.hidden()
        self.define(name, Definition(axes, (), "constant", line=self.line))
        return Indexed(element(name, axes), axes)

    def say_sizes(self, name: str, axes: Form, *, user: bool = True) -> None:
        """Note how a tensor's name says the sizes of its axes."""
        for d, index in enumerate(axes):
            if isinstance(index, Axis) and user:
                self.sizes.say(index.size, f"{name}.shape[{d}]", name)

    def scalar(self, text: str, value: float) -> Expr:
        """A number that the program has a name for."""
        if text not in self.definitions:
            self.define(text, Definition((), (), "constant", user=True, line=-1, text=text))
            self.numbers.add(text)
            self.values[text] = torch.tensor(float(value), dtype=torch.float64)
        return element(text)

    def complement(self, mask: str) -> str:
        """The mask that is set where this one is not."""
        if not self.masks[mask]:
            definition = self.definitions[mask]
            text = mask[1:] if mask.startswith("~") else f"~{mask}"
            self.define(text, replace(definition, text=text))
            self.values[text] = 1 - self.values[mask]
            self.masks[mask], self.masks[text] = text, mask
        return self.masks[mask]

    def table(self, text: str, values: torch.Tensor, method: str = "", inverse: str = "") -> str:
        """Note a map of places under the source that says it."""
        name = method or text
        self.tables.setdefault(name, Table(text, values, method, inverse))
        return name


def fitting(graph: Graph, word: str) -> str:
    """A name for a hidden value: the word, or one like it where the program has it already."""
    taken = {*graph.program.values, *graph.words.values()}
    options = (word, *(f"{word}{k}" for k in range(2, 99)))
    return next(w for w in options if w not in taken)


def is_hidden(name: str) -> bool:
    """Whether the program has no such name."""
    return name.startswith("?")
