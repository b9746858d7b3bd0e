"""What a reader has to know of the notation, said where it comes up first."""

from collections.abc import Iterator

from handgrad.derive.emit.formula import (
    Apply,
    Code,
    Formula,
    Group,
    Letter,
    Sigma,
    Symbol,
    Where,
    equal,
    minus,
    plus,
    times,
    walk,
)
from handgrad.derive.emit.notation import Notation
from handgrad.derive.emit.quoted import quoted
from handgrad.derive.explain.equations import Equation
from handgrad.derive.explain.explanation import Prose, Quote
from handgrad.derive.rules.elementwise import SLOPES


class Notes:
    """Says each note of one derivation once."""

    def __init__(self, notation: Notation):
        """Start with nothing said."""
        self.notation, self.graph = notation, notation.graph
        self._said: set[str] = set()

    def slopes(self, equation: Equation) -> Iterator[Prose]:
        """The derivatives of the functions by which a gradient comes."""
        for function in dict.fromkeys(f for share in equation.shares for f in share.functions):
            functions = {f for share in equation.shares for f in share.functions}
            if {"exp", "logsumexp"} <= functions and function == "exp":
                continue
            function = "softmax" if {"exp", "logsumexp"} <= functions and function == "logsumexp" else function
            note = _slope(function)
            if note and self._new(function):
                yield note

    def of(self, variable: str, *formulas: Formula) -> Iterator[Prose]:
        """Notes on what is new in a variable's name, and in some formulas."""
        parts = [part for formula in formulas for part in walk(formula)]
        for part in (Symbol(variable), *parts):
            match part:
                case Where(condition) if self._new("where"):
                    yield (part, " is 1 where ", condition, ", and 0 elsewhere")
                case Apply("argmax" | "argmin" as function) if self._new(function):
                    which = "maximum" if function == "argmax" else "minimum"
                    yield (part, f" is the index of the {which}, which alone gets the gradient")
                case Group() if self._new("group"):
                    yield (part, " is the one index that a view makes of several")
                case Symbol(name) if name in self.graph.program.renamed and self._new(f"name {name}"):
                    yield (Quote(name), " is ", Quote(self.graph.program.renamed[name]), self._made(name))
                case Symbol(name, ()) if name in self.notation.places.unnamed and self._new(f"size {name}"):
                    text = self.notation.places.unnamed[name]
                    yield (Symbol(name), " is ", Quote(text))

    def _made(self, name: str) -> str:
        line = next((line for made, line in self.graph.program.makers() if made == name), None)
        return f" as line {line.number} makes it" if line else ""

    def _new(self, key: str) -> bool:
        new = key not in self._said
        self._said.add(key)
        return new


def _slope(function: str) -> Prose | None:
    """The derivative of a function, in words."""
    x, k, j = Symbol("x"), Letter("k"), Letter("j")
    if function == "logsumexp":
        total = Sigma((k,), Apply("exp", (Symbol("x", (k,)),)))
        return (
            "the derivative of ",
            Apply("log", (total,)),
            " by ",
            Symbol("x", (j,)),
            " is ",
            Symbol("softmax(x)", (j,)),
        )
    if function == "softmax":
        own, other = Symbol("softmax(x)", (j,)), Symbol("softmax(x)", (k,))
        made = times(own, plus(Where(equal(j, k)), minus(other)))
        return ("the derivative of ", own, " by ", Symbol("x", (k,)), " is ", made)
    if function not in SLOPES:
        return None
    value = Apply(function, (x,))
    made = quoted(SLOPES[function].replace("beta * ", ""), (), {}, {"x": x, "y": value})
    if any(isinstance(part, Code) for part in walk(made)):
        return None
    return ("the derivative of ", value, " is ", made)
