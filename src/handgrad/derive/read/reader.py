"""What is known while lines are read: the lines so far, and what every name in them is."""

import ast
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from handgrad.derive.read.drawing import replaced
from handgrad.derive.read.outside import Outside
from handgrad.derive.read.program import Line, Loop, Store, place
from handgrad.derive.read.running import in_float64
from handgrad.derive.read.terms import Closure, Frame, Parts, Stale, Term, name_of
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


class Reader(Outside):
    """Reads code into lines, one value at a time.

    A name that a line makes has a serial number (`x·3`) until all lines are read and `naming` gives it one to print.

    Args:
        namespace: what is there before the lines.
    """

    def __init__(self, namespace: Mapping[str, Any]):
        """See the class."""
        super().__init__(namespace)
        self.count = 0
        self.lines: list[Line | Loop | Store] = []
        self.made: dict[str, Made] = {}
        self.frames: list[Frame] = []
        self.attributes: dict[tuple[int, str], Term] = {}
        self.notes: dict[str, None] = {}
        self.detached: set[str] = set()
        self.no_grad = 0
        self.alive: list[Any] = []
        self.starts: set[str] = set()
        self.skipped: set[int] = set()
        self.sizes: dict[str, list[Term]] = {}

    @property
    def frame(self) -> Frame:
        """The body of code that is being read."""
        return self.frames[-1]

    @property
    def quoted(self) -> tuple[str, int, str]:
        """Text and number of the statement that is being read, and the function that it is in, '' if in none."""
        frame = next(f for f in reversed(self.frames) if f.quote)
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
            self.note_draw("noise")
            term = Term(replaced(term.node, names), term.value)
        targets = [self.new(base, value, own=own) for base, value in zip(bases, values, strict=True)]
        if self.draws.is_drawn(term):
            self.draws.names.update(target.name for target in targets if target.name)
        if self.no_grad:
            self.detached.update(target.name for target in targets if target.name)
        text, number, within = self.quoted
        self.lines.append(Line(tuple(str(t.name) for t in targets), term.node, text, number, within))
        return targets

    def note_draw(self, what: str) -> None:
        """Note that a line draws what it keeps under no name."""
        _, number, within = self.quoted
        place = f"line {number}{f' of {within}' if within else ''}"
        self.notes[f"{place} draws random numbers that it does not keep: they are '{what}' in a line of their own"] = (
            None
        )

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

    def lookup(self, name: str) -> Term:
        """What a name stands for in the body that is being read."""
        term = self.frame.scope.get(name) or self.frame.outside(name)
        term = self.current.get(term.name or "", term)
        if isinstance(term, Stale):
            self.refuse(f"'{name}' cannot be read here: {term.reason}", term.advice)
        return term


def plain(text: str) -> str:
    """A text without the serial numbers of names."""
    return re.sub("·[0-9]+", "", text)
