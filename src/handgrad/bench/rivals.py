"""Training steps as the engine takes them, and as one would write or pick them instead.

All start from the same parameters and see the same minibatches, in float32 on the processor.
"""

import os
import shutil
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from handgrad.bench.shapes import Shape
from handgrad.data import resolve_corpus, split
from handgrad.models.mlp import MLP, PARAMETERS

RATE = 0.1
LOOP_EXAMPLES = 128
Arrays = dict[str, np.ndarray]
Steps = Callable[[int], Arrays]
"""Takes the first so many steps of a problem, and returns the parameters after them."""


class Problem(NamedTuple):
    """What every rival starts from and sees."""

    network: MLP
    parameters: Arrays
    contexts: np.ndarray
    """(steps, N, block_size) int64."""
    targets: np.ndarray
    """(steps, N) int64."""


class UnavailableError(Exception):
    """What a rival lacks here."""


def draw(shape: Shape, steps: int, seed: int = 1) -> Problem:
    """Initial parameters, and minibatches of the built-in names."""
    corpus = resolve_corpus()
    train = split(corpus).train
    rng = np.random.default_rng(seed)
    config = MLP(corpus.vocabulary.size, shape.block_size, shape.n_embd, shape.n_hidden)
    parameters = config.initial(lambda _, size: rng.standard_normal(size, np.float32))
    positions = rng.integers(0, len(train), (steps, shape.batch_size))
    return Problem(
        config,
        {name: np.asarray(value, np.float32) for name, value in parameters.items()},
        train.contexts(positions, shape.block_size),
        train.targets(positions),
    )


def engine(problem: Problem) -> Steps:
    """The compiled engine."""
    from handgrad.engine.contexts import Contexts
    from handgrad.engine.models.mlp import compiled_contexts

    compiled = compiled_contexts(problem.network)
    contexts, targets = problem.contexts.astype(np.int32), problem.targets.astype(np.int32)
    return lambda n: compiled.sgd_steps(problem.parameters, Contexts(contexts[:n], targets[:n]), [RATE] * n)[0]


def notebook_loop(problem: Problem) -> Steps:
    """PyTorch as in the lecture's exercise 4: gradients by hand, that of `C` summed in a loop of Python."""
    import torch
    from torch.nn import functional as F

    if problem.targets.shape[1] > LOOP_EXAMPLES:
        raise UnavailableError(f"left out above {LOOP_EXAMPLES} examples, where its loop is nearly all of the time")

    def step(p: dict[str, Any], Xb: Any, Yb: Any) -> None:
        n = len(Xb)
        emb, embcat, bnvar_inv, bnraw, h, logits, _ = _lecture_forward(p, Xb, Yb)
        dlogits = F.softmax(logits, 1)
        dlogits[range(n), Yb] -= 1
        dlogits /= n
        dh = dlogits @ p["W2"].T
        dhpreact = (1 - h**2) * dh
        dbnbias, dbngain = dhpreact.sum(0, keepdim=True), (bnraw * dhpreact).sum(0, keepdim=True)
        dhprebn = p["bngain"] * bnvar_inv / n * (n * dhpreact - dbnbias - n / (n - 1) * bnraw * dbngain)
        dW1, db1 = embcat.T @ dhprebn, dhprebn.sum(0)
        dW2, db2 = h.T @ dlogits, dlogits.sum(0)
        demb = (dhprebn @ p["W1"].T).view(emb.shape)
        dC = torch.zeros_like(p["C"])
        for example in range(n):
            for place in range(Xb.shape[1]):
                dC[Xb[example, place]] += demb[example, place]
        for name, gradient in zip(PARAMETERS, (dC, dW1, db1, dW2, db2, dbngain, dbnbias), strict=True):
            p[name] += -RATE * gradient

    return _in_torch(problem, step)


def torch_autograd(problem: Problem) -> Steps:
    """PyTorch autograd with the lecture's forward pass and update."""

    def step(p: dict[str, Any], Xb: Any, Yb: Any) -> None:
        *_, loss = _lecture_forward(p, Xb, Yb)
        for parameter in p.values():
            parameter.grad = None
        loss.backward()
        for parameter in p.values():
            parameter.data += -RATE * parameter.grad

    return _in_torch(problem, step, autograd=True)


def torch_by_hand(problem: Problem) -> Steps:
    """PyTorch with each gradient by its closed form: the operations of `handgrad.ops`."""
    import torch

    from handgrad.models import mlp

    dloss = torch.ones(())

    def step(p: dict[str, Any], Xb: Any, Yb: Any) -> None:
        _, cache = mlp.forward(p, Xb, Yb)
        for name, gradient in mlp.backward(dloss, cache).items():
            p[name].sub_(gradient, alpha=RATE)

    return _in_torch(problem, step)


def torch_compiled(problem: Problem) -> Steps:
    """`torch_by_hand` through `torch.compile`, the whole step at once."""
    import torch

    from handgrad.models import mlp

    compiler = os.environ.get("CXX") or {"darwin": "clang++", "win32": "cl"}.get(sys.platform, "g++")
    if not shutil.which(compiler):
        raise UnavailableError(f"no C++ compiler: torch.compile looks for {compiler}")
    torch.compiler.reset()

    @torch.compile(dynamic=False)
    def compiled(p: dict[str, Any], Xb: Any, Yb: Any) -> tuple[dict[str, Any], Any]:
        loss, cache = mlp.forward(p, Xb, Yb)
        gradients = mlp.backward(torch.ones(()), cache)
        # not torch.add(value, gradient, alpha=-RATE), of which torch.compile 2.13 drops the factor on a CPU
        return {name: value - RATE * gradients[name] for name, value in p.items()}, loss

    return _in_torch(problem, lambda p, Xb, Yb: p.update(compiled(p, Xb, Yb)[0]))


def jax_scan(problem: Problem) -> Steps:
    """JAX autograd, compiled by `jit`, with the steps in `lax.scan`."""
    import jax
    from jax import numpy as jnp

    parameters, contexts, targets = jax.tree.map(jnp.asarray, tuple(problem)[1:])

    def loss_of(p: dict[str, Any], Xb: Any, Yb: Any) -> Any:
        hprebn = p["C"][Xb].reshape(Xb.shape[0], -1) @ p["W1"] + p["b1"]
        bndiff = hprebn - hprebn.mean(0)
        bnvar = (bndiff**2).sum(0) / (Xb.shape[0] - 1)
        hpreact = p["bngain"] * bndiff * (bnvar + 1e-5) ** -0.5 + p["bnbias"]
        logprobs = jax.nn.log_softmax(jnp.tanh(hpreact) @ p["W2"] + p["b2"])
        return -logprobs[jnp.arange(Xb.shape[0]), Yb].mean()

    @jax.jit
    def take(p: dict[str, Any], Xs: Any, Ys: Any) -> Any:
        def step(p: dict[str, Any], batch: tuple[Any, Any]) -> tuple[dict[str, Any], Any]:
            loss, gradients = jax.value_and_grad(loss_of)(p, *batch)
            return jax.tree.map(lambda value, gradient: value - RATE * gradient, p, gradients), loss

        return jax.lax.scan(step, p, (Xs, Ys))

    return lambda n: jax.tree.map(np.asarray, take(parameters, contexts[:n], targets[:n])[0])


RIVALS: dict[str, Callable[[Problem], Steps]] = {
    "engine": engine,
    "notebook's own loop": notebook_loop,
    "PyTorch autograd": torch_autograd,
    "PyTorch by hand": torch_by_hand,
    "PyTorch by hand, compiled": torch_compiled,
    "JAX jit + scan": jax_scan,
}


def _in_torch(problem: Problem, step: Callable[[dict[str, Any], Any, Any], Any], autograd: bool = False) -> Steps:
    """Steps that change the parameters they are given, a dict of tensors."""
    import torch

    Xs, Ys = torch.from_numpy(problem.contexts), torch.from_numpy(problem.targets)

    def steps(n: int) -> Arrays:
        p = {name: torch.tensor(problem.parameters[name], requires_grad=autograd) for name in PARAMETERS}
        with torch.set_grad_enabled(autograd):
            for Xb, Yb in zip(Xs[:n], Ys[:n], strict=True):
                step(p, Xb, Yb)
        return {name: value.detach().numpy() for name, value in p.items()}

    return steps


def _lecture_forward(p: dict[str, Any], Xb: Any, Yb: Any) -> tuple[Any, ...]:
    """The lecture's forward pass of exercise 4, and those of its variables that its backward needs."""
    import torch
    from torch.nn import functional as F

    emb = p["C"][Xb]
    embcat = emb.view(emb.shape[0], -1)
    hprebn = embcat @ p["W1"] + p["b1"]
    bnmean = hprebn.mean(0, keepdim=True)
    bnvar = hprebn.var(0, keepdim=True, unbiased=True)
    bnvar_inv = (bnvar + 1e-5) ** -0.5
    bnraw = (hprebn - bnmean) * bnvar_inv
    hpreact = p["bngain"] * bnraw + p["bnbias"]
    h = torch.tanh(hpreact)
    logits = h @ p["W2"] + p["b2"]
    return emb, embcat, bnvar_inv, bnraw, h, logits, F.cross_entropy(logits, Yb)
