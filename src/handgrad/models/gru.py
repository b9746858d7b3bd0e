"""A gated recurrent network."""

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
class GRU(Recurrent):
    """A state of which a gate says how much is new at each place; see `Recurrent`.

    Source: Cho et al. 2014, arXiv:1406.1078, eq. 5 to 8; makemore.py, `RNN` with `GRUCell`.

    Example:
        >>> GRU(vocab_size=27, n_embd=64, n_hidden=64).n_parameters
        28315
    """

    name = "gru"
    title = "a state with gates carried along the line"
    gates = 3
    recipe = {  # noqa: RUF012
        "steps": 7_500, "batch_size": 32, "n_embd": 64, "n_hidden": 128, "dropout": 0.1, "lr": 0.008,
        "weight_decay": 0.05,
    }  # fmt: skip

    @property
    def recurrent_shapes(self) -> dict[str, tuple[int, ...]]:
        """Of the gates z and r in a row, and of the new state, (in, out)."""
        return {"Whzr": (self.n_hidden, 2 * self.n_hidden), "Whh": (self.n_hidden, self.n_hidden)}

    def recur(self, parameters: Values, a: Tensor, first: list[Tensor]) -> tuple[Tensor, ops.GRUCache]:
        """By `ops.gru_forward`."""
        (h0,) = first
        return handgrad.ops.gru_forward(a, h0, parameters["Whzr"], parameters["Whh"])

    def recur_backward(self, dh: Tensor, cache: ops.GRUCache) -> tuple[Tensor, dict[str, Tensor]]:
        """By `ops.gru_backward`."""
        da, dh0, dWhzr, dWhh = handgrad.ops.gru_backward(dh, cache)
        return da, {"h0": dh0, "Whzr": dWhzr, "Whh": dWhh}

    def carried(self, h: Tensor, cache: ops.GRUCache) -> State:  # noqa: ARG002
        """The last state."""
        return (h[:, -1],)
