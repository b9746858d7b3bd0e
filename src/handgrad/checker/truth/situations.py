"""Situations besides the program's own that a line must get right: other values, and random upstream gradients."""

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from handgrad.checker.truth.cases import Case
from handgrad.checker.truth.chains import Plan
from handgrad.checker.truth.drawn import random_like
from handgrad.checker.truth.passes import Value
from handgrad.checker.truth.truth import Truth

NEGLIGIBLE = 1e-11
"""A float64 gradient this much smaller than those it is summed from is zero up to rounding."""


def hidden(truth: Truth, plan: Plan) -> Iterator[Case]:
    """Situations that show what the true gradients and values hide."""

    def noise_only(true, at, within):
        upstream = truth.upstream(plan, truth.forward, at, within)
        fixed = {
            v: random_like(v.leaf.detach(), truth.generator, dense=True)
            for v in upstream
            if _is_negligible(truth, true, v, within)
        }
        beside = set(truth.forward.consumers(at, within)) - set(upstream)
        if any(_is_negligible(truth, true, v, within) for v in beside):
            fixed.update({v: random_like(true.get(v, v.leaf), truth.generator) for v in upstream if v not in fixed})
        return fixed

    def all_upstream(true, at, within):
        upstream = truth.upstream(plan, truth.forward, at, within) or truth.forward.consumers(at, within)
        return {v: random_like(true.get(v, v.leaf), truth.generator) for v in upstream if truth.forward.inputs(v)}

    loss, at = truth.located(plan.chain)
    within = truth.forward.ancestors(loss)
    if _is_negligible(truth, truth.sweep(truth.forward, loss), at, within):
        if made := truth.case("random upstream", truth.forward, plan, all_upstream):
            yield made
    elif made := truth.case("random upstream where the true one is zero", truth.forward, plan, noise_only):
        yield made
    for shrink in (1.0, 0.01):
        if (made := _other(truth, plan, shrink)) is not None:
            yield made


def general(truth: Truth, plan: Plan) -> Iterator[Case]:
    """Situations a repaired line must get right."""

    def upstream(true, at, within):
        chosen = truth.upstream(plan, truth.forward, at, within)
        return {v: random_like(true.get(v, v.leaf), truth.generator) for v in chosen}

    if (made := _other(truth, plan, 1.0)) is not None:
        yield made
    if made := truth.case("random upstream", truth.forward, plan, upstream):
        yield replace(made, general=True)


def _other(truth: Truth, plan: Plan, shrink: float) -> Case | None:
    forward = truth.others(shrink)
    if forward.failed or truth.region.fixed_arrays & set().union(*(step.reads for step in plan.steps)):
        return None
    try:
        made = truth.case(f"other values, times {shrink:g}", forward, plan)
    except RuntimeError:
        return None
    if made is None or not bool(torch.isfinite(made.want).all()):
        return None
    return made


def _is_negligible(truth: Truth, gradients: dict[Value, Tensor], value: Value, within: set[Value]) -> bool:
    """Whether the true gradient of a value is zero up to rounding."""
    if value not in gradients or gradients[value].numel() == 0:
        return False
    consumers = [gradients[v] for v in truth.forward.consumers(value, within) if v in gradients]
    sizes = [float(g.abs().max()) for g in consumers if g.numel()]
    return bool(sizes) and float(gradients[value].abs().max()) <= (NEGLIGIBLE if truth.double else 1e-6) * max(sizes)
