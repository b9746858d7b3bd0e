"""The sizes of the model, the shapes that follow from them, and its initial parameters. No torch."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from handgrad.errors import ConfigError

PARAMETERS = ("C", "W1", "b1", "W2", "b2", "bngain", "bnbias")


@dataclass(frozen=True)
class MLPConfig:
    """Sizes of the lecture's network: a multilayer perceptron over the last `block_size` characters.

    Args:
        vocab_size: distinct characters, plus one for the boundary of a line.
        block_size: characters of context.
        n_embd: features of a character's embedding.
        n_hidden: units of the hidden layer.

    Raises:
        ConfigError: a size is not a positive integer.

    Source: Bengio et al. 2003, "A Neural Probabilistic Language Model", sec. 2; lecture, cell 6.

    Example:
        >>> MLPConfig(vocab_size=27, n_hidden=64).n_parameters
        4137
    """

    vocab_size: int
    block_size: int = 3
    n_embd: int = 10
    n_hidden: int = 200

    def __post_init__(self):  # noqa: D105
        for name in ("vocab_size", "block_size", "n_embd", "n_hidden"):
            require_integer(name, getattr(self, name), at_least=1)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each parameter, in the order in which the lecture draws them."""
        return {
            "C": (self.vocab_size, self.n_embd),
            "W1": (self.n_embd * self.block_size, self.n_hidden),
            "b1": (self.n_hidden,),
            "W2": (self.n_hidden, self.vocab_size),
            "b2": (self.vocab_size,),
            "bngain": (1, self.n_hidden),
            "bnbias": (1, self.n_hidden),
        }

    @property
    def n_parameters(self) -> int:
        """How many numbers are trained."""
        v, e, h = self.vocab_size, self.n_embd, self.n_hidden
        return v * e + self.block_size * e * h + h + h * v + v + 2 * h


def initial_parameters(config: MLPConfig, normal: Callable[[str, tuple[int, ...]], Any]) -> dict[str, Any]:
    """The lecture's initial values: small and nowhere zero, since zeros hide mistakes in a gradient.

    Args:
        config: the sizes.
        normal: draws standard normal numbers for the parameter of that name and shape; called in the lecture's
            order, with NumPy or torch arrays as its user likes.

    Returns:
        The seven parameters by name.

    Source: lecture, cell 6; the gain 5/3 of tanh over the root of the fan-in is He et al. 2015, eq. 10.

    Example:
        >>> import numpy as np
        >>> parameters = initial_parameters(MLPConfig(27), lambda name, shape: np.ones(shape))
        >>> parameters["bngain"].shape, float(parameters["b2"][0])
        ((1, 200), 0.1)
    """
    shapes = config.shapes
    return {
        "C": normal("C", shapes["C"]),
        "W1": normal("W1", shapes["W1"]) * (5 / 3) / ((config.n_embd * config.block_size) ** 0.5),
        "b1": normal("b1", shapes["b1"]) * 0.1,
        "W2": normal("W2", shapes["W2"]) * 0.1,
        "b2": normal("b2", shapes["b2"]) * 0.1,
        "bngain": normal("bngain", shapes["bngain"]) * 0.1 + 1.0,
        "bnbias": normal("bnbias", shapes["bnbias"]) * 0.1,
    }


def require_integer(name: str, value: object, *, at_least: int, at_most: int | None = None) -> None:
    """Raise ConfigError unless `value` is an integer within the bounds."""
    in_bounds = isinstance(value, int) and value >= at_least and (at_most is None or value <= at_most)
    if isinstance(value, bool) or not in_bounds:
        bounds = f"an integer of at least {at_least:,}" if at_most is None else f"{at_least:,} to {at_most:,}"
        raise ConfigError(f"{name} makes no sense", got=value, expected=bounds)
