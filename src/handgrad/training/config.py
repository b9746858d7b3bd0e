"""Every size and rate of a training run, in one place; the command line is made from it."""

from dataclasses import dataclass
from typing import Literal, get_args

from handgrad.errors import ConfigError
from handgrad.models.config import MLPConfig, require_integer

Engine = Literal["auto", "compiled", "torch"]
Device = Literal["cpu", "cuda"]
Optimizer = Literal["adam", "sgd"]
MAX_LR = 1e30
"""Far beyond all that trains, and within what float32 holds."""


@dataclass(frozen=True)
class TrainConfig:
    """Sizes and rates of a training run.

    Raises:
        ConfigError: a value makes no sense, naming it and what would.

    Example:
        >>> TrainConfig(steps=1000, n_hidden=64).batch_size
        1024
    """

    steps: int = 2_500
    """Training steps, one minibatch each."""
    batch_size: int = 1024
    """Characters predicted in a step; at least 2, since batch norm needs a variance."""
    block_size: int = 8
    """Characters of context from which the next one is predicted."""
    n_embd: int = 32
    """Features of a character's embedding."""
    n_hidden: int = 384
    """Units of the hidden layer."""
    optimizer: Optimizer = "adam"
    """'adam', whose rate falls to 0 step by step, or 'sgd', the lecture's, whose rate falls to a tenth at half time."""
    lr: float = 0.006
    """Learning rate of the first step."""
    weight_decay: float = 0.15
    """What Adam takes off each parameter in a step, in units of the learning rate; 'sgd' has none."""
    seed: int = 1
    """Seed of the initial values and of the minibatches."""
    runs: int = 1
    """How many models to train at once, with this seed and those that follow it; the best is kept in front."""
    engine: Engine = "auto"
    """What takes the steps: 'compiled' loops, or the same operations in 'torch'; 'auto' is 'torch' on a GPU only."""
    device: Device = "cpu"
    """Where the steps are taken: on the processor, or on an NVIDIA GPU."""

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
        require_integer("runs", self.runs, at_least=1, at_most=1_000)
        require_integer("seed", self.seed, at_least=0, at_most=2**63 - self.runs)
        if isinstance(self.lr, bool) or not isinstance(self.lr, int | float) or not 0 < self.lr <= MAX_LR:
            raise ConfigError("lr makes no sense", got=self.lr, expected=f"a number above 0, at most {MAX_LR:g}")
        decay = self.weight_decay
        if isinstance(decay, bool) or not isinstance(decay, int | float) or not 0 <= decay <= MAX_LR:
            raise ConfigError("weight_decay makes no sense", got=decay, expected="a number of at least 0, 0 for none")
        for name, choices in (("optimizer", Optimizer), ("engine", Engine), ("device", Device)):
            if getattr(self, name) not in get_args(choices):
                expected = " or ".join(get_args(choices))
                raise ConfigError(f"{name} is unknown", got=getattr(self, name), expected=expected)

        if (self.engine, self.device) == ("compiled", "cuda"):
            raise ConfigError(
                "the compiled engine does not run on a GPU", where="device cuda", got="engine compiled",
                expected="engine torch", next_step="Leave out --engine, or leave out --device.",
            )  # fmt: skip

    @property
    def chosen_engine(self) -> Engine:
        """What 'auto' stands for: the compiled loops, but PyTorch on a GPU."""
        if self.engine != "auto":
            return self.engine
        return "compiled" if self.device == "cpu" else "torch"

    @property
    def seeds(self) -> range:
        """The seed of each run."""
        return range(self.seed, self.seed + self.runs)

    def model(self, vocab_size: int) -> MLPConfig:
        """The model's sizes for a vocabulary of `vocab_size`."""
        return MLPConfig(vocab_size, self.block_size, self.n_embd, self.n_hidden)


PRESETS = {
    "default": TrainConfig(),
    "lecture": TrainConfig(
        steps=200_000,
        batch_size=32,
        block_size=3,
        n_embd=10,
        n_hidden=200,
        optimizer="sgd",
        lr=0.1,
        weight_decay=0.0,
        seed=2147483647,
    ),
}
