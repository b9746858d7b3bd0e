"""What to train on a text in a time, where nobody says it: which families, how large, how long, mixed with what."""

from dataclasses import dataclass, replace
from typing import Any

from handgrad.data.dataset import Splits
from handgrad.training.config import TrainConfig

DEFAULT_SECONDS = 12.0


@dataclass(frozen=True)
class Recipe:
    """The parts of a mixture and why they are those.

    Args:
        parts: each is trained on its own; its `steps` are the most that pay.
        shares: of the time, one a part; 0 for what is counted.
        why: in a few words.
    """

    parts: tuple[TrainConfig, ...]
    shares: tuple[float, ...]
    why: str

    @property
    def main(self) -> TrainConfig:
        """The part that gets the most time."""
        return self.parts[self.shares.index(max(self.shares))]

    def with_main(self, config: TrainConfig) -> "Recipe":
        """The recipe with other settings for its main part, and its seed and its splits for the others."""
        parts = (
            config if part is self.main else replace(part, seed=config.seed, split=config.split) for part in self.parts
        )
        return replace(self, parts=tuple(parts))


@dataclass(frozen=True)
class _Row:
    """A size of text, and what it takes."""

    characters: float
    what: str
    settings: dict[str, Any]
    epochs: float


_ROWS = (
    _Row(2e3, "a very small GRU", {"n_embd": 16, "n_hidden": 32, "dropout": 0.4, "batch_size": 16}, 40),
    _Row(1e4, "a small GRU", {"n_embd": 24, "n_hidden": 64, "dropout": 0.4, "batch_size": 32}, 40),
    _Row(5e4, "a GRU", {"n_embd": 32, "n_hidden": 96, "dropout": 0.4, "batch_size": 32}, 30),
    _Row(4e5, "a GRU", {"n_embd": 64, "n_hidden": 128, "dropout": 0.15, "batch_size": 32}, 20),
    _Row(float("inf"), "a large GRU", {"n_embd": 64, "n_hidden": 192, "dropout": 0.0, "batch_size": 64}, 20),
)


def recipe(splits: Splits, seconds: float) -> Recipe:
    """What to train on the training split within so many seconds.

    Args:
        splits: of the text.
        seconds: in all.
    """
    n_characters, n_lines = len(splits.train), splits.train.n_lines
    row = next(row for row in _ROWS if n_characters <= row.characters)
    steps = max(50, round(row.epochs * n_lines / row.settings["batch_size"]))
    gru = TrainConfig.of("gru", **{**row.settings, "steps": min(steps, 10**8)})
    why = f"{n_lines:,} lines to train on: {row.what}, mixed with an n-gram"
    return Recipe((TrainConfig.of("ngram"), gru), (0.0, 1.0), why)
