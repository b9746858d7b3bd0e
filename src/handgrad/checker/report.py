"""What the checker found, as plain data; render.py makes words of it."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from handgrad.checker import render
from handgrad.checker.place import Place
from handgrad.errors import HandgradError


class WrongGradientError(HandgradError, AssertionError):
    """A gradient that is not right; its message is the report."""

    def __init__(self, report: "Report"):
        """Keep the report; it is the message."""
        self.report = report
        Exception.__init__(self, render.failure(report))


@dataclass(frozen=True)
class LeftOver:
    """What a line has too much, or lacks: a formula where it is short, and which part of the gradient that is.

    `path` is the value through which that part comes back, given a value at `place`; the whole gradient where it is
    empty. `times` is what the line makes of it: `0`, `-1`, `n / (n - 1)`.
    """

    formula: str = ""
    lacks: bool = False
    path: str = ""
    place: Place | None = None
    times: str = ""

    def __str__(self) -> str:
        """The sentence."""
        return render.left_over(self)


@dataclass(frozen=True)
class Diagnosis:
    """Why a line is wrong, as data, and the line as it should be, where one edit repairs it.

    `old` is what is written and `new` what it should be, in the user's words; nothing where the line is to be left out.
    What is not an edit is a `fact`, of which `about` gives the particulars. `raised` is what the line raises, `dtype`
    that which no gradient has, `lines` those of which one is at fault, `kept` the values that
    the forward pass has to keep for the edit; `masked` says that the program hides it, and
    `besides` that it is the second of two.

    `start` and `end` are the lines of the file that `fix` replaces; `end` before `start` means that it is inserted.
    `around` is what else stands on these lines, before and after, and stays.
    """

    kind: str
    place: Place | None = None
    old: str = ""
    new: str = ""
    fact: str = ""
    about: tuple[str, ...] = ()
    fix: str | None = None
    start: int = 0
    end: int = 0
    around: tuple[str, str] = ("", "")
    left_over: LeftOver | None = None
    raised: str = ""
    dtype: str = ""
    lines: tuple[int, ...] = ()
    kept: tuple[str, ...] = ()
    masked: bool = False
    besides: bool = False

    @property
    def message(self) -> str:
        """The sentence."""
        return render.sentence(self)

    @property
    def inserted(self) -> bool:
        """Whether the fix is a line to add."""
        return self.fix is not None and self.start > self.end

    def spelled(self, say: Callable[[str], str]) -> "Diagnosis":
        """The same with every text of it put in other words; the fix and what is left over stay."""
        old, new, about = say(self.old), say(self.new), tuple(map(say, self.about))
        kept = tuple(map(say, self.kept))
        return replace(self, old=old, new=new, about=about, raised=say(self.raised), kept=kept)


@dataclass(frozen=True)
class Unjudged:
    """What looks like a gradient and was not judged, and why not."""

    gradient: str
    place: Place | None
    reason: str

    def __str__(self) -> str:
        """The sentence about it."""
        return render.unjudged(self)


@dataclass(frozen=True)
class Hazard:
    """A statement that changes a value that other statements rely on; `repair` is the edit that prevents it.

    `fact` and `about` are those of a `Diagnosis`.
    """

    kind: str
    variable: str
    place: Place
    fact: str
    about: tuple[str, ...] = ()
    text: str = ""
    repair: Diagnosis | None = None

    @property
    def finding(self) -> Diagnosis:
        """The hazard as a diagnosis of its line."""
        fix = self.repair.fix if self.repair else None
        return Diagnosis(self.kind, self.place, fact=self.fact, about=self.about, fix=fix)

    @property
    def message(self) -> str:
        """The sentence."""
        return self.finding.message

    def to_json(self) -> dict[str, Any]:
        """The fields for a program."""
        return render.hazard_json(self)


@dataclass
class VariableReport:
    """One row of the table; `proof` says whether its line can be proven right."""

    name: str
    gradient: str
    shape: list[int]
    place: Place | None
    verdict: str
    exact: bool = False
    approximate: bool = False
    maxdiff: float | None = None
    relative_error: float | None = None
    cause: str | None = None
    diagnosis: list[Diagnosis] = field(default_factory=list)
    text: str = ""
    chain_place: Place | None = None
    tensors: tuple[Any, ...] | None = field(default=None, repr=False, compare=False)
    proof: Callable[[], bool] | None = field(default=None, repr=False, compare=False)

    @functools.cached_property
    def proven(self) -> bool:
        """Whether the line is right whatever the numbers, by algebra; it is looked for when it is first asked for."""
        return self.proof is not None and self.proof()

    @property
    def line(self) -> int | None:
        """The line number, where the gradient was written."""
        return self.place.line if self.place else None

    def to_json(self) -> dict[str, Any]:
        """The fields for a program."""
        return render.row_json(self)


@dataclass(repr=False)
class Report:
    """Everything the checker has to say about one program.

    Example:
        >>> row = VariableReport("W", "dW", [3, 2], None, "exact")
        >>> Report(3.34, [row]).right, Report(3.34, []).right
        (True, False)
    """

    loss: float | None
    variables: list[VariableReport] = field(default_factory=list)
    hazards: list[Hazard] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    unjudged: list[Unjudged] = field(default_factory=list)
    strict: bool = False
    hint: int | None = None
    show_fix: bool = False
    show_proofs: bool = False
    file: str | None = None

    @property
    def right(self) -> bool:
        """Whether something was judged and no line is at fault.

        Shapes that broadcast, and gradients not written or not judged, count under `strict` alone. `faults` are lines
        that Python itself refuses, or that raise: with them the program cannot be run as it is. A gradient that came
        out wrong is wrong though no line can be named.
        """
        judged = any(v.verdict != "missing" for v in self.variables)
        faults = self.hazards or self.faults or (self.strict and self.unjudged)
        return judged and not faults and not any(self.is_fault(v) or v.verdict == "wrong" for v in self.variables)

    def __bool__(self) -> bool:
        """The same as `right`, so that `assert handgrad.check(…)` can fail."""
        return self.right

    def is_fault(self, row: VariableReport) -> bool:
        """Whether a row makes the program wrong."""
        if row.verdict == "shape":
            return self.strict
        if row.verdict == "missing":
            return self.strict or row.cause == "own"
        return row.cause == "own"

    @property
    def blamed(self) -> list[VariableReport]:
        """The rows whose own lines are at fault, warnings about shapes included."""
        return [v for v in self.variables if v.cause == "own"]

    @property
    def repairs(self) -> list[Diagnosis]:
        """The edits that make the lines at fault right, each once."""
        found = [d for row in self.blamed if self.is_fault(row) for d in row.diagnosis]
        found += [hazard.repair for hazard in self.hazards if hazard.repair]
        return list({(d.place, d.start, d.end): d for d in reversed(found) if d.fix is not None and d.start}.values())

    def to_json(self) -> dict[str, Any]:
        """The report for a program."""
        return render.json(self)

    def raise_if_wrong(self) -> None:
        """Raise where a line is at fault.

        Raises:
            WrongGradientError: with the report as its message; it is an AssertionError too.
        """
        if not self.right:
            raise WrongGradientError(self)

    def summary(self) -> str:
        """The last line: how many are right, and what is to be done."""
        return render.summary(self)

    def __str__(self) -> str:
        """The table, then each line at fault."""
        return render.text(self)

    __repr__ = __str__

    def __rich__(self) -> Any:
        """The same in colour, for a terminal."""
        return render.rich(self)

    def _repr_html_(self) -> str:
        """The same for a notebook."""
        return render.html(self)
