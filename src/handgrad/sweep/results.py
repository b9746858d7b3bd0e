"""What came of a sweep: which recipe is best, by how much, and how to train it again."""

import shlex
import statistics
from dataclasses import dataclass, fields
from pathlib import Path

from handgrad.data.catalogue import BUILT_IN
from handgrad.models.trained import TextReference
from handgrad.sweep.driver import Sweep
from handgrad.sweep.space import SEARCHED
from handgrad.sweep.trials import Trial
from handgrad.training.config import TrainConfig

ORDER = [field.name for field in fields(TrainConfig)]


@dataclass(frozen=True)
class Judged:
    """A recipe by what it came to, with as many seeds as it was trained with.

    Args:
        trial: with the sweep's own seed.
        val: validation loss of each seed, in nats.
        test: test loss of each seed, in nats.
    """

    trial: Trial
    val: tuple[float, ...]
    test: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Of the validation loss."""
        return statistics.fmean(self.val)

    @property
    def mean_test(self) -> float:
        """Of the test loss."""
        return statistics.fmean(self.test)

    @property
    def deviation(self) -> float | None:
        """The standard deviation of the validation loss, with Bessel's correction; None of one seed."""
        return statistics.stdev(self.val) if len(self.val) > 1 else None


def judged(sweep: Sweep) -> list[Judged]:
    """The recipes that came to their end, the best first; those of more seeds before those of one."""
    by_number: dict[int, list[Trial]] = {}
    for trial in sweep.ranked():
        by_number.setdefault(trial.number, []).append(trial)
    found = []
    for trials in by_number.values():
        ordered = sorted(trials, key=lambda trial: (trial.origin == "seed", trial.config.seed))
        losses = [trial.loss or {} for trial in ordered]
        found.append(Judged(ordered[0], *(tuple(loss[name] for loss in losses) for name in ("val", "test"))))
    return sorted(found, key=lambda one: (len(one.val) == 1 < sweep.asked.seeds, one.mean, one.trial.number))


def command(config: TrainConfig, text: TextReference) -> str:
    """The command line that trains this recipe: the same run, bit for bit.

    Example:
        >>> text = TextReference("names", "built-in:ssa_names_2018", "")
        >>> command(TrainConfig.of("gru", lr=0.01, steps=500), text)
        'handgrad train --model gru --steps 500 --lr 0.01'
    """
    words = ["handgrad", "train", *_named(text), "--model", config.model]
    usual = TrainConfig.of(config.model)
    for field in fields(config):
        value = getattr(config, field.name)
        if field.name == "model" or value == getattr(usual, field.name):
            continue
        flag = f"--{field.name.replace('_', '-')}"
        words += [flag] if isinstance(value, bool) else [flag, str(value)]
    return shlex.join(words)


def described(config: TrainConfig) -> str:
    """How a recipe departs from its family's own, in a few words.

    Example:
        >>> described(TrainConfig.of("gru", lr=0.0123456, n_hidden=96))
        'n_hidden 96, lr 0.0123'
    """
    usual = TrainConfig.of(config.model)
    changed = [name for name in SEARCHED if getattr(config, name) != getattr(usual, name)]
    values = [(name, getattr(config, name)) for name in sorted(changed, key=ORDER.index)]
    return ", ".join(f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}" for name, value in values)


def _named(text: TextReference) -> list[str]:
    """The words that name the text; none for the built-in names."""
    source = text.source.removeprefix("built-in:")
    if source == BUILT_IN:
        return []
    path = Path(source)
    return [str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else source]
