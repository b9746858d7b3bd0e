"""What a run of several parts was started with."""

import itertools
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from handgrad.data.vocabulary import Vocabulary
from handgrad.errors import ConfigError
from handgrad.models.mix import Mix
from handgrad.models.trained import TextReference
from handgrad.training.config import TrainConfig


@dataclass(frozen=True)
class Plan:
    """Parts that are trained one after another and mixed into one model: `config.json`.

    Args:
        parts: the settings of each; its `steps` are the most that it takes.
        shares: of the time, one a part; 0 for what is counted.
        seconds: for all of it; None for as long as the steps take.
        why: it is these parts, in a few words.
        vocabulary: of the text.
        text: that they are trained on.

    Raises:
        ConfigError: there is no part, or shares or seconds make no sense.
    """

    parts: tuple[TrainConfig, ...]
    shares: tuple[float, ...]
    seconds: float | None
    why: str
    vocabulary: Vocabulary
    text: TextReference

    def __post_init__(self):  # noqa: D105
        numbers = [*self.shares, 0 if self.seconds is None else self.seconds]
        if not all(isinstance(number, int | float) and 0 <= number < float("inf") for number in numbers):
            raise ConfigError("shares or seconds make no sense", got=numbers, expected="numbers of at least 0")
        if not any(self.shares) or len(self.parts) != len(self.shares) or not isinstance(self.why, str):
            raise ConfigError(
                "a plan has parts, as many shares, of which some are above 0, and says why",
                got=(self.parts, self.shares, self.why),
            )

    @classmethod
    def saved(cls, content: Mapping[str, Any], vocabulary: Vocabulary, text: TextReference) -> "Plan":
        """What a `config.json` says of it."""
        parts = tuple(map(TrainConfig.saved, content["parts"]))
        return cls(parts, tuple(content["shares"]), content["seconds"], content["why"], vocabulary, text)

    @property
    def main(self) -> TrainConfig:
        """The first of the parts that are trained."""
        return next(part for part, share in zip(self.parts, self.shares, strict=True) if share)

    @property
    def content(self) -> dict[str, Any]:
        """What makes a `config.json` that of a plan."""
        parts = [asdict(part) for part in self.parts]
        return {"plan": {"parts": parts, "shares": self.shares, "seconds": self.seconds, "why": self.why}}

    @property
    def names(self) -> list[str]:
        """Of the parts, which their folders have: that of the family, with a number where it has come before."""
        models: list[str] = [part.model for part in self.parts]
        before = [models[:place].count(model) for place, model in enumerate(models)]
        return [f"{model}-{n + 1}" if n else model for model, n in zip(models, before, strict=True)]

    def mixture(self, weights: np.ndarray) -> Mix:
        """The sizes and weights of the mixture of those parts that have any weight.

        Raises:
            ConfigError: these are no weights of the parts.
        """
        if weights.shape != (len(self.parts),):
            raise ConfigError("weights make no sense", got=weights.tolist(), expected=f"{len(self.parts)} numbers")
        sizes = [part.sizes(self.vocabulary.size) for part in self.parts]
        used = tuple(weight for weight in weights.tolist() if weight)
        return Mix(self.vocabulary.size, tuple(itertools.compress(sizes, weights)), used)
