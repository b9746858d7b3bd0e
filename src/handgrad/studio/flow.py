"""How gradients flow through a program that was checked, as data. Nothing else here reads the checker's insides."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from handgrad.checker.judge.interpretation import Interpretation
from handgrad.checker.place import Place
from handgrad.checker.report import Diagnosis, Report, VariableReport
from handgrad.checker.truth.chains import Chain
from handgrad.checker.truth.reference import Forward, Value
from handgrad.errors import HandgradError
from handgrad.studio.heat import block, grid_shape, heat_map, largest

SMALL, LARGE = 20, 64
"""Rows and columns of a map in the graph, and of one that is looked at."""
MOST_TERMS = 64
"""Terms of a sum that are told one by one."""


class Flow:
    """The values of one pass, the gradients that come back to them, and what the program makes of these."""

    def __init__(self, report: Report, reading: Interpretation | None):
        """Look at one pass, as it was read to judge it."""
        self.report, self.reading = report, reading
        self.values: list[Value] = []
        self.loss: Value | None = None
        self.gradients: dict[Value, Tensor] = {}
        self.chains: dict[Value, list[Chain]] = {}
        self.rows = {(row.gradient, row.chain_place): row for row in self.report.variables}
        if self.reading is None:
            return
        truth = self.reading.judge.truth
        losses = truth.losses(truth.forward)
        if not losses:
            return
        self.loss = max(losses, key=lambda v: len(truth.forward.ancestors(v)))
        within = truth.forward.ancestors(self.loss)
        self.values = [v for v in truth.forward.values if v in within]
        self.gradients = truth.sweep(truth.forward, self.loss)
        for chain in self.reading.chains:
            self.chains.setdefault(self.reading.value_of(chain), []).append(chain)

    @property
    def forward(self) -> Forward:
        """The pass, in float64, each named value cut off from those before it."""
        assert self.reading is not None
        return self.reading.judge.truth.forward

    def _in_words(self, text: str) -> str:
        """A text in the user's words."""
        return self.reading.judge.trace.shown(text) if self.reading else text

    def overview(self) -> dict[str, Any]:
        """All that the graph shows, and the verdicts."""
        report = self.report
        return {
            "right": report.right,
            "summary": report.summary(),
            "loss": report.loss,
            "notes": report.notes,
            "faults": report.faults,
            "unjudged": [str(one) for one in report.unjudged],
            "nodes": [self._node(value) for value in self.values],
            "edges": [self._edge(*edge) for edge in self._edges()],
            "steps": [self._step(*step) for step in self._steps()],
            "missing": [
                {"name": row.name, "gradient": row.gradient, "shape": row.shape}
                for row in report.variables
                if row.place is None
            ],
            "hazards": [
                {
                    "kind": hazard.kind,
                    "variable": hazard.variable,
                    "message": hazard.message,
                    "text": hazard.text,
                    "repair": _fix(hazard.repair),
                    **_place(hazard.place),
                }
                for hazard in report.hazards
            ],
        }

    def detail(self, node: str) -> dict[str, Any]:
        """The maps of one value and its gradients, large, and what comes back through each path."""
        value = self._value(node)
        right = self.gradients.get(value)
        found: dict[str, Any] = {"id": node, "value": heat_map(value.data, LARGE)}
        if right is not None:
            found |= self._compared(value, right)
            found["paths"] = [
                {"through": self._id(consumer), "map": heat_map(part, LARGE, largest(right) or None)}
                for consumer, part in self._parts(value)
            ]
        return found

    def _compared(self, value: Value, right: Tensor) -> dict[str, Any]:
        """The right gradient, the program's own where it can be shown, and the difference where shapes agree."""
        yours = self._yours(value)
        same = yours is not None and yours.shape == right.shape
        top = largest(right, yours) if same and yours is not None else largest(right)
        found: dict[str, Any] = {"right": heat_map(right, LARGE, top)}
        if yours is not None:
            found["yours"] = heat_map(yours, LARGE, top if same else None)
        if same and yours is not None:
            found["difference"] = heat_map(yours.double() - right.double(), LARGE)
        return found

    def element(self, node: str, cell: tuple[int, int] | None, index: tuple[int, ...] | None) -> dict[str, Any]:
        """One element of a gradient, as the sum that it is.

        Args:
            node: the value.
            cell: row and column in the large map.
            index: in the tensor, where that is known; else the element of the cell that is most wrong, or largest.
        """
        value = self._value(node)
        right = self.gradients.get(value)
        if right is None:
            raise HandgradError("the loss does not depend on this value", where=value.name)
        yours = self._yours(value)
        comparable = yours is not None and yours.shape == right.shape
        if index is None:
            weight = (yours.double() - right).abs() if comparable and yours is not None else right.abs()
            index = _chosen(weight, right.abs(), cell)
        elif len(index) != right.dim() or any(not 0 <= i < n for i, n in zip(index, right.shape, strict=True)):
            raise HandgradError("there is no such element", got=list(index), expected=f"within {list(right.shape)}")
        paths = []
        for consumer, part in self._parts(value):
            path: dict[str, Any] = {
                "through": self._id(consumer),
                "name": self._shown(consumer),
                "sum": float(part[index]),
            }
            path |= self._terms(value, consumer, index)
            paths.append(path)
        return {
            "id": node,
            "index": list(index),
            "right": float(right[index]),
            "yours": float(yours[index]) if comparable and yours is not None else None,
            "paths": paths,
        }

    def _terms(self, value: Value, consumer: Value, index: tuple[int, ...]) -> dict[str, Any]:
        """What each element that was made of this one sends back: its gradient times how it depends on this one."""
        column = self._column(value, consumer, index)
        if column is None:
            return {"terms": None, "count": 0}
        upstream = self.gradients[consumer]
        places = torch.nonzero(column, as_tuple=False)
        products = upstream * column
        kept = places[:MOST_TERMS]
        if len(places) > MOST_TERMS:
            order = products[tuple(places.T)].abs().argsort(descending=True)[:MOST_TERMS]
            kept = places[order.sort().values]
        terms = [
            {"index": at, "upstream": float(upstream[tuple(at)]), "factor": float(column[tuple(at)])}
            for at in kept.tolist()
        ]
        return {"terms": terms, "count": len(places)}

    def _column(self, value: Value, consumer: Value, index: tuple[int, ...]) -> Tensor | None:
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

    def _parts(self, value: Value) -> Iterator[tuple[Value, Tensor]]:
        """What each value made from this one sends back to it."""
        for consumer in self.forward.consumers(value, set(self.values)):
            if consumer in self.gradients:
                part = self._sent(consumer, value)
                if part is not None:
                    yield consumer, part

    def _sent(self, consumer: Value, value: Value) -> Tensor | None:
        with torch.enable_grad():
            return self.forward.local(consumer, self.gradients[consumer], [value])[0]

    def _yours(self, value: Value) -> Tensor | None:
        """What the program made of the gradient, the last where it made several."""
        for chain in reversed(self.chains.get(value, [])):
            row = self._row(chain)
            if row is not None and row.tensors and isinstance(row.tensors[0], Tensor):
                return row.tensors[0].detach()
        return None

    def _row(self, chain: Chain) -> VariableReport | None:
        return self.rows.get((self._in_words(chain.name), chain.last.statement.place))

    def _id(self, value: Value) -> str:
        return f"v{self.forward.values.index(value)}"

    def _value(self, node: str) -> Value:
        for value in self.values:
            if self._id(value) == node:
                return value
        raise HandgradError("there is no such value", got=node)

    def _shown(self, value: Value) -> str:
        return self._in_words(value.name)

    def _node(self, value: Value) -> dict[str, Any]:
        right, yours = self.gradients.get(value), self._yours(value)
        step = value.step
        return {
            "id": self._id(value),
            "name": self._shown(value),
            "shape": list(value.leaf.shape),
            "kind": "loss" if value is self.loss else "input" if value.root else "value",
            "inputs": [self._id(v) for v in self.forward.inputs(value)],
            **_place(step.statement.place if step else None),
            "text": step.statement.text if step else "",
            "value": heat_map(value.data, SMALL),
            "gradient": None if right is None else heat_map(right if yours is None else yours, SMALL),
            "scalar": float(value.data) if value.leaf.numel() == 1 else None,
        }

    def _edges(self) -> Iterator[tuple[Value, Value]]:
        for value in self.values:
            for source in self.forward.inputs(value):
                yield source, value

    def _edge(self, source: Value, target: Value) -> dict[str, Any]:
        part = self._sent(target, source) if target in self.gradients else None
        return {
            "from": self._id(source),
            "to": self._id(target),
            "largest": None if part is None else largest(part),
        }

    def _steps(self) -> Iterator[tuple[Value, Chain, VariableReport]]:
        """The lines of the backward pass, in their order."""
        for chain in self.reading.chains if self.reading else ():
            value, row = (self.reading.value_of(chain) if self.reading else None), self._row(chain)
            if value in self.gradients and row is not None and value is not None:
                yield value, chain, row

    def _step(self, value: Value, chain: Chain, row: VariableReport) -> dict[str, Any]:
        lines = [{**_place(s.statement.place), "text": s.statement.text} for s in chain.steps]
        diagnosis = [
            {
                "kind": d.kind,
                "message": d.message,
                "leftOver": str(d.left_over) if d.left_over else None,
                **_place(d.place),
                "repair": _fix(d),
            }
            for d in row.diagnosis
        ]
        return {
            "node": self._id(value),
            "name": row.name,
            "gradient": row.gradient,
            "shape": row.shape,
            "lines": lines,
            **_place(row.place),
            "text": row.text,
            "verdict": row.verdict,
            "cause": row.cause,
            "fault": self.report.is_fault(row),
            "maxdiff": row.maxdiff,
            "relativeError": row.relative_error,
            "undoes": [self._id(consumer) for consumer in self.forward.consumers(value, set(self.values))],
            "diagnosis": diagnosis,
        }


def told(report: Report) -> dict[str, Any]:
    """A report with no pass to look at: what it says."""
    return {"right": report.right, "summary": report.summary(), "notes": report.notes, "faults": report.faults}


def _chosen(weight: Tensor, second: Tensor, cell: tuple[int, int] | None) -> tuple[int, ...]:
    """The place of the largest weight, within one cell of the large map where there is one; else of the second."""
    if weight.numel() == 0:
        raise HandgradError("this tensor has no elements")
    rows, columns = grid_shape(weight.shape)
    part = block(weight.shape, LARGE, cell) if cell is not None else (slice(None), slice(None))
    grids = [w.detach().nan_to_num(0.0).reshape(rows, columns)[part] for w in (weight, second)]
    grid = grids[0] if bool(grids[0].any()) else grids[1]
    if grid.numel() == 0:
        raise HandgradError("there is no such cell", got=cell)
    at = divmod(int(grid.argmax()), grid.shape[1])
    flat = ((part[0].start or 0) + at[0]) * columns + (part[1].start or 0) + at[1]
    return tuple(int(i) for i in torch.unravel_index(torch.tensor(flat), weight.shape))


def _place(place: Place | None) -> dict[str, Any]:
    return {"line": place.line if place else None, "cell": place.cell if place else None}


def _fix(found: Diagnosis | None) -> dict[str, Any] | None:
    """The edit that mends a line."""
    if found is None or found.fix is None:
        return None
    return {
        "text": found.fix,
        "start": found.start,
        "end": found.end,
        "around": list(found.around),
        **_place(found.place),
    }
