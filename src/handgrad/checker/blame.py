"""Teacher forcing: is a line wrong itself, or does it only pass on what another line got wrong?"""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import CodeType
from typing import Any

import torch
from torch import Tensor

from handgrad.checker.compare import DOUBLE_TOLERANCE, agrees, as_tensor
from handgrad.checker.edits import Edit
from handgrad.checker.machine import InDouble, Machine, UserError
from handgrad.checker.names import gradient_of, uses
from handgrad.checker.reduce import RELATIONS, Reduction, reduced
from handgrad.checker.reference import (
    Forward,
    Value,
    other_values,
    own_gradients,
    random_like,
    run_forward,
)
from handgrad.checker.rounds import leave_rounds
from handgrad.checker.trace import Region, Step, Trace, copy_values, is_float

NEGLIGIBLE = 1e-11
"""A float64 gradient this much smaller than those it is summed from is zero up to rounding."""


@dataclass(eq=False)
class Chain:
    """The statements that together make one gradient: its first assignment and what is added to it later."""

    name: str
    variable: str
    region: Region
    steps: list[Step]

    @property
    def last(self) -> Step:
        """The statement that finishes the gradient."""
        return self.steps[-1]

    @property
    def actual(self) -> Any:
        """What the user's own run made."""
        return self.last.after.get(self.name)

    @property
    def refused(self) -> UserError | None:
        """What PyTorch refuses because a tensor requires a gradient, whatever the line computes."""
        return next((s.error for s in self.steps if s.error and "requires grad" in s.error.message), None)


@dataclass
class Plan:
    """What has to run to make a gradient alone: its own statements and the temporaries they use."""

    chain: Chain
    steps: list[Step]
    gradients: set[str]
    shadowed: dict[str, Step]
    clean: bool = False


@dataclass
class Case:
    """One situation to judge a line in: what every name holds, the other gradients, and the right answer."""

    label: str
    values: dict[str, Any]
    gradients: dict[str, Tensor]
    want: Tensor
    noise: float
    double: bool = True
    parts: list[tuple[str, Tensor]] = field(default_factory=list)
    by_variable: dict[str, Tensor] = field(default_factory=dict)


@dataclass
class Outcome:
    """What a gradient's statements made, the names they changed in place on the way, or the user's exception."""

    got: Any = None
    changed: dict[str, int] = field(default_factory=dict)
    error: Exception | None = None


def chains_of(region: Region) -> list[Chain]:
    """The region's gradients, one chain a definition, in the order in which they were finished.

    A second definition starts a new chain where the first was read by another gradient, or where it answers a later
    forward statement or stands in a later cell; otherwise it overwrites the first, and both are one chain.
    """
    found: list[Chain] = []
    latest: dict[str, Chain] = {}
    for step in region.steps:
        for name, variable in step.gradients.items():
            chain = latest.get(name)
            fresh = name in step.binds and name not in step.reads
            if chain is None or (fresh and _is_answered(chain, step)):
                chain = latest[name] = Chain(name, variable, region, [])
                found.append(chain)
            elif fresh and _only_begun(chain):
                chain.steps.clear()
            chain.steps.append(step)
    return sorted(found, key=lambda c: c.last.index)


def _is_answered(chain: Chain, again: Step) -> bool:
    if _only_begun(chain):
        return False
    steps = chain.region.steps
    between = steps[steps.index(chain.last) + 1 : steps.index(again)]
    return chain.last.statement.place.cell != again.statement.place.cell or any(
        (chain.name in s.reads and s.gradients)
        or (not s.backward and not s.plain and any(is_float(v) for v in s.after.values()))
        for s in between
    )


def _only_begun(chain: Chain) -> bool:
    """Whether the chain is so far a stub, which a later assignment may replace."""
    return chain.actual is None or chain.actual is ...


def plan_for(chain: Chain, loss_index: int = -1, clean: bool = False) -> Plan:
    """The statements to run for a gradient alone.

    With `clean`, a name of the forward pass that was used for something else after the loss is given its forward
    value again.
    """
    steps = chain.region.steps
    before_loss = set(chain.region.start) | {n for s in steps if s.index <= loss_index for n in s.writes}
    gradient_names = {n for s in steps for n in s.gradients}
    wanted: set[str] = set()
    kept: list[Step] = []
    shadowed: dict[str, Step] = {}
    for step in reversed(steps[: steps.index(chain.last) + 1]):
        if step in chain.steps:
            for name in (step.binds - set(step.gradients)) & wanted & before_loss:
                shadowed.setdefault(name, step)
            kept.append(step)
            wanted |= _needs(step)
            continue
        temporary = (step.writes - gradient_names) & wanted
        if step.index > loss_index:
            for name in temporary & before_loss:
                shadowed.setdefault(name, step)
        if not step.backward:
            continue
        if clean:
            temporary -= before_loss
        if temporary and (step.error is None or step.error.lacks(gradient_names)):
            kept.append(step)
            wanted -= step.binds - step.reads
            wanted |= _needs(step)
    reads = set().union(*(s.reads for s in kept))
    return Plan(chain, kept[::-1], (reads & gradient_names) - {chain.name}, shadowed, clean)


def _needs(step: Step) -> set[str]:
    """What a statement reads of what stands before it; a loop gives its counters their values itself."""
    return step.reads - uses(step.statement.node).counters


def evaluate(
    machine: Machine, plan: Plan, case: Case, codes: dict[Step, tuple[CodeType, set[str]]] | None = None
) -> Outcome:
    """Run a plan in a case, on copies; `codes` puts other code in the place of a step's own."""
    codes = codes or {}
    reads = set().union(*(codes[s][1] if s in codes else s.reads for s in plan.steps)) | plan.gradients
    name = plan.chain.name
    values = copy_values({n: v for n, v in case.values.items() if n in reads}, _copy)
    if name in values and name not in plan.chain.steps[0].reads:
        del values[name]
    forced = {n: case.gradients[n].clone() for n in reads | plan.gradients if n in case.gradients and n != name}
    values.update(forced)
    if any(".grad" in s.statement.text for s in plan.steps):
        for n, v in values.items():
            if is_float(v) and n in case.by_variable and case.by_variable[n].shape == v.shape:
                v.grad = case.by_variable[n].to(v.dtype)
    watched = {n: (v, v._version) for n, v in values.items() if isinstance(v, Tensor)}
    with machine.holding(values) as namespace, torch.no_grad():
        if case.double:
            with InDouble():
                return _run_plan(machine, plan, codes, namespace, forced, watched)
        return _run_plan(machine, plan, codes, namespace, forced, watched)


def _run_plan(machine, plan, codes, namespace, forced, watched) -> Outcome:
    name = plan.chain.name
    if name not in plan.chain.steps[0].reads:
        namespace.pop(name, None)
    changed: dict[str, int] = {}
    restored = {n: namespace[n] for n in plan.shadowed if n in namespace}
    for step in plan.steps:
        if step.randomness:
            step.randomness.restore(namespace)
        try:
            machine.run(codes[step][0] if step in codes else step.code)
        except Exception as error:
            return Outcome(error=error, changed=changed)
        for watched_name, (tensor, version) in watched.items():
            if watched_name != name and watched_name not in changed and tensor._version != version:
                changed[watched_name] = step.index
        for gradient in set(step.gradients) - {name}:
            if gradient in forced:
                namespace[gradient] = forced[gradient]
        if plan.clean:
            namespace.update({n: restored[n] for n in plan.shadowed if n in restored})
    return Outcome(got=namespace.get(name), changed=changed)


def _copy(tensor: Tensor) -> Tensor:
    return tensor.detach().clone(memory_format=torch.preserve_format)


@dataclass
class Judgement:
    """What teacher forcing says of one chain.

    `fault` is None for a right line, else "wrong", "masked", "shape" or "missing"; `failing` is a case the line gets
    wrong and `cases` all that a repair must get right.
    """

    chain: Chain
    plan: Plan
    want: Tensor
    true: Tensor | None = None
    fault: str | None = None
    outcome: Outcome | None = None
    failing: Case | None = None
    cases: list[Case] = field(default_factory=list)
    rescued_by_clean: bool = False


class Judge:
    """Judges the chains of one region; the forward passes it needs are run once and shared."""

    def __init__(self, trace: Trace, region: Region):
        """Run the forward pass of `region`, in float64 and in the user's own dtype."""
        self.trace, self.machine, self.region = trace, trace.machine, region
        self.generator = torch.Generator().manual_seed(20240229)
        self.double = True
        self.forward = run_forward(self.machine, region)
        if self.forward.failed:
            own = run_forward(self.machine, region, double=False)
            if len(own.failed) < len(self.forward.failed):
                self.forward, self.double = own, False
        self.own = run_forward(self.machine, region, double=False, cut=False)
        self._leave_to_their_readers()
        leave_rounds(region)
        self.skipped: dict[Chain, int] = {}
        self.repairs: list[tuple[Edit, Step]] = []
        self.no_gradients: set[str] = set()
        self._others: dict[float, Forward] = {}
        self._sweeps: dict[tuple[int, Value], dict[Value, Tensor]] = {}
        self._own: dict[str, dict[Value, Tensor]] = {}
        self._smaller: dict[str, tuple[Judge, Reduction]] = {}
        self.tolerance = DOUBLE_TOLERANCE if self.double else 1e-4
        self.gradient_names = {n: v for s in region.steps for n, v in s.gradients.items()}
        self.forward_names = {n for v in self.forward.values for n in v.names} | {
            n for s in region.steps if not s.backward for n in s.writes
        }
        self.constants = _constants(region)
        names = {n for n in set().union(*(s.reads for s in region.steps)) if n not in self.machine.namespace}
        spelled = {n: gradient_of(n, self.forward_names) for n in names - set(self.gradient_names)}
        self.unwritten = {n: v for n, v in spelled.items() if v}

    def _leave_to_their_readers(self) -> None:
        """A name spelled like the gradient of what reaches no loss is a temporary of the gradients that read it."""
        losses = self.losses(self.forward, 1 << 60)
        reaching = {n for loss in losses for v in self.forward.ancestors(loss) for n in v.names}
        for step in self.region.steps if losses else ():
            kept = {n: v for n, v in step.gradients.items() if v in reaching}
            step.tainted = step.tainted or kept != step.gradients
            step.gradients = kept

    def names_at_hand(self, chain: Chain) -> set[str]:
        """The names a line for this chain may use: values on the way to its loss, and all that is no float tensor."""
        loss, _ = self.located(chain)
        within = {n for v in self.forward.ancestors(loss) for n in v.names}
        plain = {n for s in self.region.steps if not s.backward for n in s.writes if not is_float(s.after.get(n))}
        carried = {n for n, v in self.region.start.items() if not isinstance(v, Tensor)}
        return within | plain | carried

    def smaller(self) -> Iterator[tuple["Judge", Reduction]]:
        """Judges of the same region in small sizes, as far as its forward pass runs in them."""
        for relations in RELATIONS:
            if relations not in self._smaller:
                reduction = reduced(self.region, relations)
                self._smaller[relations] = Judge(self.trace, reduction.region), reduction
            judge, _ = self._smaller[relations]
            if not judge.forward.failed and judge.double == self.double:
                yield self._smaller[relations]

    def makers(self, name: str) -> list[Step]:
        """The forward statements that bind a name."""
        return [s for s in self.region.steps if name in s.binds and not s.backward]

    def losses(self, forward: Forward, before: int) -> list[Value]:
        """The losses computed before a step that are no part of another: `loss` first, and the latest first."""
        found = [
            v
            for v in reversed(forward.values)
            if v.names.keys() & set(self.trace.losses)
            and v.leaf.numel() == 1
            and (v.step is None or v.step.index < before)
        ]
        parts = {v for whole in found for v in forward.ancestors(whole) if v is not whole}
        return sorted((v for v in found if v not in parts), key=lambda v: "loss" not in v.names)

    def sweep(self, forward: Forward, loss: Value) -> dict[Value, Tensor]:
        """The true gradients of one loss."""
        key = (id(forward), loss)
        if key not in self._sweeps:
            self._sweeps[key] = forward.sweep(loss)
        return self._sweeps[key]

    def find(self, forward: Forward, chain: Chain) -> tuple[Value, Value] | None:
        """The loss a chain belongs to and the value it is the gradient of."""
        skip = self.skipped.get(chain, 0)
        for loss in self.losses(forward, chain.last.index):
            gradients = self.sweep(forward, loss)
            for value in forward.had(chain.variable, loss.step.index + 1 if loss.step else 0):
                if value in gradients:
                    if skip == 0:
                        return loss, value
                    skip -= 1
                    break
        return None

    def located(self, chain: Chain) -> tuple[Value, Value]:
        """The same for a chain that is known to belong to a loss of the true pass."""
        found = self.find(self.forward, chain)
        if found is None:
            raise LookupError(f"{chain.name} belongs to no loss")
        return found

    def true_gradients(self, forward: Forward, before: int, first: Value) -> dict[str, Tensor]:
        """For every name, the gradient of its latest value that reaches a loss, `first` before other losses."""
        found: dict[str, Tensor] = {}
        losses = [first, *(v for v in self.losses(forward, before) if v is not first)]
        for loss in losses:
            gradients = self.sweep(forward, loss)
            for value in reversed(forward.values):
                if value in gradients:
                    for name in value.names:
                        found.setdefault(name, gradients[value])
        return found

    def gradient_values(self, by_variable: dict[str, Tensor], like_user: bool = False) -> dict[str, Tensor]:
        """The same by gradient name; with `like_user`, in the shape the user's own gradient has.

        A gradient that is read and nowhere written has its true value too.
        """
        found = {n: by_variable[v] for n, v in self.unwritten.items() if v in by_variable}
        for step in self.region.steps:
            for name, variable in step.gradients.items():
                if variable in by_variable:
                    found[name] = by_variable[variable]
                    actual = step.after.get(name)
                    if like_user and isinstance(actual, Tensor) and actual.numel() == found[name].numel():
                        found[name] = found[name].reshape(actual.shape)
                elif is_float(actual := step.after.get(name)):
                    found[name] = actual.detach().double() if self.double else actual.detach()
        return found

    def own_gradient(self, chain: Chain) -> Tensor | None:
        """Autograd's answer in the user's own dtype."""
        skip = self.skipped.get(chain, 0)
        for loss in self.losses(self.own, chain.last.index):
            key = str(id(loss))
            if key not in self._own:
                try:
                    self._own[key] = own_gradients(self.own, loss)
                except RuntimeError:
                    self._own[key] = {}
            for value in self.own.had(chain.variable, loss.step.index + 1 if loss.step else 0):
                if value in self._own[key]:
                    if skip == 0:
                        return self._own[key][value]
                    skip -= 1
                    break
        return None

    def case(
        self,
        label: str,
        forward: Forward,
        plan: Plan,
        fix: Callable[[dict[Value, Tensor], Value, set[Value]], dict[Value, Tensor]] | None = None,
        like_user: bool = False,
    ) -> Case | None:
        """A situation for a plan; `fix` chooses random gradients for some values, the rest follows from them."""
        found = self.find(forward, plan.chain)
        if found is None:
            return None
        loss, value = found
        before = plan.chain.last.index
        true = self.sweep(forward, loss)
        gradients, by_name = true, self.true_gradients(forward, before, loss)
        within = forward.ancestors(loss)
        if fix is not None:
            fixed = fix(true, value, within)
            if not fixed:
                return None
            gradients = forward.sweep(loss, fixed)
            for other in forward.values:
                if other in gradients:
                    for name in other.names:
                        by_name[name] = gradients[other]
        consumers = [v for v in forward.consumers(value, within) if v in gradients]
        size = max([float(gradients[v].abs().max()) for v in consumers if gradients[v].numel()], default=0.0)
        size = size if size < float("inf") else 0.0
        parts = []
        for consumer in consumers:
            (part,) = forward.local(consumer, gradients[consumer], [value])
            if part is not None:
                parts.append((consumer.name, part))
        world = forward.world(before)
        if plan.clean and loss.step is not None:
            early = forward.world(loss.step.index + 1)
            world.update({n: early[n] for n in plan.shadowed if n in early})
        return Case(
            label,
            world,
            self.gradient_values(by_name, like_user),
            gradients.get(value, torch.zeros_like(value.leaf)),
            noise=(1e-12 if self.double else 1e-5) * size,
            double=self.double,
            parts=parts,
            by_variable=by_name,
        )

    def others(self, shrink: float) -> Forward:
        """The forward pass from other inputs."""
        if shrink not in self._others:
            generator = torch.Generator().manual_seed(int(1 + 1000 * shrink))
            self._others[shrink] = run_forward(
                self.machine,
                self.region,
                double=self.double,
                change=other_values(generator, set(self.gradient_names.values()), shrink),
                losses=self.trace.losses,
            )
        return self._others[shrink]

    def negligible(self, gradients: dict[Value, Tensor], forward: Forward, value: Value, within: set[Value]) -> bool:
        """Whether the true gradient of a value is zero up to rounding."""
        if value not in gradients or gradients[value].numel() == 0:
            return False
        consumers = [gradients[v] for v in forward.consumers(value, within) if v in gradients]
        sizes = [float(g.abs().max()) for g in consumers if g.numel()]
        return bool(sizes) and float(gradients[value].abs().max()) <= (NEGLIGIBLE if self.double else 1e-6) * max(sizes)

    def _passes(self, plan: Plan, case: Case) -> bool:
        return agrees(evaluate(self.machine, plan, case).got, case.want, case.noise, self.tolerance)

    def plan(self, chain: Chain, clean: bool = False) -> Plan:
        """What has to run for a chain."""
        loss, _ = self.located(chain)
        return plan_for(chain, loss.step.index if loss.step else -1, clean)

    def judge(self, chain: Chain) -> Judgement | None:
        """Judge one chain; None where its variable does not reach a loss.

        Where several losses depend on the variable, the gradient of any of them is right.
        """
        first = self.judge_once(chain)
        if first is None or first.fault in (None, "shape", "missing"):
            return first
        if self._is_no_gradient(first):
            self.no_gradients.add(chain.name)
            return None
        while True:
            self.skipped[chain] = self.skipped.get(chain, 0) + 1
            other = self.judge_once(chain)
            if other is None:
                del self.skipped[chain]
                return first
            if other.fault is None:
                return other

    def _is_no_gradient(self, judgement: Judgement) -> bool:
        """Whether a value is a gradient by its name alone, such as the logits of a dev split.

        It reads no gradient and nothing that was computed on the way to the loss, but tensors from elsewhere; or it is
        computed from such a value.
        """
        plan, chain = judgement.plan, judgement.chain
        if plan.gradients:
            return bool(plan.gradients & self.no_gradients)
        loss, _ = self.located(chain)
        within = self.forward.ancestors(loss)
        before = loss.step.index if loss.step else -1
        read = {n for s in plan.steps for n in s.reads} - {chain.name}
        values = [self.forward.versions(n)[0] for n in read if self.forward.versions(n)]
        foreign = any(
            v not in within and min(v.names.values()) < before
            for value in values
            for v in self.forward.ancestors(value)
        )
        return foreign and not any(v in within and not v.root for v in values)

    def judge_once(self, chain: Chain) -> Judgement | None:
        """Judge one chain for the one loss whose turn it is."""
        if self.find(self.forward, chain) is None:
            return None
        plan = self.plan(chain)
        case = self.case("true", self.forward, plan)
        if case is None:
            return None
        judgement = Judgement(chain, plan, want=case.want, true=self.own_gradient(chain), cases=[case])
        if chain.actual is None or chain.actual is ...:
            judgement.fault = "missing" if chain.last.error is None else None
            if judgement.fault:
                return judgement
        outcome = judgement.outcome = evaluate(self.machine, plan, case)
        if outcome.error is None and not _is_gradient(outcome.got, case.want):
            judgement.fault, judgement.failing = "wrong", case
            judgement.cases += self._general_cases(plan)
            return judgement
        if not agrees(outcome.got, case.want, case.noise, self.tolerance):
            if not self._rescue(judgement):
                judgement.fault, judgement.failing = "wrong", case
                judgement.cases += self._general_cases(judgement.plan)
                return judgement
            case = judgement.cases[0]
        for other in self._hidden_cases(judgement.plan):
            judgement.cases.append(other)
            if not self._passes(judgement.plan, other):
                judgement.fault, judgement.failing = "masked", other
                judgement.cases += self._general_cases(judgement.plan)
                return judgement
        if chain.refused:
            judgement.fault, judgement.failing = "wrong", case
            return judgement
        got = as_tensor(judgement.outcome.got, case.want)
        if got is not None and got.shape != case.want.shape and isinstance(judgement.outcome.got, Tensor):
            judgement.fault, judgement.failing = "shape", case
        return judgement

    def _rescue(self, judgement: Judgement) -> bool:
        """Try the shapes the user's own gradients have, and forward values in place of names used for others.

        For a loss that is not the latest, such a name may have been given to a value of a later pass: it stays.
        """
        chain = judgement.chain
        attempts = [(judgement.plan, True)]
        if judgement.plan.shadowed and chain not in self.skipped:
            attempts += [(self.plan(chain, clean=True), like_user) for like_user in (False, True)]
        for plan, like_user in attempts:
            made = self.case("true", self.forward, plan, like_user=like_user)
            if made is None:
                continue
            outcome = evaluate(self.machine, plan, made)
            if agrees(outcome.got, made.want, made.noise, self.tolerance):
                judgement.rescued_by_clean = plan is not attempts[0][0]
                judgement.outcome, judgement.plan, judgement.cases = outcome, plan, [made]
                return True
        return False

    def between(self, plan: Plan) -> set[str]:
        """The names of the values that a plan's line differentiates through, up to the gradients it reads."""
        loss, value = self.located(plan.chain)
        ends = self._upstream(plan, self.forward, value, self.forward.ancestors(loss)) or [loss]
        passed = set().union(*(self.forward.ancestors(v) for v in ends))
        return {n for v in passed if value in self.forward.ancestors(v) and v is not value for n in v.names}

    def _upstream(self, plan: Plan, forward: Forward, value: Value, within: set[Value]) -> list[Value]:
        """The values between `value` and the loss whose gradients the plan reads."""
        variables = {v for s in self.region.steps for n, v in s.gradients.items() if n in plan.gradients}
        return [
            v
            for v in forward.values
            if v in within
            and v is not value
            and v.names.keys() & variables
            and value in forward.ancestors(v)
            and forward.inputs(v)
        ]

    def _hidden_cases(self, plan: Plan) -> Iterator[Case]:
        """Situations that show what the true gradients and values hide."""

        def noise_only(true, at, within):
            upstream = self._upstream(plan, self.forward, at, within)
            fixed = {
                v: random_like(v.leaf.detach(), self.generator, dense=True)
                for v in upstream
                if self.negligible(true, self.forward, v, within)
            }
            beside = set(self.forward.consumers(at, within)) - set(upstream)
            if any(self.negligible(true, self.forward, v, within) for v in beside):
                fixed.update({v: random_like(true.get(v, v.leaf), self.generator) for v in upstream if v not in fixed})
            return fixed

        def all_upstream(true, at, within):
            upstream = self._upstream(plan, self.forward, at, within) or self.forward.consumers(at, within)
            return {v: random_like(true.get(v, v.leaf), self.generator) for v in upstream if self.forward.inputs(v)}

        loss, at = self.located(plan.chain)
        within = self.forward.ancestors(loss)
        if self.negligible(self.sweep(self.forward, loss), self.forward, at, within):
            if made := self.case("random upstream", self.forward, plan, all_upstream):
                yield made
        elif made := self.case("random upstream where the true one is zero", self.forward, plan, noise_only):
            yield made
        for shrink in (1.0, 0.01):
            if (made := self._other_case(plan, shrink)) is not None:
                yield made

    def _other_case(self, plan: Plan, shrink: float) -> Case | None:
        forward = self.others(shrink)
        if forward.failed:
            return None
        try:
            made = self.case(f"other values, times {shrink:g}", forward, plan)
        except RuntimeError:
            return None
        if made is None or not bool(torch.isfinite(made.want).all()):
            return None
        return made

    def _general_cases(self, plan: Plan) -> list[Case]:
        """Situations a repaired line must get right."""

        def upstream(true, at, within):
            chosen = self._upstream(plan, self.forward, at, within)
            return {v: random_like(true.get(v, v.leaf), self.generator) for v in chosen}

        cases = []
        if (made := self._other_case(plan, 1.0)) is not None:
            cases.append(made)
        if made := self.case("random upstream", self.forward, plan, upstream):
            cases.append(made)
        return cases


def _is_gradient(got: Any, want: Tensor) -> bool:
    """Whether the value can be a gradient at all: a float tensor, or a number where there is one element."""
    if isinstance(got, Tensor):
        return got.is_floating_point()
    return isinstance(got, int | float) and not isinstance(got, bool) and want.numel() == 1


def _constants(region: Region) -> tuple[float, ...]:
    """The numbers written in the program, which a wrong line may have lost."""
    found: set[float] = set()
    for step in region.steps:
        for node in ast.walk(step.statement.node):
            value = node.value if isinstance(node, ast.Constant) else None
            if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e6:
                found.add(value)
    return tuple(sorted(found, key=abs)[:24])
