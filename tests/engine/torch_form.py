"""Models of contexts in use, with PyTorch's operations, letter by letter: what their compiled form is compared with.

In float64, so that what else is computed at the same time leaves no trace in float32.
"""

from functools import partial

import numpy as np
import torch

from handgrad.data.dataset import Dataset
from handgrad.engine import reading


class Reader:
    """Reads lines token by token; see `handgrad.engine.reading.Reader`."""

    def __init__(self, model):
        self._network = model.config
        arrays = {**model.parameters, **model.buffers}
        self._values = {name: torch.from_numpy(value).double() for name, value in arrays.items()}

    def begin(self):
        self._state, self._place = self._network.start(self._values, 1), 0
        return self.read(np.zeros(1, np.int64), np.zeros(1, np.int64))

    def read(self, rows, tokens):
        with torch.no_grad():
            state = tuple(values[torch.from_numpy(rows)] for values in self._state)
            logits, self._state = self._network.step(self._values, state, torch.from_numpy(tokens), self._place)
            self._place += 1
            return logits.log_softmax(1).float().numpy()


def calibrate(network, parameters, tokens):
    """The buffers."""
    contexts = torch.from_numpy(Dataset(tokens).contexts(np.arange(len(tokens)), network.block_size))
    values = {name: torch.from_numpy(value) for name, value in parameters.items()}
    return {name: value.numpy() for name, value in network.measured(values, contexts).items()}


def readers(model):
    return reading.Readers(partial(Reader, model), at_once=2**10)


def log_probabilities(model, contexts):
    return reading.log_probabilities(model, readers(model), contexts)


def mean_loss(model, tokens):
    return reading.mean_loss(model, readers(model), tokens)


def sampler(model, choice, prefix, max_length):
    return reading.Sampler(model, readers(model), choice, prefix, max_length)
