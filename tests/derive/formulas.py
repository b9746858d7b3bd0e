"""What formulas come to in numbers, from nothing but what they show."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, is_dataclass
from typing import Any

import torch
import torch.nn.functional as F

from handgrad.derive.emit.formula import (
    Apply,
    Beside,
    Code,
    Formula,
    Fraction,
    Group,
    Letter,
    Minus,
    Number,
    Plus,
    Power,
    Relation,
    Sigma,
    Symbol,
    Times,
    Transposed,
    Where,
    walk,
)
from handgrad.derive.explain.explanation import Explanation, Quote

COMPARE = {
    "=": torch.eq,
    "!=": torch.ne,
    "<": torch.lt,
    "<=": torch.le,
    ">": torch.gt,
    ">=": torch.ge,
}


@dataclass
class Reading:
    """Reads formulas with the values of names; each letter is an axis, in the order in which they were met."""

    values: Mapping[str, Any]
    letters: dict[str, int] = field(default_factory=dict)

    def learn(self, *formulas: Formula) -> None:
        """Find out how far each letter runs: over the shortest axis along which it stands, others are sliced."""
        for formula in formulas:
            for part in walk(formula):
                if isinstance(part, Symbol | Code) and part.indices:
                    for index, size in zip(part.indices, self.shape(part), strict=True):
                        if isinstance(index, Letter) and size > 1:
                            self.letters[index.text] = min(size, self.letters.get(index.text, size))

    def shape(self, part: Symbol | Code) -> list[int]:
        return [n for n in self.named(part).shape if n > 1]

    def named(self, part: Symbol | Code) -> torch.Tensor:
        if _name(part) in self.values:
            return _exact(self.values[_name(part)])
        if _name(part).startswith("softmax("):
            inner = self.values[_name(part)[len("softmax(") : -1]]
            return torch.softmax(inner, -1)
        made = eval(_name(part), {"torch": torch, "F": F, "math": math, **self.values})
        return _exact(made)

    def element(self, part: Symbol | Code) -> torch.Tensor:
        whole = self.named(part)
        whole = whole.reshape([n for n in whole.shape if n > 1])
        if not part.indices:
            return whole.double()
        places = zip(part.indices, whole.shape, strict=True)
        return whole[tuple(self.place(index, size).long() for index, size in places)].double()

    def place(self, index: Formula, size: int) -> torch.Tensor:
        """The place that an index says along an axis of some size."""
        if not isinstance(index, Group):
            return self.value(index)
        known = [self.extent(part) for part in index.parts]
        left = size // math.prod(n for n in known if n) if size else 1
        total = torch.zeros((), dtype=torch.float64)
        for part, n in zip(index.parts, known, strict=True):
            total = total * (n or left) + self.value(part)
        return total

    def extent(self, index: Formula) -> int:
        """How far an index runs, 0 where that is not to be seen."""
        if isinstance(index, Group):
            return math.prod(map(self.extent, index.parts))
        return self.letters.get(index.text, 0) if isinstance(index, Letter) else 0

    def deduce(self, *formulas: Formula) -> None:
        """Find out how far letters run that never stand alone, by how long the axis is along which they stand."""
        for part in (part for formula in formulas for part in walk(formula)):
            if isinstance(part, Symbol | Code) and part.indices:
                for index, size in zip(part.indices, self.shape(part), strict=True):
                    letters = [p.text for p in walk(index) if isinstance(p, Letter)]
                    unknown = [c for c in letters if c not in self.letters]
                    if len(unknown) != 1:
                        continue
                    if isinstance(index, Group):
                        rest = math.prod(self.letters[c] for c in letters if c in self.letters)
                        self.letters[unknown[0]] = size // rest
                    elif isinstance(index, Plus):
                        start = sum(self.value(p) for p in index.parts if not isinstance(p, Letter))
                        self.letters[unknown[0]] = size - int(start)

    def over(self, letter: Letter) -> int:
        return list(self.letters).index(letter.text)

    def value(self, formula: Formula) -> torch.Tensor:
        """The numbers of a formula, with one axis for each letter that is known."""
        match formula:
            case Number(value):
                return torch.tensor(float(value), dtype=torch.float64)
            case Letter(text):
                shape = [n if name == text else 1 for name, n in self.letters.items()]
                return torch.arange(self.letters[text], dtype=torch.float64).reshape(shape)
            case Group():
                return self.place(formula, 0)
            case Symbol("π"):
                return torch.tensor(math.pi, dtype=torch.float64)
            case Symbol() | Code():
                return self.element(formula)
            case Times(parts):
                wheres = [self.value(part) for part in parts if isinstance(part, Where)]
                made = torch.ones((), dtype=torch.float64)
                for part in parts:
                    made = made * self.value(part)
                for where in wheres:
                    made = torch.where(where == 0, 0, made)
                return made
            case Fraction(over, under):
                return self.value(over) / self.value(under)
            case Power(base, exponent):
                return self.value(base) ** self.value(exponent)
            case Minus(body):
                return -self.value(body)
            case Plus(parts):
                return sum((self.value(part) for part in parts), torch.zeros((), dtype=torch.float64))
            case Sigma(over, body):
                return self.summed(over, body)
            case Where(condition):
                return self.value(condition).double()
            case Relation(left, sign, right):
                return COMPARE[sign](self.value(left), self.value(right))
            case Apply(name, arguments, over):
                return self.applied(name, arguments, over)
        raise TypeError(formula)

    def summed(self, over: tuple[Letter, ...], body: Formula) -> torch.Tensor:
        made = self.value(body)
        made = made.reshape([1] * (len(self.letters) - made.dim()) + list(made.shape))
        for letter in over:
            d = self.over(letter)
            count = self.letters[letter.text] if made.shape[d] == 1 else 1
            made = made.sum(d, keepdim=True) * count
        return made

    def applied(self, name: str, arguments: tuple[Formula, ...], over: tuple[Letter, ...]) -> torch.Tensor:
        made = [self.value(part) for part in arguments]
        if over:
            (letter,) = over
            return getattr(made[0], name)(self.over(letter), keepdim=True).double()
        function = next(getattr(p, name) for p in (torch, F, torch.special) if hasattr(p, name))
        return function(*made)


def _name(part: Symbol | Code) -> str:
    return part.name if isinstance(part, Symbol) else part.text


def reading(explanation: Explanation, values: Mapping[str, Any]) -> Reading:
    """A reading that knows how far each letter of a derivation runs: all through it, each stands for one size."""
    made = Reading(values)
    shown: list[Formula] = []
    for step in explanation.steps:
        shown += [step.left, *(stage.formula for stage in step.stages)]
        for reason in (r for stage in step.stages for r in stage.reasons):
            if reason[0] != "the derivative of ":
                shown += [part for part in reason if is_dataclass(part) and not isinstance(part, Quote)]
    made.learn(*shown)
    made.deduce(*shown)
    return made


def evaluated(formula: Formula, left: Formula, known: Reading) -> torch.Tensor:
    """A formula over the indices of what it is equal to, without axes of length one."""
    made = known.value(formula)
    made = made.reshape([1] * (len(known.letters) - made.dim()) + list(made.shape))
    assert isinstance(left, Symbol)
    own = [part.text for index in left.indices for part in walk(index) if isinstance(part, Letter)]
    order = [*own, *(c for c in known.letters if c not in own)]
    made = made.permute([list(known.letters).index(c) for c in order])
    made = made.expand([*(known.letters[c] for c in own), *made.shape[len(own) :]])
    assert all(n == 1 for n in made.shape[len(own) :]), f"{formula} has an index that {left} has not"
    return made.reshape([known.letters[c] for c in own])


def sizes(explanation: Explanation) -> Iterator[tuple[str, str]]:
    """The letters that stand for sizes, and what the program says for them."""
    for step in explanation.steps:
        for note in step.notes:
            match note:
                case (Symbol(name, ()), " is ", Quote(text)):
                    yield name, text


def in_matrices(formula: Formula, values: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """What a formula of whole matrices comes to."""
    match formula:
        case Symbol(name):
            return torch.as_tensor(values[name]).double()
        case Number(value):
            return torch.tensor(float(value), dtype=torch.float64)
        case Transposed(body):
            return in_matrices(body, values).transpose(-1, -2)
        case Minus(body):
            return -in_matrices(body, values)
        case Plus(parts):
            return sum(in_matrices(part, values) for part in parts)
        case Times(parts):
            return math.prod(in_matrices(part, values) for part in parts)
        case Fraction(over, under):
            return in_matrices(over, values) / in_matrices(under, values)
        case Power(base, exponent):
            return in_matrices(base, values) ** in_matrices(exponent, values)
        case Relation(left, "@", right):
            return in_matrices(left, values) @ in_matrices(right, values)
        case Relation(left, "*", right):
            return in_matrices(left, values) * in_matrices(right, values)
        case Beside(parts):
            return torch.cat([in_matrices(part, values) for part in parts], -1)
    raise TypeError(formula)


def _exact(made: object) -> torch.Tensor:
    return torch.tensor(made, dtype=torch.float64) if isinstance(made, float) else torch.as_tensor(made)
