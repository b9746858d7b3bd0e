"""The sizes at which training steps are compared. No NumPy: threads are chosen before it is imported."""

from dataclasses import dataclass, fields
from typing import Literal, get_args

from handgrad.models.registry import family
from handgrad.training.config import TrainConfig

Compared = Literal["bigram", "bow", "mlp", "wavenet", "rnn", "gru", "lstm", "transformer", "microgpt"]
"""The families of which there are rivals."""
_OF_MODELS = ("n_hidden", "block_size", "n_embd", "n_layer", "n_head")


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
    """Characters of context, where the family has any choice."""
    n_embd: int = 10
    """Features of a character's embedding."""
    n_layer: int = 1
    """Blocks of layers, in those that have them."""
    n_head: int = 4
    """Heads of attention, likewise."""
    model: Compared = "mlp"
    """The family; each has sizes of its own."""

    def __post_init__(self):  # noqa: D105
        TrainConfig.of(self.model, **self.sizes, batch_size=self.batch_size)

    @property
    def sizes(self) -> dict[str, int]:
        """Those of the model that the family has."""
        has = {field.name for field in fields(family(self.model))} - ({"block_size"} if self.reads_lines else set())
        return {name: getattr(self, name) for name in _OF_MODELS if name in has}

    @property
    def reads_lines(self) -> bool:
        """Whether a minibatch is of whole lines."""
        return family(self.model).reads == "lines"

    def __str__(self) -> str:
        """As tables show it: what is as in the lecture is left out, but for the two sizes that matter most."""
        words = {
            "batch_size": "batch", "n_hidden": "hidden", "block_size": "context", "n_embd": "embedding",
            "n_layer": "blocks", "n_head": "heads",
        }  # fmt: skip
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
        "transformer": Shape(n_embd=64, n_layer=4, model="transformer"),
        "microgpt": Shape(batch_size=1, n_embd=16, model="microgpt"),
    }  # fmt: skip
    return of_its_own.get(model) or Shape(n_hidden=64, n_embd=64, model=model)


def every() -> tuple[Shape, ...]:
    """The lecture's sizes, larger batches, other hidden layers, and the usual sizes of the other families."""
    others = [model for model in get_args(Compared) if model != "mlp"]
    return (*SHAPES, *map(usual, others))
