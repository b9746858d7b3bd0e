"""Find other sizes at which a program's lines still run: which dimensions belong together, and which cannot be changed.

At first every dimension of every input has a size of its own. Where a line then fails, the sizes that it meets there
say what has to be equal: the search follows the lines and ties, step by step, no more than it must. Two dimensions that
are equal by chance thus become different ones.
"""

import contextlib
import copy
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from handgrad.derive.read.calls import is_array
from handgrad.derive.verify.layout import PARTS, Layout, Slot
from handgrad.derive.verify.running import Failure, Forward, reseed

TRIALS, SECONDS = 150, 1.5
"""How many runs, and how much of the thread's own time, a search may take; where it takes more, all sizes stay."""
LARGEST = 50_000
"""No array of more elements than this is made to look for sizes, unless the program's own is larger."""
PRIMES = [p for p in range(3, 600) if all(p % q for q in range(2, int(p**0.5) + 1))]
CHOSEN = ("value", "tied", "fixed", "choice", "alone", "derived", "formula")
Pairs = list[tuple[int, int]]
Term = int | Slot
Formula = tuple[tuple[Term, Term], ...]
"""A size as a sum of products of two other ones."""


@dataclass(frozen=True)
class Sizes:
    """Sizes at which the lines run: one for every slot, and those of the program's own that the lines fix."""

    placed: Mapping[Slot, int]
    fixed: tuple[int, ...]


def sizes_of(value: Any) -> list[int]:
    """The sizes in a value, in order: those of arrays, whole numbers, and what lists and dicts of them hold."""
    if is_array(value):
        return list(value.shape)
    if type(value) is int:
        return [value]
    if isinstance(value, list | tuple) and len(value) <= PARTS:
        return [size for part in value for size in sizes_of(part)]
    if type(value) is dict and len(value) <= PARTS:
        return [size for part in value.values() for size in sizes_of(part)]
    return []


def paired(own: Any, new: Any) -> Pairs:
    """The sizes in the program's own value beside those in the value of now."""
    old, now = sizes_of(own), sizes_of(new)
    return [pair for pair in zip(old, now, strict=True) if pair[0] > 1] if len(old) == len(now) else []


class Trial:
    """Sizes as they are chosen now, and how far the lines run at them.

    `value` holds the size of each group of tied dimensions, by its root; `fixed` are the roots that keep the program's
    own; `choice` says which of its `options` a number or a range of indices is; `placed` is what came of it.

    Args:
        forward: the lines.
        layout: the sizes in what they start from.
        seed: for the values.
        like: a trial whose ties are taken over; where it is left out, nothing is tied.
        avoid: a trial whose sizes are not to be used again.
    """

    def __init__(
        self, forward: Forward, layout: Layout, seed: int, like: "Trial | None" = None, avoid: "Trial | None" = None
    ):
        """See the class."""
        self.forward, self.layout, self.seed = forward, layout, seed
        self.order = [slot for name in forward.given for slot in layout.slots[name]]
        self.slots = [slot for slot in self.order if slot.kind == "dim"]
        self.own: list[dict[str, Any]] = like.own if like else self._own()
        self.whole = like.whole if like else self._whole()
        self.tied: dict[Slot, Slot] = dict(like.tied) if like else {}
        self.fixed: set[Slot] = set(like.fixed) if like else {s for s in self.slots if (s.name, s.axis) in self.whole}
        self.choice: dict[Slot, int] = dict(like.choice) if like else {}
        self.formula: dict[Slot, Formula] = dict(like.formula) if like else {}
        self.value: dict[Slot, int] = {}
        self.alone: dict[Slot, int] = {}
        for slot in like.alone if like else ():
            self.give_alone(slot, {avoid.alone[slot]} if avoid else set())
        self.value = self._start(avoid.value if avoid else {}, 0.7 if avoid else 1.0)
        self.freeing: Slot | None = None
        self.derived: set[Slot] = set(self.formula)
        self.placed: dict[Slot, int] = {}
        self.options: dict[Slot, list[int]] = {}
        self.snapshots: list[dict[str, Any]] = []
        self.trials, self.end = 0, time.thread_time() + SECONDS

    @property
    def spent(self) -> bool:
        """Whether the search has taken long enough."""
        return self.trials > TRIALS or time.thread_time() > self.end

    @property
    def state(self) -> dict[str, Any]:
        """What is chosen now, to go back to."""
        return {name: copy.copy(vars(self)[name]) for name in CHOSEN}

    @state.setter
    def state(self, state: dict[str, Any]) -> None:
        vars(self).update(state)

    def _own(self) -> list[dict[str, Any]]:
        """What every name is before each step, and at the end, of the program's own run."""
        values, seen = self.forward.start(), []
        self.forward.run(values, before=lambda _: seen.append(dict(values)))
        return [*seen, values]

    def _whole(self) -> set[tuple[str, int]]:
        """The dimensions of which every place is written in the program as a number, as those of a loop written out."""
        places: dict[tuple[str, int], set[int]] = {}
        for name, axis, index in (place for step in self.forward.steps for place in step.places):
            places.setdefault((name, axis), set()).add(index)
        shapes = {key: _shape(self.own[-1].get(key[0])) for key in places}
        return {
            (name, axis)
            for (name, axis), found in places.items()
            if axis < len(shapes[name, axis])
            and {i % shapes[name, axis][axis] for i in found} == {*range(shapes[name, axis][axis])}
        }

    def tie_equal(self) -> None:
        """Tie all dimensions that have the same size in the program."""
        first: dict[int, Slot] = {}
        for slot in self.slots:
            if first.setdefault(slot.size, slot) != slot:
                self.tied[slot] = first[slot.size]
        self.value = self._start({}, 1.0)

    def root(self, slot: Slot) -> Slot:
        """The dimension that stands for the group of a dimension."""
        while slot in self.tied:
            slot = self.tied[slot]
        return slot

    def roots(self) -> list[Slot]:
        """One dimension of each group, in the order of their first use."""
        return [slot for slot in self.slots if slot not in self.tied]

    def _start(self, others: Mapping[Slot, int], scale: float) -> dict[Slot, int]:
        """Pairwise distinct primes, in the order of the program's own sizes and of about the same size."""
        value: dict[Slot, int] = {}
        floor = 0.0
        for slot in sorted(self.roots(), key=lambda slot: slot.size):
            wanted = max(floor, scale * min(slot.size, 16 + slot.size / 8, 40))
            taken = {slot.size, others.get(slot, 0), *self.alone.values()}
            value[slot] = slot.size if slot in self.fixed else self._prime(wanted, taken)
            floor = floor if slot in self.fixed else value[slot] + 1
        return value

    def _prime(self, least: float, taken: set[int]) -> int:
        """The first prime from a number on that is not written in the program, and none that is taken."""
        written = {n for step in self.forward.steps for n in step.literals}
        return next(p for p in PRIMES if p >= least and p not in written and p not in taken)

    def give_alone(self, slot: Slot, taken: Iterable[int] = ()) -> int:
        """Give a number a size that nothing else has."""
        self.alone[slot] = self._prime(
            min(slot.size, 16), {slot.size, *self.value.values(), *self.alone.values(), *taken}
        )
        return self.alone[slot]

    def run(self) -> Failure | None:
        """Run the lines at the sizes as they are chosen now, from the first one that is not as it was."""
        self.trials += 1
        self._compute()
        reseed(self.seed)
        begin, placed = 0, {}
        for k in range(len(self.snapshots) - 1):
            before = {slot: self.placed.get(slot) for name in self._first(k) for slot in self.layout.slots[name]}
            self.env = self.snapshots[k]
            with contextlib.suppress(MemoryError):
                if (now := self._placement(k, placed)) == before:
                    placed.update(now)
                    begin = k + 1
                    continue
            break
        self.snapshots = self.snapshots[: begin + 1] if begin else []
        self.env = dict(self.snapshots[begin]) if begin else self._constants()
        self.placed = placed
        failure = self.forward.run(self.env, begin=begin, before=self._prepare)
        if failure is None:
            self.snapshots.append(dict(self.env))
            failure = self._irregular(len(self.forward.steps))
        return failure

    def _compute(self) -> None:
        """Compute anew what is computed from other sizes."""
        for root in sorted((r for r in self.formula if r not in self.tied), key=lambda r: r.size):
            new = sum(self._term(a) * self._term(b) for a, b in self.formula[root])
            if root not in self.fixed:
                self.value[root] = new

    def _term(self, term: Term) -> int:
        if isinstance(term, int):
            return term
        known = self.alone.get(term) or self.placed.get(term, term.size)
        return known if term.kind == "int" else self.value[self.root(term)]

    def _constants(self) -> dict[str, Any]:
        before = self.forward.program.before
        return {name: value for name, value in before.items() if name not in self.layout.slots}

    def _first(self, k: int) -> list[str]:
        return [name for name in self.forward.given if self.forward.first_read[name] == k]

    def _prepare(self, k: int) -> None:
        """Make what a step is the first to read."""
        if (failure := self._irregular(k)) is not None:
            raise failure
        if k >= len(self.snapshots):
            self.snapshots.append(dict(self.env))
        self.placed.update(self._placement(k, self.placed))
        for name in self._first(k):
            random = np.random.default_rng([self.seed, self.forward.given.index(name)])
            self.env[name] = self.layout.value(name, self.placed, random)

    def _irregular(self, k: int) -> Failure | None:
        """A failure where the step before made what has dimensions of another kind than in the program.

        Parts of one shape stay of one shape, ones stay ones, and what is written out place by place keeps its size.
        """
        names = self.forward.steps[k - 1].makes if k else ()
        shapes = [(_shape(self.own[k].get(name)), _shape(self.env.get(name))) for name in names]
        if len({own for own, _ in shapes}) == 1 < len({new for _, new in shapes}):
            return Failure(k - 1, (1 << 29,), None, ValueError(f"{', '.join(names)} are no longer of one shape"))
        for name, (own, new) in zip(names, shapes, strict=True):
            if len(own) != len(new) or any(not self._fits(name, i, own[i], new[i]) for i in range(len(own))):
                return Failure(k - 1, (1 << 30,), None, ValueError(f"{name} has shape {new} in the place of {own}"))
        return None

    def _fits(self, name: str, axis: int, own: int, new: int) -> bool:
        return own == new if own <= 1 or (name, axis) in self.whole else new > 1

    def _placement(self, k: int, placed: Mapping[Slot, int]) -> dict[Slot, int]:
        """The sizes of what a step is the first to read."""
        names = self._first(k)
        slots = [slot for name in names for slot in self.layout.slots[name]]
        now = {slot: self.value[self.root(slot)] for slot in slots if slot.kind == "dim"}
        for name in names:
            dims = [s for s in self.layout.slots[name] if s.kind == "dim"]
            for path in {s.path for s in dims}:
                here = [s for s in dims if s.path == path]
                if np.prod([now[s] for s in here]) > max(LARGEST, np.prod([s.size for s in here])):
                    raise MemoryError(name)
        for kind in ("int", "top"):
            for slot in slots:
                if slot.kind == kind:
                    self.options[slot] = list(dict.fromkeys(self._options(slot, k, names, {**placed, **now})))
                    now[slot] = self._chosen(slot)
        return now

    def _chosen(self, slot: Slot) -> int:
        options, chosen = self.options[slot], self.choice.get(slot, 0)
        return self.alone.get(slot) or (options[min(chosen, len(options) - 1)] if options else slot.size)

    def _options(self, slot: Slot, k: int, names: list[str], placed: Mapping[Slot, int]) -> Iterator[int]:
        """New sizes that a number, or the range of indices, may stand for, the likeliest first."""
        step = self.forward.steps[k]
        beside = [pair for name in sorted(step.reads) if name != slot.name for pair in self._pairs(name, k)]
        beside += [(s.size, placed[s]) for s in self._dims(n for n in names if n != slot.name)]
        if slot.kind == "top":
            beside += [(s.size, placed[s]) for s in placed if s.kind == "int" and s.name in step.reads]
        known = [pair for name, value in self.env.items() if is_array(value) for pair in self._pairs(name, k)]
        known += [(s.size, self.value[self.root(s)]) for s in self.slots if s.name != slot.name]
        known += [(s.size, new) for s, new in placed.items() if s.kind == "int"]
        known += [(s.size, self.value[self.root(s)]) for s in self._dims([slot.name])]
        for pairs in (beside, known):
            yield from (new for own, new in pairs if own == slot.size)
            if slot.kind == "top":
                yield from (new for own, new in sorted(pairs) if own > slot.size)

    def _dims(self, names: Iterable[str]) -> list[Slot]:
        return [s for name in names for s in self.layout.slots[name] if s.kind == "dim"]

    def _pairs(self, name: str, k: int) -> Pairs:
        new = self.env.get(name)
        return paired(self.own[k].get(name), new) if is_array(new) or isinstance(new, list | tuple | dict) else []

    def fixed_sizes(self) -> tuple[int, ...]:
        """The program's own sizes that had to stay."""
        return tuple(dict.fromkeys(slot.size for slot in self.slots if self.root(slot) in self.fixed))


def _shape(value: Any) -> tuple[int, ...]:
    return tuple(value.shape) if is_array(value) else ()
