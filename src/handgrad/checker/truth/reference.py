"""The true gradients: the user's own forward pass, run again under autograd and cut at every named value."""

import ast
import contextlib
from collections.abc import Callable, Collection, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import get_gradient_edge
from torch.nn import Module

from handgrad.checker.read.names import variables_of
from handgrad.checker.run.arrays import alike, plain
from handgrad.checker.run.machine import Machine
from handgrad.checker.run.modes import InDouble, KeepingGraphs
from handgrad.checker.run.trace import Region, Step
from handgrad.checker.run.values import (
    LARGE,
    attributes,
    callable_module,
    copy_values,
    holds_float,
    is_float,
    is_object,
)
from handgrad.checker.truth.assumptions import differentiated
from handgrad.checker.truth.drawn import Change
from handgrad.checker.truth.passes import Forward, Value


def needed_steps(region: Region) -> list[Step]:
    """The forward statements that a loss or a backward statement depends on, in order.

    What is put into an object or a dict may be read by any other name that this has. What is computed and not used, and
    what a loop binds and does not carry from round to round, may be what a backward statement lacks.
    """
    backward = [s for s in region.steps if s.backward]
    if not backward:
        return []
    wanted: set[str] = set()
    kept: list[Step] = []
    for step in reversed(region.steps[: region.steps.index(backward[-1]) + 1]):
        if step.backward:
            wanted |= step.reads | (step.binds if isinstance(step.statement.node, ast.For | ast.While) else set())
        elif step.error is None and (
            step.writes & wanted
            or any(_scalar(step.after.get(n)) for n in step.writes)
            or step.statement.only_moves
            or (isinstance(step.statement.node, ast.Assign) and any(map(_may_be_lacking, step.after.values())))
        ):
            kept.append(step)
            wanted |= step.reads
    return kept[::-1]


def _scalar(value: Any) -> bool:
    return is_float(value) and value.numel() == 1


def _may_be_lacking(value: Any) -> bool:
    """Whether it is a tensor, or may be a size."""
    return is_float(value) or type(value) is int


def run_forward(
    machine: Machine,
    region: Region,
    *,
    double: bool = True,
    cut: bool = True,
    change: Change | None = None,
    losses: Collection[str] = (),
    derived: bool = True,
) -> Forward:
    """Run the forward statements of a region again.

    Args:
        machine: where the user's statements run.
        region: the statements and the values they started from.
        double: in float64, whatever dtype the user's code asks for.
        cut: detach every named value, so that each statement's own products can be taken.
        change: another value for each value that nothing was computed from, such as a parameter.
        losses: names of losses; what is made after the first of them is not changed.
        derived: the user's autograd Functions have the gradient of their forward halves, not what their backward says.
    """
    steps = needed_steps(region)
    used = set().union(*(s.reads | set(s.gradients.values()) for s in region.steps))
    convert = (lambda t: t.detach().to(torch.float64, copy=True)) if double else (lambda t: t.detach().clone())
    start = {k: v for k, v in region.start.items() if k in used or isinstance(v, int | float)}
    start = copy_values(start, convert)
    first = min((s.index for s in steps if s.binds & set(losses)), default=None)
    runner = _Runner(machine, convert, cut, change, first)
    claimed = {variable for n in used for variable in variables_of(n)}
    runner.lasting = used.difference(claimed, *(s.changes | set(s.gradients.values()) for s in region.steps))
    runner.differentiates = any(_scalar(step.after.get(n)) and not step.constant for step in steps for n in step.binds)
    own = differentiated(machine.namespace["__name__"], runner.forward.functions)
    nothing = contextlib.nullcontext()
    keeping = KeepingGraphs() if any("backward(" in s.statement.code for s in steps) else nothing
    with (
        machine.holding(start),
        torch.enable_grad(),
        InDouble() if double else nothing,
        own if derived else nothing,
        keeping,
    ):
        runner.register(list(start), None)
        runner.forward.start = {n: machine.namespace[n] for n in start}
        for step in steps:
            runner.run(step)
            if region.reduced and runner.forward.failed:
                break
    return runner.forward


class _Runner:
    def __init__(
        self,
        machine: Machine,
        convert: Callable[[Tensor], Tensor],
        cut: bool,
        change: Change | None,
        first_loss: int | None,
    ):
        self.machine, self.convert, self.cut, self.change = machine, convert, cut, change
        self.first_loss = first_loss
        self.forward = Forward()
        self.bound: dict[int, tuple[Value, int]] = {}
        self.loss_made = False
        self.differentiates = False
        self.lasting: set[str] = set()

    def run(self, step: Step) -> None:
        namespace = self.machine.namespace
        self.loss_made = self.first_loss is not None and step.index > self.first_loss
        constant = step.constant and self.differentiates
        if step.plain:
            namespace.update(copy_values(step.after, self.convert))
            self.register(sorted(step.writes), step)
        else:
            if step.randomness:
                step.randomness.restore(namespace)
            self._spare(step)
            try:
                with torch.set_grad_enabled(not constant):
                    self.machine.run(step.code)
            except Exception as error:
                self.forward.failed.append((step, error))
                return
            self.register(sorted(step.writes), step)
        self.forward.history.append((step.index, {n: namespace[n] for n in step.after if n in namespace}))

    def _spare(self, step: Step) -> None:
        """Give values that are changed in place new tensors: the old ones are part of earlier products."""
        namespace = self.machine.namespace
        for name in step.changes if self.cut else ():
            tensor = namespace.get(name)
            value, version = self.bound.get(id(tensor), (None, 0))
            if value is not None and isinstance(tensor, Tensor) and tensor._version == version:
                del self.bound[id(tensor)]
                value.bound = fresh = alike(value.leaf.clone(), tensor)
                self.bound[id(fresh)] = value, fresh._version
                _replace(namespace, tensor, fresh)
                namespace.update({n: fresh for n, held in namespace.items() if held is tensor})

    def register(self, names: Iterable[str], step: Step | None) -> None:
        namespace = self.machine.namespace
        renamed: dict[int, Value] = {}
        for name in sorted(names, key=lambda name: _afterthought(name, step)):
            tensor = namespace.get(name)
            if not is_float(tensor):
                continue
            if id(tensor) in renamed:
                value = renamed[id(tensor)]
            else:
                known = self.bound.get(id(tensor))
                if known and known[1] == tensor._version:
                    value = known[0]
                else:
                    value = self._add(name, tensor, step)
                    renamed[id(tensor)] = value
                    if value.bound is not tensor:
                        _replace(namespace, tensor, value.bound)
            if not (value.names and _afterthought(name, step)):
                value.names.setdefault(name, step.index if step else -1)
            namespace[name] = value.bound

    def _add(self, name: str, tensor: Tensor, step: Step | None) -> Value:
        root = not (tensor.requires_grad and tensor.grad_fn is not None and self._reaches_leaf(tensor))
        lasts = root and self._lasts(name, tensor, step)
        if self.cut or root:
            data = plain(tensor.detach())
            if root and self.change is not None and not self.loss_made:
                data = self.change(name, data)
            leaf = (data.clone() if root and not lasts else data).requires_grad_()
            bound = alike(leaf.view_as(leaf) if lasts else leaf.clone(), tensor)
        else:
            leaf, bound = plain(tensor), tensor
        value = Value(name, step, plain(tensor), leaf, bound, root)
        if not self.cut and bound.requires_grad:
            value.edge = get_gradient_edge(bound)
        self.forward.spared |= {value} if root and lasts else set()
        self.forward.values.append(value)
        self.forward._leaves[id(leaf)] = value
        self.bound[id(bound)] = (value, bound._version)
        return value

    def _lasts(self, name: str, tensor: Tensor, step: Step | None) -> bool:
        """Whether a large tensor, which is the runner's own, is never changed, so that copies of it can be spared."""
        own = step is None or step.plain
        return own and tensor.numel() >= LARGE and name in self.lasting

    def _reaches_leaf(self, tensor: Tensor) -> bool:
        seen, queue = set(), [tensor.grad_fn]
        while queue:
            node = queue.pop()
            if node is None or node in seen:
                continue
            seen.add(node)
            if id(getattr(node, "variable", None)) in self.forward._leaves:
                return True
            queue.extend(n for n, _ in node.next_functions)
        return False


def _afterthought(name: str, step: Step | None) -> int:
    """How little a statement is about a name that it writes: 0 where it binds it, 2 where only the storage is shared.

    Of the names of one tensor, the others go on standing for the value before: `hpre` in `h = hpre.relu_()`.
    """
    if step is None or name in step.binds:
        return 0
    return 1 if name in step.statement.names.changes else 2


def _replace(namespace: dict[str, Any], old: Tensor, new: Tensor) -> None:
    """Put `new` where lists, dicts and objects of the user's hold `old`."""
    for name, value in namespace.items():
        if name.startswith("__") or isinstance(value, Tensor) or callable_module(value) or isinstance(value, type):
            continue
        if isinstance(value, list | dict) or is_object(value):
            _replace_in(value, old, new, 3)


def _replace_in(value: Any, old: Tensor, new: Tensor, depth: int) -> None:
    if depth == 0 or callable_module(value) or isinstance(value, Tensor | type | str):
        return
    if isinstance(value, Module):
        for part in value.modules():
            for held in (vars(part)["_parameters"], vars(part)["_buffers"]):
                held.update({key: new for key, item in held.items() if item is old})
        return
    if isinstance(value, list):
        if len(value) > 256 or (value and not holds_float(value, depth)):
            return
        for i, item in enumerate(value):
            if item is old:
                value[i] = new
            elif not isinstance(item, Tensor):
                _replace_in(item, old, new, depth - 1)
        return
    items = value if isinstance(value, dict) else attributes(value)
    if len(items) > 256:
        return
    for key, item in list(items.items()):
        if item is old and isinstance(value, dict):
            value[key] = new
        elif item is old:
            object.__setattr__(value, key, new)
        elif not isinstance(item, Tensor | int | float | str):
            _replace_in(item, old, new, depth - 1)


def own_gradients(forward: Forward, loss: Value, names: Collection[str]) -> dict[Value, Tensor]:
    """Autograd's gradients for the values with these names, through a pass that was not cut: to the last bit what
    `loss.backward()` gives the user. None where autograd cannot differentiate the pass.
    """
    within = {v: v.edge for v in forward.values if v.edge is not None and v.names.keys() & set(names)}
    try:
        found = torch.autograd.grad(loss.bound, list(within.values()), retain_graph=True, allow_unused=True)
    except RuntimeError:
        return {}
    return {v: g for v, g in zip(within, found, strict=True) if g is not None}
