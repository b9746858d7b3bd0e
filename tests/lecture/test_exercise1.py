"""Exercise 1 in float64, against autograd, against the closed forms, and with lines that are wrong."""

import pytest
import torch
from torch import Tensor

from handgrad import ops
from handgrad.lecture import exercise1
from handgrad.models import mlp
from handgrad.models.mlp import MLP, PARAMETERS

from ..oracle import plain_loss

N, CONFIG = 7, MLP(vocab_size=11, block_size=3, n_embd=5, n_hidden=13)
TOLERANCE, MISTAKEN = 1e-12, 1e-3  # relative to the largest entry

g = torch.Generator().manual_seed(1)
PARAMETER_VALUES = {k: 0.5 * torch.randn(s, generator=g, dtype=torch.float64) for k, s in CONFIG.shapes.items()}
PARAMETER_VALUES["bngain"] += 1
Xb = torch.randint(11, (N, 3), generator=g)
Yb = torch.randint(11, (N,), generator=g)


def by_autograd() -> dict[str, Tensor]:
    parameters = {name: value.clone().requires_grad_() for name, value in PARAMETER_VALUES.items()}
    v = exercise1.forward(parameters, Xb, Yb)
    variables = {**v._asdict(), **parameters}
    del variables["loss"]
    gradients = torch.autograd.grad(v.loss, list(variables.values()))
    return dict(zip(variables, gradients, strict=True))


FORWARD = exercise1.forward(PARAMETER_VALUES, Xb, Yb)
BY_HAND = exercise1.backward(PARAMETER_VALUES, Xb, Yb, FORWARD)
BY_AUTOGRAD = by_autograd()


def error(name: str, ours: Tensor) -> float:
    """Relative to the largest entry; for what is 0 in exact arithmetic, to that of the gradient it sums."""
    assert ours.shape == BY_AUTOGRAD[name].shape, name
    scale = {"logit_maxes": "norm_logits", "bnmeani": "bndiff", "b1": "hprebn"}.get(name, name)
    return ((ours - BY_AUTOGRAD[name]).abs().max() / BY_AUTOGRAD[scale].abs().max()).item()


def test_the_loss_is_the_networks():
    assert torch.allclose(FORWARD.loss, plain_loss(PARAMETER_VALUES, Xb, Yb), rtol=1e-13)
    assert torch.allclose(FORWARD.loss, mlp.forward(PARAMETER_VALUES, Xb, Yb)[0], rtol=1e-13)


def test_there_are_19_intermediates_and_7_parameters():
    assert set(BY_HAND) == set(exercise1.Intermediates._fields) - {"loss"} | set(PARAMETERS)
    assert len(BY_HAND) == 26


@pytest.mark.parametrize("name", BY_AUTOGRAD)
def test_each_gradient_equals_autograds(name):
    assert error(name, BY_HAND[name]) <= TOLERANCE


def test_the_lines_equal_the_closed_forms():
    v = FORWARD
    one = torch.ones((), dtype=torch.float64)
    (dlogits,) = ops.cross_entropy_backward(one, ops.cross_entropy_forward(v.logits, Yb)[1])
    dh, dW2, db2 = ops.linear_backward(dlogits, ops.LinearCache(v.h, PARAMETER_VALUES["W2"]))
    (dhpreact,) = ops.tanh_backward(dh, ops.TanhCache(v.h))
    _, cache = ops.batchnorm_forward(v.hprebn, PARAMETER_VALUES["bngain"], PARAMETER_VALUES["bnbias"])
    dhprebn, dbngain, dbnbias = ops.batchnorm_backward(dhpreact, cache)
    dembcat, dW1, db1 = ops.linear_backward(dhprebn, ops.LinearCache(v.embcat, PARAMETER_VALUES["W1"]))
    demb = dembcat.view(v.emb.shape)
    (dC,) = ops.embedding_backward(demb, ops.EmbeddingCache(Xb, CONFIG.vocab_size))
    closed = {
        "logits": dlogits, "h": dh, "W2": dW2, "b2": db2, "hpreact": dhpreact, "hprebn": dhprebn, "bngain": dbngain,
        "bnbias": dbnbias, "embcat": dembcat, "W1": dW1, "b1": db1, "emb": demb, "C": dC,
    }  # fmt: skip
    for name, gradient in closed.items():
        assert (gradient - BY_HAND[name]).abs().max() <= TOLERANCE * BY_HAND["W2"].abs().max(), name
    whole = mlp.backward(one, mlp.forward(PARAMETER_VALUES, Xb, Yb)[1])
    for name in PARAMETERS:
        assert (whole[name] - BY_HAND[name]).abs().max() <= TOLERANCE * BY_HAND["W2"].abs().max(), name


d, v = BY_HAND, FORWARD
MISTAKES = {  # people's, as their comments in the notebook tell: which gradient, and what they wrote
    "logits not divided by n": ("logits", v.probs - torch.nn.functional.one_hot(Yb, 11)),
    "counts without its second use": ("counts", v.counts_sum_inv * d["probs"]),
    "logits without its second use": ("logits", d["norm_logits"] + 0.1 * d["probs"]),
    "bndiff2 for bndiff": ("bndiff", v.bnvar_inv * d["bnraw"] + 2 * v.bndiff2 * d["bndiff2"]),
    "bndiff without its second use": ("bndiff", v.bnvar_inv * d["bnraw"]),
    "hprebn without its second use": ("hprebn", d["bndiff"] + d["bnmeani"]),
    "bnvar by n": ("bndiff2", d["bndiff2"] * (N - 1) / N),
    "hpreact for bnraw": ("bngain", (v.hpreact * d["hpreact"]).sum(0, keepdim=True)),
    "tanh by its input": ("hpreact", (1 - v.hpreact**2) * d["h"]),
    "embedding overwritten": ("C", torch.zeros_like(d["C"]).index_put((Xb,), d["emb"])),
    "W2 by the wrong factor": ("W2", v.hpreact.T @ d["logits"]),
    "W1 of zeros": ("W1", torch.zeros_like(d["W1"])),
}


@pytest.mark.parametrize(("name", "mistaken"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_noticed(name, mistaken):
    assert error(name, mistaken) > MISTAKEN
