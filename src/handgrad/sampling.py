"""Drawing new lines from a model."""

import math
import unicodedata
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from handgrad.errors import ConfigError
from handgrad.models.config import require_choice, require_integer, require_number
from handgrad.training.folders import as_model

if TYPE_CHECKING:
    from handgrad.data.corpus import Corpus
    from handgrad.engine.distributions import Choice
    from handgrad.models.trained import Model

FEWEST_AT_ONCE, MOST_AT_ONCE = 2**12, 2**18
TRIES_A_LINE = 200


@dataclass(frozen=True)
class SampleConfig:
    """Which lines to draw.

    Raises:
        ConfigError: a value makes no sense.

    Example:
        >>> SampleConfig(temperature=0.8, prefix="mar").max_length
        100
    """

    seed: int | None = None
    """The same seed draws the same lines; without one, each call draws others."""
    temperature: float = 1.0
    """Below 1 the likely gets likelier, above 1 the rare less rare; 0 takes the likeliest letter."""
    top_k: int | None = None
    """Draw from so many of the likeliest letters only."""
    top_p: float = 1.0
    """Draw from the fewest of the likeliest letters whose probabilities add up to this, after '--top-k'."""
    prefix: str = ""
    """What each line begins with."""
    max_length: int = 100
    """Characters after which a line is cut off, the prefix included."""
    new_only: bool = False
    """Only lines that do not stand in the training text."""
    unique: bool = False
    """No line twice."""

    def __post_init__(self):  # noqa: D105
        require_integer("max_length", self.max_length, at_least=1, at_most=100_000)
        if self.seed is not None:
            require_integer("seed", self.seed, at_least=0, at_most=2**63 - 1)
        require_number("temperature", self.temperature, lambda t: 0 <= t < math.inf, "a finite number of at least 0")
        if self.top_k is not None:
            require_integer("top_k", self.top_k, at_least=1)
        require_number("top_p", self.top_p, lambda p: 0 < p <= 1, "a number above 0 and at most 1")
        require_choice("new_only", self.new_only)
        require_choice("unique", self.unique)
        if not isinstance(self.prefix, str):
            raise ConfigError("prefix makes no sense", got=repr(self.prefix), expected="a text")
        if len(self.prefix) >= self.max_length:
            raise ConfigError(
                "the prefix leaves no room for a letter",
                got=f"{len(self.prefix)} characters",
                expected=f"fewer than max_length {self.max_length}",
            )


def sample(model: "Model | str | Path", n: int = 20, config: SampleConfig | None = None, **settings: Any) -> list[str]:
    """Draw lines from a model.

    Each letter is drawn from the model's distribution given those before it, until the line ends.
    The training text has no blank lines, so a line has at least one letter. Temperature comes before `top_k`, and
    `top_k` before `top_p`; they are explained at `handgrad.engine.distributions.Choice`.

    Args:
        model: from `handgrad.train` or `handgrad.load`, or the path of a run.
        n: how many lines.
        config: which lines to draw.
        settings: fields of `SampleConfig` that differ from `config`.

    Returns:
        The lines; fewer than `n` where `unique` or `new_only` leave fewer to be found in 200 tries a line.

    Raises:
        ConfigError: a setting makes no sense.
        CorpusError: the prefix has a letter the model has not seen, or `new_only` cannot find the training text.
        RunError: the run cannot be read.

    Source: Holtzman et al. 2020, "The Curious Case of Neural Text Degeneration" (`top_p`); Fan, Lewis and Dauphin 2018,
    "Hierarchical Neural Story Generation" (`top_k`).

    Example:
        >>> import handgrad
        >>> model = handgrad.train(model="mlp", steps=20, batch_size=8, n_hidden=16, out=folder / "run")
        >>> lines = handgrad.sample(model, 3, seed=7, prefix="mar")
        >>> [line[:3] for line in lines]
        ['mar', 'mar', 'mar']
    """
    from handgrad.models.forms import form_of

    require_integer("n", n, at_least=1, at_most=100_000_000)
    model, config = as_model(model), _with(SampleConfig() if config is None else config, settings)
    seed = fresh_seed() if config.seed is None else config.seed
    corpus = model.text.read() if config.new_only else None
    choosy = config.unique or config.new_only
    tries = n * (TRIES_A_LINE if choosy else 1)
    prefix = model.vocabulary.encode(unicodedata.normalize("NFC", config.prefix))
    sampler = form_of(model.config.name).sampler(model, choice_of(config), prefix, config.max_length)
    found: dict[str, None] | list[str] = {} if config.unique else []
    tried = 0
    while len(found) < n and tried < tries:
        wanted = n - len(found)
        at_once = min(max(wanted, FEWEST_AT_ONCE) if choosy else wanted, MOST_AT_ONCE, tries - tried)
        tokens = sampler.draw(seed, range(tried, tried + at_once))
        tried += at_once
        lines = model.vocabulary.decode(tokens)[:-1].split("\n")
        if corpus:
            known = known_lines(corpus, lines)
            lines = [line for line in lines if line not in known]
        if isinstance(found, dict):
            found.update(dict.fromkeys(lines))
        else:
            found += lines
    return list(found)[:n]


def _with(config: SampleConfig, settings: dict[str, Any]) -> SampleConfig:
    """The config with some settings in the place of its own.

    Raises:
        ConfigError: it is none, or there is no such setting, or one makes no sense.
    """
    if not isinstance(config, SampleConfig):
        raise ConfigError("this is no config", got=repr(config)[:80], expected="a handgrad.SampleConfig")
    known = [field.name for field in fields(SampleConfig)]
    if unknown := [name for name in settings if name not in known]:
        raise ConfigError("no such setting", got=", ".join(unknown), expected=f"one of {', '.join(known)}")
    return replace(config, **settings)


def choice_of(config: SampleConfig) -> "Choice":
    """How a letter is drawn."""
    from handgrad.engine.distributions import Choice

    return Choice(config.temperature, config.top_k, config.top_p)


def known_lines(corpus: "Corpus", lines: list[str]) -> set[str]:
    """Those of the lines that stand in the corpus."""
    return set(lines).intersection(corpus.lines())


def fresh_seed() -> int:
    """A seed that no one chose, short enough to be typed again."""
    return int(np.random.SeedSequence().generate_state(1)[0])
