"""The seven parameters in one flat vector, rows and columns padded for `matmul`; Adam sees the vector alone."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from handgrad.engine.compiling import composed
from handgrad.engine.vectors import aligned_zeros, padded

NEVER = np.float32(-1e30)
"""The bias of letters that only pad `b2`: softmax gives them nothing, and so they have no gradient."""


class Sizes(NamedTuple):
    """What the shapes of the parameters depend on, and what the padded matrices measure."""

    vocab_size: int
    block_size: int
    n_embd: int
    n_hidden: int
    vocab_padded: int
    inputs_padded: int
    hidden_padded: int

    @classmethod
    def of(cls, parameters: Mapping[str, np.ndarray]) -> "Sizes":
        """The sizes that the shapes of the parameters show."""
        vocab_size, n_embd = parameters["C"].shape
        inputs, n_hidden = parameters["W1"].shape
        sizes = vocab_size, inputs // n_embd, n_embd, n_hidden
        return cls(*sizes, padded(vocab_size), padded(inputs), padded(n_hidden))


class Parameters(NamedTuple):
    """Views of a flat vector, by the lecture's names. Columns that only pad are 0, those of `b2` NEVER."""

    C: np.ndarray
    W1: np.ndarray
    b1: np.ndarray
    W2: np.ndarray
    b2: np.ndarray
    bngain: np.ndarray
    bnbias: np.ndarray


@composed
def views(flat, sizes):
    """The parameters, or their gradients, that `flat` holds."""
    hidden, vocab = sizes.hidden_padded, sizes.vocab_padded
    W1 = sizes.inputs_padded * hidden
    W2 = W1 + hidden * vocab
    b1, bngain, bnbias = W2 + hidden, W2 + 2 * hidden, W2 + 3 * hidden
    b2 = bnbias + vocab
    return Parameters(
        W1=flat[:W1].reshape((-1, hidden))[: sizes.block_size * sizes.n_embd],
        W2=flat[W1:W2].reshape((-1, vocab))[: sizes.n_hidden],
        b1=flat[W2:b1],
        bngain=flat[b1:bngain],
        bnbias=flat[bngain:bnbias],
        b2=flat[bnbias:b2],
        C=flat[b2 : b2 + sizes.vocab_size * sizes.n_embd].reshape((-1, sizes.n_embd)),
    )


def pack(parameters: Mapping[str, np.ndarray], padding: float | np.floating = 0.0) -> np.ndarray:
    """The flat vector of seven arrays by name; `padding` is what `b2` is padded with.

    Example:
        >>> from handgrad.models.mlp import MLP
        >>> draw = np.random.default_rng(1)
        >>> parameters = MLP(27).initial(lambda _, shape: draw.standard_normal(shape))
        >>> flat = pack(parameters, NEVER)
        >>> all(np.allclose(unpack(flat, Sizes.of(parameters))[name], parameters[name]) for name in parameters)
        True
    """
    sizes = Sizes.of(parameters)
    _, _, _, _, vocab, inputs, hidden = sizes
    flat = aligned_zeros(hidden * (inputs + vocab + 3) + vocab + padded(parameters["C"].size))
    p = views.py_func(flat, sizes)
    p.b2[:] = padding
    for name, view in p._asdict().items():
        value = parameters[name]
        view[..., : value.shape[-1]] = value.reshape(-1) if view.ndim == 1 else value
    return flat


def unpack(flat: np.ndarray, sizes: Sizes) -> dict[str, np.ndarray]:
    """The seven arrays by name, in the shapes of `MLP.shapes`."""
    p = views.py_func(flat, sizes)
    h, v = sizes.n_hidden, sizes.vocab_size
    return {
        "C": p.C.copy(),
        "W1": p.W1[:, :h].copy(),
        "b1": p.b1[:h].copy(),
        "W2": p.W2[:, :v].copy(),
        "b2": p.b2[:v].copy(),
        "bngain": p.bngain[None, :h].copy(),
        "bnbias": p.bnbias[None, :h].copy(),
    }
