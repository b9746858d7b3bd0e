"""A recurrent network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import handgrad
from handgrad.models.family import State, Values
from handgrad.models.recurrent import Recurrent

if TYPE_CHECKING:
    from torch import Tensor

    from handgrad import ops


@dataclass(frozen=True)
class RNN(Recurrent):
    """A state that is a tanh of the character and of the state before; see `Recurrent`.

    Source: Mikolov et al. 2010, "Recurrent neural network based language model"; makemore.py, `RNN` with `RNNCell`.

    Example:
        >>> RNN(vocab_size=27, n_embd=64, n_hidden=64).n_parameters
        11803
    """

    name = "rnn"
    title = "a state carried along the line"
    gates = 1
    recipe = {  # noqa: RUF012
        "steps": 16_000, "batch_size": 32, "n_embd": 64, "n_hidden": 160, "dropout": 0.1, "lr": 0.005,
        "weight_decay": 0.02,
    }  # fmt: skip

    @property
    def recurrent_shapes(self) -> dict[str, tuple[int, ...]]:
        """One matrix, (in, out)."""
        return {"Whh": (self.n_hidden, self.n_hidden)}

    def recur(self, parameters: Values, a: Tensor, first: list[Tensor]) -> tuple[Tensor, ops.RNNCache]:
        """By `ops.rnn_forward`."""
        (h0,) = first
        return handgrad.ops.rnn_forward(a, h0, parameters["Whh"])

    def recur_backward(self, dh: Tensor, cache: ops.RNNCache) -> tuple[Tensor, dict[str, Tensor]]:
        """By `ops.rnn_backward`."""
        da, dh0, dWhh = handgrad.ops.rnn_backward(dh, cache)
        return da, {"h0": dh0, "Whh": dWhh}

    def carried(self, h: Tensor, cache: ops.RNNCache) -> State:  # noqa: ARG002
        """The last state."""
        return (h[:, -1],)
