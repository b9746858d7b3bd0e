"""What it costs to say things, in tokens as a reader counts them."""

import ast
import functools
import io
import itertools
import math
import re
import tokenize
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from handgrad.derive.expr import Base, Delta, Expr, Factor, Number, Product
from handgrad.derive.indices import Affine, Axis, Gathered, Index, Merged, plain_order
from handgrad.derive.lower.graph import Graph, is_hidden
from handgrad.derive.lower.sizes import is_size
from handgrad.derive.read.program import Line
from handgrad.derive.wording.tree import Add, Flat, Leaf, Mul, Num, Sum, Tree, free, negative

LINE = 15.0
"""What a gradient costs at most that can get a line of its own."""
WIDE = 20.0
"""What an array that is larger than all that it is made of costs."""
KEPT = {tokenize.NAME, tokenize.NUMBER, tokenize.OP, tokenize.STRING}


@functools.lru_cache(10_000)
def tokens(text: str) -> int:
    """How long a reader finds a piece of source: its names, numbers and operators, without brackets and commas."""
    found = tokenize.generate_tokens(io.StringIO(text).readline)
    return sum(t.type in KEPT and t.string not in "()[],:." for t in found)


@dataclass
class Words:
    """The costs of saying things in the names of one program.

    `phrases` are the products that have a name, by the names in them; all that the program names where it is None.
    """

    graph: Graph
    phrases: Mapping[str, list] | None = None
    trees: dict[Expr, Tree] = field(default_factory=dict)
    costs: dict[object, float] = field(default_factory=dict)
    open: set[str] = field(default_factory=set)
    defined: dict[str, tuple[Tree, ...]] = field(default_factory=dict)
    helpers: dict[str, str] = field(default_factory=dict)
    literals: frozenset[Number] = frozenset()
    inner: dict[tuple[Base, Index], Axis] = field(default_factory=dict)
    opened: dict[Product, tuple[Axis, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Know the numbers that the program has."""
        nodes = (n for line in self.graph.program.lines if isinstance(line, Line) for n in ast.walk(line.value))
        values = [n.value for n in nodes if isinstance(n, ast.Constant)]
        numbers = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
        self.literals = frozenset(Fraction(repr(n)) for n in numbers if math.isfinite(n))

    def name(self, name: str) -> float:
        """The cost of a name."""
        if name not in self.costs:
            self.costs[name] = self._name(name)
        return self.costs[name]

    def _name(self, name: str) -> float:
        if name in self.graph.words or name in self.helpers:
            return 1.5
        return min(LINE, self.own(name)) if name in self.graph.adjoints else self.own(name)

    def own(self, name: str) -> float:
        """The cost of a name where it has no line of its own."""
        if is_size(name):
            sayings = self.graph.sizes.sayings(self.graph.sizes.of_factor(name))
            return min((tokens(s.text.replace("#", "_")) + 4 * s.text.count("#") for s in sayings), default=8.0)
        name = self.graph.aliases.get(name, name)
        definition = self.graph.definitions.get(name)
        if definition is None or not is_hidden(name):
            return tokens(name)
        if definition.text:
            whole = tokens(plain(definition.text)) + 0.5
        elif not definition.arguments:
            return 4.0
        else:
            whole = 1000.0
        if name in self.open:
            return 99.0
        inner = sum(map(self.cost, self.inside(name)))
        kept = 3 * (None in definition.axes and any(p.bound for e in definition.arguments for p, _ in e))
        return min(whole, inner + kept + (1.7 if definition.function else 0.5))

    def inside(self, name: str) -> tuple[Tree, ...]:
        """The trees of what a name is made of, none of which says the name itself."""
        if name not in self.defined:
            from handgrad.derive.wording.search import tree

            before, self.trees = self.trees, {}
            self.open.add(name)
            self.defined[name] = tuple(tree(self, argument) for argument in self.graph.definitions[name].arguments)
            self.open.discard(name)
            self.trees = before
        return self.defined[name]

    def index(self, index: Index | None) -> float:
        """The cost of an index that is none of its own."""
        match index:
            case None | Axis():
                return 0
            case Gathered(table, parts):
                known = self.graph.tables[table]
                return tokens(known.text or known.method.split("@")[0].format(dim=0)) + sum(map(self.index, parts))
            case Merged(parts):
                return 0.3 if parts in self.graph.views or all(a.tag < 0 for a in plain_order(index)) else 3.5
            case Affine(terms, _, text):
                return tokens(text.replace("#", "_")) if text else 4.0 * len(terms)

    def base(self, base: Base) -> float:
        """The cost of a factor."""
        if isinstance(base, Delta):
            axis = base.left if isinstance(base.left, Axis) else base.right
            size = self.name(self.graph.sizes.factor(axis.size).name) if isinstance(axis, Axis) else 3
            return 2 + size + self.index(base.left) + self.index(base.right)
        gathered = {a for i in base.indices if isinstance(i, Gathered) for a in plain_order(i)}
        ranges = sum(2.0 for i in base.indices if i in gathered)
        ranges += sum(1.5 for view in self.graph.views if set(view) <= set(base.indices))
        return self.name(base.name) + ranges + sum(self.index(i) for i in base.indices)

    def factors(self, factors: Iterable[tuple[Base, Number]]) -> float:
        """The cost of a product of factors."""
        return sum(self.base(b) + _power(p) + 1 for b, p in factors)

    def cost(self, tree: Tree) -> float:
        """The cost of a tree."""
        if tree not in self.costs:
            self.costs[tree] = self._cost(tree)
        return self.costs[tree]

    def _cost(self, tree: Tree) -> float:
        match tree:
            case Num(value):
                return self.numeral(value)
            case Leaf(base):
                return self.base(base)
            case Add(parts):
                total = sum(map(self.cost, parts)) + len(parts) - 1
                total -= sum(negative(part) for part in parts[1:])
                backwards = negative(parts[-1]) and isinstance(parts[-1], Num)
                return total + WIDE * (not covered(parts)) + 0.3 * backwards
            case Sum(over, body):
                inside = [part for part, _ in body.parts] if isinstance(body, Mul) else [body]
                fits = covered(inside) or splits(inside, over)
                inner = self._product(body.coefficient, body.parts) if isinstance(body, Mul) else self.cost(body)
                return inner + (1.5 if len(over) == 1 and splits(inside, over) else 2.5) + WIDE * (not fits)
            case Flat(body):
                return self.cost(body) + 2
            case Mul(coefficient, parts):
                return self._product(coefficient, parts) + WIDE * (not covered([part for part, _ in parts]))

    def _product(self, coefficient: Number, parts: tuple[tuple[Tree, Number], ...]) -> float:
        total = sum(self.cost(part) + _power(power) + 0.1 for part, power in parts) + len(parts) - 1
        if all(power < 0 for _, power in parts) and abs(coefficient) == 1:
            total += 2
        total += coefficient < 0
        size = abs(coefficient)
        if size != 1:
            total += 1 + self.numeral(size) - (size.numerator == 1 and not is_decimal(size)) * 2
        constants = [abs(power) for part, power in parts if isinstance(power, Fraction) and not free(part)]
        total -= 2 * (len(constants) - len(set(constants)))
        return total - self.means(parts)

    def numeral(self, value: Number) -> float:
        """The cost of a number; one that the program has is like a name."""
        return 1.0 + 0.2 * (value.denominator != 1) if abs(value) in self.literals else numeral(value)

    def means(self, parts: tuple[tuple[Tree, Number], ...]) -> float:
        """What is saved where a sum divided by how many there are is a mean."""
        saved = 0.0
        leaves = [part.base for part, power in parts if power == -1 and isinstance(part, Leaf)]
        sizes = [base.name for base in leaves if isinstance(base, Factor) and is_size(base.name)]
        for part, power in parts:
            if isinstance(part, Sum) and power == 1:
                names = [self.graph.sizes.factor(axis.size).name for axis in part.over]
                if all(sizes.count(n) >= names.count(n) for n in names):
                    saved += sum(self.name(n) + 1.1 for n in names)
                    for n in names:
                        sizes.remove(n)
        return saved


def plain(text: str) -> str:
    """The source of a hidden name with a word for each size and name in it."""
    return re.sub(r"«[^»]*»|#\d+", "x", text)


def numeral(value: Number) -> float:
    """The cost of a number: a token, or three for a fraction, and more where it is long."""
    if value.denominator == 1 or is_decimal(value):
        text = str(value.numerator) if value.denominator == 1 else repr(float(value))
        return 1 + 0.3 * max(0, len(text) - 5) + 0.2 * (value.denominator != 1)
    return 3 + 0.3 * max(0, len(f"{value.numerator}{value.denominator}") - 5)


def _power(power: Number) -> float:
    return 0 if power == 1 else 0.1 if power == -1 else 2.0


def is_decimal(value: Number) -> bool:
    """Whether a number is as short as a decimal as people write it."""
    return value.denominator != 1 and Fraction(repr(float(value))) == value


def covered(parts: Iterable[Tree]) -> bool:
    """Whether one of the parts has all the indices."""
    sets = [free(part) for part in parts]
    return not sets or any(s == frozenset().union(*sets) for s in sets)


def splits(parts: list[Tree], over: tuple[Axis, ...]) -> bool:
    """Whether a product can be summed as a matrix product, both sides no wider than their parts."""
    if not 2 <= len(parts) <= 6:
        return False
    for sides in itertools.product((0, 1), repeat=len(parts)):
        groups = [[p for p, s in zip(parts, sides, strict=True) if s == side] for side in (0, 1)]
        if all(groups) and all(covered(g) for g in groups):
            frees = [frozenset().union(*map(free, g)) for g in groups]
            if all(set(over) <= f for f in frees):
                return True
    return False
