"""What a reader has to know of the notation, said where it comes up first."""

import ast
from collections.abc import Iterator
from dataclasses import fields, is_dataclass

from handgrad.derive.emit.formula import Apply, Formula, Group, Letter, Number, Relation, Sigma, Symbol, Where, equal
from handgrad.derive.emit.notation import Notation
from handgrad.derive.emit.quoted import quoted
from handgrad.derive.explain.equations import Equation
from handgrad.derive.explain.explanation import Prose, Quote
from handgrad.derive.rules.elementwise import SLOPES


class Notes:
    """Says each note of one derivation once."""

    def __init__(self, notation: Notation):
        """Start with nothing said."""
        self.notation = notation
        self._said: set[str] = set()

    def slopes(self, equation: Equation) -> Iterator[Prose]:
        """The derivatives of the functions by which a gradient comes."""
        for function in dict.fromkeys(f for share in equation.shares for f in share.functions):
            if function in ("exp",) and "logsumexp" in {f for share in equation.shares for f in share.functions}:
                continue
            note = _slope(function)
            if note and self._new(function):
                yield note

    def of(self, *formulas: Formula) -> Iterator[Prose]:
        """Notes on what is new in some formulas."""
        parts = [part for formula in formulas for part in walk(formula)]
        for part in parts:
            match part:
                case Where(condition) if self._new("where"):
                    yield (part, " is 1 where ", condition, ", and 0 elsewhere")
                case Apply("argmax" | "argmin" as function, (inner,)) if self._new(function):
                    which = "maximum" if function == "argmax" else "minimum"
                    yield (part, f" is the index of the {which}")
                case Group() if self._new("group"):
                    yield (part, " is one index for two: the place at which a view has them")
                case Symbol(name, ()) if name in self.notation.places.unnamed and self._new(f"size {name}"):
                    text = self.notation.places.unnamed[name]
                    yield (Symbol(name), " is ", Quote(text))

    def _new(self, key: str) -> bool:
        new = key not in self._said
        self._said.add(key)
        return new


def walk(formula: Formula) -> Iterator[Formula]:
    """A formula and all its parts."""
    yield formula
    for field in fields(formula):
        value = getattr(formula, field.name)
        for part in value if isinstance(value, tuple) else (value,):
            if is_dataclass(part) and not isinstance(part, type):
                yield from walk(part)  # type: ignore[arg-type]


def _slope(function: str) -> Prose | None:
    """The derivative of a function, in words."""
    x, k, j = Symbol("x"), Letter("k"), Letter("j")
    if function == "logsumexp":
        total = Sigma((k,), Apply("exp", (Symbol("x", (k,)),)))
        return ("the derivative of ", Apply("log", (total,)), " by ", Symbol("x", (j,)), " is the softmax of ", x, " at ", j)
    if function not in SLOPES:
        return None
    value = Apply(function, (x,))
    made = quoted(SLOPES[function].replace("beta * ", ""), (), {}, {"x": x, "y": value})
    if any(type(part).__name__ == "Code" for part in walk(made)):
        return None
    return ("the derivative of ", value, " is ", made)


__all__ = ["Notes", "Number", "Relation", "ast", "equal", "walk"]
