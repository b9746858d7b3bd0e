"""What to train on a text in a time, where nobody says it: which networks, how large, how long, mixed with what.

All of it was measured on texts of many sizes, languages and kinds: see `studies/texts.py` and docs/texts.md. An n-gram
takes no time and gains much in a mixture; several networks gain more than a larger one, and than steps that overfit.
"""

import math
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from handgrad.data.dataset import Splits
from handgrad.training.backend import fitting_lines, longest_lines
from handgrad.training.config import TrainConfig

DEFAULT_SECONDS = 12.0
LONG_LINES = 12
"""Characters: where lines are longer in the mean, the n-gram's contexts are, too."""
LARGE, LARGE_CONTEXT = 4e5, 8
"""Characters to train on from which on contexts pay that are so long, if there is time to count them."""
A_SECOND = 1.5e5
"""So many characters are counted in a second, about, in contexts of that length."""


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
        """The first of the parts that are trained."""
        return next(part for part, share in zip(self.parts, self.shares, strict=True) if share)

    def with_main(self, config: TrainConfig) -> "Recipe":
        """The recipe with what other settings its main part has for all parts that are trained.

        Their seeds stay as far apart as they are.

        Raises:
            ConfigError: they make no sense for another of them.
        """
        main = self.main
        names = [
            f.name for f in fields(config) if f.name != "seed" and getattr(config, f.name) != getattr(main, f.name)
        ]
        changed: dict[str, Any] = {name: getattr(config, name) for name in names}
        parts = []
        for part, share in zip(self.parts, self.shares, strict=True):
            reseeded = replace(part, seed=config.seed + part.seed - main.seed)
            parts.append(replace(reseeded, **changed) if share else replace(reseeded, split=config.split))
        return replace(self, parts=tuple(parts))


@dataclass(frozen=True)
class _Net:
    """A network, and how it is trained: for so many epochs at most, and as long as there is time."""

    n_hidden: int
    epochs: float
    batch_size: int
    lr: float
    dropout: float
    weight_decay: float
    model: str = "gru"
    copies: int = 1
    share: float = 1.0
    """Of the time, beside that of other networks."""


_TABLE: tuple[tuple[float, tuple[tuple[float, tuple[_Net, ...]], ...]], ...] = (
    (1e3, ((0, (_Net(64, 40, 16, 0.004, 0.5, 1.0, copies=6), _Net(128, 20, 32, 0.004, 0.3, 0.2, copies=2))),)),
    (4e3, ((0, (_Net(64, 30, 16, 0.004, 0.5, 0.2, copies=4), _Net(128, 20, 16, 0.004, 0.5, 0.2, copies=4))),)),
    (
        1.2e4,
        (
            (0, (_Net(128, 20, 32, 0.004, 0.3, 0.1),)),
            (8, (_Net(256, 10, 16, 0.004, 0.4, 0.1, copies=4),)),
            (30, (_Net(256, 10, 16, 0.004, 0.4, 0.1, copies=8),)),
        ),
    ),
    (
        4e4,
        (
            (0, (_Net(128, 15, 32, 0.008, 0.3, 0.2),)),
            (8, (_Net(256, 6, 32, 0.008, 0.3, 0.2, copies=4),)),
            (30, (_Net(256, 6, 32, 0.008, 0.3, 0.2, copies=8),)),
        ),
    ),
    (
        1.2e5,
        (
            (0, (_Net(128, 10, 32, 0.008, 0.1, 0.05),)),
            (8, (_Net(256, 6, 32, 0.006, 0.3, 0.1),)),
            (40, (_Net(256, 8, 32, 0.006, 0.3, 0.1, copies=4),)),
        ),
    ),
    (
        4e5,
        (
            (0, (_Net(128, 4, 32, 0.012, 0.0, 0.05),)),
            (8, (_Net(256, 4, 32, 0.007, 0.1, 0.05),)),
            (
                40,
                (
                    _Net(256, 10, 32, 0.008, 0.3, 0.05),
                    _Net(256, 10, 32, 0.006, 0.3, 0.05, model="lstm", share=1.4),
                ),
            ),
            (
                200,
                (
                    _Net(256, 10, 32, 0.008, 0.3, 0.05, copies=2),
                    _Net(256, 17, 32, 0.006, 0.4, 0.05, model="lstm", copies=3, share=2.6),
                ),
            ),
        ),
    ),
    (math.inf, ((0, (_Net(128, 4, 32, 0.012, 0.0, 0.05),)), (8, (_Net(256, 4, 32, 0.008, 0.0, 0.05),)))),
)
"""By characters to train on, at most, and by seconds, at least: the networks that are mixed with an n-gram."""


def recipe(splits: Splits, seconds: float) -> Recipe:
    """What to train on the training split within so many seconds.

    Args:
        splits: of the text.
        seconds: in all.

    Example:
        >>> from handgrad.data import resolve_corpus, split
        >>> chosen = recipe(split(resolve_corpus()), seconds=12)
        >>> [part.model for part in chosen.parts], chosen.why
        (['ngram', 'gru'], '25,805 lines to train on: a GRU of 256 units, mixed with an n-gram')
    """
    n_characters, n_lines = len(splits.train), splits.train.n_lines
    nets = _nets(splits, seconds)
    counted = TrainConfig.of("ngram", block_size=_context(n_characters, n_lines, seconds))
    copies = [net for net in nets for _ in range(net.copies)]
    trained = [replace(_settings(net, splits), seed=seed) for seed, net in enumerate(copies, 1)]
    few = "lines are few" if n_characters <= 4e4 else "lines to train on"
    why = f"{n_lines:,} {few}: {' and '.join(map(_described, nets))}, mixed with an n-gram"
    return Recipe((counted, *trained), (0.0, *(net.share for net in copies)), why)


def networks(splits: Splits, seconds: float) -> list[TrainConfig]:
    """The networks that the recipes know for a text of this size: those for this time, then those for others."""
    chosen = _nets(splits, seconds)
    return [_settings(net, splits) for net in dict.fromkeys([*chosen, *_nets(splits, 0), *_nets(splits, math.inf)])]


def _nets(splits: Splits, seconds: float) -> tuple[_Net, ...]:
    by_time = next(by_time for most, by_time in _TABLE if len(splits.train) <= most)
    return [nets for least, nets in by_time if seconds >= least][-1]


def _context(n_characters: int, n_lines: int, seconds: float) -> int:
    """How many characters an n-gram looks at."""
    if n_characters > LARGE:
        return LARGE_CONTEXT if n_characters < A_SECOND * seconds else 5
    return 5 if n_characters < LONG_LINES * n_lines else LONG_LINES


def _settings(net: _Net, splits: Splits) -> TrainConfig:
    """The network with minibatches that have room."""
    config = TrainConfig.of(
        net.model, batch_size=net.batch_size, n_embd=64, n_hidden=net.n_hidden, lr=net.lr, dropout=net.dropout,
        weight_decay=net.weight_decay,
    )  # fmt: skip
    config, n_lines = with_room(config, splits), splits.train.n_lines
    return replace(config, steps=max(30, round(net.epochs * n_lines / config.batch_size)))


def with_room(config: TrainConfig, splits: Splits) -> TrainConfig:
    """The settings of a network that reads lines, with minibatches that have room, whatever the lines and letters."""
    config = replace(config, batch_size=min(config.batch_size, splits.train.n_lines))
    longest = np.concatenate([longest_lines(part.starts, config.batch_size) for part in splits])
    vocab_size = 1 + max(int(part.tokens.max()) for part in splits)
    fitting = fitting_lines(config.sizes(vocab_size), np.sort(longest)[::-1][: config.batch_size])
    return replace(config, batch_size=max(1, fitting))


def _described(net: _Net) -> str:
    name, one = net.model.upper(), {"gru": "a", "lstm": "an"}[net.model]
    return f"{one if net.copies == 1 else net.copies} {name}{'s' * (net.copies > 1)} of {net.n_hidden} units"
