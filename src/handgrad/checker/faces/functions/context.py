"""What autograd hands to both halves of a `torch.autograd.Function`, in a program that is laid out."""

from typing import Any


class Context:
    """Keeps what it is given."""

    handgrad_copies = True

    def __init__(self, needs_input_grad: tuple[bool, ...]):
        """Start with nothing saved."""
        self.saved: list[Any] = []
        self.needs_input_grad = needs_input_grad

    def save_for_backward(self, *tensors: Any) -> None:
        """Keep tensors for the backward half."""
        self.saved = list(tensors)

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        """What was kept."""
        return tuple(self.saved)

    def mark_dirty(self, *_tensors: Any) -> None:
        """Autograd's business alone, like the others."""

    mark_non_differentiable = set_materialize_grads = save_for_forward = mark_dirty
