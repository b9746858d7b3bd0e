"""Training steps on NumPy arrays: parameters are laid out, moved, and given back."""

from collections.abc import Mapping, Sequence

import numpy as np

from handgrad.engine.adam import adam_update
from handgrad.engine.compiling import entry_point
from handgrad.engine.layout import NEVER, Sizes, pack, unpack, views
from handgrad.engine.operations import fill
from handgrad.engine.step import add_gradients, work_for

Arrays = Mapping[str, np.ndarray]

PRODUCTS_A_CALL = 1e9
"""Multiplications, about, in a call of compiled code, which Ctrl-C cannot interrupt: some hundredths of a second."""
BETA1, BETA2, EPS = 0.9, 0.99, 1e-8
MOMENTS = ("mean", "square")
_NO_MOMENTS = [np.empty(0, np.float32)] * 2


def sgd_steps(
    parameters: Arrays, contexts: np.ndarray, targets: np.ndarray, rates: Sequence[float]
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Take one step of gradient descent a minibatch: `handgrad.training.torch_steps.sgd_steps`, compiled.

    Args:
        parameters: seven float32 arrays by name; they are not changed.
        contexts: (steps, N, block_size) integers; N is at least 2.
        targets: (steps, N) integers.
        rates: (steps,) learning rates.

    Returns:
        The new parameters, and the losses, (steps,) float32 in nats, each before its step.

    Raises:
        IndexError: a context or target is not a letter of the vocabulary.
        ValueError: the shapes do not fit.

    Source: lecture, exercise 4.

    Example:
        >>> from handgrad.models.mlp import MLP
        >>> draw = np.random.default_rng(1)
        >>> parameters = MLP(27).initial(lambda _, shape: draw.standard_normal(shape, np.float32))
        >>> contexts, targets = np.zeros((1, 32, 3), np.int64), np.ones((1, 32), np.int64)
        >>> new, losses = sgd_steps(parameters, contexts, targets, rates=[0.1])
        >>> losses.shape
        (1,)
    """
    flat = pack(parameters, NEVER)
    losses = _take_steps(parameters, flat, flat, _NO_MOMENTS, contexts, targets, rates)
    return unpack(flat, Sizes.of(parameters)), losses


def adam_steps(
    parameters: Arrays,
    moments: Arrays,
    contexts: np.ndarray,
    targets: np.ndarray,
    rates: Sequence[float],
    weight_decay: float = 0.0,
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], np.ndarray]:
    """Take one step of Adam with decoupled weight decay a minibatch.

    Args:
        parameters: as in `sgd_steps`.
        moments: from `no_moments`, or returned by the call before.
        contexts: as in `sgd_steps`.
        targets: as in `sgd_steps`.
        rates: (steps,) learning rates.
        weight_decay: the part of each parameter that is lost in a step, in units of the rate.

    Returns:
        The new parameters, the new moments, and the losses. However the steps are cut into calls, they are the same.

    Raises:
        IndexError: a context or target is not a letter of the vocabulary.
        ValueError: the shapes do not fit.

    Source: Kingma and Ba 2015, arXiv:1412.6980; Loshchilov and Hutter 2019, arXiv:1711.05101.
    """
    sizes, done = Sizes.of(parameters), int(moments["steps"])
    flat = pack(parameters, NEVER)
    flat_moments = [pack({name: moments[f"{moment}_{name}"] for name in parameters}) for moment in MOMENTS]
    gradient = np.zeros_like(flat)
    losses = _take_steps(parameters, flat, gradient, flat_moments, contexts, targets, rates, done, weight_decay)
    new_moments = {"steps": np.array(done + len(losses))}
    for moment, values in zip(MOMENTS, flat_moments, strict=True):
        new_moments |= {f"{moment}_{name}": value for name, value in unpack(values, sizes).items()}
    return unpack(flat, sizes), new_moments, losses


def no_moments(parameters: Arrays) -> dict[str, np.ndarray]:
    """What `adam_steps` starts from: for each parameter two arrays of zeros, and the number of steps, 0."""
    zeros = {f"{moment}_{name}": np.zeros_like(value) for moment in MOMENTS for name, value in parameters.items()}
    return {**zeros, "steps": np.array(0)}


def loss_and_gradients(
    parameters: Arrays, contexts: np.ndarray, targets: np.ndarray
) -> tuple[float, dict[str, np.ndarray]]:
    """The mean loss of one minibatch, and the gradients of the seven parameters by name.

    Args:
        parameters: as in `sgd_steps`.
        contexts: (N, block_size) integers.
        targets: (N,) integers.

    Source: lecture, exercise 4.
    """
    flat = pack(parameters, NEVER)
    gradient = np.zeros_like(flat)
    losses = _take_steps(parameters, flat, gradient, _NO_MOMENTS, contexts[None], targets[None], rates=[-1.0])
    return float(losses[0]), unpack(gradient, Sizes.of(parameters))


def read_batches(tokens: np.ndarray, positions: np.ndarray, block_size: int) -> tuple[np.ndarray, np.ndarray]:
    """Contexts and targets at some positions of a text: `Dataset.contexts` and `Dataset.targets`, compiled.

    Args:
        tokens: lines, each followed by one 0, flat, in any integer type.
        positions: integers in [0, len(tokens)), of any shape.
        block_size: how many tokens make a context.

    Returns:
        (*positions.shape, block_size) and (*positions.shape), int32.

    Raises:
        IndexError: a position is not in the text.

    Example:
        >>> read_batches(np.array([5, 13, 13, 1, 0]), np.array([1, 4]), block_size=3)
        (array([[ 0,  0,  5],
               [13, 13,  1]], dtype=int32), array([13,  0], dtype=int32))
    """
    positions = np.ascontiguousarray(positions, np.int64)
    refuse_outside(positions, len(tokens), "a position", "the text")
    contexts, targets = np.zeros((*positions.shape, block_size), np.int32), np.empty(positions.shape, np.int32)
    _read_batches(contexts.reshape(-1, block_size), targets.reshape(-1), tokens, positions.reshape(-1))
    return contexts, targets


def _take_steps(parameters, flat, gradient, moments, contexts, targets, rates, done=0, decay=0.0):
    """Change `flat`, `gradient` and `moments` step by step, as `_steps` does; the losses."""
    sizes = Sizes.of(parameters)
    contexts, targets = (np.ascontiguousarray(letters, np.int32) for letters in (contexts, targets))
    rates = np.ascontiguousarray(rates, np.float32)
    n_steps, n_examples = targets.shape
    if contexts.shape != (n_steps, n_examples, sizes.block_size) or rates.shape != (n_steps,):
        shapes = f"contexts {contexts.shape}, targets {targets.shape}, rates {rates.shape}"
        raise ValueError(f"the shapes do not fit: {shapes}, block_size {sizes.block_size}")
    for letters in (contexts, targets):
        refuse_outside(letters, sizes.vocab_size, "a token", "the vocabulary")
    w = work_for(n_examples, sizes, by_letter=n_examples > 2 * sizes.vocab_size)
    losses = np.empty(n_steps, np.float32)
    a_step = 3 * n_examples * sizes.n_hidden * (sizes.vocab_size + sizes.block_size * sizes.n_embd)
    at_once = max(1, int(PRODUCTS_A_CALL / a_step))
    for start in range(0, n_steps, at_once):
        now = slice(start, start + at_once)
        batches = losses[now], contexts[now], targets[now], rates[now]
        _steps(flat, gradient, *moments, w, *batches, sizes, done + start, decay)
    return losses


def refuse_outside(values: np.ndarray, end: int, what: str, of: str) -> None:
    """Raise IndexError unless all values are in [0, end): compiled code does not look."""
    if values.size and not (values.min() >= 0 and values.max() < end):
        raise IndexError(f"{what} is not in {of}: got {values.min()} to {values.max()}, expected 0 to {end - 1}")


@entry_point
def _steps(flat, gradient, mean, square, w, losses, contexts, targets, rates, sizes, done, decay):
    """Adam where there are moments. Else `gradient` loses the rate times the gradient: it may be `flat`."""
    p, d = views(flat, sizes), views(gradient, sizes)
    with_adam = mean.size > 0
    for step in range(len(rates)):
        if with_adam:
            fill(gradient, np.float32(0))
        factor = np.float32(1) if with_adam else -rates[step]
        losses[step] = add_gradients(d, factor, p, w, contexts[step], targets[step], sizes)
        if with_adam:
            adam_update(flat, gradient, mean, square, rates[step], done + step + 1, BETA1, BETA2, EPS, decay)


@entry_point
def _read_batches(contexts, targets, tokens, positions):
    for n in range(len(positions)):
        now = positions[n]
        targets[n] = tokens[now]
        for back in range(1, contexts.shape[1] + 1):
            if back > now or tokens[now - back] == 0:
                break
            contexts[n, -back] = tokens[now - back]
