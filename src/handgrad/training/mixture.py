"""What a mixture of runs was made of."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from handgrad.data.vocabulary import Vocabulary
from handgrad.errors import ConfigError
from handgrad.models.config import require_integer
from handgrad.models.mix import Mix
from handgrad.models.trained import TextReference
from handgrad.training.config import TrainConfig


@dataclass(frozen=True)
class Part:
    """A run in a mixture.

    Args:
        run: its folder, as it was named; the mixture does not need it any more.
        weight: of its probabilities.
        steps: that it had taken.
        training: what it was started with.

    Raises:
        ConfigError: the folder or the number of steps makes no sense.
    """

    run: str
    weight: float
    steps: int
    training: TrainConfig

    def __post_init__(self):  # noqa: D105
        if not isinstance(self.run, str):
            raise ConfigError("run makes no sense", got=self.run, expected="the name of a folder")
        require_integer("steps", self.steps, at_least=0)

    @classmethod
    def saved(cls, content: Mapping[str, Any]) -> "Part":
        """What a `config.json` says of it."""
        return cls(content["run"], content["weight"], content["steps"], TrainConfig.saved(content["training"]))


@dataclass(frozen=True)
class Mixture:
    """The runs in a mixture, as `Settings` are what a run was started with: `config.json`.

    Raises:
        ConfigError: the weights make no sense, or a part does not.
    """

    parts: tuple[Part, ...]
    vocabulary: Vocabulary
    text: TextReference

    def __post_init__(self):  # noqa: D105
        _ = self.model

    @property
    def model(self) -> Mix:
        """The sizes and the weights."""
        sizes = tuple(part.training.sizes(self.vocabulary.size) for part in self.parts)
        return Mix(self.vocabulary.size, sizes, tuple(part.weight for part in self.parts))

    @property
    def content(self) -> dict[str, Any]:
        """What makes a `config.json` that of a mixture."""
        return {"mixture": [asdict(part) for part in self.parts]}
