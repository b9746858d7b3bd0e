"""Changes of sizes that may take a run past a failure, the one that ties least first."""

import ast
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from handgrad.derive.read.calls import evaluated, is_array
from handgrad.derive.verify.layout import Slot
from handgrad.derive.verify.running import Failure
from handgrad.derive.verify.sizes import Pairs, Trial, paired, sizes_of

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

    def __init__(self, trial: Trial, failure: Failure):  # noqa: D107
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
        """One change after the other."""
        trial = self.trial
        if trial.freeing is not None:
            multiples = [r for r in self.here if r.size % trial.freeing.size == 0 and r.size > trial.freeing.size]
            yield from self._view(multiples) if self._viewed() else self._computations(multiples)
            return
        yield from self.equations(set(trial.value) - trial.fixed)
        yield from self._view(self.here)
        for root in self.here:
            for new in self._others(root):
                yield lambda root=root, new=new: self._set(root, new)
        yield from self._at_once()
        yield from self._choices()
        yield from self._fixings(r for r in self.here if r.size in self.step.literals and r.size > max(FACTORS))
        yield from self._computations([*self.here, *self.rest])
        literals = {n for step in trial.forward.steps for n in step.literals}
        yield from self._fixings(r for r in (*self.here, *self.rest) if r.size in literals)
        yield from self._fixings(self.here)
        yield from self._fixings([*self.here, *self.rest])

    def equations(self, roots: set[Slot]) -> list[Move]:
        """For operands that do not fit: what makes each pair of their dimensions equal, by a change of `roots`."""
        found: list[Move] = []
        for pairs in self._operands():
            moves: list[Move] = []
            for (size, n), (other, m) in pairs:
                if n != m and size == other > 1:
                    ways = [(r, b) for r in reversed(self.trial.roots()) if r in roots and r.size == size
                            for a, b in ((n, m), (m, n)) if self.trial.value[r] == a]  # fmt: skip
                    if not ways:
                        break
                    moves.append(lambda root=ways[0][0], new=ways[0][1]: self._set(root, new))
            else:
                if moves:
                    found.append(lambda moves=moves: [move() for move in moves])
        return found

    def _operands(self) -> Iterator[list[tuple[tuple[int, int], tuple[int, int]]]]:
        """For each two operands of what failed, the dimensions that have to be equal, as they were and as they are."""
        node, product = self.node, False
        parts: list[ast.expr] = []
        if isinstance(node, ast.BinOp | ast.AugAssign):
            parts = [node.left, node.right] if isinstance(node, ast.BinOp) else [node.target, node.value]
            product = isinstance(node.op, ast.MatMult)
        elif isinstance(node, ast.Compare):
            parts = [node.left, *node.comparators]
        elif isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
            product = name in PRODUCTS
            parts = [*([node.func.value] if name else []), *node.args, *(k.value for k in node.keywords)]
        both = [(own, new) for own, new in map(self._both, parts) if is_array(own) and is_array(new)]
        dims: list[Dims] = [list(zip(own.shape, new.shape, strict=False)) for own, new in both]
        for a, b in itertools.combinations([d for d in dims if d], 2):
            inner = [(a[-1], b[-2] if len(b) > 1 else b[-1])]
            batch = zip(reversed(a[:-2]), reversed(b[:-2]), strict=False)
            yield [*inner, *batch] if product else list(zip(reversed(a), reversed(b), strict=False))

    def _viewed(self) -> ast.expr | None:
        """What is viewed, where a view failed."""
        node = self.node
        is_view = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in VIEWS
        return node.func.value if is_view else None  # type: ignore[union-attr]

    def _view(self, roots: list[Slot]) -> list[Move]:
        """For a view that does not hold what its tensor holds: sizes with which it does."""
        viewed = self._viewed()
        if viewed is None or not isinstance(self.node, ast.Call):
            return []
        given = evaluated(viewed, self.trial.env)
        wanted = [size for a in self.node.args for size in sizes_of(evaluated(a, self.trial.env))]
        if not is_array(given) or not wanted or -1 in wanted:
            return []
        value, count = self.trial.value, math.prod(given.shape)
        needed = [(r, value[r] * math.prod(wanted) / count) for r in roots if count]
        return [lambda r=r, n=int(n): self._set(r, n) for r, n in needed if n == int(n) > 1 and n != value[r]]

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
        for wanted in (given, first):
            ways = [(r, wanted[r.size]) for r in direct if wanted.get(r.size, self.trial.value[r]) != self.trial.value[r]]
            if len(ways) > 1:
                yield lambda ways=ways: [self._set(r, new) for r, new in ways]

    def _choices(self) -> Iterator[Move]:
        trial = self.trial
        names = [*sorted(self.step.reads), *trial.layout.slots]
        for slot in dict.fromkeys(s for n in names for s in trial.layout.slots.get(n, ()) if s in trial.options):
            for option in range(len(trial.options[slot])):
                if option != trial.choice.get(slot, 0):
                    yield lambda slot=slot, option=option: trial.choice.__setitem__(slot, option)

    def _computations(self, roots: list[Slot]) -> Iterator[Move]:
        for root in roots:
            for new in dict.fromkeys(self._computed(root)):
                if new != self.trial.value[root]:
                    yield lambda root=root, new=new: self._set(root, new)

    def _computed(self, root: Slot) -> Iterator[int]:
        """Products, multiples and sums of other sizes that give the program's own."""
        trial, size = self.trial, root.size
        pairs = [(s.size, trial.value[trial.root(s)]) for s in trial.slots if trial.root(s) != root]
        pairs += [(s.size, n) for s, n in trial.placed.items() if s.kind == "int"]
        pairs += [(own, new) for own, new in self.pairs if own != size]
        known: dict[int, list[int]] = {}
        for own, new in dict.fromkeys(pairs):
            known.setdefault(own, []).append(new)
        numbers = {*FACTORS, *(n for step in trial.forward.steps for n in step.literals)}
        for k in [k for k in sorted({*numbers, *known}) if size % k == 0 and 1 < k < size]:
            for new in (*known.get(size // k, ()), trial.value[root]):
                yield from (m * new for m in ((k,) if k in numbers else known[k]))
        for k in known:
            yield from (a + b for a in known[k] for b in known.get(size - k, ()))
        for d in (1, -1):
            yield from (a + d for a in known.get(size - d, ()))
            yield from (2 * a + d for a in known.get((size - d) // 2, ()) if (size - d) % 2 == 0)

    def _fixings(self, roots: Iterable[Slot]) -> Iterator[Move]:
        roots = list(roots)
        for some in (*([root] for root in roots), roots):
            if some:
                yield lambda some=some: self._fix(some)

    def _set(self, root: Slot, new: int) -> None:
        trial = self.trial
        same = (r for r in trial.roots() if r != root and r.size == root.size and trial.value[r] == new)
        target = next(same, None)
        if target is not None:
            trial.tied[root] = target
        else:
            trial.value[root] = new
            trial.derived.add(root)

    def _fix(self, roots: list[Slot]) -> None:
        for root in roots:
            self.trial.fixed.add(root)
            self.trial.value[root] = root.size
