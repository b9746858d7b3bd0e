"""The network's gradients against autograd and central differences, and mistakes that must be noticed."""

from dataclasses import dataclass

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from handgrad import ops
from handgrad.models import mlp
from handgrad.models.mlp import MLP, PARAMETERS

from ..oracle import plain_loss

EXACT, DIFFERENCES, MISTAKEN = 1e-11, 1e-6, 1e-4  # relative to the largest entry; a mistake must stand out from both


@dataclass(frozen=True)
class Problem:
    """Parameters, a minibatch and a cotangent of the loss."""

    parameters: dict[str, Tensor]
    Xb: Tensor
    Yb: Tensor
    dloss: Tensor


def problem(n, vocab_size, block_size, n_embd, n_hidden, seed=0) -> Problem:
    config = MLP(vocab_size, block_size, n_embd, n_hidden)
    g = torch.Generator().manual_seed(seed)
    parameters = {k: 0.5 * torch.randn(s, generator=g, dtype=torch.float64) for k, s in config.shapes.items()}
    parameters["bngain"] += 1
    Xb = torch.randint(vocab_size, (n, block_size), generator=g)
    Yb = torch.randint(vocab_size, (n,), generator=g)
    return Problem(parameters, Xb, Yb, torch.randn((), generator=g, dtype=torch.float64))


def by_hand(problem: Problem) -> dict[str, Tensor]:
    _, cache = mlp.forward(problem.parameters, problem.Xb, problem.Yb)
    return mlp.backward(problem.dloss, cache)


def by_autograd(problem: Problem) -> dict[str, Tensor]:
    leaves = {name: value.clone().requires_grad_() for name, value in problem.parameters.items()}
    loss = plain_loss(leaves, problem.Xb, problem.Yb)
    return dict(zip(leaves, torch.autograd.grad(loss, list(leaves.values()), problem.dloss), strict=True))


def by_central_differences(problem: Problem, step: float = 1e-5) -> dict[str, Tensor]:
    gradients = {}
    for name, value in problem.parameters.items():
        gradients[name] = torch.zeros_like(value)
        for index in range(value.numel()):
            ends = []
            for sign in (-1, 1):
                moved = value.clone()
                moved.view(-1)[index] += sign * step
                ends.append(plain_loss({**problem.parameters, name: moved}, problem.Xb, problem.Yb))
            gradients[name].view(-1)[index] = problem.dloss * (ends[1] - ends[0]) / (2 * step)
    return gradients


def disagreement(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> float:
    """The largest error of a gradient, relative to its largest entry; for b1, 0 under batch norm, to that of W1."""
    assert list(ours) == list(PARAMETERS)
    errors = []
    for name, reference in theirs.items():
        assert (ours[name].shape, ours[name].dtype) == (reference.shape, reference.dtype), name
        scale = theirs["W1" if name == "b1" else name].abs().max()
        errors.append((ours[name] - reference).abs().max() / scale)
    return torch.stack(errors).max().item()


SIZES = {  # n, vocab_size, block_size, n_embd, n_hidden, pairwise distinct
    "small": (5, 4, 2, 3, 7),
    "wide": (11, 6, 4, 2, 13),
    "one letter of context": (7, 5, 1, 3, 4),
    "smallest vocabulary": (3, 2, 4, 5, 6),
    "more tokens than a byte holds": (9, 300, 2, 3, 5),
}
SIZED = pytest.mark.parametrize("size", SIZES.values(), ids=SIZES.keys())


@SIZED
def test_forward_equals_plain_torch(size):
    p = problem(*size)
    loss, _ = mlp.forward(p.parameters, p.Xb, p.Yb)
    reference = plain_loss(p.parameters, p.Xb, p.Yb)
    assert loss.shape == ()
    assert abs(loss - reference) <= 1e-13 * reference


@SIZED
def test_backward_equals_autograd(size):
    p = problem(*size)
    assert disagreement(by_hand(p), by_autograd(p)) <= EXACT


@pytest.mark.parametrize("size", [SIZES["small"], SIZES["one letter of context"]], ids=str)
def test_backward_equals_central_differences(size):
    p = problem(*size)
    assert disagreement(by_hand(p), by_central_differences(p)) <= DIFFERENCES


@given(st.tuples(st.integers(3, 9), st.integers(2, 9), *[st.integers(1, 6)] * 3), st.integers(0, 2**32))
@settings(derandomize=True, deadline=None, max_examples=60)
def test_any_size(size, seed):
    p = problem(*size, seed=seed)
    assume(len(p.Xb.unique(dim=0)) > 2)
    assert disagreement(by_hand(p), by_autograd(p)) <= 1e-8


def test_a_batch_of_two():
    """Batch norm makes ±1/√2 of any two rows, so the gradients before it all but vanish: compare with the largest."""
    p = problem(2, 5, 3, 4, 7)
    ours, theirs = by_hand(p), by_autograd(p)
    scale = max(reference.abs().max() for reference in theirs.values())
    for name, reference in theirs.items():
        assert (ours[name] - reference).abs().max() <= EXACT * scale, name


def test_nothing_is_changed_in_place():
    p = problem(*SIZES["small"])
    before = {name: value.clone() for name, value in p.parameters.items()}
    by_hand(p)
    assert all(torch.equal(p.parameters[name], value) for name, value in before.items())


def tanh_derivative_forgotten(dloss, cache):
    return mlp.backward(dloss, cache._replace(tanh=ops.TanhCache(torch.zeros_like(cache.tanh.h))))


def embeddings_in_the_wrong_order(dloss, cache):
    flipped = cache.embedding._replace(Xb=cache.embedding.Xb.flip(1))
    return mlp.backward(dloss, cache._replace(embedding=flipped))


def variance_without_bessel(dloss, cache):
    bn = cache.batchnorm
    n = len(bn.bnraw)
    return mlp.backward(dloss, cache._replace(batchnorm=bn._replace(bnraw=bn.bnraw * ((n - 1) / n) ** 0.5)))


def cotangent_forgotten(dloss, cache):
    return mlp.backward(torch.ones_like(dloss), cache)


def all_zero(dloss, cache):
    return {name: torch.zeros_like(gradient) for name, gradient in mlp.backward(dloss, cache).items()}


def gain_and_bias_swapped(dloss, cache):
    g = mlp.backward(dloss, cache)
    return {**g, "bngain": g["bnbias"], "bnbias": g["bngain"]}


MISTAKES = [
    tanh_derivative_forgotten, embeddings_in_the_wrong_order, variance_without_bessel, cotangent_forgotten, all_zero,
    gain_and_bias_swapped,
]  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda f: f.__name__)
@pytest.mark.parametrize("reference", [by_autograd, by_central_differences], ids=lambda f: f.__name__)
def test_a_mistake_is_noticed(mistake, reference):
    p = problem(*SIZES["small"])
    _, cache = mlp.forward(p.parameters, p.Xb, p.Yb)
    assert disagreement(mistake(p.dloss, cache), reference(p)) > MISTAKEN


@SIZED
def test_logits_with_the_batchs_own_statistics_equal_the_training_forward(size):
    p = problem(*size)
    loss, cache = mlp.forward(p.parameters, p.Xb, p.Yb)
    hprebn = mlp.hidden_preactivation(p.parameters, p.Xb)
    bnvar, bnmean = torch.var_mean(hprebn, 0, correction=1, keepdim=True)
    logits = mlp.logits(p.parameters, bnmean, bnvar, p.Xb)
    assert logits.shape == (size[0], size[1])
    assert torch.allclose(logits, cache.cross_entropy.logits, rtol=1e-10, atol=1e-10)
    assert torch.allclose(F.cross_entropy(logits, p.Yb), loss, rtol=1e-12)


def test_logits_do_not_depend_on_the_rest_of_the_batch():
    p = problem(*SIZES["small"])
    statistics = torch.full((2, 1, 7), 0.3, dtype=torch.float64)
    together = mlp.logits(p.parameters, *statistics, p.Xb)
    alone = torch.cat([mlp.logits(p.parameters, *statistics, row[None]) for row in p.Xb])
    assert torch.allclose(together, alone, rtol=1e-12)
