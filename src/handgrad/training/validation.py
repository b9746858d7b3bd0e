"""The loss of the validation split while a run trains: how often it is measured, which state is the best, when to stop.

All of it follows from the settings and the steps taken, so that a resumed run does the same.
"""

import math
from dataclasses import replace

import numpy as np

from handgrad.data.dataset import Dataset, Splits
from handgrad.models.forms import form_of
from handgrad.models.trained import Model
from handgrad.training.state import Settings, State

TIMES = 20
"""That a run measures it, unless its steps are too few."""
SHARE = 1 / 3
"""Of the characters trained on: as many are read to validate, at most, which costs a small part of training them."""
TOKENS, CALIBRATED = 2**16, 2**15
"""As many of the validation split are read each time, and as many are the statistics of batch norm taken of."""
PATIENCE, WORSE = 6, 0.02
"""Training stops where so many measurements in a row are no better than the best, and the last is so much worse."""


def gap(settings: Settings, splits: Splits) -> int:
    """After how many steps each the validation loss is measured."""
    return -(-settings.config.steps // times(settings, splits))


def times(settings: Settings, splits: Splits) -> int:
    """How often it is measured while a run takes the steps that it was planned with."""
    config, train = settings.config, splits.train
    a_line = len(train) / train.n_lines if settings.model.reads == "lines" else 1
    trained, validated = config.steps * config.batch_size * a_line, min(len(splits.val), TOKENS)
    return max(1, min(TIMES, int(SHARE * trained / validated)))


def validated(state: State, settings: Settings, splits: Splits) -> State:
    """The state with the validation loss after its last step, and with its parameters kept if it is the least."""
    loss = loss_of(state, settings, splits)
    best = state.best
    if settings.config.keep == "best" and loss < state.validations[:, 1].min(initial=math.inf):
        best = {name: value.copy() for name, value in state.parameters.items()}
    validations = np.vstack([state.validations, [state.step, loss]])
    now = replace(state, validations=validations, best=best)
    of_this_leg = validations[validations[:, 0] > state.schedule.risen_again, 1]
    if settings.config.keep == "best" and only_gets_worse(of_this_leg):
        return replace(now, schedule=now.schedule.until(now.step, now.step))
    return now


def only_gets_worse(losses: np.ndarray) -> bool:
    """Whether a run with these validation losses, one after another, has nothing more to hope for.

    Example:
        >>> only_gets_worse(np.array([2.3, 2.1, 2.15, 2.2, 2.2, 2.3, 2.4, 2.4]))
        True
        >>> only_gets_worse(np.array([2.3, 2.1, 2.11, 2.1, 2.11, 2.1, 2.11, 2.11]))
        False
    """
    if len(losses) <= PATIENCE:
        return False
    return len(losses) - 1 - int(losses.argmin()) >= PATIENCE and bool(losses[-1] > losses.min() + WORSE)


def head(dataset: Dataset, n_tokens: int) -> Dataset:
    """The first lines of a dataset, as many as `n_tokens` have room for, at least one."""
    return dataset if len(dataset) <= n_tokens else next(dataset.pieces(n_tokens))


def loss_of(state: State, settings: Settings, splits: Splits) -> float:
    """The loss of the validation split with the parameters as they are, in nats; infinite where it is no number."""
    form, parameters = form_of(settings.model.name), dict(state.parameters)
    buffers = form.calibrate(settings.model, parameters, splits.train.tokens, CALIBRATED)
    model = Model(settings.model, settings.vocabulary, parameters, buffers, settings.text, state.step)
    loss = form.mean_loss(model, head(splits.val, TOKENS).tokens)
    return loss if math.isfinite(loss) else math.inf
