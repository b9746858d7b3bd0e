"""The compiled CPU form of training, evaluation and sampling: NumPy in and out, gradients by hand, no torch.

Importing this package imports Numba, which takes half a second; the first call of a function compiles it.
"""

from handgrad.engine.compiling import cache_folder, is_compiled
from handgrad.engine.inference import calibrate, log_probabilities, mean_loss
from handgrad.engine.sampler import Sampler
from handgrad.engine.training import adam_steps, loss_and_gradients, no_moments, read_batches, sgd_steps

__all__ = [
    "Sampler",
    "adam_steps",
    "cache_folder",
    "calibrate",
    "is_compiled",
    "log_probabilities",
    "loss_and_gradients",
    "mean_loss",
    "no_moments",
    "read_batches",
    "sgd_steps",
]
