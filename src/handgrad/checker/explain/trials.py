"""Try edits of a line: on copies, on small tensors where the line's own are large, and within a bound of work."""

import ast
import contextlib
import functools
import math
import time
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from types import CodeType
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from handgrad.checker.judge.blame import Judge, Judgement
from handgrad.checker.read.trees import Edit, in_place, locate, statement
from handgrad.checker.run.machine import compile_statement
from handgrad.checker.run.trace import Step
from handgrad.checker.truth import situations
from handgrad.checker.truth.cases import Case, Outcome, evaluate
from handgrad.checker.truth.chains import Plan
from handgrad.checker.truth.compare import agrees, as_tensor
from handgrad.checker.truth.reduce import Reduction

MOST_WORK = 8000
"""What the trials for one line may cost together; one of a short line on small tensors costs little more than 1."""
LARGE = 2.5
"""The cost of a single trial from which on smaller tensors are used."""
LAST_RESORT = 6.0
"""Seconds of processor time after which trials end all the same."""

Change = tuple[Edit, Step]


class Effort(TorchFunctionMode):
    """Counts what runs inside: the calls of torch, and the elements they make, those of a product more."""

    def __init__(self):
        """Nothing has run yet."""
        super().__init__()
        self.calls, self.elements = 0, 0

    def __torch_function__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        """Run `func` and count it."""
        out = func(*args, **(kwargs or {}))
        self.calls += 1
        if isinstance(out, Tensor):
            product = getattr(func, "__name__", "") in ("matmul", "__matmul__", "mm", "bmm", "einsum")
            inner = args[0].shape[-1] if product and isinstance(args[0], Tensor) and args[0].dim() else 0
            self.elements += out.numel() * (1 + inner // 32)
        return out

    @property
    def cost(self) -> float:
        """About a third of a millisecond each."""
        return 1 + self.calls / 100 + self.elements / 2**17


@dataclass
class Setting:
    """The cases in which a plan is tried, in the sizes of the program or in others; `exact` means in shape too."""

    judge: Judge
    plan: Plan
    cases: list[Case]
    reduction: Reduction | None = None
    exact: bool = False
    cost: float = field(init=False)
    temporaries: list[Step] = field(init=False)
    outcome: Outcome = field(init=False)
    changed: set[str] = field(init=False)

    def __post_init__(self):
        """Run the user's own line once, to see what it makes and what it costs."""
        with Effort() as effort:
            self.outcome = evaluate(self.judge.machine, self.plan, self.cases[0])
        self.cost = effort.cost
        self.temporaries = temporaries(self.judge, self.plan)
        self.changed = {*self.outcome.changed, *(n for s in self.plan.steps for n in (*s.changes, *s.gradients))}

    def step(self, step: Step) -> Step:
        """The step that stands for one of the program's."""
        return self.reduction.steps.get(step, step) if self.reduction else step

    def code(self, node: Any, file: str) -> CodeType:
        """A statement, compiled for the sizes here."""
        return compile_statement(self.reduction.node(node) if self.reduction else node, file)

    def got(self, case: Case, codes: dict[Step, tuple[CodeType, set[str]]]) -> Tensor | None:
        """What the plan makes with other code for some steps, where it has the right shape and spoils nothing else."""
        plan = self._with(codes)
        outcome = evaluate(self.judge.machine, plan, case, codes)
        if outcome.got is None or outcome.changed.keys() - self.changed:
            return None
        tensor = as_tensor(outcome.got, case.want)
        single = not self.exact and tensor is not None and tensor.numel() == case.want.numel() == 1
        return tensor if tensor is not None and (tensor.shape == case.want.shape or single) else None

    def _with(self, changed: Collection[Step]) -> Plan:
        """The plan, with the changed steps that are no part of it, and the temporaries that depend on these or begin
        what these change in place.
        """
        missing = [s for s in changed if s not in self.plan.steps]
        if not missing:
            return self.plan
        while True:
            begun, anew = set().union(*(s.changes for s in missing)), set().union(*(s.writes for s in missing))
            more = [s for s in self.temporaries if s not in missing and (s.writes & begun or s.reads & anew)]
            if not more:
                break
            missing += more
        steps = [*sorted(missing, key=lambda s: s.index), *self.plan.steps]
        return replace(self.plan, steps=steps)


def temporaries(judge: Judge, plan: Plan) -> list[Step]:
    """The statements that prepare, from forward values alone, what a plan's statements use.

    Such as `pdf = torch.exp(-0.5 * u * u)`. They stand after the loss, or nothing on the way to it reads them.
    """
    loss, _ = judge.truth.located(plan.chain)
    end = loss.step.index if loss.step else -1
    on_the_way = {value.step for value in judge.truth.forward.ancestors(loss)}
    steps = plan.chain.region.steps
    wanted = set().union(*(s.reads for s in plan.steps))
    found: list[Step] = []
    for step in reversed(steps[: steps.index(plan.chain.last)]):
        if step in plan.steps or not step.writes & wanted or step.binds & step.reads:
            continue
        forward = [s for s in steps if s.reads & step.writes and not s.backward and s not in found and s.index <= end]
        apart = not (step.plain or step.changes or forward or step in on_the_way)
        if not step.backward and (step.index > end or apart):
            found.append(step)
            wanted |= step.reads
    return found[::-1]


def small_setting(judge: Judge, judgement: Judgement) -> Setting | None:
    """The same fault in a program of small sizes; None where none could be made that shows it."""
    for small, found, reduction in judge.in_small(judgement):
        if found.fault not in (None, "missing"):
            return Setting(small, found.plan, _all_cases(small, found), reduction, judgement.fault == "shape")
    return None


def other_setting(judge: Judge, judgement: Judgement, raises: bool) -> Setting | None:
    """The same in a program of other sizes; None where none could be made that runs, or `raises` as this one does."""
    for other, found, reduction in judge.in_other_sizes(judgement):
        setting = Setting(other, found.plan, _all_cases(other, found), reduction, judgement.fault == "shape")
        if (setting.outcome.error is not None) == raises:
            return setting
    return None


def _all_cases(judge: Judge, judgement: Judgement) -> list[Case]:
    """The cases a repair must get right, the one that fails first."""
    first = judgement.failing or judgement.cases[0]
    more = situations.general(judge.truth, judgement.plan) if judgement.fault in ("wrong", "masked") else ()
    return [first, *(c for c in judgement.cases if c is not first), *more]


class Trials:
    """Tries changes to one chain, and keeps count of the work."""

    def __init__(self, judge: Judge, judgement: Judgement):
        """Settle in which sizes the changes are tried."""
        self.judge, self.judgement, self.chain = judge, judgement, judgement.chain
        exact = judgement.fault == "shape"
        self.full = Setting(judge, judgement.plan, [judgement.failing or judgement.cases[0]], exact=exact)
        small = small_setting(judge, judgement) if self.full.cost > LARGE else None
        if small is not None and small.cost < self.full.cost / 2:
            self.settings = [small, self.full]
        else:
            self.full.cases = _all_cases(judge, judgement)
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
        self._made = None
        for setting in self.settings:
            with _edited(changes) as steps:
                if steps is None or not self._holds(setting, steps, changes):
                    return False
        return True

    def right_elsewhere(self, *changes: Change) -> bool:
        """Whether edits that are right here are right in other sizes too, as far as the program runs in such."""
        if self.elsewhere is None:
            return True
        with _edited(changes) as steps:
            return steps is not None and self._holds(self.elsewhere, steps, changes)

    @functools.cached_property
    def elsewhere(self) -> Setting | None:
        """The program in other sizes."""
        raises = self.full.outcome.error is not None
        return None if self.judge.truth.is_large else other_setting(self.judge, self.judgement, raises)

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
            names = set().union(*(edit.names for edit, changed in changes if changed is step)) - step.reads
            codes[setting.step(step)] = code, names | self._read_inside(names) | step.reads
            codes |= {setting.step(s): (setting.step(s).code, s.reads) for s in self._begun(step, names)}
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
                return False
        return True

    def _begun(self, step: Step, names: Collection[str]) -> list[Step]:
        """The statements that begin what a statement writes itself, and an edit makes it read first."""
        wanted, found, known = set(names) & step.binds, [], self.case.values | self.case.gradients
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
