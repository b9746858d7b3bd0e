"""How long a step takes on one core, by a formula: so that trials get the same steps wherever and whenever they run.

Measured with `studies/sweep.py cost` on one core of an AMD Zen 4; of the shapes tried there, each is within 22 %.
"""

import math

from handgrad.data.dataset import Splits
from handgrad.training.state import Settings

OF_FAMILY = {
    "bigram": (60.0, 0.0),
    "bow": (148.0, 7.8),
    "mlp": (309.0, 6.5),
    "wavenet": (314.0, 26.2),
    "rnn": (226.0, 35.1),
    "gru": (0.0, 34.3),
    "lstm": (0.0, 33.5),
    "transformer": (338.0, 60.5),
    "microgpt": (317.0, 36.7),
}
"""Nanoseconds for each character that is predicted, and picoseconds for each weight that it is multiplied with."""
OF_A_PARAMETER = 2.0
"""Nanoseconds for each parameter that Adam moves."""
LEAST_STEPS = 30


def seconds_a_step(settings: Settings, splits: Splits) -> float:
    """Seconds that a step takes one core, about.

    Args:
        settings: of a run that takes steps.
        splits: of its text.

    Example:
        >>> from handgrad.training.config import TrainConfig
        >>> from handgrad.training.run import prepared, read_text
        >>> config = TrainConfig.of("gru")
        >>> text = read_text(None, config)
        >>> round(seconds_a_step(prepared(text, config), text.splits), 5)
        0.00076
    """
    model, train = settings.model, splits.train
    a_line = len(train) / train.n_lines
    targets = settings.config.batch_size * (a_line if model.reads == "lines" else 1)
    weights = sum(math.prod(shape) for name, shape in model.shapes.items() if len(shape) == 2 and name not in "CP")
    if hasattr(model, "n_head"):
        weights += settings.config.n_layer * settings.config.n_embd * a_line  # attention, over half a line in the mean
    a_target, a_weight = OF_FAMILY[model.name]
    return targets * (a_target * 1e-9 + weights * a_weight * 1e-12) + model.n_parameters * OF_A_PARAMETER * 1e-9


def steps_within(seconds: float, settings: Settings, splits: Splits) -> int:
    """How many steps one core takes in so many seconds, about; at least `LEAST_STEPS`."""
    return max(LEAST_STEPS, int(seconds / seconds_a_step(settings, splits)))
