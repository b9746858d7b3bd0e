"""Exercise 1: the network cut into one-step lines, and the gradient of each line by hand."""

from typing import NamedTuple

import torch
from torch import Tensor

from handgrad.models.family import Values


class Intermediates(NamedTuple):
    """The 19 named intermediates of the forward pass, in its order, and the loss."""

    emb: Tensor
    embcat: Tensor
    hprebn: Tensor
    bnmeani: Tensor
    bndiff: Tensor
    bndiff2: Tensor
    bnvar: Tensor
    bnvar_inv: Tensor
    bnraw: Tensor
    hpreact: Tensor
    h: Tensor
    logits: Tensor
    logit_maxes: Tensor
    norm_logits: Tensor
    counts: Tensor
    counts_sum: Tensor
    counts_sum_inv: Tensor
    probs: Tensor
    logprobs: Tensor
    loss: Tensor


def forward(parameters: Values, Xb: Tensor, Yb: Tensor) -> Intermediates:
    """The forward pass in the lecture's 20 lines.

    Args:
        parameters: the seven parameters by name.
        Xb: (n, block_size) int64.
        Yb: (n,) int64.

    Source: lecture, cell 8.
    """
    C, W1, b1, W2, b2, bngain, bnbias = (parameters[k] for k in ("C", "W1", "b1", "W2", "b2", "bngain", "bnbias"))
    n = len(Yb)
    emb = C[Xb]
    embcat = emb.view(n, -1)
    hprebn = embcat @ W1 + b1
    bnmeani = 1 / n * hprebn.sum(0, keepdim=True)
    bndiff = hprebn - bnmeani
    bndiff2 = bndiff**2
    bnvar = 1 / (n - 1) * bndiff2.sum(0, keepdim=True)
    bnvar_inv = (bnvar + 1e-5) ** -0.5
    bnraw = bndiff * bnvar_inv
    hpreact = bngain * bnraw + bnbias
    h = torch.tanh(hpreact)
    logits = h @ W2 + b2
    logit_maxes = logits.max(1, keepdim=True).values
    norm_logits = logits - logit_maxes
    counts = norm_logits.exp()
    counts_sum = counts.sum(1, keepdim=True)
    counts_sum_inv = counts_sum**-1
    probs = counts * counts_sum_inv
    logprobs = probs.log()
    loss = -logprobs[range(n), Yb].mean()
    return Intermediates(
        emb, embcat, hprebn, bnmeani, bndiff, bndiff2, bnvar, bnvar_inv, bnraw, hpreact, h, logits,
        logit_maxes, norm_logits, counts, counts_sum, counts_sum_inv, probs, logprobs, loss,
    )  # fmt: skip


def backward(parameters: Values, Xb: Tensor, Yb: Tensor, v: Intermediates) -> dict[str, Tensor]:
    """The gradients of the 19 intermediates and 7 parameters, one line each, in order of the backward pass.

    Args:
        parameters: as in `forward`.
        Xb: as in `forward`.
        Yb: as in `forward`.
        v: what `forward` returned.

    Returns:
        The gradient of `name` under `name`, each in the shape of its variable.

    Source: lecture, exercise 1.
    """
    C, W1, W2, bngain = (parameters[k] for k in ("C", "W1", "W2", "bngain"))
    n, vocab_size = v.logits.shape
    # loss = -logprobs[range(n), Yb].mean()
    dlogprobs = torch.zeros_like(v.logprobs).index_put((torch.arange(n), Yb), v.logprobs.new_tensor(-1.0 / n))
    # logprobs = probs.log()
    dprobs = (1.0 / v.probs) * dlogprobs
    # probs = counts * counts_sum_inv
    dcounts_sum_inv = (v.counts * dprobs).sum(1, keepdim=True)
    # counts_sum_inv = counts_sum**-1
    dcounts_sum = (-(v.counts_sum**-2)) * dcounts_sum_inv
    # counts is used twice: probs = counts * counts_sum_inv, and counts_sum = counts.sum(1, keepdim=True)
    dcounts = v.counts_sum_inv * dprobs + dcounts_sum
    # counts = norm_logits.exp()
    dnorm_logits = v.counts * dcounts
    # norm_logits = logits - logit_maxes
    dlogit_maxes = (-dnorm_logits).sum(1, keepdim=True)
    # logits is used twice: norm_logits = logits - logit_maxes, and logit_maxes = logits.max(1, keepdim=True).values
    dlogits = dnorm_logits + torch.nn.functional.one_hot(v.logits.max(1).indices, vocab_size) * dlogit_maxes
    # logits = h @ W2 + b2
    dh = dlogits @ W2.T
    dW2 = v.h.T @ dlogits
    db2 = dlogits.sum(0)
    # h = torch.tanh(hpreact)
    dhpreact = (1.0 - v.h**2) * dh
    # hpreact = bngain * bnraw + bnbias
    dbngain = (v.bnraw * dhpreact).sum(0, keepdim=True)
    dbnbias = dhpreact.sum(0, keepdim=True)
    dbnraw = bngain * dhpreact
    # bnraw = bndiff * bnvar_inv
    dbnvar_inv = (v.bndiff * dbnraw).sum(0, keepdim=True)
    # bnvar_inv = (bnvar + 1e-5)**-0.5
    dbnvar = (-0.5 * (v.bnvar + 1e-5) ** -1.5) * dbnvar_inv
    # bnvar = 1/(n-1) * bndiff2.sum(0, keepdim=True)
    dbndiff2 = (1.0 / (n - 1)) * torch.ones_like(v.bndiff2) * dbnvar
    # bndiff is used twice: bnraw = bndiff * bnvar_inv, and bndiff2 = bndiff**2
    dbndiff = v.bnvar_inv * dbnraw + 2 * v.bndiff * dbndiff2
    # bndiff = hprebn - bnmeani
    dbnmeani = (-dbndiff).sum(0, keepdim=True)
    # hprebn is used twice: bndiff = hprebn - bnmeani, and bnmeani = 1/n * hprebn.sum(0, keepdim=True)
    dhprebn = dbndiff + 1.0 / n * torch.ones_like(v.hprebn) * dbnmeani
    # hprebn = embcat @ W1 + b1
    dembcat = dhprebn @ W1.T
    dW1 = v.embcat.T @ dhprebn
    db1 = dhprebn.sum(0)
    # embcat = emb.view(n, -1)
    demb = dembcat.view(v.emb.shape)
    # emb = C[Xb]
    dC = torch.zeros_like(C).index_put((Xb,), demb, accumulate=True)
    return {
        "logprobs": dlogprobs, "probs": dprobs, "counts_sum_inv": dcounts_sum_inv, "counts_sum": dcounts_sum,
        "counts": dcounts, "norm_logits": dnorm_logits, "logit_maxes": dlogit_maxes, "logits": dlogits, "h": dh,
        "W2": dW2, "b2": db2, "hpreact": dhpreact, "bngain": dbngain, "bnbias": dbnbias, "bnraw": dbnraw,
        "bnvar_inv": dbnvar_inv, "bnvar": dbnvar, "bndiff2": dbndiff2, "bndiff": dbndiff, "bnmeani": dbnmeani,
        "hprebn": dhprebn, "embcat": dembcat, "W1": dW1, "b1": db1, "emb": demb, "C": dC,
    }  # fmt: skip
