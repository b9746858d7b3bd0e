"""Training steps of the transformer and of microgpt, as the engine takes them, and as one would write or pick them.

All start from the same parameters and see the same lines, in float32 on the processor, and each step ends with Adam's.
"""

import os
import shutil
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from handgrad.bench.line_rivals import (
    LineProblem,
    beginnings,
    draw,
    engine,
    jax_scan,
    steps_of_autograd,
    torch_by_hand,
)
from handgrad.bench.rivals import Arrays, Steps, UnavailableError
from handgrad.bench.shapes import Shape

__all__ = ["RIVALS", "draw", "operations"]


def operations(shape: Shape, steps: int = 200) -> int:
    """Floating-point operations of a step's products with matrices of parameters, if none is made twice.

    That is, forward and backward for each distinct beginning of a line; those of attention are not counted.
    """
    problem = draw(shape, steps)
    matrices = (value.size for name, value in problem.parameters.items() if name.startswith("W"))
    return round(6 * sum(matrices) * beginnings(problem) / steps)


def torch_autograd(problem: LineProblem) -> Steps:
    """PyTorch autograd as in makemore.py: attention written out, lines padded to the longest that can be read."""
    return steps_of_autograd(problem, problem.longest, _scores(_attention))


def torch_autograd_short(problem: LineProblem) -> Steps:
    """The same, lines padded to the longest of the minibatch."""
    return steps_of_autograd(problem, 0, _scores(_attention))


def torch_own_attention(problem: LineProblem) -> Steps:
    """PyTorch autograd with its own attention, lines padded to the longest of the minibatch."""
    from torch.nn.functional import scaled_dot_product_attention

    def attention(q: Any, k: Any, v: Any) -> Any:
        return scaled_dot_product_attention(q, k, v, is_causal=True)

    return steps_of_autograd(problem, 0, _scores(attention))


def torch_compiled(problem: LineProblem) -> Steps:
    """PyTorch autograd with its own attention through `torch.compile`, lines padded to the longest that can be read."""
    import torch
    from torch.nn.functional import scaled_dot_product_attention

    compiler = os.environ.get("CXX") or {"darwin": "clang++", "win32": "cl"}.get(sys.platform, "g++")
    if not shutil.which(compiler):
        raise UnavailableError(f"no C++ compiler: torch.compile looks for {compiler}")
    torch.compiler.reset()

    def attention(q: Any, k: Any, v: Any) -> Any:
        return scaled_dot_product_attention(q, k, v, is_causal=True)

    scores = _scores(attention)
    compiled = torch.compile(lambda p, X: scores(problem.network, p, X), dynamic=False)
    return steps_of_autograd(problem, problem.longest, lambda _, p, X: compiled(p, X))


def _but_keys(rival: Callable[[LineProblem], Steps]) -> Callable[[LineProblem], Steps]:
    """The same, with 0 for the biases of keys: softmax takes them out again, so rounding alone moves them."""

    def prepare(problem: LineProblem) -> Steps:
        take = rival(problem)

        def steps(n: int) -> Arrays:
            parameters = take(n)
            for name in parameters:
                if name.startswith("bqkv"):
                    q, k, v = np.split(parameters[name], 3)
                    parameters[name] = np.concatenate([q, 0 * k, v])
            return parameters

        return steps

    return prepare


RIVALS: dict[str, Callable[[LineProblem], Steps]] = {
    "engine": _but_keys(engine),
    "PyTorch autograd": _but_keys(torch_autograd),
    "PyTorch autograd, less padding": _but_keys(torch_autograd_short),
    "PyTorch autograd, its own attention": _but_keys(torch_own_attention),
    "PyTorch by hand": _but_keys(torch_by_hand),
    "PyTorch autograd, compiled": _but_keys(torch_compiled),
    "JAX jit + scan": _but_keys(jax_scan),
}


def _scores(attention: Callable[..., Any]) -> Callable[..., Any]:
    """From tokens to scores, with that attention between heads, (B, H, T, K)."""

    def scores(network: Any, p: dict[str, Any], X: Any) -> Any:
        x = p["C"][X] + p["P"][: X.shape[1]]
        return {"transformer": _transformer, "microgpt": _microgpt}[network.name](network, p, x, attention)

    return scores


def _attention(q: Any, k: Any, v: Any) -> Any:
    """As makemore writes it out."""
    import torch

    places = q.shape[2]
    past = torch.ones(places, places).tril()
    weights = (q @ k.transpose(2, 3)) * q.shape[3] ** -0.5
    return weights.masked_fill(past == 0, -torch.inf).softmax(3) @ v


def _attend(network: Any, q: Any, k: Any, v: Any, attention: Callable[..., Any]) -> Any:
    q, k, v = (x.unflatten(2, (network.n_head, -1)).transpose(1, 2) for x in (q, k, v))
    return attention(q, k, v).transpose(1, 2).flatten(2)


def _transformer(network: Any, p: dict[str, Any], x: Any, attention: Callable[..., Any]) -> Any:
    import torch
    from torch.nn import functional as F

    for n in range(network.n_layer):
        of = {name.partition(".")[0]: value for name, value in p.items() if name.endswith(f".{n}")}
        normed = F.layer_norm(x, (network.n_embd,), of["gain1"], of["bias1"])
        q, k, v = F.linear(normed, of["Wqkv"].T, of["bqkv"]).split(network.n_embd, 2)
        x = x + F.linear(_attend(network, q, k, v, attention), of["Wo"].T, of["bo"])
        normed = F.layer_norm(x, (network.n_embd,), of["gain2"], of["bias2"])
        hidden = F.linear(normed, of["W1"].T, of["b1"])
        hidden = 0.5 * hidden * (1 + torch.tanh((2 / torch.pi) ** 0.5 * (hidden + 0.044715 * hidden**3)))
        x = x + F.linear(hidden, of["W2"].T, of["b2"])
    return F.layer_norm(x, (network.n_embd,), p["gain"], p["bias"]) @ p["Wy"]


def _microgpt(network: Any, p: dict[str, Any], x: Any, attention: Callable[..., Any]) -> Any:
    from torch.nn import functional as F

    def norm(x: Any) -> Any:
        return F.rms_norm(x, (network.n_embd,), eps=1e-5)

    x = norm(x)
    for n in range(network.n_layer):
        of = {name.partition(".")[0]: value for name, value in p.items() if name.endswith(f".{n}")}
        normed = norm(x)
        q, k, v = (normed @ of[name] for name in ("Wq", "Wk", "Wv"))
        x = x + _attend(network, q, k, v, attention) @ of["Wo"]
        x = x + (norm(x) @ of["W1"]).relu() @ of["W2"]
    return x @ p["Wy"]
