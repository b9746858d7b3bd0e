"""Backward differentiated again, as a penalty on the size of a gradient asks for."""

import torch
from torch import Tensor

from handgrad.checker.faces.functions.findings import Raised, Verdict
from handgrad.checker.faces.functions.inputs import Input
from handgrad.checker.faces.functions.oracles import ByAutograd, ByDifferences, Laboratory, Values
from handgrad.checker.faces.functions.upstreams import RANDOM
from handgrad.checker.guard import CheckError, said
from handgrad.checker.truth.compare import distance, size_of

WORDS = "backward is differentiated again"


def judge_twice(laboratory: Laboratory, oracle: ByAutograd | ByDifferences, verdict: Verdict, values: Values) -> None:
    """Compare the gradients of the gradients, weighted at random, by every input and upstream gradient.

    Raises:
        CheckError: what is right is known by differences alone.
    """
    if isinstance(oracle, ByDifferences):
        raise CheckError(
            "double backward cannot be judged by differences",
            where=verdict.subject.name,
            next_step="Give reference=fn, a function in PyTorch that computes the same.",
        )
    inputs = list(verdict.findings)
    try:
        mine = _by_the_user(laboratory, values, inputs)
    except (Exception, SystemExit) as error:
        verdict.raised.append(Raised(verdict.subject.line_in(error), said(error), WORDS))
        return
    if mine is None:
        message = "its gradients have no graph, as under no_grad, once_differentiable or detach"
        verdict.raised.append(Raised(verdict.subject.returns, message, WORDS))
        return
    ups = _tracked(oracle.outputs)
    first = oracle.gradients([*ups], create_graph=True)
    right = _again(first, inputs, [oracle.leaves[one] for one in inputs], ups)
    names = [one.text for one in inputs] + [f"upstream gradient {i + 1}" for i in range(len(ups))]
    for name, got, want in zip(names, mine, right, strict=True):
        if (apart := distance(got, want)[0]) > 1e-6 * max(1.0, *map(size_of, right)):
            message = f"the gradient of the gradients by {name} is wrong: off by {apart:.3g}"
            verdict.raised.append(Raised(verdict.subject.returns, message, WORDS))


def _by_the_user(laboratory: Laboratory, values: Values, inputs: list[Input]) -> list[Tensor] | None:
    with laboratory.conditions(track=True):
        given = laboratory.subject.world.fresh(values, double=laboratory.double, track=True)
        ran = laboratory.subject.run(given)
        ups = _tracked(ran.outputs)
        first = ran.pull([*ups])
        if not any(isinstance(g, Tensor) and g.requires_grad for g in first.values()):
            return None
        return _again(first, inputs, [given.leaves[one] for one in inputs], ups)


def _tracked(outputs: list[Tensor]) -> list[Tensor]:
    return [up.requires_grad_() for up in RANDOM([o.detach() for o in outputs]) if up is not None]


def _again(first: Values, inputs: list[Input], leaves: list[Tensor], ups: list[Tensor]) -> list[Tensor]:
    generator = torch.Generator().manual_seed(9)
    total = ups[0].sum() * 0
    for one in inputs:
        gradient = first.get(one)
        weights = torch.randn(one.value.shape, generator=generator, dtype=torch.float64)
        if isinstance(gradient, Tensor) and gradient.shape == one.value.shape:
            total = total + (gradient * weights.to(gradient.dtype)).sum()
    sources = [*leaves, *ups]
    total.backward(retain_graph=True)  # which meets what once_differentiable leaves to raise, as autograd.grad does not
    found = [torch.zeros_like(source) if source.grad is None else source.grad for source in sources]
    for source in sources:
        source.grad = None
    return found
