"""A forward pass as data: its lines in single assignment, and what each name was when they ran."""

import ast
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import Any

from handgrad.derive.read.printing import line_source, loop_source, store_source


@dataclass(frozen=True)
class Line:
    """One assignment of the forward pass, as it is used: each target is a name that nothing else assigns.

    `value` is the right-hand side with the names of single assignment in it. `text` is the user's own statement, as it
    is quoted, and `number` where it stands; lines of a function that the program calls have the function's name in
    `within`, and its text and numbers.
    """

    targets: tuple[str, ...]
    value: ast.expr
    text: str
    number: int
    within: str = ""

    @property
    def source(self) -> str:
        """The line in the names of single assignment, in the user's spelling where no name is another."""
        return line_source(self)

    @property
    def where(self) -> str:
        """Where the line stands, as errors say it."""
        return place(self.number, self.text, self.within)


@dataclass(frozen=True)
class Carried:
    """A name that a round of a loop reads before it makes it.

    `start` is what it is ahead of the loop, `entering` what a round finds, and `leaving` what a round leaves behind,
    which is also what it is below the loop. `summed` says that a round only adds to it: `leaving = entering + ...`.
    """

    start: str
    entering: str
    leaving: str
    summed: bool = False


@dataclass(frozen=True)
class Stored:
    """A list, dict or tensor that rounds write elements of, and what it is ahead of the loop.

    It is one name in the loop and below it. Of a tensor, `start` is the name of another one, or a copy of that where
    it is needed later.
    """

    name: str
    start: ast.expr


@dataclass(frozen=True)
class Store:
    """A round writes `value` into a list, a dict or a tensor: `hs.append(h)`, `h[t] += a`.

    `index` is None where a list is appended to; `added` says that it is added to what is there.
    """

    container: str
    index: ast.expr | None
    value: ast.expr
    text: str
    number: int
    added: bool = False
    within: str = ""

    @property
    def source(self) -> str:
        """The write as source."""
        return store_source(self)


@dataclass(frozen=True)
class Loop:
    """A `for` loop over steps, whose rounds do the same to other elements.

    Attributes:
        variable: the index, which is a whole number.
        over: what it runs over: `range(T)`, `range(1, T)` or `reversed(range(n))`, with any expressions in it. A loop
            `for x_t in x` is one over `range(x.shape[0])` that reads `x[t]`.
        body: lines in single assignment, stores, and loops.
        carried: the names that go from round to round; below the loop, they and all others that rounds make are what
            the last round has left.
        stored: what rounds write elements of.
        rounds: for each round, the index and every name that its lines make.
        text: the user's own loop, as it is quoted.
        number: where it stands.
        within: the function that it is in, if in one.
        written_out: lines that do the same without a loop.
    """

    variable: str
    over: ast.expr
    body: tuple["Line | Loop | Store", ...]
    carried: tuple[Carried, ...]
    stored: tuple[Stored, ...]
    rounds: tuple[Mapping[str, Any], ...]
    text: str
    number: int
    within: str = ""
    written_out: tuple["Line | Loop", ...] = ()

    @property
    def source(self) -> str:
        """The loop in the names of single assignment."""
        return loop_source(self)

    @property
    def where(self) -> str:
        """Where the loop stands, as errors say it."""
        return place(self.number, self.text, self.within)

    @property
    def backwards(self) -> ast.expr:
        """What the index runs over from the last round to the first."""
        match self.over:
            case ast.Call(ast.Name("reversed"), [inner]):
                return inner
        return ast.Call(ast.Name("reversed", ast.Load()), [self.over], [])


@dataclass(frozen=True)
class Program:
    """A forward pass from `inputs`, the float tensors to differentiate by, to its outputs.

    The sources of the lines, run one after the other from `before`, give `values`.

    Attributes:
        lines: the lines in their order, without those that draw random numbers.
        inputs: the names to differentiate by.
        output: the name that the backward pass starts from; the first of `outputs`, where a function returns several.
        values: every name, modules and functions too, as it was when the lines ran, float tensors in float64.
        before: the names that were there before the first line, and what was drawn.
        renamed: the user's name for each name of single assignment that is another one.
        bindings: what a name stands for in the user's program, where that is no name: `W` for `self.W`.
        drawn: the names of random numbers, which the lines do not draw again.
        notes: what holds only for the values that the lines ran with, such as the branch taken.
        library: "torch" or "numpy".
        kept: the names that have, below the user's own lines, the value that they have here. Where a backward pass
            needs others, `source` has to stand in the place of the user's lines.
        lasting: for the last value of a name that was assigned again, that name: below the user's own lines it has it.
        statements: the lines, and those that draw among them.
        looped: the program with its loops, where this one has them written out.
    """

    lines: tuple[Line | Loop, ...]
    inputs: tuple[str, ...]
    output: str
    values: Mapping[str, Any]
    before: Mapping[str, Any]
    renamed: Mapping[str, str] = field(default_factory=dict)
    library: str = "torch"
    outputs: tuple[str, ...] = ()
    bindings: Mapping[str, str] = field(default_factory=dict)
    drawn: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    kept: frozenset[str] = frozenset()
    statements: tuple[Line | Loop, ...] = ()
    looped: "Program | None" = None
    lasting: Mapping[str, str] = field(default_factory=dict)

    def makers(self) -> Iterator[tuple[str, Line]]:
        """Each name that a plain line makes, and the line."""
        for line in self.lines:
            if isinstance(line, Line):
                yield from ((name, line) for name in line.targets)

    def written_out(self) -> "Program":
        """The program without loops: the lines of each round instead, and a note of that."""
        loops = [line for line in self.lines if isinstance(line, Loop)]
        if not loops:
            return self
        notes = tuple(f"{loop.where} is written out for its {len(loop.rounds)} rounds" for loop in loops)
        lists = {step.targets[0] for step in self.lines if isinstance(step, Line) and self.is_given(step)}
        lines, statements = (tuple(_flat(steps, self.outputs, lists)) for steps in (self.lines, self.statements))
        notes = (*self.notes, *notes)
        return replace(self, lines=lines, statements=statements, notes=notes, looped=self)

    def noting(self, notes: tuple[str, ...]) -> "Program":
        """The program with more notes."""
        looped = self.looped.noting(notes) if self.looped is not None else None
        return replace(self, notes=(*self.notes, *notes), looped=looped)

    def with_loops(self) -> "Program":
        """The program with its loops, if it has any."""
        if self.looped is None or self.output not in self.looped.values:
            return self
        return replace(self.looped, inputs=self.inputs, output=self.output)

    def is_given(self, step: Line | Loop) -> bool:
        """Whether a line only says what is in a list that was there before the lines."""
        return isinstance(step, Line) and isinstance(step.value, ast.List) and step.targets[0] in self.before

    def _uncopied(self) -> Iterator[Line | Loop]:
        """The statements, where loops write into the tensors that they start from if nothing else reads those."""
        from handgrad.derive.read.steps import names_used, renamed_steps, started

        uses = Counter(name for step in self.statements for name in names_used([step]))
        uses.update((*self.inputs, *self.outputs))
        loops = [step for step in self.statements if isinstance(step, Loop)]
        firsts = ((started(one), one.name) for loop in loops for one in loop.stored)
        names = {first: name for first, name in firsts if uses[first] == 1 and first not in self.before}
        for step in renamed_steps(self.statements, {name: word for name, word in names.items() if name}):
            assert not isinstance(step, Store)
            yield step

    @property
    def source(self) -> str:
        """The forward pass in the names of single assignment, what the bindings stand for first."""
        bound = [_bound(name, text, self.values[name]) for name, text in self.bindings.items()]
        return "\n".join([*bound, *(line.source for line in self._uncopied())])


def _flat(steps: Iterable[Line | Loop], outputs: Iterable[str], lists: Collection[str]) -> list[Line]:
    """The lines without loops, and without indices, lists and dicts that nothing reads."""
    from handgrad.derive.read.steps import names_used

    kept: list[Line] = []
    extra: set[str] = set()
    todo = list(steps)
    while todo:
        step = todo.pop(0)
        if isinstance(step, Loop):
            todo = [*step.written_out, *todo]
            extra |= {step.variable, *(s.name for s in step.stored if not isinstance(s.start, ast.Call))}
        else:
            kept.append(step)
            extra.update(name for name in step.targets if name in lists)
    used = names_used(kept) | set(outputs)
    return [line for line in kept if not extra.intersection(line.targets) or used.intersection(line.targets)]


def _bound(name: str, text: str, value: Any) -> str:
    if isinstance(value, ModuleType):
        return f"import {text}" if text == name else f"import {text} as {name}"
    return f"{name} = {text}"


def place(number: int, text: str, within: str = "") -> str:
    """A line by its number, in the program or in a function that it calls, and its text."""
    return f"line {number}{f' of {within}' if within else ''}: {text.splitlines()[0].rstrip(':') if text else ''}"
