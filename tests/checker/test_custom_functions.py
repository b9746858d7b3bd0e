"""Custom backward passes as engineers write them: all of the right ones pass, and each wrong one is explained."""
# ruff: noqa: ARG001, ARG005 - autograd says what the two halves take

import functools
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from handgrad.checker import CheckError, Report, check


def randn(*size: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(sum(size) + 7 * len(size))
    return torch.randn(size, generator=generator)


def function(forward, backward, **members) -> type[Function]:
    halves = {"forward": staticmethod(forward), "backward": staticmethod(backward)}
    return type(forward.__name__, (Function,), {**halves, **members})


@dataclass
class Case:
    """What is checked, and of a wrong one what the report has to say."""

    id: str
    subject: tuple[Any, ...]
    says: tuple[str, ...] = ()
    blamed: set[str] = field(default_factory=set)
    options: dict[str, Any] = field(default_factory=dict)

    def report(self) -> Report:
        return check(*self.subject, **self.options)


# --- autograd functions ----------------------------------------------------------------------------------------------


def exp(ctx, x):
    y = x.exp()
    ctx.save_for_backward(y)
    return y


def exp_backward(ctx, grad_output):
    (y,) = ctx.saved_tensors
    return grad_output * y


def exp_in_place(ctx, x):
    x.exp_()
    ctx.mark_dirty(x)
    ctx.save_for_backward(x)
    return x


def exp_backward_without_output(ctx, grad_output):
    return grad_output


def relu(ctx, x):
    ctx.save_for_backward(x)
    return x.clamp(min=0)


def relu_backward(ctx, grad_output):
    (x,) = ctx.saved_tensors
    grad_input = grad_output.clone()
    grad_input[x < 0] = 0
    return grad_input


def relu_backward_in_place(ctx, grad_output):
    (x,) = ctx.saved_tensors
    grad_input = grad_output
    grad_input[x < 0] = 0
    return grad_input


def relu_backward_turned(ctx, grad_output):
    (x,) = ctx.saved_tensors
    grad_input = grad_output.clone()
    grad_input[x > 0] = 0
    return grad_input


def linear(ctx, x, weight, bias=None):
    ctx.save_for_backward(x, weight, bias)
    out = x @ weight.T
    if bias is not None:
        out += bias
    return out


def linear_backward(ctx, grad_output):
    x, weight, bias = ctx.saved_tensors
    grad_x = grad_weight = grad_bias = None
    if ctx.needs_input_grad[0]:
        grad_x = grad_output @ weight
    if ctx.needs_input_grad[1]:
        grad_weight = grad_output.T @ x
    if bias is not None and ctx.needs_input_grad[2]:
        grad_bias = grad_output.sum(0)
    return grad_x, grad_weight, grad_bias


def linear_backward_unwritten(ctx, grad_output):
    x, weight, _ = ctx.saved_tensors
    grad_bias = None
    return grad_output @ weight, grad_output.T @ x, grad_bias


def linear_backward_without_bias(ctx, grad_output):
    x, weight, _ = ctx.saved_tensors
    return grad_output @ weight, grad_output.T @ x


def linear_backward_of_nothing(ctx, grad_output):
    return None, None, None


def layer_norm(ctx, x, weight, bias, eps=1e-5):
    rstd = (x.var(-1, unbiased=False, keepdim=True) + eps).rsqrt()
    xhat = (x - x.mean(-1, keepdim=True)) * rstd
    ctx.save_for_backward(xhat, rstd, weight)
    return xhat * weight + bias


def layer_norm_backward(ctx, dy):
    xhat, rstd, weight = ctx.saved_tensors
    wdy = dy * weight
    c1 = (xhat * wdy).mean(-1, keepdim=True)
    c2 = wdy.mean(-1, keepdim=True)
    dx = (wdy - (xhat * c1 + c2)) * rstd
    return dx, (dy * xhat).sum(0), dy.sum(0), None


def layer_norm_backward_summed(ctx, dy):
    xhat, rstd, weight = ctx.saved_tensors
    wdy = dy * weight
    c1 = (xhat * wdy).mean(-1, keepdim=True)
    c2 = wdy.sum(-1, keepdim=True)
    dx = (wdy - (xhat * c1 + c2)) * rstd
    return dx, (dy * xhat).sum(0), dy.sum(0), None


def rms_norm(ctx, x, gain):
    r = (x.square().mean(-1, keepdim=True) + 1e-6).rsqrt()
    ctx.save_for_backward(x, gain, r)
    return x * r * gain


def rms_norm_backward(ctx, dy):
    x, gain, r = ctx.saved_tensors
    n = x * r
    dn = dy * gain
    dx = r * (dn - n * (dn * n).mean(-1, keepdim=True))
    return dx, (dy * n).sum(0)


def cross_entropy(ctx, logits, target):
    logprobs = logits.log_softmax(1)
    ctx.save_for_backward(logprobs, target)
    return -logprobs[range(len(target)), target].mean()


def cross_entropy_backward(ctx, g):
    logprobs, target = ctx.saved_tensors
    d = logprobs.exp()
    d[range(len(target)), target] -= 1
    return g * d / len(target), None


def cross_entropy_backward_without_upstream(ctx, g):
    logprobs, target = ctx.saved_tensors
    d = logprobs.exp()
    d[range(len(target)), target] -= 1
    return d / len(target), None


def swish(ctx, x, beta):
    s = torch.sigmoid(beta * x)
    ctx.save_for_backward(x, s)
    ctx.beta = beta
    return x * s


@once_differentiable
def swish_backward(ctx, g):
    x, s = ctx.saved_tensors
    return g * (s + ctx.beta * x * s * (1 - s)), None


def gelu(ctx, x):
    ctx.save_for_backward(x)
    return 0.5 * x * (1 + torch.erf(x / math.sqrt(2)))


def gelu_backward(ctx, g):
    (x,) = ctx.saved_tensors
    cdf = 0.5 * (1 + torch.erf(x / math.sqrt(2)))
    pdf = torch.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)
    return g * (cdf + x * pdf)


def mish(ctx, x):
    ctx.save_for_backward(x)
    return x * torch.nn.functional.softplus(x).tanh()


def mish_backward(ctx, g):
    (x,) = ctx.saved_tensors
    t = torch.nn.functional.softplus(x).tanh()
    return g * (t + x * x.sigmoid() * (1 - t * t))


def clamp(ctx, x, low, high):
    ctx.save_for_backward((x >= low) & (x <= high))
    return x.clamp(low, high)


def clamp_backward(ctx, g):
    (inside,) = ctx.saved_tensors
    return g * inside, None, None


def rounded(ctx, x):
    return x.round()


def step(ctx, x):
    return (x > 0).to(x.dtype)


def straight_through(ctx, g):
    return g


def embedding(ctx, weight, index):
    ctx.save_for_backward(index)
    ctx.size = weight.shape[0]
    return weight[index]


def embedding_backward(ctx, g):
    (index,) = ctx.saved_tensors
    gw = g.new_zeros(ctx.size, g.shape[-1])
    gw.index_add_(0, index, g)
    return gw, None


def embedding_backward_overwriting(ctx, g):
    (index,) = ctx.saved_tensors
    gw = g.new_zeros(ctx.size, g.shape[-1])
    gw[index] += g
    return gw, None


def gather(ctx, x, index):
    ctx.save_for_backward(index)
    ctx.shape = x.shape
    return x.gather(1, index)


def gather_backward(ctx, g):
    (index,) = ctx.saved_tensors
    return g.new_zeros(ctx.shape).scatter_add_(1, index, g), None


def sort(ctx, x):
    values, order = x.sort(-1)
    ctx.mark_non_differentiable(order)
    ctx.save_for_backward(order)
    return values, order


def sort_backward(ctx, gvalues, gorder):
    (order,) = ctx.saved_tensors
    return torch.zeros_like(gvalues).scatter(-1, order, gvalues)


def larger_and_smaller_undefined(ctx, a, b):
    ctx.set_materialize_grads(False)
    return larger_and_smaller(ctx, a, b)


def larger_and_smaller(ctx, a, b):
    first = a > b
    ctx.save_for_backward(first)
    return torch.where(first, a, b), torch.where(first, b, a), None


def larger_and_smaller_backward(ctx, up, down, nothing):
    (first,) = ctx.saved_tensors
    return torch.where(first, up, down), torch.where(first, down, up)


def larger_and_smaller_backward_of_one(ctx, up, down, nothing):
    (first,) = ctx.saved_tensors
    return up * first, up * ~first


def lstm(ctx, x, h, c, W):
    i, f, o, u = (torch.cat([x, h], 1) @ W).chunk(4, 1)
    i, f, o, u = i.sigmoid(), f.sigmoid(), o.sigmoid(), u.tanh()
    c2 = f * c + i * u
    t = c2.tanh()
    ctx.save_for_backward(x, h, c, W, i, f, o, u, t)
    return o * t, c2


def lstm_backward(ctx, dh2, dc2):
    x, h, c, W, i, f, o, u, t = ctx.saved_tensors
    do = dh2 * t
    dc2 = dc2 + dh2 * o * (1 - t**2)
    df, di, du = dc2 * c, dc2 * u, dc2 * i
    dz = torch.cat([di * i * (1 - i), df * f * (1 - f), do * o * (1 - o), du * (1 - u**2)], 1)
    dxh = dz @ W.T
    return dxh[:, : x.shape[1]], dxh[:, x.shape[1] :], dc2 * f, torch.cat([x, h], 1).T @ dz


def lstm_backward_without_cell(ctx, dh2, dc2):
    x, h, c, W, i, f, o, u, t = ctx.saved_tensors
    do = dh2 * t
    dc2 = dh2 * o * (1 - t**2)
    df, di, du = dc2 * c, dc2 * u, dc2 * i
    dz = torch.cat([di * i * (1 - i), df * f * (1 - f), do * o * (1 - o), du * (1 - u**2)], 1)
    dxh = dz @ W.T
    return dxh[:, : x.shape[1]], dxh[:, x.shape[1] :], dc2 * f, torch.cat([x, h], 1).T @ dz


def rotary(ctx, x, cos, sin):
    a, b = x.chunk(2, -1)
    ctx.save_for_backward(cos, sin)
    return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)


def rotary_backward(ctx, g):
    cos, sin = ctx.saved_tensors
    a, b = g.chunk(2, -1)
    return torch.cat([a * cos + b * sin, b * cos - a * sin], -1), None, None


def rotary_backward_forwards(ctx, g):
    cos, sin = ctx.saved_tensors
    a, b = g.chunk(2, -1)
    return torch.cat([a * cos - b * sin, b * cos + a * sin], -1), None, None


def sinh_in_numpy(ctx, x):
    a = x.detach().numpy()
    ctx.cosh = np.cosh(a)
    return torch.from_numpy(np.sinh(a))


def sinh_in_numpy_backward(ctx, g):
    return g * torch.from_numpy(ctx.cosh)


def sinh_in_numpy_backward_turned(ctx, g):
    return -g * torch.from_numpy(ctx.cosh)


def sinh_in_single(ctx, x):
    return torch.from_numpy(np.sinh(x.detach().numpy().astype(np.float32)))


def joined(ctx, dim, *parts):
    ctx.dim, ctx.sizes = dim, [part.shape[dim] for part in parts]
    return torch.cat(parts, dim)


def joined_backward(ctx, g):
    return (None, *g.split(ctx.sizes, ctx.dim))


def recomputed(ctx, x, w):
    ctx.save_for_backward(x, w)
    with torch.no_grad():
        return torch.tanh(x @ w)


def recomputed_backward(ctx, g):
    x, w = (t.detach().requires_grad_() for t in ctx.saved_tensors)
    with torch.enable_grad():
        y = torch.tanh(x @ w)
    return torch.autograd.grad(y, (x, w), g)


def product(ctx, a, b):
    ctx.save_for_backward(a, b)
    return a**2 * b


def product_backward(ctx, g):
    a, b = ctx.saved_tensors
    return 2 * g * a * b, g * a**2


def sum_of_products(x, *weights):
    return sum(x @ w for w in weights)


def save_all(ctx, inputs, output):
    ctx.save_for_backward(*inputs)


def sum_of_products_backward(ctx, g):
    x, *weights = ctx.saved_tensors
    return (sum(g @ w.T for w in weights), *[x.T @ g for _ in weights])


# --- pairs -----------------------------------------------------------------------------------------------------------


def relu_layer(x, w):
    out = x @ w
    return torch.relu(out), (x, w, out)


def relu_layer_backward(dout, cache):
    x, w, out = cache
    dout = dout * (out > 0)
    return dout @ w.T, x.T @ dout


def relu_layer_backward_turned(dout, cache):
    x, w, out = cache
    dout = dout * (out < 0)
    return dout @ w.T, x.T @ dout


def attention(q, k, v):
    scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
    p = torch.softmax(scores, -1)
    return p @ v, (q, k, v, p)


def attention_backward(dout, cache):
    q, k, v, p = cache
    dv = p.transpose(-1, -2) @ dout
    dp = dout @ v.transpose(-1, -2)
    dscores = p * (dp - (dp * p).sum(-1, keepdim=True)) / math.sqrt(q.shape[-1])
    return dscores @ k, dscores.transpose(-1, -2) @ q, dv


def conv(x, w, stride=1, padding=1):
    k = w.shape[-1]
    columns = torch.nn.functional.unfold(x, k, padding=padding, stride=stride)
    out = (w.reshape(len(w), -1) @ columns).reshape(len(x), len(w), *x.shape[2:])
    return out, (x.shape, columns, w, stride, padding)


def conv_backward(dout, cache):
    shape, columns, w, stride, padding = cache
    d = dout.reshape(*dout.shape[:2], -1)
    dw = (d @ columns.transpose(1, 2)).sum(0).reshape(w.shape)
    dcolumns = w.reshape(len(w), -1).T @ d
    return torch.nn.functional.fold(dcolumns, shape[2:], w.shape[-1], padding=padding, stride=stride), dw


def conv_backward_averaged(dout, cache):
    shape, columns, w, stride, padding = cache
    d = dout.reshape(*dout.shape[:2], -1)
    dw = (d @ columns.transpose(1, 2)).mean(0).reshape(w.shape)
    dcolumns = w.reshape(len(w), -1).T @ d
    return torch.nn.functional.fold(dcolumns, shape[2:], w.shape[-1], padding=padding, stride=stride), dw


def affine(x, w, b=None):
    if b is None:
        return x @ w, (x, w, None)
    return x @ w + b, (x, w, b)


def affine_backward(dout, cache):
    x, w, b = cache
    dx = dout @ w.T
    dw = x.T @ dout
    if b is None:
        return dx, dw
    db = dout.sum(0)
    return dx, dw, db


def affine_backward_transposed(dout, cache):
    x, w, b = cache
    dx = dout @ w.T
    dw = dout.T @ x
    if b is None:
        return dx, dw
    db = dout.sum(0)
    return dx, dw, db


def affine_backward_of_too_much(dout, cache):
    x, w, _ = cache
    return dout @ w.T, x.T @ dout, dout.sum(0), dout


def not_implemented(dout, cache):
    raise NotImplementedError


def nothing(dout, cache):
    pass


def raising(dout, cache):
    raise ValueError("boom")


def centred(x, w):
    x = x - x.mean(0)
    return x @ w, (x, w)


def centred_backward(dout, cache):
    x, w = cache
    dw = x.T @ dout
    dx = dout @ w.T
    dx = dx - dx.mean(0)
    return dx, dw


def centred_backward_of_the_inside(dout, cache):
    x, w = cache
    dw = x.T @ dout
    dx = dout @ w.T
    return dx, dw


def tanh_in_place(x):
    x *= 2
    y = x.tanh()
    return y, y


def tanh_in_place_backward(dy, y):
    return 2 * dy * (1 - y * y)


def sine_and_cosine(x):
    return {"sine": x.sin(), "cosine": x.cos()}, x


def sine_and_cosine_backward(d, x):
    return d["sine"] * x.cos() - d["cosine"] * x.sin()


def sine_and_cosine_backward_of_one(d, x):
    return d["sine"] * x.cos()


def two_flat(x):
    a, b = x.sin(), x.cos()
    return a, b, (a, b)


def two_flat_backward(da, db, cache):
    a, b = cache
    return da * b - db * a


def mlp(x, params):
    h = torch.tanh(x @ params["W1"] + params["b1"])
    return h @ params["W2"], (x, h, params)


def mlp_backward(dy, cache):
    x, h, params = cache
    grads = {"W2": h.T @ dy}
    dz = (dy @ params["W2"].T) * (1 - h**2)
    grads["W1"] = x.T @ dz
    grads["b1"] = dz.sum(0)
    return grads


def mlp_backward_without_square(dy, cache):
    x, h, params = cache
    dW2 = h.T @ dy
    dz = (dy @ params["W2"].T) * (1 - h)
    return dz @ params["W1"].T, {"W1": x.T @ dz, "b1": dz.sum(0), "W2": dW2}


def weighted(*xs):
    return sum(x * (i + 1) for i, x in enumerate(xs)), len(xs)


def weighted_backward(d, n):
    return tuple(d * (i + 1) for i in range(n))


def gated(x, g):
    return x * g.sigmoid(), (x, g)


def gated_backward(g, cache):
    x, gate = cache
    s = gate.sigmoid()
    return g * s, (g * x * s * (1 - s)).sum(0)


def gate_alone(x):
    g = x.sigmoid()
    return g, g


def gate_alone_backward(dout, g):
    return dout * g * (1 - g)


def dropout(x, p, *, training=True):
    mask = (torch.rand(x.shape) > p).to(x.dtype) / (1 - p)
    return (x * mask if training else x), mask


def dropout_backward(d, mask):
    return d * mask


def dropout_backward_drawn_again(d, cache):
    mask = (torch.rand(d.shape) > 0.5).to(d.dtype) / 0.5
    return d * mask


@torch.no_grad()
def sigmoid_without_grad(x):
    with torch.no_grad():
        y = x.sigmoid()
    return y, y


@torch.no_grad()
def sigmoid_without_grad_backward(dy, y):
    def derivative(s):
        return s * (1 - s)

    return dy * derivative(y)


class Layer:
    def __init__(self, w, b):
        self.w, self.b = w, b

    def forward(self, x):
        self.x = x
        self.z = x @ self.w + self.b
        return torch.relu(self.z)

    def backward(self, dout):
        dz = dout * (self.z > 0)
        self.dw = self.x.T @ dz
        self.db = dz.sum(0)
        return dz @ self.w.T


class LayerThatAverages(Layer):
    def backward(self, dout):
        dz = dout * (self.z > 0)
        self.dw = self.x.T @ dz
        self.db = dz.mean(0)
        return dz @ self.w.T


LAYER, AVERAGING = Layer(randn(3, 2), randn(2)), LayerThatAverages(randn(3, 2), randn(2))
INDEX = torch.tensor([0, 1, 1, 4])
COLUMNS = torch.tensor([[0, 0, 1], [4, 4, 4], [1, 2, 3]])
X, W, B = randn(4, 3), randn(3, 2), randn(2)
PARAMS = {"W1": randn(3, 4), "b1": randn(4), "W2": randn(4, 2)}
SUM_OF_PRODUCTS = function(sum_of_products, sum_of_products_backward, setup_context=staticmethod(save_all))

RIGHT = [
    Case("exp", (function(exp, exp_backward), X)),
    Case("exp-in-place", (function(exp_in_place, exp_backward), X)),
    Case("relu", (function(relu, relu_backward), X)),
    Case("linear", (function(linear, linear_backward), X, W.T, B)),
    Case("linear-apply", (function(linear, linear_backward).apply, X, W.T, B)),
    Case("linear-none", (function(linear, linear_backward), X, W.T, None)),
    Case("linear-default", (function(linear, linear_backward), X, W.T)),
    Case("linear-keyword", (function(linear, linear_backward), X, W.T), options={"bias": B}),
    Case("layer-norm", (function(layer_norm, layer_norm_backward), randn(5, 6), randn(6), randn(6), 1e-5)),
    Case("rms-norm", (function(rms_norm, rms_norm_backward), randn(4, 6), randn(6))),
    Case("cross-entropy", (function(cross_entropy, cross_entropy_backward), randn(4, 5), INDEX)),
    Case("swish", (function(swish, swish_backward), X, 1.5)),
    Case("gelu", (function(gelu, gelu_backward), X)),
    Case("mish", (function(mish, mish_backward), X)),
    Case("clamp", (function(clamp, clamp_backward), X, -0.5, 0.5)),
    Case("embedding", (function(embedding, embedding_backward), randn(5, 3), INDEX)),
    Case("gather", (function(gather, gather_backward), randn(3, 5), COLUMNS)),
    Case("sort", (function(sort, sort_backward), randn(3, 5))),
    Case("two-outputs", (function(larger_and_smaller, larger_and_smaller_backward), randn(4), randn(2, 4)[0])),
    Case("lstm", (function(lstm, lstm_backward), randn(3, 2), randn(3, 4), randn(3, 4), randn(6, 16))),
    Case("rotary", (function(rotary, rotary_backward), randn(5, 6), randn(5, 3), randn(5, 3) + 1)),
    Case("numpy", (function(sinh_in_numpy, sinh_in_numpy_backward), X)),
    Case("any-number-of-tensors", (function(joined, joined_backward), 1, randn(2, 3), randn(2, 4))),
    Case("recomputed", (function(recomputed, recomputed_backward), X, W)),
    Case("one-tensor-twice", (function(product, product_backward), X, X)),
    Case("setup-context", (SUM_OF_PRODUCTS, X, W, randn(3, 2) + 1)),
    Case("pair-relu", (relu_layer, relu_layer_backward, X, W)),
    Case("pair-attention", (attention, attention_backward, randn(2, 5, 4), randn(2, 6, 4), randn(2, 6, 3))),
    Case("pair-conv", (conv, conv_backward, randn(2, 3, 5, 6), randn(4, 3, 3, 3))),
    Case("pair-early-return", (affine, affine_backward, X, W)),
    Case("pair-late-return", (affine, affine_backward, X, W), options={"b": B}),
    Case("pair-partial", (functools.partial(affine, b=B), affine_backward, X, W)),
    Case("pair-input-bound-anew", (centred, centred_backward, X, W)),
    Case("pair-input-changed", (tanh_in_place, tanh_in_place_backward, X)),
    Case("pair-dict", (sine_and_cosine, sine_and_cosine_backward, X)),
    Case("pair-two", (two_flat, two_flat_backward, X)),
    Case("pair-params", (mlp, mlp_backward, X, PARAMS)),
    Case("pair-star", (weighted, weighted_backward, randn(3), randn(3) + 1)),
    Case("pair-one-tensor-twice", (lambda a, b: (a * b, (a, b)), lambda d, c: (d * c[1], d * c[0]), B, B)),
    Case("pair-kept-alone", (gate_alone, gate_alone_backward, randn(2))),
    Case("pair-name-twice", (gated, gated_backward, randn(4, 2), B)),
    Case("pair-random", (dropout, dropout_backward, randn(4, 5), 0.3), options={"training": True}),
    Case("pair-no-grad", (sigmoid_without_grad, sigmoid_without_grad_backward, X)),
    Case("methods", (LAYER.forward, LAYER.backward, X)),
    Case("pair-complex", (lambda x: (x * 2j, x), lambda d, _: d * -2j, X.to(torch.complex64))),
]
WRONG = [
    Case(
        "relu-changes-upstream",
        (function(relu, relu_backward_in_place), X),
        ("expanded", "grad_output = grad_output.contiguous()"),
        {"x"},
    ),
    Case("pair-complex", (lambda x: (x * 2j, x), lambda d, _: d * 2j, X.to(torch.complex64)), ("sign",), {"x"}),
    Case("numpy-single", (function(sinh_in_single, straight_through), X), ("computes in float32",), {"x"}),
    Case("exp", (function(exp_in_place, exp_backward_without_output), X), ("missing-factor",), {"x"}),
    Case("relu", (function(relu, relu_backward_turned), X), ("wrong-operator", "x < 0"), {"x"}),
    Case("unwritten", (function(linear, linear_backward_unwritten), X, W.T, B), ("not written yet",), {"bias"}),
    Case("too-few", (function(linear, linear_backward_without_bias), X, W.T, B), ("is 2; expected 3", "argument")),
    Case("none", (function(linear, linear_backward_of_nothing), X, W.T, B), ("missing",), {"x", "weight", "bias"}),
    Case(
        "layer-norm",
        (function(layer_norm, layer_norm_backward_summed), randn(5, 6), randn(6), randn(6), 1e-5),
        ("c2 = wdy.sum(-1, keepdim=True)", "mean"),
        {"x"},
    ),
    Case(
        "no-upstream",
        (function(cross_entropy, cross_entropy_backward_without_upstream), randn(4, 5), INDEX),
        ("d / len(target) * g",),
        {"logits"},
    ),
    Case("straight-through", (function(rounded, straight_through), X), ("straight-through", "zero everywhere"), {"x"}),
    Case("step", (function(step, straight_through), X), ("straight-through", "central differences"), {"x"}),
    Case(
        "embedding",
        (function(embedding, embedding_backward_overwriting), randn(5, 3), INDEX),
        ("gw[index] += g", "overwrite", "accumulate=True"),
        {"weight"},
    ),
    Case(
        "second-output",
        (function(larger_and_smaller, larger_and_smaller_backward_of_one), randn(4), randn(2, 4)[0]),
        ("missing-path",),
        {"a", "b"},
    ),
    Case(
        "undefined-upstream",
        (function(larger_and_smaller_undefined, larger_and_smaller_backward), randn(4), randn(2, 4)[0]),
        ("output 1 of 2 alone is used", "TypeError"),
    ),
    Case(
        "lstm",
        (function(lstm, lstm_backward_without_cell), randn(3, 2), randn(3, 4), randn(3, 4), randn(6, 16)),
        ("dc2 = dh2 * o * (1 - t**2)", "missing-path"),
        {"c2"},
    ),
    Case(
        "rotary",
        (function(rotary, rotary_backward_forwards), randn(5, 6), randn(5, 3), randn(5, 3) + 1),
        ("sign", "backward returns None for cos"),
        {"x"},
    ),
    Case("numpy", (function(sinh_in_numpy, sinh_in_numpy_backward_turned), X), ("sign", "central differences"), {"x"}),
    Case("pair-relu", (relu_layer, relu_layer_backward_turned, X, W), ("should be `out > 0`",), {"out"}),
    Case(
        "pair-conv",
        (conv, conv_backward_averaged, randn(2, 3, 5, 6), randn(4, 3, 3, 3)),
        (".sum(0)`",),
        {"w"},
    ),
    Case("pair-early-return", (affine, affine_backward_transposed, X, W), ("transpose",), {"w"}),
    Case("pair-too-many", (affine, affine_backward_of_too_much, X, W, B), ("is 4; expected 3", "x, w, b")),
    Case("pair-stub", (affine, not_implemented, X, W), ("not written yet: dx, dw",), {"x", "w"}),
    Case("pair-nothing", (affine, nothing, X, W), ("not written yet: dx, dw", "def nothing"), {"x", "w"}),
    Case("pair-raises", (affine, raising, X, W), ("ValueError: boom",)),
    Case("pair-input-bound-anew", (centred, centred_backward_of_the_inside, X, W), ("dx.mean(0",), {"x"}),
    Case("pair-dict", (sine_and_cosine, sine_and_cosine_backward_of_one, X), ("missing-path",), {"x"}),
    Case("pair-params", (mlp, mlp_backward_without_square, X, PARAMS), ("should be `h**2`",), set()),
    Case("pair-random", (dropout, dropout_backward_drawn_again, randn(4, 5), 0.5), ("it should be `cache`",), {"x"}),
    Case("methods", (AVERAGING.forward, AVERAGING.backward, X), ("should be `dz.sum(0)`",), {"self.b"}),
]


@pytest.mark.one_in(4)
@pytest.mark.parametrize("case", RIGHT, ids=lambda case: case.id)
def test_a_right_one_is_right(case):
    report = case.report()
    assert report.right, str(report)
    assert any(row.verdict in ("exact", "close") for row in report.variables)


@pytest.mark.one_in(12)
@pytest.mark.parametrize("case", WRONG, ids=lambda case: case.id)
def test_a_wrong_one_is_explained(case):
    report = case.report()
    text = str(report)
    assert not report.right
    assert [part for part in case.says if part not in text] == [], text
    if case.blamed:
        assert {row.name for row in report.blamed} == case.blamed, text
    assert "handgrad_" not in text
    assert "·" not in text


def generator(x):
    yield x


@pytest.mark.parametrize(
    ("subject", "says"),
    [
        ((affine, affine_backward, 2.0, 3.0), "got float, expected at least one torch tensor of real floats"),
        ((affine, affine_backward, X.long(), W.long()), "got torch.int64"),
        ((torch.tanh, affine_backward, X), "no function written in Python"),
        ((generator, affine_backward, X), "generator"),
        ((lambda x: (None, x), lambda d, c: d, X), "returns no tensor of floats"),
        ((affine, lambda: None, X, W), "takes no upstream gradient"),
        ((function(lambda ctx, x: [x * 2], exp_backward), X), "got list, expected a tensor or a tuple"),
        ((type("Alone", (Function,), {"forward": staticmethod(exp)}), X), "no backward"),
        ((function(sinh_in_numpy, sinh_in_numpy_backward), randn(80, 80)), "6400 elements"),
    ],
)
def test_what_cannot_be_checked_is_one_sentence(subject, says):
    with pytest.raises(CheckError, match="(?s)" + says.replace("(", r"\(")):
        check(*subject)


@pytest.mark.slow
def test_what_is_returned_by_name_may_be_less():
    report = check(mlp, mlp_backward, X, PARAMS)
    assert {row.name: row.verdict for row in report.variables}["x"] == "missing"
    assert not check(mlp, mlp_backward, X, PARAMS, strict=True).right


def test_an_object_is_left_as_it_was():
    layer = Layer(randn(3, 2), randn(2))
    check(layer.forward, layer.backward, X)
    assert set(vars(layer)) == {"w", "b"}


def test_random_generators_are_left_where_they_were():
    before = torch.get_rng_state()
    check(dropout, dropout_backward, randn(4, 5), 0.3)
    assert torch.equal(torch.get_rng_state(), before)
