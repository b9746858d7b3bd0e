"""A recurrent network with long short-term memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import handgrad
from handgrad.models.family import Normal, State, Values
from handgrad.models.recurrent import Recurrent

if TYPE_CHECKING:
    from torch import Tensor

    from handgrad import ops


@dataclass(frozen=True)
class LSTM(Recurrent):
    """A memory that gates fill, keep and show; see `Recurrent`.

    Source: Hochreiter and Schmidhuber 1997, "Long Short-Term Memory"; Gers et al. 2000, "Learning to Forget".

    Example:
        >>> LSTM(vocab_size=27, n_embd=64, n_hidden=64).n_parameters
        36635
    """

    name = "lstm"
    title = "a state and a memory with gates carried along the line"
    gates = 4
    first = ("h0", "c0")
    recipe = {  # noqa: RUF012
        "steps": 7_500, "batch_size": 32, "n_embd": 64, "n_hidden": 128, "dropout": 0.1, "lr": 0.009,
        "weight_decay": 0.05,
    }  # fmt: skip

    @property
    def recurrent_shapes(self) -> dict[str, tuple[int, ...]]:
        """Of the gates i, f, g and o in a row, (in, out)."""
        return {"Whh": (self.n_hidden, 4 * self.n_hidden)}

    def initial(self, normal: Normal) -> dict[str, Any]:
        """As those of `Recurrent`, but the forget gate is open at first.

        Source: Jozefowicz, Zaremba and Sutskever 2015, "An Empirical Exploration of Recurrent Network Architectures".
        """
        parameters = super().initial(normal)
        parameters["bh"][self.n_hidden : 2 * self.n_hidden] += 1
        return parameters

    def recur(self, parameters: Values, a: Tensor, first: list[Tensor]) -> tuple[Tensor, ops.LSTMCache]:
        """By `ops.lstm_forward`."""
        h0, c0 = first
        return handgrad.ops.lstm_forward(a, h0, c0, parameters["Whh"])

    def recur_backward(self, dh: Tensor, cache: ops.LSTMCache) -> tuple[Tensor, dict[str, Tensor]]:
        """By `ops.lstm_backward`."""
        da, dh0, dc0, dWhh = handgrad.ops.lstm_backward(dh, cache)
        return da, {"h0": dh0, "c0": dc0, "Whh": dWhh}

    def carried(self, h: Tensor, cache: ops.LSTMCache) -> State:
        """The last state and the last memory."""
        return h[:, -1], cache.c[:, -1]
