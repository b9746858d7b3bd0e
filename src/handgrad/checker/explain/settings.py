"""Where edits of a line are tried: in the sizes of the program, in small or other ones; and what a try costs there."""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from types import CodeType
from typing import Any

from torch import Tensor
from torch.overrides import TorchFunctionMode

from handgrad.checker.judge.blame import Judge, Judgement
from handgrad.checker.run.machine import compile_statement
from handgrad.checker.run.trace import Step
from handgrad.checker.truth import situations
from handgrad.checker.truth.cases import Case, Outcome, evaluate
from handgrad.checker.truth.chains import Plan
from handgrad.checker.truth.compare import as_tensor
from handgrad.checker.truth.reduce import Reduction


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
            begun = set().union(*(s.changes | _goes_on(s) for s in missing))
            anew = set().union(*(s.writes for s in missing))
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
        if step in plan.steps or not step.writes & wanted:
            continue
        forward = [s for s in steps if s.reads & step.writes and not s.backward and s not in found and s.index <= end]
        apart = not (step.plain or step.changes or forward or step in on_the_way)
        if not step.backward and (step.index > end or apart):
            found.append(step)
            wanted |= step.reads
    begun: set[str] = set()
    for step in reversed(found):
        begun |= set() if _goes_on(step) - begun else step.writes
    return [step for step in reversed(found) if _goes_on(step) <= begun]


def _goes_on(step: Step) -> set[str]:
    """The names that a statement gives another value made of the one before, as `g = g * mask` does."""
    return step.binds & step.reads


def small_setting(judge: Judge, judgement: Judgement) -> Setting | None:
    """The same fault in a program of small sizes; None where none could be made that shows it."""
    for small, found, reduction in judge.in_small(judgement):
        if found.fault not in (None, "missing"):
            return Setting(small, found.plan, all_cases(small, found), reduction, judgement.fault == "shape")
    return None


def other_setting(judge: Judge, judgement: Judgement, raises: bool) -> Setting | None:
    """The same in a program of other sizes; None where none could be made that runs, or `raises` as this one does."""
    for other, found, reduction in judge.in_other_sizes(judgement):
        setting = Setting(other, found.plan, all_cases(other, found), reduction, judgement.fault == "shape")
        if (setting.outcome.error is not None) == raises:
            return setting
    return None


def all_cases(judge: Judge, judgement: Judgement) -> list[Case]:
    """The cases a repair must get right, the one that fails first."""
    first = judgement.failing or judgement.cases[0]
    more = situations.general(judge.truth, judgement.plan) if judgement.fault in ("wrong", "masked") else ()
    return [first, *(c for c in judgement.cases if c is not first), *more]
