"""The sizes at which training steps are compared. No NumPy: threads are chosen before it is imported."""

from dataclasses import dataclass
from typing import Literal

from handgrad.training.config import TrainConfig

Compared = Literal["bigram", "bow", "mlp", "wavenet", "rnn", "gru", "lstm"]
"""The families of which there are rivals."""


@dataclass(frozen=True)
class Shape:
    """Sizes of a minibatch and of the model.

    Raises:
        ConfigError: a size makes no sense, naming it and what would.

    Example:
        >>> print(Shape(batch_size=256, n_embd=12))
        batch 256, hidden 200, embedding 12
    """

    batch_size: int = 32
    """Characters predicted in a step, or lines read."""
    n_hidden: int = 200
    """Units of the hidden layer, or of the state."""
    block_size: int = 3
    """Characters of context, where the family has any choice."""
    n_embd: int = 10
    """Features of a character's embedding."""
    model: Compared = "mlp"
    """The family; each has sizes of its own."""

    def __post_init__(self):  # noqa: D105
        TrainConfig(**self.sizes, model=self.model, batch_size=self.batch_size)

    @property
    def sizes(self) -> dict[str, int]:
        """Those of the model that the family has."""
        lacking = {"bigram": ("n_hidden", "n_embd", "block_size"), "mlp": (), "wavenet": ()}
        without = lacking.get(self.model, ("block_size",))
        return {name: getattr(self, name) for name in ("n_hidden", "block_size", "n_embd") if name not in without}

    def __str__(self) -> str:
        """As tables show it: what is as in the lecture is left out, but for the two sizes that matter most."""
        words = {"batch_size": "batch", "n_hidden": "hidden", "block_size": "context", "n_embd": "embedding"}
        shown = {"batch_size": self.batch_size, **self.sizes}
        if self.model == "mlp":
            usual = {"block_size": Shape.block_size, "n_embd": Shape.n_embd}
            return ", ".join(f"{words[name]} {size}" for name, size in shown.items() if usual.get(name) != size)
        return ", ".join([self.model, *(f"{words[name]} {size}" for name, size in shown.items())])


LECTURE = Shape()
SHAPES = (LECTURE, *(Shape(batch_size, n_hidden) for batch_size in (256, 2048) for n_hidden in (64, 200, 1024)))


def usual(model: Compared) -> Shape:
    """The lecture's sizes, or makemore's.

    Example:
        >>> print(usual("gru"))
        gru, batch 32, hidden 64, embedding 64
    """
    of_its_own = {
        "mlp": LECTURE, "bigram": Shape(model="bigram"),
        "wavenet": Shape(n_hidden=128, block_size=8, n_embd=24, model="wavenet"),
    }  # fmt: skip
    return of_its_own.get(model) or Shape(n_hidden=64, n_embd=64, model=model)
