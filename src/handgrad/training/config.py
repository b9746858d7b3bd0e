"""Every size and rate of a training run, in one place; the command line is made from it."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, cast, get_args

from handgrad.errors import ConfigError
from handgrad.limits import MAX_LINE
from handgrad.models.config import require_choice, require_integer, require_share
from handgrad.models.family import Family
from handgrad.models.registry import FAMILIES, ModelName, family

Engine = Literal["auto", "compiled", "torch"]
Device = Literal["cpu", "cuda"]
Optimizer = Literal["adam", "sgd"]
Minibatches = Literal["epochs", "replacement", "in-order"]
Random = Literal["philox", "python"]
Split = Literal["distinct", "lines"]
Keep = Literal["best", "last"]
_CHOICES = {
    "optimizer": Optimizer, "minibatches": Minibatches, "random": Random, "split": Split, "keep": Keep,
    "engine": Engine, "device": Device,
}  # fmt: skip
_UNSAID: Mapping[str, Any] = {"minibatches": "replacement", "warmup": 0.0, "split": "lines", "keep": "last"}
"""Settings of runs from before there was a choice, which their folders do not name."""
MAX_LR = 1e30
"""Far beyond all that trains, and within what float32 holds."""
MAX_STEPS = 100_000_000
MAX_PLACES = MAX_LINE + 1
"""Of a line: as many characters as are read at most, and its end."""
SIZES = ("block_size", "n_embd", "n_hidden", "n_layer", "n_head", "dropout", "tied")
"""Settings of which each family has some."""


@dataclass(frozen=True)
class TrainConfig:
    """Sizes and rates of a training run.

    Raises:
        ConfigError: a value makes no sense, naming it and what would.

    Example:
        >>> TrainConfig(steps=1000, n_hidden=64).batch_size
        1024
    """

    model: ModelName = "mlp"
    """The family of the network; each has defaults of its own for the settings below. Where none is said, text and
    time decide."""
    steps: int = 2_500
    """Training steps, one minibatch each; 0 for what is counted, not trained."""
    batch_size: int = 1024
    """Characters predicted in a step, or lines read; at least 2 where batch norm needs a variance."""
    block_size: int = 8
    """Characters of context; or the longest line that can be read, with its end: 0 for what the text needs."""
    n_embd: int = 32
    """Features of a character's embedding."""
    n_hidden: int = 384
    """Units of the hidden layer, or of the state."""
    n_layer: int = 1
    """Layers, or blocks of layers."""
    n_head: int = 4
    """Heads of attention, which share the features."""
    dropout: float = 0.0
    """The share of activations that a training step leaves out."""
    tied: bool = False
    """Whether the scores are products with the embeddings of the characters, not with a matrix of their own."""
    optimizer: Optimizer = "adam"
    """'adam', whose rate falls to 0 step by step, or 'sgd', the lecture's, whose rate falls to a tenth at half time."""
    lr: float = 0.006
    """The greatest learning rate: that of the first step, where there is no warm-up."""
    warmup: float = 0.1
    """The share of the steps in which Adam's rate rises to its greatest, in a straight line; 'sgd' has none."""
    weight_decay: float = 0.15
    """What Adam takes off each parameter in a step, in units of the learning rate; 'sgd' has none."""
    minibatches: Minibatches = "epochs"
    """How examples are drawn: 'epochs' takes each once, in an order of its own each time, before any comes again;
    'replacement' draws each from all of them; 'in-order' takes them in the one order of the training split."""
    random: Random = "philox"
    """Whose random numbers shuffle the lines and make the initial values: 'philox' ours, which split a text the same
    way for all seeds; 'python' those of Python's own random, drawn as microgpt.py draws them."""
    split: Split = "distinct"
    """How lines are held out for validation and test: 'distinct' keeps equal ones together, so that none that is held
    out was trained on; 'lines' draws each for itself, as the lecture does."""
    keep: Keep = "best"
    """Which state is the model: the 'best' on the validation split, measured up to twenty times, and training stops
    where it only gets worse; or the 'last', as in the lecture."""
    seed: int = 1
    """Seed of the initial values and of the minibatches."""
    runs: int = 1
    """How many models to train at once, with this seed and those that follow it; the best is kept in front."""
    engine: Engine = "auto"
    """What takes the steps: 'compiled' loops, or the same operations in 'torch'. 'auto' is 'torch' on a GPU."""
    device: Device = "cpu"
    """Where the steps are taken: on the processor, or on an NVIDIA GPU."""

    def __post_init__(self):  # noqa: D105
        kind = family(self.model)
        if kind.counted:
            self._require_no_steps()
        else:
            require_integer("steps", self.steps, at_least=1, at_most=MAX_STEPS)
        if self.batch_size == 1 < kind.smallest_batch:
            raise ConfigError(
                "batch_size 1 leaves batch norm nothing to take a variance of",
                got=1,
                expected="an integer of at least 2",
            )
        require_integer("batch_size", self.batch_size, at_least=kind.smallest_batch, at_most=1_000_000)
        at_least, at_most = (1, 1_000) if kind.reads == "contexts" else (0, MAX_PLACES)
        require_integer("block_size", self.block_size, at_least=at_least, at_most=at_most)
        require_integer("n_embd", self.n_embd, at_least=1, at_most=100_000)
        require_integer("n_hidden", self.n_hidden, at_least=1, at_most=100_000)
        require_integer("n_layer", self.n_layer, at_least=1, at_most=1_000)
        require_integer("n_head", self.n_head, at_least=1, at_most=1_000)
        require_share("dropout", self.dropout)
        require_choice("tied", self.tied)
        require_share("warmup", self.warmup)
        require_integer("runs", self.runs, at_least=1, at_most=1_000)
        require_integer("seed", self.seed, at_least=0, at_most=2**63 - self.runs)
        if isinstance(self.lr, bool) or not isinstance(self.lr, int | float) or not 0 < self.lr <= MAX_LR:
            raise ConfigError("lr makes no sense", got=self.lr, expected=f"a number above 0, at most {MAX_LR:g}")
        decay = self.weight_decay
        if isinstance(decay, bool) or not isinstance(decay, int | float) or not 0 <= decay <= MAX_LR:
            raise ConfigError("weight_decay makes no sense", got=decay, expected="a number of at least 0, 0 for none")
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in get_args(choices):
                expected = " or ".join(get_args(choices))
                raise ConfigError(f"{name} is unknown", got=getattr(self, name), expected=expected)
        if self.random == "python" and self.runs > 1:
            raise ConfigError(
                "Python's random numbers split the text another way for each seed", where="runs", got=self.runs,
                expected="1", next_step="Train each seed on its own, or leave out --random.",
            )  # fmt: skip
        if (self.random, self.split) == ("python", "distinct"):
            raise ConfigError(
                "Python's random numbers draw each line for itself", where="split", got="distinct", expected="lines",
                next_step="Add --split lines, or leave out --random.",
            )  # fmt: skip
        self._require_sizes_of_the_family()
        if kind.counted and (self.engine, self.device) != ("auto", "cpu"):
            raise ConfigError(
                f"the {self.model} takes no steps", where="engine or device", got=f"{self.engine}, {self.device}",
                expected="neither",
            )  # fmt: skip
        if (self.engine, self.device) == ("compiled", "cuda"):
            raise ConfigError(
                "the compiled engine does not run on a GPU", where="device cuda", got="engine compiled",
                expected="engine torch", next_step="Leave out --engine, or leave out --device.",
            )  # fmt: skip

    @classmethod
    def of(cls, model: str, **settings: Any) -> "TrainConfig":
        """The settings with which a family trains well on the built-in names, but for those given.

        Raises:
            ConfigError: there is no such family, or a setting makes no sense.
        """
        return cls(model=cast(ModelName, model), **{**family(model).recipe, **settings})

    @classmethod
    def saved(cls, content: Mapping[str, Any]) -> "TrainConfig":
        """What a `config.json` says; settings that there are no more do not count."""
        known = {field.name for field in fields(cls)}
        return cls(**{key: value for key, value in {**_UNSAID, **content}.items() if key in known})

    def _require_no_steps(self) -> None:
        """Raise ConfigError where there is something to train, or several seeds of what has none."""
        for name, value, right in (("steps", self.steps, 0), ("runs", self.runs, 1)):
            if value != right:
                raise ConfigError(
                    f"the {self.model} is counted, not trained", where=name, got=value, expected=right,
                    next_step="Leave that out.",
                )  # fmt: skip

    def _require_sizes_of_the_family(self) -> None:
        """Raise ConfigError where the family lacks a size that is set, or its sizes do not go together."""
        kind, default = family(self.model), {field.name: field.default for field in fields(self)}
        has = {field.name for field in fields(kind)}
        for name in SIZES:
            if name not in has and getattr(self, name) != default[name]:
                known = ", ".join(size for size in SIZES if size in has) or "none"
                raise ConfigError(
                    f"the {self.model} has no {name}",
                    got=getattr(self, name),
                    expected=f"settings that it has: {known}",
                    next_step=f"Choose a family that has it, with --model, such as {_one_with(name)}.",
                )
        of_text = self.block_size == 0  # then it is known once the text is
        (replace(self, block_size=1) if of_text else self).sizes(vocab_size=2)

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

    def sizes(self, vocab_size: int) -> Family:
        """The model's family and sizes for a vocabulary of `vocab_size`."""
        kind = family(self.model)
        return kind(vocab_size, **{field.name: getattr(self, field.name) for field in fields(kind)[1:]})


def _one_with(size: str) -> str:
    """A family that has this size."""
    return next(name for name in ("mlp", "transformer", *FAMILIES) if hasattr(family(name), size))


PRESETS = {
    "lecture": TrainConfig(
        steps=200_000,
        batch_size=32,
        block_size=3,
        n_embd=10,
        n_hidden=200,
        optimizer="sgd",
        lr=0.1,
        warmup=0.0,
        weight_decay=0.0,
        minibatches="replacement",
        split="lines",
        keep="last",
        seed=2147483647,
    ),
    "microgpt": TrainConfig.of(
        "microgpt",
        batch_size=1,
        warmup=0.0,
        minibatches="in-order",
        random="python",
        split="lines",
        keep="last",
        seed=42,
    ),
}
