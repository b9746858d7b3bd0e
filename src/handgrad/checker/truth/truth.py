"""What is right: the true gradients of a region, in its own situation and in others."""

import copy
import math
from collections.abc import Callable
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from handgrad.checker.read.names import gradient_of
from handgrad.checker.run.arrays import plain
from handgrad.checker.run.trace import Region, Step, Trace
from handgrad.checker.run.values import is_array, is_float
from handgrad.checker.truth.assumptions import Assumptions
from handgrad.checker.truth.cases import Case
from handgrad.checker.truth.chains import Chain, Plan, plan_for
from handgrad.checker.truth.compare import DOUBLE_TOLERANCE
from handgrad.checker.truth.drawn import other_values
from handgrad.checker.truth.passes import Forward, Value
from handgrad.checker.truth.reference import own_gradients, run_forward

LARGE = 2**22
"""How many numbers the values of a large forward pass hold together."""
Choice = Callable[[dict[Value, Tensor], Value, set[Value]], dict[Value, Tensor]]
"""Given the true gradients, a value and all that its loss depends on: other gradients for some values."""


class Truth:
    """The forward passes of one region and the gradients autograd finds through them; each is run once and shared.

    `forward` is the pass in float64, where the user's code allows it, and `own` the same in the user's own dtype.
    `earlier` are the chains that belong to another loss, or to another value of their variable, than the latest.
    """

    def __init__(self, trace: Trace, region: Region, assumptions: Assumptions):
        """Run the forward pass of `region`, in float64 and in the user's own dtype."""
        self.assumptions = assumptions
        self.trace, self.machine, self.region = trace, trace.machine, region
        self.generator = torch.Generator().manual_seed(20240229)
        self.double = True
        self.forward = run_forward(self.machine, region, derived=assumptions.derived)
        if self.forward.failed:
            own = run_forward(self.machine, region, double=False, derived=assumptions.derived)
            if len(own.failed) < len(self.forward.failed):
                self.forward, self.double = own, False
        self.own = run_forward(self.machine, region, double=False, cut=False, derived=assumptions.derived)
        self.earlier: tuple[Chain, ...] = ()
        self._others: dict[float, Forward] = {}
        self._sweeps: dict[tuple[Forward, Value], dict[Value, Tensor]] = {}
        self._plans: dict[tuple[int, Chain, bool], Plan] = {}
        self._own: dict[Value, dict[Value, Tensor]] = {}
        self.tolerance = DOUBLE_TOLERANCE if self.double else 1e-4

    def read_as(self, region: Region, earlier: tuple[Chain, ...]) -> "Truth":
        """The same passes under other claims; `region` differs in what its statements are taken to write alone."""
        other = copy.copy(self)
        other.region, other.earlier = region, earlier
        vars(other).pop("unwritten", None)
        return other

    @cached_property
    def is_large(self) -> bool:
        """Whether a run of the forward pass takes long enough to be worth sparing."""
        return sum(v.leaf.numel() for v in self.forward.values) > LARGE

    @cached_property
    def unwritten(self) -> dict[str, str]:
        """The variable of every gradient that is read and nowhere written."""
        forward_names = {n for v in self.forward.values for n in v.names}
        forward_names |= {n for s in self.region.steps if not s.backward for n in s.writes}
        given = self.region.start.keys() | set().union(*(s.writes for s in self.region.steps))
        names = set().union(*(s.reads for s in self.region.steps)) - given
        spelled = {n: gradient_of(n, forward_names) for n in sorted(names)}
        return {n: v for n, v in spelled.items() if v}

    def names_at_hand(self, chain: Chain) -> set[str]:
        """The names a line for this chain may use: values on the way to its loss, and all that is no float tensor."""
        loss, _ = self.located(chain)
        within = {n for v in self.forward.ancestors(loss) for n in v.names}
        plain = {n for s in self.region.steps if not s.backward for n in s.writes if not is_float(s.after.get(n))}
        carried = {n for n, v in self.region.start.items() if not isinstance(v, Tensor)}
        return within | plain | carried

    def losses(self, forward: Forward, before: float = math.inf) -> list[Value]:
        """The losses computed before a step that are no part of another: `loss` first, and the latest first."""
        found = [
            v
            for v in reversed(self.forward.values)
            if (v.names.keys() & set(self.trace.losses) or (self.assumptions.wholes and v in self.wholes))
            and v.leaf.numel() == 1
            and (v.step is None or v.step.index < before)
        ]
        parts = {v for whole in found for v in self.forward.ancestors(whole) if v is not whole}
        found = sorted((v for v in found if v not in parts), key=lambda v: "loss" not in v.names)
        same = {(v.step, v.name): v for v in forward.values}
        return [same[v.step, v.name] for v in found if (v.step, v.name) in same]

    @cached_property
    def wholes(self) -> list[Value]:
        """The values made of a loss and of something else than a running mean or another number."""
        found = []
        for value in self.forward.values:
            inputs = [v for v in self.forward.inputs(value) if not (v.root and v.leaf.numel() == 1)]
            named = {n for v in self.forward.ancestors(value) - {value} for n in v.names}
            if value.names.keys() & self.trace.wholes and len(inputs) > 1 and named & set(self.trace.losses):
                found.append(value)
        return found

    def sweep(self, forward: Forward, loss: Value) -> dict[Value, Tensor]:
        """The true gradients of one loss."""
        key = (forward, loss)
        if key not in self._sweeps:
            self._sweeps[key] = forward.sweep(loss)
        return self._sweeps[key]

    def find(self, forward: Forward, chain: Chain) -> tuple[Value, Value] | None:
        """The loss a chain belongs to and the value it is the gradient of."""
        skip = chain.skipped
        for loss in self.losses(forward, chain.last.index):
            gradients = self.sweep(forward, loss)
            for value in forward.had(chain.variable, loss.step.index + 1 if loss.step else 0):
                if value in gradients:
                    if skip == 0:
                        return loss, value
                    skip -= 1
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

    def gradient_values(
        self, by_variable: dict[str, Tensor], of_others: dict[tuple[Step, str], Tensor], like_user: bool = False
    ) -> dict[str, Tensor]:
        """The same by gradient name; with `like_user`, in the shape the user's own gradient has.

        A gradient that is read and nowhere written has its true value too. `of_others` has those that are meant for
        another value than the latest, by the steps that make them.
        """
        found = {n: by_variable[v] for n, v in self.unwritten.items() if v in by_variable}
        for step in self.region.steps:
            for name, variable in step.gradients.items():
                if variable in by_variable:
                    found[name] = of_others.get((step, name), by_variable[variable])
                    actual = step.after.get(name)
                    if like_user and isinstance(actual, Tensor) and actual.numel() == found[name].numel():
                        found[name] = found[name].reshape(actual.shape)
                elif is_float(actual := step.after.get(name)):
                    kept = plain(actual.detach())
                    found[name] = kept.double() if self.double else kept
        return found

    def own_gradient(self, chain: Chain) -> Tensor | None:
        """Autograd's answer in the user's own dtype."""
        skip = chain.skipped
        for loss in self.losses(self.own, chain.last.index):
            if loss not in self._own:
                self._own[loss] = own_gradients(self.own, loss, set(self.region.gradient_names.values()))
            for value in self.own.had(chain.variable, loss.step.index + 1 if loss.step else 0):
                if value in self._own[loss]:
                    if skip == 0:
                        return self._own[loss][value] * self.region.scales.get(chain.name, 1)
                    skip -= 1
        return None

    def case(
        self,
        label: str,
        forward: Forward,
        plan: Plan,
        fix: Choice | None = None,
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
        consumers, scale = (
            [v for v in forward.consumers(value, within) if v in gradients],
            self.region.scales.get(plan.chain.name, 1),
        )
        size = max([float(gradients[v].abs().max()) for v in consumers if gradients[v].numel()], default=0.0)
        size = size if size < float("inf") else 0.0
        world = forward.world(before)
        if plan.chain.goes_on and plan.chain.name in world:
            world[plan.chain.name] = world[plan.chain.name] * 0
        of_others = {}
        for chain in (*self.earlier, plan.chain):
            if chain.skipped and (its := self.find(forward, chain)) is not None:
                flow = gradients if its[0] is loss else self.sweep(forward, its[0])
                of_others.update({(step, chain.name): flow[its[1]] for step in chain.steps if its[1] in flow})
        if plan.clean and loss.step is not None:
            early = forward.world(loss.step.index + 1)
            world.update({n: early[n] for n in plan.shadowed if n in early})
        return Case(
            label,
            world,
            self._given(self._multiples(self.gradient_values(by_name, of_others, like_user))),
            {n for n, held in self._held(before).items() if is_array(held)},
            self._given(by_name),
            want=gradients.get(value, torch.zeros_like(value.leaf)) * scale,
            noise=(1e-12 if self.double else 1e-5) * size * abs(scale),
            double=self.double,
            forward=forward,
            value=value,
            flow=gradients,
            consumers=consumers,
            scale=scale,
        )

    def _multiples(self, gradients: dict[str, Tensor]) -> dict[str, Tensor]:
        """Gradients by their names, each times what its name is taken to be a multiple by."""
        scales = self.region.scales
        return {name: gradient * scales[name] if name in scales else gradient for name, gradient in gradients.items()}

    def _given(self, gradients: dict[str, Tensor]) -> dict[str, Tensor]:
        """Gradients as the program's own lines take them."""
        return {name: self.machine.given(gradient) for name, gradient in gradients.items()}

    def _held(self, before: int) -> dict[str, Any]:
        """What the user's own run had made of every gradient before a step."""
        return {n: s.after.get(n) for s in self.region.steps if s.index < before for n in s.gradients}

    def others(self, shrink: float) -> Forward:
        """The forward pass from other inputs."""
        if shrink not in self._others:
            generator = torch.Generator().manual_seed(int(1 + 1000 * shrink))
            self._others[shrink] = run_forward(
                self.machine,
                self.region,
                double=self.double,
                change=other_values(generator, set(self.region.gradient_names.values()), shrink),
                losses=self.trace.losses,
                derived=self.assumptions.derived,
            )
        return self._others[shrink]

    def plan(self, chain: Chain, clean: bool = False) -> Plan:
        """What has to run for a chain."""
        key = id(chain.region), chain, clean
        if key not in self._plans:
            loss, _ = self.located(chain)
            self._plans[key] = plan_for(chain, loss.step.index if loss.step else -1, clean)
        return self._plans[key]

    def between(self, plan: Plan) -> set[str]:
        """The names of the values that a plan's line differentiates through, up to the gradients it reads."""
        loss, value = self.located(plan.chain)
        ends = self.upstream(plan, self.forward, value, self.forward.ancestors(loss)) or [loss]
        passed = set().union(*(self.forward.ancestors(v) for v in ends))
        return {n for v in passed if value in self.forward.ancestors(v) and v is not value for n in v.names}

    def upstream(self, plan: Plan, forward: Forward, value: Value, within: set[Value]) -> list[Value]:
        """The values between `value` and the loss whose gradients the plan reads."""
        meant = {
            self._meant(forward, n, v, within) for n, v in self.region.gradient_names.items() if n in plan.gradients
        }
        return [
            v
            for v in forward.values
            if v in meant and v is not value and value in forward.ancestors(v) and forward.inputs(v)
        ]

    def _meant(self, forward: Forward, name: str, variable: str, within: set[Value]) -> Value | None:
        """The value among `within` that a gradient name stands for."""
        chosen = (self.find(forward, chain) for chain in self.earlier if chain.name == name)
        for found in filter(None, chosen):
            return found[1]
        return next((v for v in forward.versions(variable) if v in within), None)
