"""What is tried next: recipes that are known to be good first, then what Optuna proposes from what came of others.

A round is proposed from the results of the rounds before the last one, told in the order of their numbers, by a sampler
that is seeded anew for each round. So the proposals are a function of the seed and of these results, whichever worker
was faster; and while a round ends, the next can begin.

Source: Bergstra et al. 2011, "Algorithms for hyper-parameter optimization", for the tree-structured Parzen estimator.
"""

import math
import warnings
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice, product
from typing import TYPE_CHECKING, Any

import numpy as np

from handgrad.data.dataset import Splits
from handgrad.errors import ConfigError
from handgrad.models.registry import family
from handgrad.sweep.cost import steps_within
from handgrad.sweep.space import EPOCHS, WHOLE, Choices, Dimension, Space, all_values, values_at_ends
from handgrad.sweep.trials import Trial
from handgrad.training.config import TrainConfig
from handgrad.training.recipes import networks, with_room
from handgrad.training.run import Text, prepared

if TYPE_CHECKING:
    from optuna import Study
    from optuna import Trial as OptunaTrial
    from optuna.distributions import BaseDistribution

ROUND = 8
"""Trials that are proposed at once where nobody says how many, however many workers there are."""
ATTEMPTS = 100
"""One after another, to propose sizes that go together, and a recipe that is new."""
MOST_POINTS = 10_000
Point = dict[str, Any]
MODEL = "model"


@dataclass(frozen=True)
class Maker:
    """Makes recipes that take a trial's time.

    Args:
        text: that they are for.
        seconds: of one core, that a trial may take.
        seed: with which all are trained.
    """

    text: Text
    seconds: float
    seed: int

    def made(self, config: TrainConfig, epochs: float | None = None) -> TrainConfig:
        """With minibatches that have room, and as many steps as fit, or as there are in so many epochs.

        Raises:
            ConfigError: the text has lines that such a network cannot read.
        """
        splits = self.text.splits
        config = replace(config, block_size=config.block_size or self.text.corpus.longest + 1, seed=self.seed)
        if family(config.model).reads == "lines":
            config = with_room(config, splits)
        settings = prepared(self.text, config)
        if settings.model.counted:
            return config
        most = config.steps if epochs is None else max(1, round(epochs / _epochs(config, splits, steps=1)))
        return replace(config, steps=min(most, steps_within(self.seconds, settings, splits)))

    def of_point(self, point: dict[str, Any]) -> TrainConfig:
        """The recipe at a point of the space."""
        model = point[MODEL]
        values = {key.removeprefix(f"{model}."): value for key, value in point.items() if key != MODEL}
        epochs = values.pop(EPOCHS, None)
        return self.made(TrainConfig.of(model, **values), epochs)

    @property
    def known(self) -> Iterator[TrainConfig]:
        """What is known to be good on a text of this size: first the default recipe's network in this time."""
        yield from map(self.made, dict.fromkeys(networks(self.text.splits, self.seconds)))


def first_trials(space: Space, maker: Maker) -> list[Trial]:
    """What needs no search: the default recipe, and that of each family."""
    default, *others = maker.known
    found = [Trial(0, 0, "default", _point_of(default, space, maker.text), default)]
    configs = [config for config in others if config.model in space.families]
    configs += [maker.made(TrainConfig.of(name)) for name in space.families]
    for config in dict.fromkeys(configs):
        if config != default:
            found.append(Trial(len(found), 0, "recipe", _point_of(config, space, maker.text), config))
    return found


def propose(
    space: Space,
    maker: Maker,
    told: Sequence[Trial],
    round_: int,
    size: int,
    number: int,
    tried: Collection[TrainConfig] = (),
) -> list[Trial]:
    """The trials of a round: fewer where the space has no other recipes.

    Args:
        space: to search.
        maker: makes recipes of its points.
        told: all trials of the rounds that count, come to their ends.
        round_: from 0 on.
        size: how many trials.
        number: of the first of them.
        tried: recipes that are not to be tried again.
    """
    trials = first_trials(space, maker)[:size] if round_ == 0 else []
    study = _study(told, space, np.random.SeedSequence([maker.seed, round_]).generate_state(1)[0])
    seen, vain = {*tried, *(trial.config for trial in trials)}, 0
    while len(trials) < size:
        asked = study.ask()
        model = asked.suggest_categorical(MODEL, list(space.families))
        for key, dimension in space.families[model].items():
            _suggest(asked, f"{model}.{key}", dimension, key)
        found = _made(maker, dict(asked.params), seen)
        vain = 0 if found else vain + 1
        if vain == ATTEMPTS:
            found = next(filter(None, (_made(maker, point, seen) for point in _all_points(space))), None)
            if found is None:
                break
            vain = 0
        if found:
            seen.add(found[1])
            trials.append(Trial(number + len(trials), round_, "search", *found))
    return trials


def require_some(space: Space, maker: Maker) -> None:
    """Make sure that each family has some recipe with which the text can be trained on.

    Raises:
        ConfigError: one has none.
    """
    for model, dimensions in space.families.items():
        if not propose(Space({model: dimensions}), maker, [], round_=1, size=1, number=0):
            maker.of_point(
                {MODEL: model} | {f"{model}.{key}": values_at_ends(each)[-1] for key, each in dimensions.items()}
            )


def _made(maker: Maker, point: Point, seen: Collection[TrainConfig]) -> tuple[Point, TrainConfig] | None:
    """A point and its recipe; None where its sizes do not go together, or the recipe has been seen."""
    try:
        config = maker.of_point(point)
    except ConfigError:
        return None
    return None if config in seen else (point, config)


def _all_points(space: Space) -> Iterator[Point]:
    """The points of all families whose recipes can be counted, the first thousands of each."""
    for model, dimensions in space.families.items():
        if all(isinstance(each, Choices) or WHOLE[key] for key, each in dimensions.items()):
            names = [f"{model}.{key}" for key in dimensions]
            for values in islice(product(*map(all_values, dimensions.values())), MOST_POINTS):
                yield {MODEL: model, **dict(zip(names, values, strict=True))}


def _suggest(asked: "OptunaTrial", name: str, dimension: Dimension, key: str) -> None:
    if isinstance(dimension, Choices):
        asked.suggest_categorical(name, dimension.values)
    elif WHOLE[key]:
        asked.suggest_int(name, int(dimension.low), int(dimension.high), log=dimension.log, step=dimension.step)
    else:
        asked.suggest_float(name, dimension.low, dimension.high, log=dimension.log)


def _study(told: Sequence[Trial], space: Space, seed: int) -> "Study":
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what was experimental once
        sampler = optuna.samplers.TPESampler(seed=int(seed), n_startup_trials=ROUND, constant_liar=True)
    study = optuna.create_study(sampler=sampler)
    for trial in told:
        if trial.point:
            study.add_trial(_told(trial, space))
    return study


def _told(trial: Trial, space: Space) -> Any:
    """What Optuna is told of a trial: one that was stopped ranks behind those that were not."""
    from optuna.trial import TrialState, create_trial

    losses = {rung.step: rung.loss for rung in trial.rungs if rung.loss is not None}
    result: dict[str, Any] = {"state": TrialState.PRUNED, "intermediate_values": losses}
    if trial.status == "finished" and math.isfinite(trial.val):
        result = {"state": TrialState.COMPLETE, "value": trial.val}
    return create_trial(params=trial.point, distributions=_distributions(trial.config.model, space), **result)


def _distributions(model: str, space: Space) -> "dict[str, BaseDistribution]":
    from optuna.distributions import CategoricalDistribution

    of_model = {f"{model}.{key}": _distribution(each, key) for key, each in space.families[model].items()}
    return {MODEL: CategoricalDistribution(list(space.families)), **of_model}


def _distribution(dimension: Dimension, key: str) -> "BaseDistribution":
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(dimension, Choices):
        return CategoricalDistribution(dimension.values)
    low, high, log = dimension.low, dimension.high, dimension.log
    if WHOLE[key]:
        return IntDistribution(int(low), int(high), log=log, step=dimension.step)
    return FloatDistribution(low, high, log=log)


def _point_of(config: TrainConfig, space: Space, text: Text) -> dict[str, Any]:
    """Where in the space a recipe is; empty where it is outside."""
    if config.model not in space.families:
        return {}
    point: dict[str, Any] = {MODEL: config.model}
    for key, dimension in space.families[config.model].items():
        value = _epochs(config, text.splits, config.steps) if key == EPOCHS else getattr(config, key)
        if isinstance(dimension, Choices):
            inside = value in dimension.values
        elif key == EPOCHS:  # of steps that were cut short it says no less
            value, inside = min(max(value, dimension.low), dimension.high), True
        else:
            inside = dimension.low <= value <= dimension.high and (
                dimension.log or not (WHOLE[key] and (value - dimension.low) % dimension.step)
            )
        if not inside:
            return {}
        point[f"{config.model}.{key}"] = value
    return point


def _epochs(config: TrainConfig, splits: Splits, steps: int) -> float:
    """How often the steps see each example."""
    examples = splits.train.n_lines if family(config.model).reads == "lines" else len(splits.train)
    return steps * config.batch_size / examples
