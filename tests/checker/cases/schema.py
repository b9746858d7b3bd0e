"""What a case is: plain frozen records, so that tests, commands and documentation read the same table."""

from dataclasses import dataclass, fields
from pathlib import Path

PROGRAMS_FOLDER = Path(__file__).parent / "programs"

KINDS = (
    *("sign", "scale", "bessel", "missing-path", "extra-path", "missing-sum", "misplaced-sum", "extra-sum"),
    "missing-expansion",
    *("wrong-dim", "transpose", "shape", "wrong-variable", "wrong-constant", "wrong-operator", "wrong-index"),
    *("missing-factor", "extra-factor", "missing-term", "extra-term", "epsilon", "overwrite", "bad-start"),
    *("in-place", "shadowed", "stale", "missing"),
)


class CaseError(Exception):
    """A row of the table that does not fit its program: the message says which, and what was expected."""


@dataclass(frozen=True)
class Program:
    """A complete script whose every gradient is right."""

    id: str
    source: str


@dataclass(frozen=True)
class Edit:
    """One planted mistake: `right` occurs once in the program, `wrong` stands in its place.

    `variable` is the forward variable whose gradient is computed wrongly, or, for a `hazard`, the name whose value is
    changed behind the reader's back. `also` lists kinds that describe the same mistake as honestly as `kind` does.
    `fix`, in place of `wrong`, makes the program right with a single edit; None where it takes more than one.

    `masked`: the true upstream gradient hides it, and only another upstream gradient shows it.
    `warning`: the values are right and only the shape is not, so that it is a fault under `--strict` alone.
    `runs`: False where the changed program stops with an exception once the mistake is made.
    """

    right: str
    wrong: str
    variable: str
    kind: str
    also: tuple[str, ...] = ()
    fix: str | None = None
    hazard: bool = False
    masked: bool = False
    warning: bool = False
    runs: bool = True


@dataclass(frozen=True)
class Mistake:
    """A program with one mistake; the fields are those of `Edit`."""

    id: str
    program: str
    right: str
    wrong: str
    variable: str
    kind: str
    also: tuple[str, ...] = ()
    fix: str | None = None
    hazard: bool = False
    masked: bool = False
    warning: bool = False
    runs: bool = True

    @property
    def edit(self) -> Edit:
        return Edit(**{field.name: getattr(self, field.name) for field in fields(Edit)})

    @property
    def source(self) -> str:
        return changed(self.program, (self.right, self.wrong))


@dataclass(frozen=True)
class Several:
    """A program with two or three independent mistakes, each to be blamed on its own line."""

    id: str
    program: str
    edits: tuple[Edit, ...]

    @property
    def source(self) -> str:
        return changed(self.program, *((edit.right, edit.wrong) for edit in self.edits))


@dataclass(frozen=True)
class Spelling:
    """A right program in another form, which must give no alarm.

    `not_gradients` names values that look like gradients by their name and are none.
    `in_context` names variables whose gradient line is right for this loss alone: it relies on exact zeros in the true
    upstream gradient, or is written straight from the loss past the gradients in between.
    """

    id: str
    source: str
    not_gradients: tuple[str, ...] = ()
    in_context: tuple[str, ...] = ()


@dataclass(frozen=True)
class BadlyFormed:
    """A file that cannot be checked as it is, and what the sentence about it has to speak of.

    `expect` are words of which at least one is in the message (none where all is well), and `exit_codes` those the
    command may return. `blamed` are the variables whose own lines are at fault all the same. `endless` never comes to
    its end.
    """

    id: str
    source: str
    expect: tuple[str, ...]
    exit_codes: tuple[int, ...]
    blamed: tuple[str, ...] = ()
    endless: bool = False


def program(name: str) -> str:
    """The source of the program `name`."""
    return (PROGRAMS_FOLDER / f"{name}.py").read_text()


def changed(name: str, *replacements: tuple[str, str]) -> str:
    """The source of program `name` with each (old, new) replaced, where every old text occurs exactly once.

    An old text may be a part of a line, or span lines.
    """
    source = program(name)
    for old, new in replacements:
        if (times := source.count(old)) != 1:
            raise CaseError(f"program {name!r}: expected {old!r} once, found it {times} times")
        source = source.replace(old, new)
    return source


SAME = "the right text"
"""Stands for `fix=right`, which is what most single edits come to."""


def planted(
    program: str, id: str, variable: str, kind: str, right: str, wrong: str, *also: str, fix: str | None = SAME, **flags
) -> Mistake:
    """A row of a mistake table; its full id is `program/id`."""
    fix = right if fix is SAME else fix
    return Mistake(f"{program}/{id}", program, right, wrong, variable, kind, also, fix, **flags)
