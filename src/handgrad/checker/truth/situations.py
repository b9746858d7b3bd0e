"""Situations besides the program's own that a line must get right: other values, and random upstream gradients."""

from collections.abc import Iterator

import torch

from handgrad.checker.truth.cases import Case
from handgrad.checker.truth.chains import Plan
from handgrad.checker.truth.drawn import random_like
from handgrad.checker.truth.truth import Truth


def hidden(truth: Truth, plan: Plan) -> Iterator[Case]:
    """Situations that show what the true gradients and values hide."""

    def noise_only(true, at, within):
        upstream = truth.upstream(plan, truth.forward, at, within)
        fixed = {
            v: random_like(v.leaf.detach(), truth.generator, dense=True)
            for v in upstream
            if truth.negligible(true, truth.forward, v, within)
        }
        beside = set(truth.forward.consumers(at, within)) - set(upstream)
        if any(truth.negligible(true, truth.forward, v, within) for v in beside):
            fixed.update({v: random_like(true.get(v, v.leaf), truth.generator) for v in upstream if v not in fixed})
        return fixed

    def all_upstream(true, at, within):
        upstream = truth.upstream(plan, truth.forward, at, within) or truth.forward.consumers(at, within)
        return {v: random_like(true.get(v, v.leaf), truth.generator) for v in upstream if truth.forward.inputs(v)}

    loss, at = truth.located(plan.chain)
    within = truth.forward.ancestors(loss)
    if truth.negligible(truth.sweep(truth.forward, loss), truth.forward, at, within):
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
        yield made


def _other(truth: Truth, plan: Plan, shrink: float) -> Case | None:
    forward = truth.others(shrink)
    if forward.failed or truth.fixed_arrays & set().union(*(step.reads for step in plan.steps)):
        return None
    try:
        made = truth.case(f"other values, times {shrink:g}", forward, plan)
    except RuntimeError:
        return None
    if made is None or not bool(torch.isfinite(made.want).all()):
        return None
    return made
