"""What training steps of all compiled models begin with: no moments, and minibatches of a text."""

from collections.abc import Mapping

import numpy as np

from handgrad.engine.compiling import entry_point

Arrays = Mapping[str, np.ndarray]

PRODUCTS_A_CALL = 1e9
"""Multiplications, about, in a call of compiled code, which Ctrl-C cannot interrupt: some hundredths of a second."""
BETA2, EPS = 0.99, 1e-8
MOMENTS = ("mean", "square")


def no_moments(parameters: Arrays) -> dict[str, np.ndarray]:
    """What `adam_steps` starts from: for each parameter two arrays of zeros, and the number of steps, 0."""
    zeros = {f"{moment}_{name}": np.zeros_like(value) for moment in MOMENTS for name, value in parameters.items()}
    return {**zeros, "steps": np.array(0)}


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
    unchanged = tokens.view()
    unchanged.flags.writeable = False  # as tokens in a file are: it is compiled for one kind alone
    _read_batches(contexts.reshape(-1, block_size), targets.reshape(-1), unchanged, positions.reshape(-1))
    return contexts, targets


def refuse_outside(values: np.ndarray, end: int, what: str, of: str) -> None:
    """Raise IndexError unless all values are in [0, end): compiled code does not look."""
    if values.size and not (values.min() >= 0 and values.max() < end):
        raise IndexError(f"{what} is not in {of}: got {values.min()} to {values.max()}, expected 0 to {end - 1}")


@entry_point
def _read_batches(contexts, targets, tokens, positions):
    for n in range(len(positions)):
        now = positions[n]
        targets[n] = tokens[now]
        for back in range(1, contexts.shape[1] + 1):
            if back > now or tokens[now - back] == 0:
                break
            contexts[n, -back] = tokens[now - back]
