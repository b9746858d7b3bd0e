"""What the forward half is given: the context of an autograd function, and the tensors that need a gradient."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from handgrad.checker.read.names import variables_of


class Context:
    """What autograd hands to both halves of a `torch.autograd.Function`."""

    handgrad_copies = True

    def __init__(self):
        """Start with nothing saved."""
        self.saved: list[Any] = []
        self.without_gradient: list[Tensor] = []
        self.needs_input_grad: tuple[bool, ...] = ()

    def save_for_backward(self, *tensors: Any) -> None:
        """Keep tensors for the backward half."""
        self.saved = list(tensors)

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        """What was kept."""
        return tuple(self.saved)

    def mark_non_differentiable(self, *tensors: Tensor) -> None:
        """Outputs whose upstream gradient is zero."""
        self.without_gradient = list(tensors)

    def mark_dirty(self, *_tensors: Any) -> None:
        """Autograd's business alone, like the next one."""

    set_materialize_grads = mark_dirty


@dataclass(frozen=True)
class Input:
    """A float tensor that the forward function was given: its name here, its parameter, and its key in a container."""

    name: str
    parameter: str
    key: int | str | None
    tensor: Tensor

    @property
    def text(self) -> str:
        """How the user writes it."""
        return self.parameter if self.key is None else f"{self.parameter}[{self.key!r}]"

    def is_called(self, label: object) -> bool:
        """Whether its gradient may go by this name."""
        own = self.parameter if self.key is None else str(self.key)
        return label == own or own in variables_of(str(label))
