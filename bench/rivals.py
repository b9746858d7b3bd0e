"""One training step of each rival: what a user would write or pick instead of the engine.

All start from the same parameters and see the same minibatches of the built-in names, in float32 on one core.
"""

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from handgrad.data import resolve_corpus, split
from handgrad.models.config import PARAMETERS, MLPConfig, initial_parameters

Steps = Callable[[int], float]
"""Takes so many steps, and returns the processor's seconds that they took, which other programs hardly lengthen."""


@dataclass(frozen=True)
class Shape:
    """Sizes of a model and of its minibatches."""

    batch_size: int = 32
    n_hidden: int = 200
    block_size: int = 3
    n_embd: int = 10

    def __str__(self) -> str:
        """As the table shows it."""
        return f"batch {self.batch_size}, hidden {self.n_hidden}"


LECTURE = Shape()
RATE = 0.1


def draw(shape: Shape, steps: int, seed: int = 1) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Initial parameters, and the contexts and targets of so many minibatches."""
    corpus = resolve_corpus()
    train = split(corpus).train
    rng = np.random.default_rng(seed)
    config = MLPConfig(corpus.vocabulary.size, shape.block_size, shape.n_embd, shape.n_hidden)
    parameters = initial_parameters(config, lambda _, size: rng.standard_normal(size, np.float32))
    positions = rng.integers(0, len(train), (steps, shape.batch_size))
    contexts, targets = train.contexts(positions, shape.block_size), train.targets(positions)
    return {name: np.asarray(value, np.float32) for name, value in parameters.items()}, contexts, targets


def engine(shape: Shape, steps: int) -> Steps:
    """The compiled engine, arrays in and out."""
    from handgrad.engine import sgd_steps

    parameters, contexts, targets = draw(shape, steps)
    contexts, targets = contexts.astype(np.int32), targets.astype(np.int32)
    return _timed(lambda n: sgd_steps(parameters, contexts[:n], targets[:n], np.full(n, RATE, np.float32)))


def torch_by_hand(shape: Shape, steps: int) -> Steps:
    """`handgrad.training.torch_steps`: PyTorch's operations, gradients by hand."""
    from handgrad.training.torch_steps import sgd_steps

    parameters, contexts, targets = draw(shape, steps)
    return _timed(lambda n: sgd_steps(parameters, contexts[:n], targets[:n], [RATE] * n))


def torch_autograd(shape: Shape, steps: int) -> Steps:
    """PyTorch autograd, with the forward pass and the update of the lecture."""
    import torch
    from torch.nn import functional as F

    from handgrad.models.threads import one_thread

    start, contexts, targets = draw(shape, steps)
    Xs, Ys = torch.from_numpy(contexts), torch.from_numpy(targets)

    def take(n: int) -> None:
        p = {name: torch.from_numpy(start[name]).clone().requires_grad_() for name in PARAMETERS}
        with one_thread():
            for Xb, Yb in zip(Xs[:n], Ys[:n], strict=True):
                emb = p["C"][Xb]
                hprebn = emb.view(emb.shape[0], -1) @ p["W1"] + p["b1"]
                bnmean = hprebn.mean(0, keepdim=True)
                bnvar = hprebn.var(0, keepdim=True, unbiased=True)
                bnvar_inv = (bnvar + 1e-5) ** -0.5
                hpreact = p["bngain"] * ((hprebn - bnmean) * bnvar_inv) + p["bnbias"]
                logits = torch.tanh(hpreact) @ p["W2"] + p["b2"]
                loss = F.cross_entropy(logits, Yb)
                for parameter in p.values():
                    parameter.grad = None
                loss.backward()
                for parameter in p.values():
                    parameter.data += -RATE * parameter.grad

    return _timed(take)


def jax_scan(shape: Shape, steps: int) -> Steps:
    """JAX: autograd, compiled by `jit`, steps in `lax.scan`. Set XLA's threads to one in the environment."""
    import jax
    from jax import numpy as jnp

    parameters, contexts, targets = draw(shape, steps)

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

    return _timed(lambda n: jax.block_until_ready(take(parameters, contexts[:n], targets[:n])))


RIVALS: dict[str, Callable[[Shape, int], Steps]] = {
    "engine": engine,
    "PyTorch autograd": torch_autograd,
    "PyTorch by hand": torch_by_hand,
    "JAX jit + scan": jax_scan,
}


def installed(shape: Shape, steps: int) -> dict[str, Steps]:
    """Those of the rivals whose library is there, ready to run."""
    ready = {}
    for name, rival in RIVALS.items():
        with contextlib.suppress(ImportError):
            ready[name] = rival(shape, steps)
    return ready


def _timed(take: Callable[[int], Any]) -> Steps:
    def steps(n: int) -> float:
        begun = time.process_time()
        take(n)
        return time.process_time() - begun

    return steps
