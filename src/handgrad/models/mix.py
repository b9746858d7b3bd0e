"""Mixtures: what several trained models say of the next character, weighted and added up."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from handgrad.errors import ConfigError
from handgrad.models.family import Family

if TYPE_CHECKING:
    from handgrad.models.trained import Model

Value = TypeVar("Value")


@dataclass(frozen=True)
class Mix(Family):
    r"""The weighted mean of the probabilities of other models, its parts.

    $$ p(x \mid c) = \sum_k w_k p_k(x \mid c), \qquad w_k > 0, \quad \sum_k w_k = 1 $$

    It takes no steps: `handgrad.mix` makes it of models that were trained. Their parameters and buffers are its own,
    each with the number of its part before its name, as in `1.C`.

    Args:
        vocab_size: distinct characters, plus one for the boundary of a line.
        parts: the family and sizes of each model.
        weights: of each, above 0; they add up to 1.

    Raises:
        ConfigError: the weights are none, or the vocabularies differ.

    Source: Jelinek and Mercer 1980, "Interpolated estimation of Markov source parameters from sparse data".

    Example:
        >>> from handgrad.models.bigram import Bigram
        >>> from handgrad.models.gru import GRU
        >>> mix = Mix(27, parts=(Bigram(27), GRU(27)), weights=(0.25, 0.75))
        >>> list(mix.shapes)[:3]
        ['1.W', '2.C', '2.Wxh']
    """

    name = "mix"
    title = "a mixture of trained models"
    reads = "lines"

    parts: tuple[Family, ...]
    weights: tuple[float, ...]

    def __post_init__(self):  # noqa: D105
        numbers = all(isinstance(weight, float) and 0 < weight <= 1 for weight in self.weights)
        if not (numbers and len(self.weights) == len(self.parts) and math.isclose(sum(self.weights), 1, abs_tol=1e-6)):
            raise ConfigError(
                "weights make no sense", got=self.weights,
                expected=f"{len(self.parts)} numbers above 0 that add up to 1",
            )  # fmt: skip
        if sizes := {part.vocab_size for part in self.parts} - {self.vocab_size}:
            raise ConfigError("the parts differ in vocabulary", got=f"sizes {sizes}", expected=self.vocab_size)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Those of the parts."""
        return _numbered([part.shapes for part in self.parts])

    @property
    def buffer_shapes(self) -> dict[str, tuple[int | None, ...]]:
        """Those of the parts."""
        return _numbered([part.buffer_shapes for part in self.parts])

    @property
    def longest(self) -> int | None:
        """The least of the parts'."""
        return min((part.longest for part in self.parts if part.longest is not None), default=None)


def mixture_of(models: Sequence[Model], weights: Sequence[float]) -> Model:
    """The mixture of some models of one text, which has taken no steps of its own."""
    first = models[0]
    return replace(
        first,
        config=Mix(first.config.vocab_size, tuple(model.config for model in models), tuple(weights)),
        parameters=_numbered([model.parameters for model in models]),
        buffers=_numbered([model.buffers for model in models]),
        steps=0,
    )


def parts_of(mixture: Model) -> list[Model]:
    """The models that a mixture is made of."""
    assert isinstance(mixture.config, Mix)
    return [
        replace(
            mixture,
            config=part,
            parameters={name: mixture.parameters[f"{number}.{name}"] for name in part.shapes},
            buffers={name: mixture.buffers[f"{number}.{name}"] for name in part.buffer_shapes},
        )
        for number, part in enumerate(mixture.config.parts, 1)
    ]


def _numbered(of_parts: Sequence[Mapping[str, Value]]) -> dict[str, Value]:
    return {f"{number}.{name}": value for number, part in enumerate(of_parts, 1) for name, value in part.items()}
