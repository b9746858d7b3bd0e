"""Every size and rate of a training run, in one place; the command line is made from it."""

from dataclasses import dataclass

from handgrad.errors import ConfigError
from handgrad.models.config import MLPConfig, require_integer

MAX_LR = 1e30
"""Far beyond all that trains, and within what float32 holds."""


@dataclass(frozen=True)
class TrainConfig:
    """Sizes and rates of a training run.

    Raises:
        ConfigError: a value makes no sense, naming it and what would.

    Example:
        >>> TrainConfig(steps=1000, n_hidden=64).batch_size
        128
    """

    steps: int = 50_000
    """Training steps, one minibatch each."""
    batch_size: int = 128
    """Characters predicted in a step; at least 2, since batch norm needs a variance."""
    block_size: int = 5
    """Characters of context from which the next one is predicted."""
    n_embd: int = 16
    """Features of a character's embedding."""
    n_hidden: int = 200
    """Units of the hidden layer."""
    lr: float = 0.2
    """Learning rate of the first half; the second half takes a tenth of it."""
    seed: int = 1
    """Seed of the initial values and of the minibatches."""

    def __post_init__(self):  # noqa: D105
        require_integer("steps", self.steps, at_least=1, at_most=100_000_000)
        if self.batch_size == 1:
            raise ConfigError(
                "batch_size 1 leaves batch norm nothing to take a variance of",
                got=1,
                expected="an integer of at least 2",
            )
        require_integer("batch_size", self.batch_size, at_least=2, at_most=1_000_000)
        require_integer("block_size", self.block_size, at_least=1, at_most=1_000)
        require_integer("n_embd", self.n_embd, at_least=1, at_most=100_000)
        require_integer("n_hidden", self.n_hidden, at_least=1, at_most=100_000)
        require_integer("seed", self.seed, at_least=0, at_most=2**63 - 1)
        if isinstance(self.lr, bool) or not isinstance(self.lr, int | float) or not 0 < self.lr <= MAX_LR:
            raise ConfigError("lr makes no sense", got=self.lr, expected=f"a number above 0, at most {MAX_LR:g}")

    def model(self, vocab_size: int) -> MLPConfig:
        """The model's sizes for a vocabulary of `vocab_size`."""
        return MLPConfig(vocab_size, self.block_size, self.n_embd, self.n_hidden)


PRESETS = {
    "default": TrainConfig(),
    "lecture": TrainConfig(
        steps=200_000, batch_size=32, block_size=3, n_embd=10, n_hidden=200, lr=0.1, seed=2147483647
    ),
}
