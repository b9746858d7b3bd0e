"""What every family of models is: sizes, the shapes that follow from them, a forward and its backward by hand.

A family is one file with a frozen dataclass of its sizes, whose methods are what a model of these sizes does. Importing
it does not import torch; calling `forward`, `backward` or `step` does.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from handgrad.models.config import require_choice, require_integer, require_share

if TYPE_CHECKING:
    from torch import Tensor

Normal = Callable[[str, tuple[int, ...]], Any]
"""Draws standard normal numbers for the parameter of that name and shape."""
Masks = Callable[[str, "Tensor"], "Tensor"]
"""The dropout mask of that name for an activation: of its shape, 0 or 1 / (1 − p)."""
Values = Mapping[str, "Tensor"]
"""Parameters, or parameters and buffers, by name."""
State = tuple["Tensor", ...]
"""What a model remembers of lines that it has begun to read; one row a line."""


@dataclass(frozen=True)
class Share:
    """What is here of a minibatch, and how sums over it become those over all of it; by default it is all here.

    Args:
        here: targets that are here.
        of: targets of the minibatch.
        total: the sum of a tensor over all shares; who has another share calls it as often, in the same order.

    Example:
        >>> Share(here=3, of=12).rows(6)
        24
    """

    here: int = 1
    of: int = 1
    total: Callable[[Tensor], Tensor] = lambda x: x

    def rows(self, here: int) -> int:
        """How many rows there are in all, of which so many are here, as many a target."""
        return here * self.of // self.here


WHOLE = Share()


@dataclass(frozen=True)
class Family:
    """The sizes of a model, and what a model of these sizes does.

    A subclass adds its sizes as fields, by the names of `TrainConfig`, and its methods.

    Args:
        vocab_size: distinct characters, plus one for the boundary of a line.

    Raises:
        ConfigError: a size makes no sense.
    """

    name: ClassVar[str]
    """What `--model` calls it."""
    title: ClassVar[str]
    """What it is, in a few words."""
    reads: ClassVar[Literal["contexts", "lines"]]
    """Minibatches: of contexts, (N, block_size) and (N,) targets, or of whole lines, both (N, T)."""
    counted: ClassVar[bool] = False
    """Whether it takes no steps, and all it knows is measured on the text."""
    smallest_batch: ClassVar[int] = 1
    beta1: ClassVar[float] = 0.9
    """Of Adam: how much of the mean gradient is kept from step to step."""
    recipe: ClassVar[Mapping[str, Any]] = {}
    """The settings of `TrainConfig` with which it trains well on the built-in names."""

    vocab_size: int

    def __post_init__(self):  # noqa: D105
        for field in fields(self):
            require = {"dropout": require_share, "tied": require_choice}.get(field.name, require_at_least_one)
            require(field.name, getattr(self, field.name))

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each parameter, in the order in which they are drawn."""
        raise NotImplementedError

    @property
    def buffer_shapes(self) -> Mapping[str, tuple[int | None, ...]]:
        """The shape of each buffer, which is measured after training, and not trained; None where the text decides."""
        return {}

    @property
    def n_parameters(self) -> int:
        """How many numbers are trained."""
        return sum(map(math.prod, self.shapes.values()))

    @property
    def longest(self) -> int | None:
        """The most tokens of a line that can be read, the boundary before it included; None for any number."""
        return None

    def numbers_a_target(self, places: int) -> int:  # noqa: ARG002
        """How many numbers a step on whole lines needs for each target, about, if the longest line has `places`."""
        return 0

    def decays(self, name: str) -> bool:  # noqa: ARG002
        """Whether weight decay acts on the parameter of that name."""
        return True

    def initial(self, normal: Normal) -> dict[str, Any]:
        """The initial values: nowhere zero, since zeros hide mistakes in a gradient.

        Args:
            normal: draws standard normal numbers, in NumPy or torch arrays as its user likes; called once a parameter,
                in the order of `shapes`, for as many numbers.
        """
        raise NotImplementedError

    def measured(self, values: Values, X: Tensor) -> dict[str, Tensor]:  # noqa: ARG002
        """The buffers, measured on contexts, (N, block_size), once training is done."""
        return {}

    def forward(
        self, parameters: Values, X: Tensor, Y: Tensor, masks: Masks | None = None, share: Share = WHOLE
    ) -> tuple[Tensor, Any]:
        """Mean loss of a minibatch, or of what is here of it, () in nats, and the cache for `backward`.

        Args:
            parameters: by name.
            X: integers, the tokens read.
            Y: integers, the tokens that follow; of whole lines −1 behind the end, which does not count.
            masks: of dropout; None drops nothing.
            share: what of the minibatch X and Y are, for what is a mean over all of it.
        """
        raise NotImplementedError

    def mask_rows(self, X: Tensor, Y: Tensor, lines: slice) -> Tensor:  # noqa: ARG002
        """Which rows of a dropout mask, drawn one a target of the minibatch, some of its lines take, (rows,).

        Args:
            X: (B, T) tokens read, of the whole minibatch.
            Y: (B, T) tokens that follow; −1 behind the end.
            lines: which of the B.

        Returns:
            By default those of their targets, padding left behind.
        """
        return numbers_of_targets(Y)[lines][Y[lines] >= 0]

    def backward(self, dloss: Tensor, cache: Any) -> dict[str, Tensor]:
        """Gradients of the parameters by name, each by its closed form, from the cotangent `dloss`, ()."""
        raise NotImplementedError

    def start(self, values: Values, n: int) -> State:
        """What is remembered of n lines before anything has been read."""
        raise NotImplementedError

    def step(self, values: Values, state: State, tokens: Tensor, place: int) -> tuple[Tensor, State]:
        """Read one more token of each line.

        Args:
            values: parameters and buffers by name.
            state: from `start` or the step before.
            tokens: (n,) integers; at place 0 all are 0, the boundary.
            place: how many tokens have been read before.

        Returns:
            Scores of the token that follows, (n, vocab_size), and the state.
        """
        raise NotImplementedError


class OfContexts(Family):
    """A family that predicts a character from the `block_size` before it."""

    reads = "contexts"

    @property
    def block_size(self) -> int:
        """How many characters it reads."""
        raise NotImplementedError

    def logits(self, values: Values, X: Tensor) -> Tensor:
        """Scores of the next token, (N, vocab_size), from the contexts, (N, block_size)."""
        raise NotImplementedError

    def start(self, values: Values, n: int) -> State:
        """A window in which nothing stands yet."""
        some = next(iter(values.values()))
        return (some.new_zeros(n, self.block_size).long(),)

    def step(self, values: Values, state: State, tokens: Tensor, place: int) -> tuple[Tensor, State]:  # noqa: ARG002
        """Move the window by one."""
        import torch

        window = torch.cat([state[0][:, 1:], tokens[:, None]], 1)
        return self.logits(values, window), (window,)


class OfLines(Family):
    """A family that reads lines from their beginning on."""

    reads = "lines"

    def decays(self, name: str) -> bool:
        """Matrices decay; biases, gains and first states do not."""
        return len(self.shapes[name]) == 2


def numbers_of_targets(Y: Tensor) -> Tensor:
    """How many targets come before each place, in the order of the text, (B, T); behind an end it is no matter."""
    return ((Y >= 0).flatten().cumsum(0) - 1).reshape(Y.shape)


def real_places(Y: Tensor) -> Tensor:
    """Which rows of `Y.flatten()` are no padding, int64."""
    return (Y.flatten() >= 0).nonzero().flatten()


def scaled(value: Any, fan_in: int) -> Any:
    """Normal numbers with the variance of `torch.nn.Linear`'s initial ones, which are uniform: 1 / (3 · fan-in)."""
    return value / (3 * fan_in) ** 0.5


def require_at_least_one(name: str, value: object) -> None:
    """Raise ConfigError unless `value` is a positive integer."""
    require_integer(name, value, at_least=1)
