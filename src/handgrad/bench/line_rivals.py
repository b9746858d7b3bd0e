"""Training steps of recurrent networks, as the engine takes them, and as one would write or pick them instead.

All start from the same parameters and see the same lines, in float32 on the processor, and each step ends with Adam's.
"""

from collections.abc import Callable, Iterator
from dataclasses import fields
from typing import Any, NamedTuple

import numpy as np

from handgrad.bench.adamw import RATE, WEIGHT_DECAY, torch_adamw
from handgrad.bench.rivals import Arrays, Steps, UnavailableError
from handgrad.bench.shapes import Shape
from handgrad.data import resolve_corpus, split
from handgrad.data.dataset import Dataset
from handgrad.models.recurrent import Recurrent
from handgrad.models.registry import family


class LineProblem(NamedTuple):
    """What every rival starts from and sees."""

    network: Any
    """Recurrent, or one that attends."""
    parameters: Arrays
    dataset: Dataset
    longest: int
    """Places that the longest line of the text needs."""
    numbers: np.ndarray
    """(steps, N) which lines each step reads."""


def draw(shape: Shape, steps: int, seed: int = 1) -> LineProblem:
    """Initial parameters, and minibatches of the built-in names."""
    corpus = resolve_corpus()
    train, rng = split(corpus).train, np.random.default_rng(seed)
    sizes = {"n_embd": shape.n_embd, "n_hidden": shape.n_hidden, "n_layer": shape.n_layer, "n_head": shape.n_head}
    kind, sizes = family(shape.model), {**sizes, "block_size": corpus.longest + 1}
    network = kind(corpus.vocabulary.size, **{f.name: sizes[f.name] for f in fields(kind) if f.name in sizes})
    parameters = network.initial(lambda _, size: rng.standard_normal(size, np.float32))
    numbers = rng.integers(0, train.n_lines, (steps, shape.batch_size))
    arrays = {name: np.asarray(value, np.float32) for name, value in parameters.items()}
    return LineProblem(network, arrays, train, corpus.longest + 1, numbers)


def operations(shape: Shape, steps: int = 200) -> int:
    """Floating-point operations of the matrix products of a step, forward and backward, if none is made twice.

    That is, of the recurrence and the scores for each distinct beginning of a line, and of the inputs for each letter.
    """
    problem = draw(shape, steps)
    network = problem.network
    letters = sum(len({letter for line in lines for letter in line}) for lines in minibatches(problem))
    recurrence = sum(rows * columns for rows, columns in network.recurrent_shapes.values())
    a_beginning = recurrence + network.n_hidden * network.vocab_size
    a_letter = network.n_embd * network.gates * network.n_hidden
    return round(6 * (beginnings(problem) * a_beginning + letters * a_letter) / steps)


def minibatches(problem: LineProblem) -> Iterator[list[list[int]]]:
    """The lines of each minibatch, and their ends."""
    _, Y = problem.dataset.lines(problem.numbers.reshape(-1))
    for batch in Y.reshape(*problem.numbers.shape, -1):
        yield [line[line >= 0].tolist() for line in batch]


def beginnings(problem: LineProblem) -> int:
    """How many distinct beginnings the lines of each minibatch have, in all."""
    return sum(len({tuple(line[:n]) for line in lines for n in range(len(line))}) for lines in minibatches(problem))


def engine(problem: LineProblem) -> Steps:
    """The compiled engine."""
    from handgrad.engine.lines import Lines, read_lines
    from handgrad.engine.models.lines import compiled_lines
    from handgrad.engine.training import no_moments

    compiled, moments = compiled_lines(problem.network), no_moments(problem.parameters)
    text, starts = read_lines(problem.dataset.tokens, problem.dataset.starts, problem.numbers)

    def steps(n: int) -> Arrays:
        lines = Lines(text[: starts[n - 1, -1]], starts[:n])
        return compiled.adam_steps(problem.parameters, moments, lines, [RATE] * n, WEIGHT_DECAY)[0]

    return steps


def torch_autograd(problem: LineProblem) -> Steps:
    """PyTorch autograd as in makemore.py: cell after cell, lines padded to the longest of the text."""
    return steps_of_autograd(problem, problem.longest, _scores(_by_cells))


def torch_autograd_short(problem: LineProblem) -> Steps:
    """The same, lines padded to the longest of the minibatch."""
    return steps_of_autograd(problem, 0, _scores(_by_cells))


def torch_layer(problem: LineProblem) -> Steps:
    """PyTorch autograd with `torch.nn.LSTM` or `torch.nn.RNN`, lines padded to the longest of the minibatch."""
    if problem.network.name == "gru":
        raise UnavailableError("torch.nn.GRU computes something else: its reset gate acts behind the product")
    return steps_of_autograd(problem, 0, _scores(_by_layer))


def torch_by_hand(problem: LineProblem) -> Steps:
    """PyTorch with each gradient by its closed form: the operations of `handgrad.ops`."""
    from handgrad.engine.training import no_moments
    from handgrad.training.torch_steps import TorchSteps

    torch, moments = TorchSteps(problem.network), no_moments(problem.parameters)
    batches = [problem.dataset.lines(numbers) for numbers in problem.numbers]
    return lambda n: torch.adam_steps(problem.parameters, moments, batches[:n], [RATE] * n, WEIGHT_DECAY)[0]


def jax_scan(problem: LineProblem) -> Steps:
    """JAX autograd, compiled by `jit`, with places and steps in `lax.scan`, lines padded to the longest of the text."""
    from handgrad.bench.jax_rivals import jax_steps

    places = (*problem.numbers.shape, problem.longest)
    X, Y = np.zeros(places, np.int64), np.full(places, -1)
    for step, numbers in enumerate(problem.numbers):
        read, follows = problem.dataset.lines(numbers)
        X[step, :, : read.shape[1]], Y[step, :, : read.shape[1]] = read, follows
    return jax_steps(problem.network, problem.parameters, X, Y)


RIVALS: dict[str, Callable[[LineProblem], Steps]] = {
    "engine": engine,
    "PyTorch autograd": torch_autograd,
    "PyTorch autograd, less padding": torch_autograd_short,
    "PyTorch autograd, its own layer": torch_layer,
    "PyTorch by hand": torch_by_hand,
    "JAX jit + scan": jax_scan,
}


def steps_of_autograd(problem: LineProblem, longest: int, scores: Callable[..., Any]) -> Steps:
    """Steps of autograd and AdamW, at `longest` places or as many as the minibatch needs.

    Args:
        problem: what they start from and see.
        longest: places, at least.
        scores: makes them of a network, its parameters and tokens.
    """
    import torch
    from torch.nn import functional as F

    network, batches = problem.network, []
    for numbers in problem.numbers:
        X, Y = (torch.from_numpy(tokens) for tokens in problem.dataset.lines(numbers))
        more = (0, max(0, longest - X.shape[1]))
        batches.append((F.pad(X, more), F.pad(Y, more, value=-1)))

    def steps(n: int) -> Arrays:
        p = {name: torch.tensor(value, requires_grad=True) for name, value in problem.parameters.items()}
        optimizer = torch_adamw(network, p)
        for X, Y in batches[:n]:
            loss = F.cross_entropy(scores(network, p, X).flatten(0, 1), Y.flatten(), ignore_index=-1)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
        return {name: value.detach().numpy() for name, value in p.items()}

    return steps


def _scores(states: Callable[..., Any]) -> Callable[..., Any]:
    """Of the states that a recurrent network makes in that way."""
    from torch.nn import functional as F

    return lambda network, p, X: F.linear(states(network, p, X), p["Why"].T, p["by"])


def _by_cells(network: Recurrent, p: dict[str, Any], X: Any) -> Any:
    """The states after each place, (N, T, H), by the layers of [x, h] that makemore's cells have."""
    import torch

    layers = _layers(network, p)
    state, states = tuple(p[name].expand(len(X), -1) for name in network.first), []
    for now in X.unbind(1):
        state = _CELLS[network.name](layers, p["C"][now], state)
        states.append(state[0])
    return torch.stack(states, 1)


def _layers(network: Recurrent, p: dict[str, Any]) -> list[tuple[Any, Any]]:
    """Weights and bias of each layer of [x, h]: three of a GRU, else one."""
    import torch

    deep = torch.cat([p[name] for name in network.recurrent_shapes], 1)
    whole = torch.cat([p["Wxh"], deep]).T
    if network.name != "gru":
        return [(whole, p["bh"])]
    return list(zip(whole.split(network.n_hidden), p["bh"].split(network.n_hidden), strict=True))


def _rnn_cell(layers: list[tuple[Any, Any]], x: Any, state: tuple[Any, ...]) -> tuple[Any, ...]:
    import torch
    from torch.nn import functional as F

    return (torch.tanh(F.linear(torch.cat([x, state[0]], 1), *layers[0])),)


def _gru_cell(layers: list[tuple[Any, Any]], x: Any, state: tuple[Any, ...]) -> tuple[Any, ...]:
    import torch
    from torch.nn import functional as F

    (h,) = state
    both = torch.cat([x, h], 1)
    z, r = torch.sigmoid(F.linear(both, *layers[0])), torch.sigmoid(F.linear(both, *layers[1]))
    hbar = torch.tanh(F.linear(torch.cat([x, r * h], 1), *layers[2]))
    return ((1 - z) * h + z * hbar,)


def _lstm_cell(layers: list[tuple[Any, Any]], x: Any, state: tuple[Any, ...]) -> tuple[Any, ...]:
    import torch
    from torch.nn import functional as F

    h, c = state
    i, f, g, o = F.linear(torch.cat([x, h], 1), *layers[0]).chunk(4, 1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


_CELLS: dict[str, Callable[..., tuple[Any, ...]]] = {"rnn": _rnn_cell, "gru": _gru_cell, "lstm": _lstm_cell}


def _by_layer(network: Recurrent, p: dict[str, Any], X: Any) -> Any:
    """The states after each place by PyTorch's own recurrent layer."""
    import torch

    weights = [p["Wxh"].T, p["Whh"].T, p["bh"], torch.zeros_like(p["bh"])]
    first = tuple(p[name].expand(len(X), -1)[None].contiguous() for name in network.first)
    settings = True, 1, 0.0, True, False, True  # bias, layers, dropout, training, both ways, batch first
    if network.name == "lstm":
        return torch.lstm(p["C"][X], first, weights, *settings)[0]
    return torch.rnn_tanh(p["C"][X], first[0], weights, *settings)[0]
