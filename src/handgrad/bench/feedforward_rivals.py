"""Training steps of bigram, bow and wavenet, as the engine takes them, and as one would write or pick them instead.

All start from the same parameters and see the same minibatches, in float32 on the processor, and each step ends with
Adam's.
"""

import os
import shutil
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from handgrad.bench.adamw import RATE, WEIGHT_DECAY, torch_adamw
from handgrad.bench.rivals import Arrays, Steps, UnavailableError
from handgrad.bench.shapes import Shape
from handgrad.data import resolve_corpus, split
from handgrad.data.dataset import Dataset
from handgrad.models.family import Family, OfContexts
from handgrad.training.config import TrainConfig


class Minibatches(NamedTuple):
    """What every rival starts from and sees."""

    network: Family
    parameters: Arrays
    dataset: Dataset
    numbers: np.ndarray
    """(steps, N) which lines each step reads, or positions of the contexts."""
    X: np.ndarray
    """(steps, N, K) int64: contexts, or lines as makemore.py pads them, to the longest of the text."""
    Y: np.ndarray
    """(steps, N) or (steps, N, K) int64: what follows; −1 behind the end of a line."""


def draw(shape: Shape, steps: int, seed: int = 1) -> Minibatches:
    """Initial parameters, and minibatches of the built-in names."""
    corpus = resolve_corpus()
    train, rng = split(corpus).train, np.random.default_rng(seed)
    settings = {**shape.sizes, "block_size": corpus.longest + 1} if shape.model == "bow" else shape.sizes
    network = TrainConfig.of(shape.model, **settings).sizes(corpus.vocabulary.size)
    parameters = network.initial(lambda _, size: rng.standard_normal(size, np.float32))
    arrays = {name: np.asarray(value, np.float32) for name, value in parameters.items()}
    if isinstance(network, OfContexts):
        numbers = rng.integers(0, len(train), (steps, shape.batch_size))
        X, Y = train.contexts(numbers, network.block_size), train.targets(numbers)
    else:
        numbers = rng.integers(0, train.n_lines, (steps, shape.batch_size))
        places = (steps, shape.batch_size, corpus.longest + 1)
        X, Y = np.zeros(places, np.int64), np.full(places, -1)
        for step, of_step in enumerate(numbers):
            read, follows = train.lines(of_step)
            X[step, :, : read.shape[1]], Y[step, :, : read.shape[1]] = read, follows
    return Minibatches(network, arrays, train, numbers, X, Y)


def operations(shape: Shape, steps: int = 200) -> int:
    """Floating-point operations of the matrix products of a step, forward and backward, if none is made twice.

    Of the wavenet those of each distinct half of a pair, and of the scores for each distinct context. Of bow, where all
    but tanh is linear, those of both layers that see `x` for each letter and place, and of the hidden layer's product
    with the scores, made once, for each distinct beginning of a line. Of the bigram those of a table with letters that
    are 1 at one place and else 0, as in makemore part 1, for each distinct letter.
    """
    problem = draw(shape, steps)
    products = _PRODUCTS[shape.model]
    minibatches = zip(problem.X, problem.Y, strict=True)
    return round(6 * sum(products(vars(problem.network), X, Y) for X, Y in minibatches) / steps)


def _products_of_bigram(sizes: dict[str, int], X: np.ndarray, Y: np.ndarray) -> int:  # noqa: ARG001
    return len(np.unique(X)) * sizes["vocab_size"] ** 2


def _products_of_bow(sizes: dict[str, int], X: np.ndarray, Y: np.ndarray) -> int:
    vocab, embd, hidden = sizes["vocab_size"], sizes["n_embd"], sizes["n_hidden"]
    lines = [x[y >= 0].tolist() for x, y in zip(X, Y, strict=True)]
    beginnings = {tuple(line[: n + 1]) for line in lines for n in range(len(line))}
    inputs = len({letter for line in lines for letter in line}) + max(map(len, lines))
    return inputs * embd * (hidden + vocab) + hidden * embd * vocab + len(beginnings) * hidden * vocab


def _products_of_wavenet(sizes: dict[str, int], X: np.ndarray, Y: np.ndarray) -> int:  # noqa: ARG001
    total, width, inputs, hidden = 0, 1, sizes["n_embd"], sizes["n_hidden"]
    while width < X.shape[1]:
        pairs = X.reshape(-1, 2, width)
        total += sum(len(np.unique(pairs[:, half], axis=0)) for half in (0, 1)) * inputs * hidden
        width, inputs = 2 * width, hidden
    return total + len(np.unique(X, axis=0)) * hidden * sizes["vocab_size"]


_PRODUCTS = {"bigram": _products_of_bigram, "bow": _products_of_bow, "wavenet": _products_of_wavenet}


def engine(problem: Minibatches) -> Steps:
    """The compiled engine."""
    from handgrad.engine.training import no_moments

    compiled, batches_of = (_contexts if isinstance(problem.network, OfContexts) else _lines)(problem)
    moments = no_moments(problem.parameters)

    def steps(n: int) -> Arrays:
        return compiled.adam_steps(problem.parameters, moments, batches_of(n), [RATE] * n, WEIGHT_DECAY)[0]

    return steps


def _contexts(problem: Minibatches) -> tuple[Any, Callable[[int], Any]]:
    from handgrad.engine.contexts import Contexts
    from handgrad.engine.models.contexts import compiled_contexts

    contexts, targets = problem.X.astype(np.int32), problem.Y.astype(np.int32)
    return compiled_contexts(problem.network), lambda n: Contexts(contexts[:n], targets[:n])


def _lines(problem: Minibatches) -> tuple[Any, Callable[[int], Any]]:
    from handgrad.engine.lines import Lines, read_lines
    from handgrad.engine.models.lines import compiled_lines

    text, starts = read_lines(problem.dataset.tokens, problem.dataset.starts, problem.numbers)
    return compiled_lines(problem.network), lambda n: Lines(text[: starts[n - 1, -1]], starts[:n])


def torch_autograd(problem: Minibatches) -> Steps:
    """PyTorch autograd with the forward pass of makemore, and AdamW."""
    return _autograd(problem, _LOSSES[problem.network.name])


def torch_autograd_compiled(problem: Minibatches) -> Steps:
    """The same forward pass, and with it its backward, through `torch.compile`."""
    import torch

    compiler = os.environ.get("CXX") or {"darwin": "clang++", "win32": "cl"}.get(sys.platform, "g++")
    if not shutil.which(compiler):
        raise UnavailableError(f"no C++ compiler: torch.compile looks for {compiler}")
    torch.compiler.reset()
    return _autograd(problem, torch.compile(_LOSSES[problem.network.name], dynamic=False))


def torch_by_hand(problem: Minibatches) -> Steps:
    """PyTorch with each gradient by its closed form: the operations of `handgrad.ops`."""
    from handgrad.engine.training import no_moments
    from handgrad.training.torch_steps import TorchSteps

    torch, moments = TorchSteps(problem.network), no_moments(problem.parameters)
    of_contexts = isinstance(problem.network, OfContexts)
    batches = [
        (X, Y) if of_contexts else problem.dataset.lines(numbers)
        for X, Y, numbers in zip(problem.X, problem.Y, problem.numbers, strict=True)
    ]
    return lambda n: torch.adam_steps(problem.parameters, moments, batches[:n], [RATE] * n, WEIGHT_DECAY)[0]


def _autograd(problem: Minibatches, loss_of: Callable[..., Any]) -> Steps:
    import torch

    network, Xs, Ys = problem.network, torch.from_numpy(problem.X), torch.from_numpy(problem.Y)

    def steps(n: int) -> Arrays:
        p = {name: torch.tensor(value, requires_grad=True) for name, value in problem.parameters.items()}
        optimizer = torch_adamw(network, p)
        for X, Y in zip(Xs[:n], Ys[:n], strict=True):
            loss = loss_of(p, X, Y)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
        return {name: value.detach().numpy() for name, value in p.items()}

    return steps


def _bigram_loss(p: dict[str, Any], X: Any, Y: Any) -> Any:
    from torch.nn import functional as F

    return F.cross_entropy(p["W"][X[:, 0]], Y)


def _bow_loss(p: dict[str, Any], X: Any, Y: Any) -> Any:
    import torch
    from torch.nn import functional as F

    n, places = X.shape
    x = p["C"][X] + p["P"][:places]
    later = torch.ones(places, places).tril() == 0
    attention = F.softmax(torch.zeros(n, places, places).masked_fill(later, -torch.inf), dim=-1)
    x = x + attention @ x
    h = torch.tanh(F.linear(x, p["W1"].T, p["b1"]))
    x = x + F.linear(h, p["W2"].T, p["b2"])
    logits = F.linear(x, p["Wy"].T, p["by"])
    return F.cross_entropy(logits.flatten(0, 1), Y.flatten(), ignore_index=-1)


def _wavenet_loss(p: dict[str, Any], X: Any, Y: Any) -> Any:
    import torch
    from torch.nn import functional as F

    x, level = p["C"][X], 0
    while x.shape[1] > 1:
        level += 1
        x = x.view(x.shape[0], x.shape[1] // 2, 2 * x.shape[2]) @ p[f"W{level}"]
        xmean, xvar = x.mean((0, 1), keepdim=True), x.var((0, 1), keepdim=True)
        xhat = (x - xmean) / torch.sqrt(xvar + 1e-5)
        x = torch.tanh(p[f"bngain{level}"] * xhat + p[f"bnbias{level}"])
    return F.cross_entropy(x.squeeze(1) @ p["Wy"] + p["by"], Y)


_LOSSES: dict[str, Callable[..., Any]] = {"bigram": _bigram_loss, "bow": _bow_loss, "wavenet": _wavenet_loss}


def jax_scan(problem: Minibatches) -> Steps:
    """JAX autograd, compiled by `jit`, with the steps in `lax.scan`, and AdamW."""
    from handgrad.bench.jax_rivals import jax_steps

    return jax_steps(problem.network, problem.parameters, problem.X, problem.Y)


RIVALS: dict[str, Callable[[Minibatches], Steps]] = {
    "engine": engine,
    "PyTorch autograd": torch_autograd,
    "PyTorch autograd, compiled": torch_autograd_compiled,
    "PyTorch by hand": torch_by_hand,
    "JAX jit + scan": jax_scan,
}
