"""The search for other sizes: where a run fails, change the sizes that it met there, and see if it gets farther."""

import ast
import math
from collections.abc import Callable, Iterator
from typing import Any

from handgrad.derive.read.calls import evaluated, is_array
from handgrad.derive.verify.layout import Layout, Slot
from handgrad.derive.verify.running import Failure, Forward
from handgrad.derive.verify.sizes import Pairs, Sizes, Trial, paired, sizes_of

FACTORS = (2, 3, 4, 8)
VIEWS = ("view", "reshape", "unflatten")
Move = Callable[[], object]


def other_sizes(forward: Forward, layout: Layout) -> list[Sizes]:
    """Two assignments of sizes other than the program's own, one where no second is found, none where none is.

    Args:
        forward: the lines.
        layout: the sizes in what they start from.
    """
    first = Trial(forward, layout, seed=0)
    if not first.slots or not _solved(first):
        return []
    _free_numbers(first)
    second = Trial(forward, layout, seed=1, like=first)
    third = Trial(forward, layout, seed=2, like=first, avoid=second)
    found = [trial for trial in (second, third) if _solved(trial)] or [first]
    return [Sizes(trial.placed, trial.fixed_sizes()) for trial in found]


def _solved(trial: Trial) -> bool:
    """Whether sizes are found at which all lines run."""
    failure = _run(trial)
    while failure is not None:
        farther = _past(trial, failure)
        if farther is failure:
            return False
        failure = farther
    return True


def _run(trial: Trial) -> Failure | None:
    """A run, where what was computed from other sizes is computed anew as often as it is out of date."""
    failure = trial.run()
    for _ in range(3):
        moves = [] if failure is None else _Moves(trial, failure).equations(trial.derived)
        if failure is None or not moves:
            break
        before = trial.state
        for move in moves:
            move()
        again = trial.run()
        if again is not None and again.progress <= failure.progress:
            trial.state = before
            break
        failure = again
    return failure


def _past(trial: Trial, failure: Failure) -> Failure | None:
    """What comes of the first change after which a run gets farther; the same failure where none does."""
    for move in _Moves(trial, failure).all():
        if trial.spent:
            return failure
        before = trial.state
        move()
        reached = _run(trial)
        if reached is None or reached.progress > failure.progress:
            return reached
        trial.state = before
    return failure


def _free_numbers(trial: Trial) -> None:
    """Give numbers that decide on a shape, such as a count of heads, a size of their own where the lines allow it.

    A number that decides on no shape, such as the n of a mean, goes with the dimension that it is the size of.
    """
    made = {name for step in trial.forward.steps for name in step.makes.values()}
    for slot in [slot for slot in trial.order if slot.kind == "int"]:
        if any(root.size % slot.size == 0 and root.size > slot.size for root in trial.roots()):
            before, trial.freeing = trial.state, slot
            alone = trial.give_alone(slot)
            if not _solved(trial) or all(alone not in sizes_of(trial.env.get(name)) for name in made):
                trial.state = before
    trial.freeing = None
    trial.run()


class _Moves:
    """Changes of the sizes that may take a run past a failure, the one that ties least first."""

    def __init__(self, trial: Trial, failure: Failure):
        self.trial, self.failure = trial, failure
        self.step = trial.forward.steps[failure.step]
        self.pairs = self._met()
        met = {new for _, new in self.pairs}
        free = [root for root in reversed(trial.roots()) if root not in trial.fixed]
        self.here = [r for r in free if trial.value[r] in met or self._is_read(r)]
        self.rest = [r for r in free if r not in self.here]

    def _met(self) -> Pairs:
        """The sizes that stand where the run failed: the program's own, and those of now."""
        found: Pairs = []
        for node in ast.walk(self.failure.node) if self.failure.node is not None else ():
            if isinstance(node, ast.expr) and node is not self.failure.node:
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
            yield from self._view(multiples) if self._is_view() else self._computations(multiples)
            return
        if together := self.equations(set(trial.value) - trial.fixed):
            yield lambda: [move() for move in together]
        yield from self._view(self.here)
        for root in self.here:
            for new in self._others(root):
                yield lambda root=root, new=new: self._set(root, new)
        direct = [r for r in self.here if self._others(r) and self._is_read(r)]
        if len(direct) > 1:
            yield lambda: [self._set(r, self._others(r)[0]) for r in direct]
        yield from self._choices()
        written = [r for r in self.here if r.size in self.step.literals and r.size > max(FACTORS)]
        yield from self._fixings(written)
        yield from self._computations([*self.here, *self.rest])
        literals = {n for step in trial.forward.steps for n in step.literals}
        yield from self._fixings([r for r in (*self.here, *self.rest) if r.size in literals])
        yield from self._fixings(self.here)
        yield from self._fixings([*self.here, *self.rest])

    def equations(self, roots: set[Slot]) -> list[Move]:
        """For an operator whose operands do not fit: what makes each pair of dimensions equal, by changing `roots`."""
        node = self.failure.node
        if isinstance(node, ast.BinOp):
            left, right = node.left, node.right
        elif isinstance(node, ast.AugAssign):
            left, right = node.target, node.value
        else:
            return []
        (own, new), (own_right, new_right) = self._both(left), self._both(right)
        if not (is_array(new) and is_array(new_right) and is_array(own) and is_array(own_right)):
            return []
        a, b = list(zip(own.shape, new.shape, strict=False)), list(zip(own_right.shape, new_right.shape, strict=False))
        if isinstance(node.op, ast.MatMult):
            inner = [(a[-1], b[-2] if len(b) > 1 else b[-1])] if a and b else []
            both = [*inner, *zip(reversed(a[:-2]), reversed(b[:-2]), strict=False)]
        else:
            both = list(zip(reversed(a), reversed(b), strict=False))
        moves: list[Move] = []
        for (size, n), (other, m) in both:
            if n != m and size == other > 1:
                found = [(r, new) for r in reversed(self.trial.roots()) if r in roots and r.size == size
                         for old, new in ((n, m), (m, n)) if self.trial.value[r] == old]  # fmt: skip
                if not found:
                    return []
                moves.append(lambda root=found[0][0], new=found[0][1]: self._set(root, new))
        return moves

    def _view(self, roots: list[Slot]) -> list[Move]:
        """For a view that does not hold what its tensor holds: sizes with which it does."""
        node = self.failure.node
        if not self._is_view():
            return []
        assert isinstance(node, ast.Call)
        assert isinstance(node.func, ast.Attribute)
        given = evaluated(node.func.value, self.trial.env)
        wanted = [size for a in node.args for size in sizes_of(evaluated(a, self.trial.env))]
        if not is_array(given) or not wanted or -1 in wanted:
            return []
        count = math.prod(given.shape)
        needed = [(r, self.trial.value[r] * math.prod(wanted) / count) for r in roots if count]
        return [
            lambda r=r, n=n: self._set(r, int(n)) for r, n in needed if n == int(n) > 1 and n != self.trial.value[r]
        ]

    def _is_view(self) -> bool:
        node = self.failure.node
        return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in VIEWS

    def _others(self, root: Slot) -> list[int]:
        """The sizes that stand, where the run failed, for the same size of the program's own."""
        trial = self.trial
        computed = [trial.value[r] for r in trial.roots() if r.size == root.size and r in trial.derived]
        found = (new for own, new in self.pairs if own == root.size and new > 1)
        return [new for new in dict.fromkeys((*found, *computed)) if new != trial.value[root]]

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
        numbers = {n for step in trial.forward.steps for n in step.literals}
        factors = [k for k in sorted({*FACTORS, *numbers, *known}) if size % k == 0 and 1 < k < size]
        for k in factors:
            for new in (*known.get(size // k, ()), trial.value[root]):
                yield from (m * new for m in (known.get(k, ()) if k not in (*FACTORS, *numbers) else (k,)))
        for k in known:
            yield from (a + b for a in known[k] for b in known.get(size - k, ()))
        for d in (1, -1):
            yield from (a + d for a in known.get(size - d, ()))
            yield from (2 * a + d for a in known.get((size - d) // 2, ()) if (size - d) % 2 == 0)

    def _fixings(self, roots: list[Slot]) -> Iterator[Move]:
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
