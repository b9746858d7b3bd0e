"""Backward passes that were reported wrong in public, rebuilt small and in words of our own: each is found and told.

The kernels behind them are CUDA or Triton; here each is the same slip in PyTorch on the CPU.
"""
# ruff: noqa: ARG001 - autograd says what the two halves take

import math
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch.autograd import Function

from handgrad.checker import check


def randn(*size: int) -> torch.Tensor:
    return torch.randn(size, generator=torch.Generator().manual_seed(sum(size) + 3 * len(size)))


def function(forward, backward) -> type[Function]:
    return type(forward.__name__, (Function,), {"forward": staticmethod(forward), "backward": staticmethod(backward)})


def flat_memory(tensor: torch.Tensor, shape) -> torch.Tensor:
    """What a kernel reads that takes its pointer for that of a contiguous tensor."""
    return torch.as_strided(tensor, (math.prod(shape),), (1,)).reshape(shape)


# --- norms ---


def rms(ctx, x, w):
    r = (x.square().mean(-1, keepdim=True) + 1e-6).rsqrt()
    ctx.save_for_backward(x, w, r)
    return x * r * w


def rms_without_weight(ctx, dy):
    x, w, r = ctx.saved_tensors
    dn, n = dy * w, x * r
    dw = None
    return r * (dn - n * (dn * n).mean(-1, keepdim=True)), dw


def rms_in_its_own_buffer(ctx, dy):
    x, w, r = ctx.saved_tensors
    dn, n = dy * w, x * r
    dx = dy.clone()
    dx.copy_(r * (dn - n * (dn * n).mean(-1, keepdim=True)))
    dw = (dx * n).sum(0)
    return dx, dw


def rms_whose_last_block_is_lost(ctx, dy):
    x, w, r = ctx.saved_tensors
    dn, n = dy * w, x * r
    blocks = [(dy * n)[i * 2 : i * 2 + 2].sum(0) for i in range(len(x) // 2)]
    dw = torch.stack(blocks).sum(0)
    return r * (dn - n * (dn * n).mean(-1, keepdim=True)), dw


def layer_norm(ctx, x, w):
    xc = x - x.mean(-1, keepdim=True)
    rstd = (xc.square().mean(-1, keepdim=True) + 1e-5).rsqrt()
    ctx.save_for_backward(xc * rstd, rstd, w)
    return xc * rstd * w


def layer_norm_of_two_dimensions(ctx, dy):
    xhat, rstd, w = ctx.saved_tensors
    m = xhat.shape[0]
    n = xhat.numel() // m
    g = dy * w
    dx = rstd * (g - g.sum(-1, keepdim=True) / n - xhat * (g * xhat).sum(-1, keepdim=True) / n)
    return dx, (dy * xhat).sum((0, 1))


def gated_norm(ctx, x, z, w):
    r = (x.square().mean(-1, keepdim=True) + 1e-6).rsqrt()
    ctx.save_for_backward(x, z, w, r)
    return x * r * torch.sigmoid(z) @ w


def gated_norm_with_ungated_output(ctx, dy):
    x, z, w, r = ctx.saved_tensors
    s, n = torch.sigmoid(z), x * r
    dh = dy @ w.T
    dz = dh * n * s * (1 - s)
    dn = dh * s
    dx = r * (dn - n * (dn * n).mean(-1, keepdim=True))
    dw = n.T @ dy
    return dx, dz, dw


def gated_norm_with_names_mixed_up(ctx, dy):
    x, z, w, r = ctx.saved_tensors
    s, n = torch.sigmoid(z), x * r
    dh = dy @ w.T
    dn = dh * s
    dx = r * (dn - n * (dn * n).mean(-1, keepdim=True))
    dz = dx * n * s * (1 - s)
    dw = (n * s).T @ dy
    return dx, dz, dw


def scaled_rows(ctx, x, x1, s, s1):
    ctx.save_for_backward(x, x1, s, s1)
    return torch.sin(x * s + x1 * s1)


def scaled_rows_backward(ctx, g):
    x, x1, s, s1 = ctx.saved_tensors
    d = g * torch.cos(x * s + x1 * s1)
    dx1 = d
    return d * s, dx1, (d * x).sum(1, keepdim=True), (d * x1).sum(1, keepdim=True)


# --- losses and elementwise ---


def token_loss(ctx, logits, target):
    ctx.save_for_backward(logits.softmax(-1), target)
    return -logits.log_softmax(-1)[range(len(target)), target]


def token_loss_by_the_first_upstream(ctx, g):
    probs, target = ctx.saved_tensors
    d = probs - torch.nn.functional.one_hot(target, probs.shape[1])
    return d * g[0], None


def linear_loss(ctx, x, w, target):
    logits = x @ w.T
    d = logits.softmax(-1) - torch.nn.functional.one_hot(target, len(w))
    ctx.save_for_backward(d @ w, d.T @ x)
    return -logits.log_softmax(-1)[range(len(target)), target]


def linear_loss_scaled_afterwards(ctx, g):
    dx, dw = ctx.saved_tensors
    return dx * g[:, None], dw * g[0], None


def square_error(ctx, x, y):
    ctx.save_for_backward(x, y)
    return (x - y).square().mean()


def square_error_beyond_the_scalar(ctx, g):
    x, y = ctx.saved_tensors
    padded = torch.cat([g.reshape(1), torch.zeros(x.numel() - 1)])
    d = 2 * (x - y) / x.numel() * padded.reshape(x.shape)
    return d, -d


def twice(ctx, x):
    return x * 2


def twice_of_flat_memory(ctx, g):
    return flat_memory(g, g.shape) * 2


# --- attention ---


def attention(ctx, q, k, v):
    p = torch.softmax(q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1]), -1)
    ctx.save_for_backward(q, k, v, p)
    return p @ v


def attention_of_flat_memory(ctx, dout):
    q, k, v, p = ctx.saved_tensors
    dout = flat_memory(dout, dout.shape)
    dp = dout @ v.transpose(-1, -2)
    ds = p * (dp - (dp * p).sum(-1, keepdim=True)) / math.sqrt(q.shape[-1])
    return ds @ k, ds.transpose(-1, -2) @ q, p.transpose(-1, -2) @ dout


def attention_with_an_old_name(ctx, dout):
    q, k, v, p = ctx.saved_tensors
    dp = dout @ v.transpose(-1, -2)
    ds = p * (dp - (dp * p).sum(-1, keepdim=True)) / math.sqrt(q.shape[-1])
    dkv = torch.empty_like(qkv)
    return ds @ k, dkv[0], dkv[1]


def attention_with_extents_of_the_keys(ctx, dout):
    q, k, v, p = ctx.saved_tensors
    n = k.shape[-1]
    dp = dout[..., :n] @ v[..., :n].transpose(-1, -2)
    ds = p * (dp - (dp * p).sum(-1, keepdim=True)) / math.sqrt(q.shape[-1])
    return ds @ k, ds.transpose(-1, -2) @ q, p.transpose(-1, -2) @ dout


def attention_with_options(ctx, q, k, v, scale, causal):
    return attention(ctx, q, k, v)


def attention_with_one_none_too_few(ctx, dout):
    q, k, v, p = ctx.saved_tensors
    dp = dout @ v.transpose(-1, -2)
    ds = p * (dp - (dp * p).sum(-1, keepdim=True)) / math.sqrt(q.shape[-1])
    return ds @ k, ds.transpose(-1, -2) @ q, p.transpose(-1, -2) @ dout, None


def shared_heads(ctx, q, k, groups):
    ctx.save_for_backward(q, k)
    ctx.groups = groups
    return q * k.repeat(groups, 1)


def shared_heads_divided_by_the_wrong_count(ctx, g):
    q, k = ctx.saved_tensors
    dk = torch.zeros_like(k)
    for head in range(len(q)):
        dk[head % ctx.groups] += g[head] * q[head]
    return g * k.repeat(ctx.groups, 1), dk, None


# --- convolutions ---


def wavelet(ctx, x, filters):
    ctx.save_for_backward(filters)
    return torch.nn.functional.conv1d(x, filters, stride=2, padding=1)


def wavelet_backward(ctx, g):
    (filters,) = ctx.saved_tensors
    return torch.nn.functional.conv_transpose1d(g, filters.flip(-1), stride=2, padding=1), None


def between(ctx, image, at):
    low = at.floor().long()
    part = at - low
    padded = torch.nn.functional.pad(image, (1, 1))
    ctx.save_for_backward(image, low, part)
    return padded[low + 1] * (1 - part) + padded[low + 2] * part


def between_also_outside(ctx, g):
    image, low, part = ctx.saved_tensors
    dpadded = torch.zeros(len(image) + 2)
    dpadded.index_add_(0, low + 1, g * (1 - part))
    dpadded.index_add_(0, low + 2, g * part)
    last = len(image) - 1
    dat = g * (image[(low + 1).clamp(0, last)] - image[low.clamp(0, last)])
    return dpadded[1:-1], dat


@dataclass
class Reported:
    """Where it was reported, what is checked, what the report says, and the line that it blames."""

    source: str
    subject: tuple[Any, ...]
    says: tuple[str, ...]
    line: str | None = None
    names: set[str] = field(default_factory=set)


X, W, Z = randn(5, 4), randn(4), randn(4, 3)
TARGET = torch.tensor([0, 2, 1])
Q, K, V = randn(6, 4), randn(5, 4), randn(5, 3)

REPORTED = [
    Reported(
        "unslothai/unsloth#4533", (function(rms, rms_without_weight), X, W), ("w is not written yet",), None, {"w"}
    ),
    Reported(
        "unslothai/unsloth#4550",
        (function(rms, rms_in_its_own_buffer), X, W),
        ("uses `dx`; it should be `dy`",),
        "dw = (dx * n).sum(0)",
        {"w"},
    ),
    Reported("BobMcDear/attorch#18", (function(rms, rms_whose_last_block_is_lost), X, W), ("w",), None, {"w"}),
    Reported(
        "flagos-ai/FlagGems#5392",
        (function(layer_norm, layer_norm_of_two_dimensions), randn(2, 3, 4), W),
        ("xhat.numel() // m",),
        "n = xhat.numel() // m",
        {"x"},
    ),
    Reported(
        "fla-org/flash-linear-attention#1071",
        (function(gated_norm, gated_norm_with_ungated_output), X, randn(5, 4) + 1, Z),
        ("dw",),
        None,
        {"w"},
    ),
    Reported(
        "fla-org/flash-linear-attention#155",
        (function(gated_norm, gated_norm_with_names_mixed_up), X, randn(5, 4) + 1, Z),
        ("it should be `dh`",),
        "dz = dx * n * s * (1 - s)",
        {"z"},
    ),
    Reported(
        "state-spaces/mamba#1023",
        (function(scaled_rows, scaled_rows_backward), X, X + 1, randn(5, 1), randn(5, 1) + 2),
        ("missing-factor", "s1"),
        "dx1 = d",
        {"x1"},
    ),
    Reported(
        "linkedin/Liger-Kernel#678",
        (function(token_loss, token_loss_by_the_first_upstream), randn(3, 4), TARGET),
        ("g[0]",),
        None,
        {"logits"},
    ),
    Reported(
        "linkedin/Liger-Kernel#968",
        (function(linear_loss, linear_loss_scaled_afterwards), randn(3, 4), randn(5, 4), TARGET),
        ("w",),
        None,
        {"w"},
    ),
    Reported(
        "flagos-ai/FlagGems#5212",
        (function(square_error, square_error_beyond_the_scalar), X, X + 1),
        ("padded",),
        None,
        {"x"},
    ),
    Reported(
        "flagos-ai/FlagGems#1084", (function(twice, twice_of_flat_memory), X), ("g = g.contiguous()",), None, {"x"}
    ),
    Reported(
        "Dao-AILab/flash-attention#355",
        (function(attention, attention_of_flat_memory), Q, K, V),
        ("not contiguous", "dout = dout.contiguous()"),
        None,
        {"q", "k", "v"},
    ),
    Reported(
        "Dao-AILab/flash-attention#78",
        (function(attention, attention_with_an_old_name), Q, K, V),
        ("NameError: name 'qkv' is not defined",),
    ),
    Reported(
        "XunhaoLai/native-sparse-attention-triton#27 (extents)",
        (function(attention, attention_with_extents_of_the_keys), Q, K, randn(5, 4)),
        ("wrong where the sizes are distinct", "k.shape[-1]"),
        "n = k.shape[-1]",
        {"p"},
    ),
    Reported(
        "XunhaoLai/native-sparse-attention-triton#27 (heads)",
        (function(shared_heads, shared_heads_divided_by_the_wrong_count), randn(6, 2), randn(3, 2), 2),
        ("for head in range(len(q))",),
        None,
        {"k"},
    ),
    Reported(
        "feifeibear/long-context-attention#149",
        (function(attention_with_options, attention_with_one_none_too_few), Q, K, V, 1.0, False),
        ("is 4; expected 5",),
    ),
    Reported(
        "KeKsBoTer/torch-dwt#2",
        (function(wavelet, wavelet_backward), randn(1, 1, 12), randn(2, 1, 4)),
        ("x",),
        None,
        {"x"},
    ),
    Reported(
        "pytorch/vision#6885",
        (function(between, between_also_outside), randn(5), torch.tensor([0.3, 1.6, -0.7, 3.2, 4.4])),
        ("elements, the first at (2,)",),
        "dat = g * (image[(low + 1).clamp(0, last)] - image[low.clamp(0, last)])",
        {"at"},
    ),
]


@pytest.mark.one_in(18)
@pytest.mark.parametrize("case", REPORTED, ids=lambda case: case.source)
def test_it_is_found_and_told(case):
    report = check(*case.subject)
    text = str(report)
    assert not report
    assert [part for part in case.says if part not in text] == [], text
    assert {row.name for row in report.blamed} == case.names, text
    if case.line is not None:
        assert {row.text.strip() for row in report.blamed} == {case.line}, text
