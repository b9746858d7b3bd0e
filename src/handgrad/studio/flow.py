"""How gradients flow through a program that was checked, as data. Nothing else here reads the checker's insides."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from handgrad.checker.judge.interpretation import Interpretation
from handgrad.checker.report import Report, VariableReport
from handgrad.checker.truth.chains import Chain
from handgrad.checker.truth.passes import Value
from handgrad.errors import HandgradError
from handgrad.studio.findings import diagnosis_json, hazard_json, place_json
from handgrad.studio.heat import furthest, heat_map, largest

SMALL, LARGE = 20, 64
"""Rows and columns of a map in the graph, and of one that is looked at."""
MOST_TERMS = 64
"""Terms of a sum that are told one by one."""
Index = tuple[int, ...]


class Pass:
    """The values that one loss is made of, and the gradients that come back to them."""

    def __init__(self, number: int, reading: Interpretation, loss: Value):
        """Look at one loss of one pass, as it was read to judge it."""
        self.number, self.loss = number, loss
        truth = reading.judge.truth
        self.forward, self.trace = truth.forward, reading.judge.trace
        within = self.forward.ancestors(loss)
        self.values = [value for value in self.forward.values if value in within]
        self.gradients = truth.sweep(self.forward, loss)

    def id_of(self, value: Value) -> str:
        """What the page calls a value."""
        return f"p{self.number}v{self.forward.values.index(value)}"

    def name_of(self, value: Value) -> str:
        """What the user calls it."""
        return self.trace.shown(value.name)

    def consumers(self, value: Value) -> list[Value]:
        """The values made directly from this one: a path each."""
        return self.forward.consumers(value, set(self.values))

    def sent(self, consumer: Value, value: Value) -> Tensor | None:
        """What comes back from one value to another that it was made from."""
        if consumer not in self.gradients:
            return None
        with torch.enable_grad():
            return self.forward.local(consumer, self.gradients[consumer], [value])[0]

    def parts(self, value: Value) -> Iterator[tuple[Value, Tensor]]:
        """What each value made from this one sends back to it."""
        for consumer in self.consumers(value):
            if (part := self.sent(consumer, value)) is not None:
                yield consumer, part

    def graph(self, yours: dict[Value, Tensor]) -> dict[str, Any]:
        """The values and the paths between them; gradients as the program made them, where it did."""
        edges = [(source, value) for value in self.values for source in self.forward.inputs(value)]
        return {
            "nodes": [self._node(value, yours.get(value)) for value in self.values],
            "edges": [self._edge(*edge) for edge in edges],
        }

    def _node(self, value: Value, yours: Tensor | None) -> dict[str, Any]:
        right, step = self.gradients.get(value), value.step
        return {
            "id": self.id_of(value),
            "name": self.name_of(value),
            "shape": list(value.leaf.shape),
            "kind": "loss" if value is self.loss else "input" if value.root else "value",
            **place_json(step.statement.place if step else None),
            "text": step.statement.text if step else "",
            "value": heat_map(value.data, SMALL),
            "gradient": None if right is None else heat_map(right if yours is None else yours, SMALL),
            "scalar": float(value.data) if value.leaf.numel() == 1 else None,
        }

    def _edge(self, source: Value, target: Value) -> dict[str, Any]:
        part = self.sent(target, source)
        return {
            "from": self.id_of(source),
            "to": self.id_of(target),
            "largest": None if part is None else largest(part),
        }

    def path(self, value: Value, consumer: Value, part: Tensor, index: Index) -> dict[str, Any]:
        """What each element that was made of this one sends back: its gradient times how it depends on this one."""
        told = {"through": self.id_of(consumer), "name": self.name_of(consumer), "sum": float(part[index])}
        column = self._column(value, consumer, index)
        if column is None:
            return {**told, "terms": None, "count": 0}
        upstream = self.gradients[consumer]
        places = torch.nonzero(column, as_tuple=False)
        kept = places
        if len(places) > MOST_TERMS:
            sizes = (upstream * column)[tuple(places.T)].abs()
            kept = places[sizes.argsort(descending=True)[:MOST_TERMS].sort().values]
        terms = [
            {"index": at, "upstream": float(upstream[tuple(at)]), "factor": float(column[tuple(at)])}
            for at in kept.tolist()
        ]
        return {**told, "terms": terms, "count": len(places)}

    def _column(self, value: Value, consumer: Value, index: Index) -> Tensor | None:
        """How each element of a consumer depends on one element of the value; None where that cannot be had.

        The derivative of `v ↦ Jᵀv` is J: differentiating twice backwards gives a column of it.
        """
        direction = torch.zeros_like(value.leaf)
        direction[index] = 1
        start = torch.zeros_like(consumer.made, requires_grad=True)
        with torch.enable_grad():
            try:
                weighted = (consumer.made * start).sum()
                (sent,) = torch.autograd.grad(weighted, value.leaf, create_graph=True, allow_unused=True)
                if sent is None or not sent.requires_grad:
                    return None
                (column,) = torch.autograd.grad((sent * direction).sum(), start, retain_graph=True, allow_unused=True)
            except RuntimeError:
                return None
        return column


@dataclass(frozen=True)
class Step:
    """A gradient of the program: its row of the report, and the value that it belongs to.

    `chain` are its lines; a gradient that is not there has none.
    """

    row: VariableReport
    where: Pass
    value: Value
    chain: Chain | None = None

    @property
    def yours(self) -> Tensor | None:
        """What the program made of it."""
        made = self.row.tensors[0] if self.row.tensors else None
        return made.detach() if isinstance(made, Tensor) else None

    @property
    def right(self) -> Tensor:
        """What it should be, in float64."""
        return self.where.gradients[self.value]

    @property
    def comparable(self) -> Tensor | None:
        """The same as `yours`, where it has the right shape."""
        return self.yours if self.yours is not None and self.yours.shape == self.right.shape else None


class Flow:
    """What a page shows of a program that was checked."""

    def __init__(self, report: Report, readings: Iterable[Interpretation]):
        """Look at some of its passes, as they were read to judge them."""
        self.report = report
        self.passes: list[Pass] = []
        self.steps: list[Step] = []
        left = [row for row in report.variables if row.chain_place]
        for reading in readings:
            passes: dict[Value, Pass] = {}
            for chain in reading.chains:
                row = _row_of(chain, reading.judge.trace.shown(chain.name), left)
                loss, value = reading.judge.truth.located(chain)
                if row is None or value not in reading.judge.truth.sweep(reading.judge.truth.forward, loss):
                    continue
                left = [other for other in left if other is not row]
                if loss not in passes:
                    passes[loss] = Pass(len(self.passes), reading, loss)
                    self.passes.append(passes[loss])
                self.steps.append(Step(row, passes[loss], value, chain))
        self.steps += self._not_written()

    def _not_written(self) -> Iterator[Step]:
        """The gradients that are not there, in the order of the backward pass."""
        rows = {row.name: row for row in self.report.variables if row.place is None and row.chain_place is None}
        for one in self.passes[:1]:
            for value in reversed(one.values):
                row = rows.pop(one.name_of(value), None)
                if row is not None and value in one.gradients:
                    yield Step(row, one, value)

    def overview(self) -> dict[str, Any]:
        """All that the graph shows, and the verdicts."""
        report = self.report
        return {
            "right": report.right,
            "summary": report.summary(),
            "loss": report.loss,
            "notes": report.notes,
            "faults": report.faults,
            "passes": [one.graph(self._yours(one)) for one in self.passes],
            "steps": [self._step(step) for step in self.steps],
            "hazards": [hazard_json(hazard) for hazard in report.hazards],
        }

    def _yours(self, one: Pass) -> dict[Value, Tensor]:
        """What the program made of the gradients of a pass, the last where it made several."""
        return {step.value: step.yours for step in self.steps if step.where is one and step.yours is not None}

    def _step(self, step: Step) -> dict[str, Any]:
        row, where, chain = step.row, step.where, step.chain
        statements = [one.statement for one in chain.steps] if chain else []
        return {
            "pass": where.number,
            "node": where.id_of(step.value),
            "name": row.name,
            "gradient": row.gradient,
            "shape": row.shape,
            "lines": [{**place_json(one.place), "text": one.text} for one in statements],
            **place_json(row.place),
            "text": row.text,
            "verdict": row.verdict,
            "cause": row.cause,
            "fault": self.report.is_fault(row),
            "maxdiff": row.maxdiff,
            "undoes": [where.id_of(consumer) for consumer in where.consumers(step.value)],
            "diagnosis": [diagnosis_json(one) for one in row.diagnosis],
        }

    def detail(self, number: int) -> dict[str, Any]:
        """The maps of one step: the value, its gradient as it is and as it should be, and the difference."""
        step = self._numbered(number)
        right, yours, comparable = step.right, step.yours, step.comparable
        top = largest(right) if comparable is None else largest(right, comparable)
        found = {"value": heat_map(step.value.data, LARGE), "right": heat_map(right, LARGE, top)}
        if yours is not None:
            found["yours"] = heat_map(yours, LARGE, None if comparable is None else top)
        if comparable is not None:
            found["difference"] = heat_map(comparable.double() - right.double(), LARGE)
        return found

    def element(self, number: int, cell: tuple[int, int] | None, index: Index | None) -> dict[str, Any]:
        """One element of a gradient, as the sum that it is.

        Args:
            number: of the step.
            cell: row and column in the large map.
            index: in the tensor, where that is known; else the element of the cell that is most wrong, or largest.
        """
        step = self._numbered(number)
        right, yours = step.right, step.comparable
        if index is None:
            wrong = torch.zeros_like(right) if yours is None else (yours.double() - right.double()).abs()
            index = furthest((wrong, right.abs()), LARGE, cell)
        elif len(index) != right.dim() or any(not 0 <= i < n for i, n in zip(index, right.shape, strict=True)):
            raise HandgradError("there is no such element", got=list(index), expected=f"within {list(right.shape)}")
        where = step.where
        return {
            "index": list(index),
            "right": float(right[index]),
            "yours": None if yours is None else float(yours[index]),
            "paths": [where.path(step.value, consumer, part, index) for consumer, part in where.parts(step.value)],
        }

    def _numbered(self, number: int) -> Step:
        if not 0 <= number < len(self.steps):
            raise HandgradError("there is no such step", got=number, expected=f"below {len(self.steps)}")
        return self.steps[number]


def _row_of(chain: Chain, name: str, rows: list[VariableReport]) -> VariableReport | None:
    """The row about a chain; of several, as a line has that is run for each layer, the one with the same numbers."""
    found = [row for row in rows if (row.gradient, row.chain_place) == (name, chain.last.statement.place)]
    made = chain.actual
    if len(found) > 1 and isinstance(made, Tensor):
        same = (row for row in found if row.tensors and isinstance(row.tensors[0], Tensor))
        return next((row for row in same if torch.equal(row.tensors[0], made)), None)  # pyrefly: ignore
    return found[0] if found else None
