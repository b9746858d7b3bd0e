"""One statement of a program as it was run."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.nn import Module

from handgrad.checker.read.source import Statement
from handgrad.checker.run.values import holds


@dataclass(frozen=True)
class Ran:
    """What a statement read, bound, changed and made; `after` holds copies, `held` the values themselves.

    `fetches` are the bound names that it only took out of a list, a dict or an object. `computes` says that floats went
    into it, `draws` that it drew random numbers, and `enters` that it is no line but the call of a function whose body
    is gone through in its place: it binds the parameters.
    """

    statement: Statement
    reads: frozenset[str]
    binds: frozenset[str]
    changes: frozenset[str]
    after: Mapping[str, Any]
    held: Mapping[str, Any]
    fetches: frozenset[str] = frozenset()
    computes: bool = False
    draws: bool = False
    enters: bool = False

    @property
    def writes(self) -> frozenset[str]:
        """The names bound or changed in place."""
        return self.binds | self.changes

    def is_parameter(self, name: str) -> bool:
        """Whether a name is a tensor that the program asks gradients for, or holds some."""
        value = self.held.get(name)
        if isinstance(value, Tensor):
            return value.requires_grad and (value.is_leaf or self.enters)
        return asks_for_gradients(value)


def asks_for_gradients(value: Any) -> bool:
    """Whether a list, a dict, an object or a module holds tensors that require gradients."""
    if isinstance(value, Module):
        return any(parameter.requires_grad for parameter in value.parameters())
    return holds(lambda tensor: isinstance(tensor, Tensor) and tensor.requires_grad and tensor.is_leaf, value)
