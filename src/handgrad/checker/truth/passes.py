"""A run of the forward pass: its named values, what each was made from, and the gradients that flow back."""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge

from handgrad.checker.guard import CheckError
from handgrad.checker.run.trace import Step


@dataclass(eq=False)
class Value:
    """One named value of the forward pass.

    `made` is the tensor as its statement made it, attached to the leaves it was made from; `leaf` is what later
    statements saw in its place. `names` gives the step that bound each of its names. Where the pass was not cut,
    `made` and `leaf` are parts of the same graph, and `edge` is where the value stands in it, whatever is done in place
    to the tensor later.
    """

    name: str
    step: Step | None
    made: Tensor
    leaf: Tensor
    bound: Tensor
    root: bool
    names: dict[str, int] = field(default_factory=dict)
    edge: GradientEdge | None = None
    inputs: list["Value"] | None = None

    @property
    def data(self) -> Tensor:
        """What later statements saw, detached."""
        return self.leaf.detach()


@dataclass(eq=False)
class Forward:
    """A run of the forward pass: its values in order, and what every name held after every step.

    `functions` are the user's autograd Functions whose backward half was not needed, `spared` large inputs whose
    gradients nobody asks for.
    """

    values: list[Value] = field(default_factory=list)
    start: dict[str, Any] = field(default_factory=dict)
    history: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    failed: list[tuple[Step, Exception]] = field(default_factory=list)
    functions: set[str] = field(default_factory=set)
    spared: set[Value] = field(default_factory=set)
    _leaves: dict[int, Value] = field(default_factory=dict)
    _behind: dict[Value, set[Value]] = field(default_factory=dict)

    def versions(self, name: str) -> list[Value]:
        """The values a name had, latest first."""
        return [v for v in reversed(self.values) if name in v.names]

    def had(self, name: str, before: int) -> list[Value]:
        """The values a name had before a step, latest first, then those it was given later."""
        found = self.versions(name)
        return sorted(found, key=lambda v: v.names[name] >= before)

    def world(self, before: int) -> dict[str, Any]:
        """What every name held just before the step with index `before`."""
        world = dict(self.start)
        for index, written in self.history:
            if index >= before:
                break
            world.update(written)
        return world

    def inputs(self, value: Value) -> list[Value]:
        """The named values that `value` was made from directly."""
        if value.inputs is None:
            found, seen, queue = [], set(), [value.made.grad_fn]
            while queue:
                node = queue.pop()
                if node is None or node in seen:
                    continue
                seen.add(node)
                if (variable := getattr(node, "variable", None)) is not None and id(variable) in self._leaves:
                    found.append(self._leaves[id(variable)])
                queue.extend(n for n, _ in node.next_functions)
            value.inputs = sorted(set(found), key=self.values.index)
        return value.inputs

    def ancestors(self, value: Value) -> set[Value]:
        """The values that `value` depends on, itself included."""
        if value not in self._behind:
            found, queue = set(), [value]
            while queue:
                if (one := queue.pop()) not in found:
                    found.add(one)
                    queue += self.inputs(one)
            self._behind[value] = found
        return self._behind[value]

    def consumers(self, value: Value, within: set[Value]) -> list[Value]:
        """The values among `within` made directly from `value`: one path each."""
        return [v for v in self.values if v in within and value in self.inputs(v)]

    def local(self, consumer: Value, gradient: Tensor, inputs: list[Value]) -> list[Tensor | None]:
        """The vector-Jacobian products of one statement.

        As the gradient of a weighted sum, since `grad_outputs` makes torch load its symbolic shapes, which takes as
        long as everything here.
        """
        leaves = [v.leaf for v in inputs]
        weighted = (consumer.made * gradient.to(consumer.made.dtype)).sum()
        try:
            return list(torch.autograd.grad(weighted, leaves, retain_graph=True, allow_unused=True))
        except RuntimeError as error:
            if consumer.step is None or "inplace operation" not in str(error):
                raise
            raise CheckError(
                "PyTorch cannot go back through this, since a tensor that it needs for that is changed in place",
                where=f"{consumer.step.statement.place.file}, {consumer.step.statement.place}",
                next_step="Write p = p / p.sum() in the place of p /= p.sum().",
            ) from None

    def sweep(self, loss: Value, fixed: dict[Value, Tensor] | None = None) -> dict[Value, Tensor]:
        """The gradient of the loss for every value it depends on, from the last to the first.

        A value in `fixed` takes the gradient given there in place of what its consumers send it.
        """
        fixed = fixed or {}
        within = self.ancestors(loss)
        gradients: dict[Value, Tensor] = {loss: torch.ones_like(loss.leaf)}
        for value in reversed(self.values):
            if value not in within:
                continue
            if value in fixed:
                gradients[value] = fixed[value]
            gradient = gradients.get(value)
            inputs = [v for v in self.inputs(value) if v not in self.spared]
            if gradient is None or not inputs:
                continue
            for source, part in zip(inputs, self.local(value, gradient, inputs), strict=True):
                if part is not None:
                    gradients[source] = gradients[source] + part if source in gradients else part
        return gradients
