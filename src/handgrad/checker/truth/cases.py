"""Run the statements of one gradient in a chosen situation, on copies."""

from dataclasses import dataclass, field
from functools import cached_property
from types import CodeType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from handgrad.checker.run.machine import Machine
from handgrad.checker.run.modes import InDouble
from handgrad.checker.run.trace import Step
from handgrad.checker.run.values import copied, copy_values, is_float
from handgrad.checker.truth.chains import Plan
from handgrad.checker.truth.passes import Forward, Value


@dataclass
class Case:
    """One situation to judge a line in: what every name holds, the other gradients, and the right answer.

    `gradients` holds the gradients by their own names, of which the user keeps those in `arrays` as NumPy arrays, and
    `by_variable` by those of their variables; `value` is what the
    line differentiates in the pass `forward`, whose gradients `flow` holds, and `scale` what `want` is a multiple by.
    A `general` one has upstream gradients that the program may never have.
    """

    label: str
    values: dict[str, Any]
    gradients: dict[str, Tensor]
    arrays: set[str]
    by_variable: dict[str, Tensor]
    want: Tensor
    noise: float
    double: bool
    forward: Forward
    value: Value
    flow: dict[Value, Tensor]
    consumers: list[Value]
    scale: float = 1
    general: bool = False

    @property
    def slack(self) -> float:
        """The same as `noise` for what the user's own run made in its own dtype."""
        return self.noise * (1e7 if self.double else 1.0)

    @cached_property
    def parts(self) -> list[tuple[str, Tensor]]:
        """What each value made from this one adds to its gradient."""
        made = [(c.name, self.forward.local(c, self.flow[c], [self.value])[0]) for c in self.consumers]
        return [(name, part * self.scale) for name, part in made if part is not None]


@dataclass
class Outcome:
    """What a gradient's statements made, the names they changed in place on the way, or the user's exception."""

    got: Any = None
    changed: dict[str, int] = field(default_factory=dict)
    error: Exception | None = None


def evaluate(
    machine: Machine, plan: Plan, case: Case, codes: dict[Step, tuple[CodeType, set[str]]] | None = None
) -> Outcome:
    """Run a plan in a case, on copies; `codes` puts other code in the place of a step's own."""
    codes = codes or {}
    reads = set().union(*(codes[s][1] if s in codes else s.reads for s in plan.steps)) | plan.gradients
    name = plan.chain.name
    spared = {n for value in case.forward.spared for n in value.names}
    values = copy_values({n: v for n, v in case.values.items() if n in reads - spared}, _copy)
    values.update({n: case.values[n].detach() for n in reads & spared & case.values.keys()})
    if name in values and name not in plan.chain.steps[0].reads:
        del values[name]
    given = (reads | plan.gradients) & case.gradients.keys() - {name}
    forced: dict[str, Any] = {n: case.gradients[n].clone() for n in given}
    forced.update({n: forced[n].numpy() for n in case.arrays & forced.keys()})
    values.update(forced)
    if any(".grad" in s.statement.text for s in plan.steps):
        for n, v in values.items():
            if is_float(v) and n in case.by_variable and case.by_variable[n].shape == v.shape:
                v.grad = case.by_variable[n].to(v.dtype)
    if machine.computes_plainly:
        return _run_in_numpy(machine, plan, codes, values, forced)
    watched = {n: (v, v._version) for n, v in values.items() if isinstance(v, Tensor)}
    with machine.holding(values) as namespace, torch.no_grad():
        if case.double:
            with InDouble():
                return _run_plan(machine, plan, codes, namespace, forced, watched)
        return _run_plan(machine, plan, codes, namespace, forced, watched)


def _run_in_numpy(machine, plan, codes, values, forced) -> Outcome:
    """The same with NumPy's own arrays, which takes a tenth of the time; what changes in place is seen afterwards."""
    numpys = machine.unfollowed(values)
    before = {n: v.copy() for n, v in numpys.items() if isinstance(v, np.ndarray)}
    with machine.holding({**machine.real_modules, **numpys}) as namespace:
        given = {n: numpys[n] for n in forced}
        outcome = _run_plan(machine, plan, codes, namespace, given, {})
    changed = {n: plan.steps[-1].index for n, v in before.items() if not np.array_equal(v, numpys[n], equal_nan=True)}
    changed.pop(plan.chain.name, None)
    return Outcome(outcome.got, changed, outcome.error)


def _run_plan(machine, plan, codes, namespace, forced, watched) -> Outcome:
    name = plan.chain.name
    if name not in plan.chain.steps[0].reads:
        namespace.pop(name, None)
    changed: dict[str, int] = {}
    restored = {n: namespace[n] for n in plan.shadowed if n in namespace}
    true = {n: copied(forced[n]) for step in plan.steps for n in step.gradients if n in forced}
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
        namespace.update({n: copied(true[n]) for n in step.gradients if n in true})
        if plan.clean:
            namespace.update({n: restored[n] for n in plan.shadowed if n in restored})
    return Outcome(got=namespace.get(name), changed=changed)


def _copy(tensor: Tensor) -> Tensor:
    strided = tensor.layout is torch.strided
    return tensor.detach().clone(memory_format=torch.preserve_format if strided else None)
