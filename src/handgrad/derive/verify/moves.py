"""Changes of sizes that may take a run past a failure, the one that ties least first."""

import ast
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from handgrad.derive.read.calls import evaluated, is_array
from handgrad.derive.verify.layout import PARTS, Slot
from handgrad.derive.verify.running import Failure
from handgrad.derive.verify.sizes import Formula, Pairs, Term, Trial, paired, sizes_of

FACTORS = (2, 3, 4, 8)
VIEWS = ("view", "reshape", "unflatten")
PRODUCTS = ("matmul", "mm", "bmm", "dot")
Move = Callable[[], object]
Dims = Sequence[tuple[int, int]]


class Moves:
    """The changes for one failure.

    Args:
        trial: the sizes as they are; a move changes them.
        failure: where a run at them ended.
    """

    def __init__(self, trial: Trial, failure: Failure):
        """See the class."""
        self.trial, self.failure, self.node = trial, failure, failure.node
        self.step = trial.forward.steps[failure.step]
        self.pairs = self._met()
        met = {new for _, new in self.pairs}
        free = [root for root in reversed(trial.roots()) if root not in trial.fixed]
        self.here = [r for r in free if trial.value[r] in met or self._is_read(r)]
        self.rest = [r for r in free if r not in self.here]

    def _met(self) -> Pairs:
        """The sizes that stand where the run failed: the program's own, and those of now."""
        found: Pairs = []
        for node in ast.walk(self.node) if self.node is not None else ():
            if isinstance(node, ast.expr) and node is not self.node:
                found += paired(*self._both(node))
        own, later = self.trial.own[self.failure.step], self.trial.own[self.failure.step + 1]
        for name in sorted(self.step.reads):
            found += paired(own.get(name, later.get(name)), self.trial.env.get(name))
        return list(dict.fromkeys(found))

    def _both(self, node: ast.expr) -> tuple[Any, Any]:
        return evaluated(node, self.trial.own[self.failure.step]), evaluated(node, self.trial.env)

    def _is_read(self, root: Slot) -> bool:
        slots = (s for name in self.step.reads for s in self.trial.layout.slots.get(name, ()))
        return any(self.trial.root(s) == root for s in slots if s.kind == "dim")

    def all(self) -> Iterator[Move]:
        """One change after the other, and then two together."""
        trial = self.trial
        if trial.freeing is not None:
            multiples = [r for r in self.here if r.size % trial.freeing.size == 0 and r.size > trial.freeing.size]
            yield from self._view(multiples) if self._viewed() else self._computations(multiples)
            return
        free = set(trial.value) - trial.fixed
        yield from self.equations(free)
        yield from self._view(self.here)
        yield from self._ties(self.here, self._others)
        together = [*self.equations(free, some=True), *self._at_once(), *self._alike(), *self._multiples()]
        yield from together
        yield from self._choices()
        yield from self._fixings(r for r in self.here if r.size in self.step.literals and r.size > max(FACTORS))
        yield from self._computations(self.here)
        for first in together:
            for second in (*self._ties([*self.here, *self.rest], self._same), *self._computations(self.here)):
                yield lambda first=first, second=second: (first(), second())
        yield from self._computations(self.rest)
        literals = {n for step in trial.forward.steps for n in step.literals}
        yield from self._fixings(r for r in (*self.here, *self.rest) if r.size in literals)
        for roots in (self.here, [*self.here, *self.rest]):
            sizes = sorted({root.size for root in roots})
            yield from (self._fixing([r for r in roots if r.size == size]) for size in sizes)
            yield from self._fixings(roots)

    def equations(self, roots: set[Slot], *, some: bool = False) -> list[Move]:
        """For operands that do not fit: what makes all pairs of their dimensions equal, or some, changing `roots`."""
        found: list[Move] = []
        for pairs in self._operands():
            moves: list[Move] = []
            for (size, n), (other, m) in pairs:
                if n != m and size == other > 1:
                    ways = [(r, b) for r in reversed(self.trial.roots()) if r in roots and r.size == size
                            for a, b in ((n, m), (m, n)) if self.trial.value[r] == a]  # fmt: skip
                    if not ways and not some:
                        break
                    moves += [lambda root=root, new=new: self._set(root, new) for root, new in ways[:1]]
            else:
                if moves:
                    found.append(lambda moves=moves: [move() for move in moves])
        return found

    def _operands(self) -> Iterator[list[tuple[tuple[int, int], tuple[int, int]]]]:
        """For each two operands of what failed, the dimensions that have to be equal, as they were and as they are."""
        node, product = self.node, False
        parts: list[ast.expr] = []
        if isinstance(node, ast.BinOp):
            parts = [node.left, node.right]
            product = isinstance(node.op, ast.MatMult)
        elif isinstance(node, ast.Compare):
            parts = [node.left, *node.comparators]
        elif isinstance(node, ast.Call):
            method = node.func if isinstance(node.func, ast.Attribute) else None
            product = method is not None and method.attr in PRODUCTS
            parts = [*([method.value] if method else []), *node.args, *(k.value for k in node.keywords)]
        values = [pair for part in parts for pair in _beside(*self._both(part))]
        both = [(own, new) for own, new in values if is_array(own) and is_array(new)]
        dims: list[Dims] = [list(zip(own.shape, new.shape, strict=False)) for own, new in both]
        for a, b in itertools.combinations([d for d in dims if d], 2):
            inner = [(a[-1], b[-2] if len(b) > 1 else b[-1])]
            batch = zip(reversed(a[:-2]), reversed(b[:-2]), strict=False)
            yield [*inner, *batch] if product else list(zip(reversed(a), reversed(b), strict=False))

    def _viewed(self) -> ast.expr | None:
        """What is viewed, where a view failed."""
        match self.node:
            case ast.Call(ast.Attribute(viewed, name)) if name in VIEWS:
                return viewed
        return None

    def _view(self, roots: list[Slot]) -> list[Move]:
        """For a view that does not hold what its tensor holds: sizes with which it does."""
        viewed = self._viewed()
        if viewed is None or not isinstance(self.node, ast.Call):
            return []
        given = evaluated(viewed, self.trial.env)
        wanted = [size for a in self.node.args for size in sizes_of(evaluated(a, self.trial.env))]
        if not is_array(given) or not wanted or -1 in wanted or not self._keeps(viewed):
            return []
        value, count = self.trial.value, math.prod(given.shape)
        needed = [(r, value[r] * math.prod(wanted) / count) for r in roots if count]
        return [lambda r=r, n=int(n): self._set(r, n) for r, n in needed if n == int(n) > 1 and n != value[r]]

    def _keeps(self, viewed: ast.expr) -> bool:
        """Whether a view leaves the first dimensions alone that it leaves alone in the program."""
        assert isinstance(self.node, ast.Call)
        shapes = [[pair for a in self.node.args for pair in paired(*self._both(a))], paired(*self._both(viewed))]
        return all(a == b for a, b in itertools.takewhile(lambda ab: ab[0][0] == ab[1][0], zip(*shapes, strict=False)))

    def _ties(self, roots: list[Slot], values: Callable[[Slot], list[int]]) -> Iterator[Move]:
        for root in roots:
            for new in values(root):
                yield lambda root=root, new=new: self._set(root, new)

    def _same(self, root: Slot) -> list[int]:
        """The sizes of other groups that have the same size in the program."""
        trial = self.trial
        found = (trial.value[r] for r in trial.roots() if r.size == root.size)
        return [new for new in dict.fromkeys(found) if new != trial.value[root]]

    def _others(self, root: Slot) -> list[int]:
        """The sizes that stand, where the run failed, for the same size of the program's own."""
        trial = self.trial
        computed = [trial.value[r] for r in trial.roots() if r.size == root.size and r in trial.derived]
        found = (new for own, new in self.pairs if own == root.size and new > 1)
        return [new for new in dict.fromkeys((*found, *computed)) if new != trial.value[root]]

    def _at_once(self) -> Iterator[Move]:
        """All dimensions that are first read where the run failed, changed together."""
        direct = [r for r in reversed(self.here) if self._is_read(r)]
        moved = {self.trial.value[r] for r in direct}
        given = {own: new for own, new in reversed(self.pairs) if new not in moved}
        first = {r.size: self.trial.value[r] for r in reversed(direct)}
        for wanted in ({**first, **given}, given, first):
            ways = [
                (r, wanted[r.size]) for r in direct if wanted.get(r.size, self.trial.value[r]) != self.trial.value[r]
            ]
            if len(ways) > 1:
                yield lambda ways=ways: [self._set(r, new) for r, new in ways]

    def _alike(self) -> Iterator[Move]:
        """Inputs that have the same shape in the program, made to have the same one."""
        shapes: dict[tuple[int, ...], list[list[Slot]]] = {}
        for name, slots in self.trial.layout.slots.items():
            dims = [s for s in slots if s.kind == "dim"]
            if dims and self.trial.forward.first_read[name] <= self.failure.step:
                shapes.setdefault(tuple(s.size for s in dims), []).append(dims)
        pairs = [(a, b) for group in shapes.values() for a, b in itertools.pairwise(group)]
        pairs = [
            (a, b) for a, b in pairs if any(self.trial.root(x) != self.trial.root(y) for x, y in zip(a, b, strict=True))
        ]
        each = [lambda a=a, b=b: self._tie(a, b) for a, b in pairs]
        yield from each
        if len(each) > 1:
            yield lambda: [move() for move in each]

    def _multiples(self) -> Iterator[Move]:
        """All sizes here that are multiples of one number in the program, made multiples of it together."""
        trial = self.trial
        numbers = {k: k for k in FACTORS}
        numbers.update((s.size, new) for s, new in trial.placed.items() if s.kind == "int")
        for own, new in numbers.items():
            roots = [r for r in self.here if r.size % own == 0 and r.size > own and trial.value[r] % new]
            if roots:
                yield lambda roots=roots, new=new: [self._set(r, new * trial.value[r]) for r in roots]

    def _choices(self) -> Iterator[Move]:
        trial = self.trial
        names = [*sorted(self.step.reads), *trial.layout.slots]
        for slot in dict.fromkeys(s for n in names for s in trial.layout.slots.get(n, ()) if s in trial.options):
            for option in range(len(trial.options[slot])):
                if option != trial.choice.get(slot, 0):
                    yield lambda slot=slot, option=option: trial.choice.__setitem__(slot, option)

    def _computations(self, roots: list[Slot]) -> Iterator[Move]:
        for root in roots:
            for new, formula in dict(self._computed(root)).items():
                if new != self.trial.value[root]:
                    yield lambda root=root, new=new, formula=formula: self._set(root, new, formula)

    def _computed(self, root: Slot) -> Iterator[tuple[int, Formula | None]]:
        """Products, multiples and sums of other sizes that give the program's own, and the formula of each."""
        trial, size = self.trial, root.size
        known: dict[int, dict[int, Term | None]] = {}
        for own, new in self.pairs:
            known.setdefault(own, {})[new] = None
        for slot in trial.slots:
            known.setdefault(slot.size, {})[trial.value[trial.root(slot)]] = trial.root(slot)
        known.setdefault(size, {}).pop(trial.value[root], None)
        for slot, new in trial.placed.items():
            if slot.kind == "int":
                known.setdefault(slot.size, {})[new] = slot
        numbers = {*FACTORS, *(n for step in trial.forward.steps for n in step.literals)}
        for k in [k for k in sorted({*numbers, *known}) if size % k == 0 and 1 < k < size]:
            factors: dict[int, Term | None] = {k: k} if k in numbers else known.get(k, {})
            for (a, x), (b, y) in itertools.product(factors.items(), known.get(size // k, {}).items()):
                yield a * b, _formula((x, y))
            yield from ((a * trial.value[root], None) for a in factors)
        for k, some in known.items():
            for (a, x), (b, y) in itertools.product(some.items(), known.get(size - k, {}).items()):
                yield a + b, _formula((1, x), (1, y))
        for d, k in itertools.product((1, -1), (1, 2)):
            if (size - d) % k == 0:
                yield from ((k * a + d, _formula((k, x), (1, d))) for a, x in known.get((size - d) // k, {}).items())

    def _fixings(self, roots: Iterable[Slot]) -> Iterator[Move]:
        roots = list(roots)
        yield from (self._fixing([root]) for root in roots)
        if len(roots) > 1:
            yield self._fixing(roots)

    def _fixing(self, roots: list[Slot]) -> Move:
        def fix() -> None:
            for root in roots:
                self.trial.fixed.add(root)
                self.trial.formula.pop(root, None)
                self.trial.value[root] = root.size

        return fix

    def _set(self, root: Slot, new: int, formula: Formula | None = None) -> None:
        trial = self.trial
        same = (r for r in trial.roots() if r != root and r.size == root.size and trial.value[r] == new)
        target = next(same, None)
        if target is not None:
            self._tie([root], [target])
            return
        trial.value[root] = new
        trial.derived.add(root)
        trial.formula.pop(root, None)
        if formula is not None:
            trial.formula[root] = formula

    def _tie(self, some: list[Slot], others: list[Slot]) -> None:
        for a, b in zip(some, others, strict=True):
            one, other = self.trial.root(a), self.trial.root(b)
            if one != other:
                self.trial.tied[one] = other


def _formula(*products: tuple[Term | None, Term | None]) -> Formula | None:
    """The sum of the products, where all terms are known by more than their size."""
    known = tuple((x, y) for x, y in products if x is not None and y is not None)
    return known if len(known) == len(products) else None


def _beside(own: Any, new: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(own, list | tuple) and isinstance(new, list | tuple) and len(own) == len(new) <= PARTS:
        for pair in zip(own, new, strict=True):
            yield from _beside(*pair)
    else:
        yield own, new
