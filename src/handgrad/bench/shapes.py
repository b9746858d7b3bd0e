"""The sizes at which training steps are compared. No NumPy: threads are chosen before it is imported."""

from dataclasses import dataclass, fields
from typing import Literal

from handgrad.models.registry import family
from handgrad.training.config import TrainConfig

Compared = Literal["mlp", "rnn", "gru", "lstm", "transformer", "microgpt"]
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
    """Units of the hidden layer, or of the state; nothing to those that attend."""
    block_size: int = 3
    """Characters of context; nothing to those that read lines."""
    n_embd: int = 10
    """Features of a character's embedding."""
    n_layer: int = 1
    """Blocks of layers, in those that have them."""
    n_head: int = 4
    """Heads of attention, likewise."""
    model: Compared = "mlp"
    """The family; each has sizes of its own."""

    def __post_init__(self):  # noqa: D105
        has = {"batch_size", *(f.name for f in fields(family(self.model)))}
        sizes = {name: value for name, value in vars(self).items() if name in has}
        if self.attends:
            sizes["block_size"] = 0
        TrainConfig.of(self.model, **sizes)

    @property
    def of_contexts(self) -> bool:
        """Whether the family reads contexts, not lines."""
        return self.model == "mlp"

    @property
    def attends(self) -> bool:
        """Whether it has blocks of attention."""
        return self.model in ("transformer", "microgpt")

    def __str__(self) -> str:
        """As tables show it: what is as in the lecture is left out, but for the two sizes that matter most."""
        if self.attends:
            blocks = f"{self.n_layer} block{'s' * (self.n_layer > 1)} of {self.n_head} heads"
            return f"{self.model}, batch {self.batch_size}, embedding {self.n_embd}, {blocks}"
        if not self.of_contexts:
            return f"{self.model}, batch {self.batch_size}, hidden {self.n_hidden}, embedding {self.n_embd}"
        words = {"batch": "batch_size", "hidden": "n_hidden", "context": "block_size", "embedding": "n_embd"}
        shown = {word: getattr(self, name) for word, name in words.items()}
        usual = {"context": Shape.block_size, "embedding": Shape.n_embd}
        return ", ".join(f"{word} {size}" for word, size in shown.items() if usual.get(word) != size)


LECTURE = Shape()
SHAPES = (LECTURE, *(Shape(batch_size, n_hidden) for batch_size in (256, 2048) for n_hidden in (64, 200, 1024)))


def usual(model: Compared) -> Shape:
    """The lecture's sizes, or makemore's.

    Example:
        >>> print(usual("gru"))
        gru, batch 32, hidden 64, embedding 64
    """
    of_attending = {
        "transformer": Shape(n_embd=64, n_layer=4, model="transformer"),
        "microgpt": Shape(batch_size=1, n_embd=16, model="microgpt"),
    }
    return LECTURE if model == "mlp" else of_attending.get(model) or Shape(n_hidden=64, n_embd=64, model=model)
