"""The compiled forms in which families are measured, evaluated and sampled."""

import importlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np

from handgrad.models.registry import family

if TYPE_CHECKING:
    from handgrad.engine.distributions import Choice
    from handgrad.engine.reading import Readers
    from handgrad.models.family import Family
    from handgrad.models.trained import Model

OF_THEIR_OWN = frozenset({"ngram", "mix"})
"""Families whose form is like that of no other."""


class Sampler(Protocol):
    """Draws lines from a model."""

    def draw(self, seed: int, lines: range) -> np.ndarray:
        """The lines of these numbers, each followed by one 0, flat, int32; they depend on seed and number alone."""
        ...


class Form(Protocol):
    """What can be done with the parameters of a family; a module that has these functions."""

    def calibrate(
        self, network: "Family", parameters: Mapping[str, np.ndarray], tokens: np.ndarray, limit: int | None = None
    ) -> dict[str, np.ndarray]:
        """The buffers, measured on a text, or on the first `limit` tokens of it."""
        ...

    def readers(self, model: "Model") -> "Readers":
        """What reads lines from their beginning on, token by token."""
        ...

    def log_probabilities(self, model: "Model", contexts: np.ndarray) -> np.ndarray:
        """Of each next token, (N, vocab_size) float32, from contexts, (N, block_size), 0 before the line begins."""
        ...

    def mean_loss(self, model: "Model", tokens: np.ndarray) -> float:
        """Mean cross-entropy over all tokens of some lines, in nats."""
        ...

    def sampler(self, model: "Model", choice: "Choice", prefix: Sequence[int] | np.ndarray, max_length: int) -> Sampler:
        """What draws lines from the model."""
        ...


def form_of(name: str) -> Form:
    """The form of the family of that name that is for use, not for training."""
    file = name if name in OF_THEIR_OWN else family(name).reads
    module: Any = importlib.import_module(f"handgrad.engine.models.{file}")
    return cast(Form, module)
