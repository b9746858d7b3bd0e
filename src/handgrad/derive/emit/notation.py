"""Expressions as formulas: with letters for indices, and constants, masks and sizes as the program has them."""

import re
from collections.abc import Iterator, Sequence
from fractions import Fraction as Ratio

from handgrad.derive.emit.formula import (
    ONE,
    Apply,
    Code,
    Formula,
    Fraction,
    Number,
    Plus,
    Power,
    Relation,
    Sigma,
    Symbol,
    Where,
    equal,
    minus,
    plus,
    times,
    walk,
)
from handgrad.derive.emit.letters import Names
from handgrad.derive.emit.numerals import decimal, scientific
from handgrad.derive.emit.places import Places
from handgrad.derive.emit.quoted import quoted
from handgrad.derive.expr import Base, Delta, Expr, Factor
from handgrad.derive.expr import Number as Value
from handgrad.derive.indices import Affine, Axis, Form, Gathered, Index, Merged, plain_order
from handgrad.derive.lower.graph import Definition, is_hidden
from handgrad.derive.lower.sizes import is_size
from handgrad.derive.simplify.matching import unify_all
from handgrad.derive.wording.search import tree
from handgrad.derive.wording.tree import Add, Flat, Leaf, Mul, Num, Sum, Tree, free, leaves
from handgrad.derive.wording.words import Words

HALF = Number(Ratio(1, 2))


class Notation:
    """Writes the expressions of one derivation."""

    def __init__(self, words: Words, places: Places):
        """Start with the letters of a derivation; `gradients` are the names of gradients, which stand last."""
        self.words, self.graph, self.letters = words, words.graph, places.letters
        self.literal = Words(words.graph, phrases={})
        self.gradients: set[str] = set()
        self.places = places

    def expression(self, expr: Expr, names: Names) -> Formula:
        """An expression in the fewest words."""
        return self.tree(tree(self.words, expr), names)

    def variable(self, name: str, form: Form, names: Names) -> Formula:
        """An element of a variable, under the name that is given."""
        return Symbol(name, self.places.form(form, names))

    def defined(self, name: str, form: Form, names: Names) -> Formula:
        """What a variable is, over the indices of a form."""
        return self._applied(self.graph.definitions[name], form, names)

    def tree(self, tree: Tree, names: Names) -> Formula:
        """A tree, its free indices under the names given; those that have none get letters."""
        known = dict(names)
        for axis in sorted(free(tree) - set(known), key=repr):
            known[axis] = self.letters.free(axis, known.values())
        return self._tree(tree, known)

    def terms(self, expr: Expr, names: Names) -> Formula:
        """An expression term by term, in the order in which it was made, in the names that it has."""
        return plus(*(self.tree(tree(self.literal, Expr([item])), names) for item in expr)) if expr else Number(0)

    def _tree(self, tree: Tree, names: Names) -> Formula:
        match tree:
            case Num(value):
                return Number(value)
            case Leaf(base):
                return self._leaf(base, names)
            case Add(parts):
                return plus(*sorted((self._tree(part, names) for part in parts), key=_small))
            case Sum(over, body):
                return self._sum(over, body, names)
            case Mul(coefficient, parts):
                return self._product(coefficient, parts, names)
            case Flat(body, group, axis):
                here = Leaf(Delta(axis, Merged(group, tuple(a.size for a in group))))
                return self._sum(group, Mul(1, ((here, 1), (body, 1))), names)

    def _sum(self, over: Sequence[Axis], body: Tree, names: Names) -> Formula:
        known = dict(names)
        read = [a for base in leaves(body) for a in _axes(base)]
        for axis in sorted(over, key=lambda a: read.index(a) if a in read else len(read)):
            known[axis] = self.letters.free(axis, known.values())
        letters = sorted((self.places.letter(axis, known) for axis in over), key=lambda letter: letter.text)
        if isinstance(body, Mul):
            places = _as_matrices(body, over, names)
            return Sigma(tuple(letters), self._product(body.coefficient, body.parts, known, places))
        return Sigma(tuple(letters), self._tree(body, known))

    def _product(
        self, coefficient: Value, parts: Sequence[tuple[Tree, Value]], names: Names, places: Sequence[int] = ()
    ) -> Formula:
        """A product: what is divided by in a fraction; by place, then conditions, gradients and sums last."""
        over: list[tuple[int, int, Formula]] = []
        under: list[Formula] = []
        scalars: list[Formula] = []
        for (part, power), place in zip(parts, places or [0] * len(parts), strict=True):
            made = self._tree(part, names)
            plain = not free(part)
            if power < 0 and (
                isinstance(power, int) or plain or (power == Ratio(-1, 2) and not isinstance(made, Plus))
            ):
                (scalars if plain else under).append(_raised(made, -power))
            else:
                over.append((place, self._rank(made), _raised(made, power)))
        size = abs(coefficient)
        number = Number(size)
        if isinstance(size, Ratio) and (scalars or under) and not (decimal(size) or scientific(size)):
            scalars.insert(0, Number(size.denominator))
            number = Number(size.numerator)
        top = [made for *_, made in sorted(over, key=lambda item: item[:2])]
        made = _quotient(number, top, _rooted(scalars), _rooted(under))
        return minus(made) if coefficient < 0 else made

    def _rank(self, made: Formula) -> int:
        """Where a factor stands: conditions after what is known of the forward pass, then gradients, then sums."""
        if isinstance(made, Symbol):
            return 2 if made.name in self.gradients else 0
        return 3 if isinstance(made, Sigma) else 1 if isinstance(made, Where) else 0

    def _leaf(self, base: Base, names: Names) -> Formula:
        if isinstance(base, Delta):
            left, right = (self.places.index(i, names) for i in sorted(base, key=_last))
            return Where(equal(left, right))
        if base.name.isdigit():
            return Number(int(base.name))
        if is_size(base.name):
            return self.places.size(self.graph.sizes.of_factor(base.name))
        if base.name.startswith("?earlier"):
            first, second = self.places.form(base.indices, names)
            return Where(Relation(first, "<=", second))
        if base.name == "torch.pi":
            return Symbol("π")
        name = self.graph.aliases.get(base.name, base.name)
        definition = self.graph.definitions.get(name)
        mask = base.name in self.graph.masks
        if name.isidentifier():
            made: Formula = Symbol(name, self.places.factor(base, names))
            return Where(Relation(made, "!=", Number(0))) if mask else made
        if definition is None or not is_hidden(name):
            made = quoted(name, self.places.whole(base.indices, names), self.graph.program.values)
            return Where(made) if mask else made
        return self._hidden(base, definition, names)

    def _hidden(self, base: Factor, definition: Definition, names: Names) -> Formula:
        """What a hidden name stands for."""
        if not definition.arguments or definition.function == "filled":
            return Code(definition.text.strip("«»") or definition.function, self.places.form(base.indices, names))
        if re.fullmatch(r"[\w.]*softmax\(\w+(, [-\w=]+)?\)", definition.text):
            return Symbol(_short(definition.text), self.places.form(base.indices, names))
        return self._applied(definition, base.indices, names)

    def _applied(self, definition: Definition, indices: Form, names: Names) -> Formula:
        """A definition at some indices: a function of its arguments, or the expression that it is."""
        places = dict(unify_all(definition.axes, indices, {}) or {})
        known = dict(names)
        for axis in definition.over:
            known[axis] = self.letters.free(axis, known.values())
        name = definition.function
        parts = [self.terms(a.put(places), known) for a in definition.arguments]
        if not name:
            return parts[0]
        if name == "logsumexp":
            over = tuple(self.places.letter(axis, known) for axis in definition.over)
            return Apply("log", (Sigma(over, Apply("exp", tuple(parts))),))
        return Power(*parts) if name == "pow" else Apply(name, tuple(parts))


def _short(text: str) -> str:
    """`torch.softmax(x, 1)` as softmax(x)."""
    name, _, arguments = text.rpartition(".")[2].partition("(")
    return f"{name}({arguments.partition(',')[0]})"


def _as_matrices(body: Mul, over: Sequence[Axis], names: Names) -> list[int]:
    """Where the factors of a product of matrices stand: what has the first index of the result comes first."""
    sets = [free(part) - set(over) for part, _ in body.parts]
    shared = frozenset.intersection(*sets)
    own = [s - shared for s in sets]
    deltas = any(isinstance(part, Leaf) and isinstance(part.base, Delta) for part, _ in body.parts)
    if deltas or not any(a - b and b - a for a in own for b in own):
        return []
    order = list(names)
    return [min((order.index(a) for a in mine if a in order), default=-1) for mine in own]


def _small(part: Formula) -> bool:
    """Whether a term is a small number or has no index, and so stands after the others."""
    return (isinstance(part, Number) and 0 < part.value < Ratio(1, 100)) or (
        isinstance(part, Symbol) and not part.indices
    )


def _last(index: Index) -> int:
    """Where an index stands in an equation: what a table names before a letter, that before a sum of letters."""
    return [Gathered, Axis, Merged, Affine].index(type(index))


def _axes(base: Base) -> Iterator[Axis]:
    for index in base.indices if isinstance(base, Factor) else base:
        yield from plain_order(index)


def _rooted(parts: list[Formula]) -> list[Formula]:
    """Parts with a square root under one."""
    roots = [p.base for p in parts if isinstance(p, Power) and p.exponent == HALF]
    if len(roots) < 2:
        return parts
    rest = [p for p in parts if not (isinstance(p, Power) and p.exponent == HALF)]
    whole = [root for root in dict.fromkeys(roots) if roots.count(root) == 2]
    left = [root for root in roots if root not in whole]
    return [*rest, *whole, *([Power(times(*left), HALF)] if left else [])]


def _raised(made: Formula, power: Value) -> Formula:
    return made if power == 1 else Power(made, Number(power))


def _quotient(number: Formula, over: list[Formula], scalars: list[Formula], under: list[Formula]) -> Formula:
    """A product over others: numbers and sizes that divide stand in front where there is more than one factor."""
    if under or not scalars:
        top = times(number, *over)
        return Fraction(top, times(*scalars, *under)) if under else top
    tall = any(isinstance(part, Fraction) for made in over for part in walk(made))
    if len(over) == 1 and not isinstance(over[0], Sigma) and not tall:
        return Fraction(times(number, *over), times(*scalars))
    return times(Fraction(number, times(*scalars)), *over)


__all__ = ["ONE", "Notation"]
