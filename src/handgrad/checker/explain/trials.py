"""Try edits of a line: on copies, on small tensors where the line's own are large, and within a bound of work."""

import ast
import contextlib
import functools
import math
import time
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace

import torch
from torch import Tensor

from handgrad.checker.explain.settings import Setting, all_cases, other_setting, small_setting
from handgrad.checker.judge.blame import Judge, Judgement
from handgrad.checker.read.trees import Edit, in_place, locate, statement
from handgrad.checker.run.trace import Step
from handgrad.checker.truth.compare import agrees, as_tensor
from handgrad.checker.truth.reduce import KEPT

MOST_WORK = 8000
"""What the trials for one line may cost together; one of a short line on small tensors costs little more than 1."""
LARGE = 2.5
"""The cost of a single trial from which on smaller tensors are used."""
LAST_RESORT = 6.0
"""Seconds of processor time after which trials end all the same."""

Change = tuple[Edit, Step]


class Trials:
    """Tries changes to one chain, and keeps count of the work.

    `in_context` says that what was tried last is right in the program, though not with any upstream gradient.
    """

    def __init__(self, judge: Judge, judgement: Judgement):
        """Settle in which sizes the changes are tried."""
        self.judge, self.judgement, self.chain = judge, judgement, judgement.chain
        exact = judgement.fault == "shape"
        self.full = Setting(judge, judgement.plan, [judgement.failing or judgement.cases[0]], exact=exact)
        small = small_setting(judge, judgement) if self.full.cost > LARGE else None
        if small is not None and small.cost < self.full.cost / 2:
            self.settings = [small, self.full]
        else:
            self.full.cases = all_cases(judge, judgement)
            self.settings = [self.full]
        self.case = self.settings[0].cases[0]
        self.own = as_tensor(self.settings[0].outcome.got, self.case.want)
        self.results: list[tuple[Change, list[float]]] = []
        self.sampled = _telling(self.case.want)
        self._made: list[float] | None = None
        self._wanted = self._sample(self.case.want)
        largest = float(self.case.want.nan_to_num(0.0, 0.0, 0.0).abs().max()) if self.case.want.numel() else 0.0
        self._slack = self.case.noise + self.settings[0].judge.truth.tolerance * largest
        self.work, self.most_work, self.count = 0.0, float(MOST_WORK), 0
        self.in_context = False
        self._deadline, self._late = time.process_time() + LAST_RESORT, False

    def exhausted(self) -> bool:
        """Whether the work for this line is done; the clock, which is slow to read, is asked now and then."""
        self.count += 1
        if self.count % 32 == 0 and not self._late:
            self._late = time.process_time() > self._deadline
        return self._late or self.work > self.most_work

    def right(self, *changes: Change) -> bool:
        """Whether these edits together, or none, make the gradient right in each case; what one alone makes is kept."""
        found = self._all_right(changes)
        if len(changes) == 1 and self._made is not None:
            self.results.append((changes[0], self._made))
        return found

    def _all_right(self, changes: tuple[Change, ...]) -> bool:
        self._made, self.in_context = None, False
        for setting in self.settings:
            with _edited(changes) as steps:
                if steps is None or not self._holds(setting, steps, changes):
                    return False
        return True

    def right_elsewhere(self, *changes: Change) -> bool:
        """Whether edits that are right here are right in other sizes too, as far as the program runs in such."""
        if not self.elsewhere:
            return True
        with _edited(changes) as steps:
            return steps is not None and any(self._holds(setting, steps, changes) for setting in self.elsewhere)

    @functools.cached_property
    def elsewhere(self) -> list[Setting]:
        """The program in other sizes, and with them in the place of those that its lines have as numbers."""
        raises = self.full.outcome.error is not None
        other = None if self.judge.truth.is_large else other_setting(self.judge, self.judgement, raises)
        if other is None or other.reduction is None:
            return []
        numbers = {getattr(n, "value", 0) for s in self.judgement.plan.steps for n in ast.walk(s.statement.node)}
        written = frozenset(size for size in other.reduction.sizes if size > KEPT and size in numbers)
        return [other, replace(other, reduction=replace(other.reduction, written=written))] if written else [other]

    def right_after(self, line: str) -> bool:
        """Whether the gradient is right once `line` follows the statement that finishes it."""
        last, node = self.chain.last, self.chain.last.statement.node
        try:
            addition = statement(line)
        except SyntaxError:
            return False
        both = ast.If(ast.Constant(True), [node, addition], [])
        change = Edit("missing-term", 0.0, node, both, node), last
        return self._all_right((change,)) and self.right_elsewhere(change)

    def _holds(self, setting: Setting, steps: dict[Step, ast.stmt], changes: Iterable[Change]) -> bool:
        codes = {}
        for step, node in steps.items():
            try:
                code = setting.code(node, step.statement.place.unit)
            except (SyntaxError, ValueError, TypeError):
                return False
            mentioned = set().union(*(edit.names for edit, changed in changes if changed is step))
            names = mentioned - step.reads
            codes[setting.step(step)] = code, names | self._read_inside(names) | step.reads
            anew = mentioned - step.statement.names.counters if hasattr(node, "body") else names
            codes |= {setting.step(s): (setting.step(s).code, s.reads) for s in self._begun(step, anew)}
        for case in setting.cases:
            self.work += setting.cost
            got = setting.got(case, codes)
            if got is None:
                return False
            if case is self.case:
                self._made = self._sample(got)
                if not self._may_be_right(self._made):
                    return False
            if not agrees(got, case.want, case.noise, setting.judge.truth.tolerance):
                self.in_context = case.general
                return False
        return True

    def _begun(self, step: Step, names: Collection[str]) -> list[Step]:
        """The statements that make what an edit reads besides: a temporary, or what its own statement goes on with."""
        found, known = [], self.case.values | self.case.gradients
        wanted = {name for name in names if name in step.binds or name not in known}
        for earlier in reversed(self.chain.region.steps) if wanted else ():
            if earlier.index < step.index and earlier.binds & wanted:
                found += [] if earlier in self.judgement.plan.steps else [earlier]
                wanted = wanted - earlier.binds | (earlier.reads - known.keys())
        return found

    def _sample(self, tensor: Tensor) -> list[float]:
        return tensor.reshape(-1)[self.sampled].tolist()

    def _may_be_right(self, made: list[float]) -> bool:
        """Whether a few elements are right, which most trials fail."""
        return all(abs(m - w) <= self._slack or not math.isfinite(w) for m, w in zip(made, self._wanted, strict=True))

    def _read_inside(self, names: Collection[str]) -> set[str]:
        return self.judge.machine.names_read_by_functions(set(names)) if names else set()


def _telling(want: Tensor) -> Tensor:
    """A few elements of a gradient by which what two trials made can be told apart: any three that are not zero."""
    elements = want.reshape(-1).nonzero().reshape(-1)
    chosen = torch.randperm(elements.numel(), generator=torch.Generator().manual_seed(7))[:3]
    return elements[chosen]


@contextlib.contextmanager
def _edited(changes: Iterable[Change]) -> Iterator[dict[Step, ast.stmt] | None]:
    """The statements with the edits made in them for a while; None where two of them cannot be made together."""
    with contextlib.ExitStack() as stack:
        steps: dict[Step, ast.stmt] = {}
        for edit, step in changes:
            whole = step.statement.node
            if edit.old is whole:
                if step in steps:
                    yield None
                    return
                steps[step] = locate(edit.new, whole)
            elif steps.get(step, whole) is not whole or not stack.enter_context(in_place(whole, edit.old, edit.new)):
                yield None
                return
            else:
                steps[step] = whole
        yield steps
