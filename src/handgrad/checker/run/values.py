"""The user's values: what is a float tensor or holds one, how it is copied, and where its numbers lie."""

import itertools
from collections.abc import Callable
from types import ModuleType
from typing import Any, TypeGuard

import numpy as np
import torch
from torch import Tensor
from torch.nn import Module


def is_float(value: Any) -> TypeGuard[Tensor]:
    """Whether the value is a floating-point tensor."""
    if type(value) is Tensor:
        return value.is_floating_point()
    if not isinstance(value, Tensor):
        return False
    with torch._C.DisableTorchFunctionSubclass():
        return value.is_floating_point()


def is_array(value: Any) -> bool:
    """Whether the value is a NumPy array of floats, which a backward pass may be written in."""
    return isinstance(value, np.ndarray) and value.dtype in (np.float32, np.float64)


def holds_float(value: Any, depth: int = 3) -> bool:
    """Whether a float tensor is the value or lies in it."""
    return holds(is_float, value, depth)


def holds(test: Callable[[Any], bool], value: Any, depth: int = 3) -> bool:
    """Whether a tensor, or an array, that passes the test is the value or lies in it."""
    if isinstance(value, Tensor) or is_array(value):
        return test(value)
    if depth == 0 or value is None or isinstance(value, int | float | str | type) or callable_module(value):
        return False
    if isinstance(value, Module):
        return any(map(test, (*value.parameters(), *value.buffers())))
    if isinstance(value, list | tuple):
        return any(holds(test, v, depth - 1) for v in value[:64])
    if isinstance(value, dict):
        return any(holds(test, v, depth - 1) for v in itertools.islice(value.values(), 64))
    return any(holds(test, v, depth - 1) for v in list(attributes(value).values())[:64])


def held_in(value: Any, depth: int = 3) -> list[Any]:
    """The tensors and arrays that are the value or lie in it."""
    found: list[Any] = []
    holds(lambda tensor: found.append(tensor) or False, value, depth)
    return found


def attribute_of(value: Any, name: str) -> Any:
    """An attribute of an object of the user's; None where there is none, or where asking for it raises."""
    try:
        return getattr(value, name, None)
    except Exception:
        return None


def attributes(value: Any) -> dict[str, Any]:
    """The attributes an instance has of its own, those in `__slots__` too."""
    slots = (slot for kind in type(value).__mro__ for slot in _names(vars(kind).get("__slots__", ())))
    inside = {slot: held for slot in slots if slot != "__dict__" and (held := attribute_of(value, slot)) is not None}
    return {**(attribute_of(value, "__dict__") or {}), **inside}


def _names(slots: Any) -> tuple[str, ...]:
    return (slots,) if isinstance(slots, str) else tuple(slots)


def has_attributes(value: Any) -> bool:
    """Whether instances of this class can have attributes of their own."""
    slotted = any("__slots__" in vars(kind) for kind in type(value).__mro__)
    return slotted or attribute_of(value, "__dict__") is not None


def callable_module(value: Any) -> bool:
    """Whether the value is a module or a plain function, which hold no data of the pass."""
    return isinstance(value, ModuleType) or type(value).__name__ in {"function", "builtin_function_or_method"}


def is_object(value: Any) -> bool:
    """Whether the value is an instance with attributes of its own, which a method may change."""
    known = isinstance(value, Tensor | type) or callable_module(value)
    return not known and has_attributes(value)


def copy_values(values: dict[str, Any], convert, every: bool = False) -> dict[str, Any]:
    """The namespace with every float tensor and array passed through `convert`, inside containers and objects too.

    What is one object stays one. With `every`, tensors of whole numbers are converted too.
    """
    memo: dict[int, Any] = {}

    def copy(value: Any, depth: int) -> Any:
        if id(value) in memo:
            return memo[id(value)]
        if isinstance(value, Tensor):
            memo[id(value)] = new = convert(value) if every or value.is_floating_point() else value
            return new
        if is_array(value):
            memo[id(value)] = new = convert(torch.from_numpy(value.copy())).numpy()
            return new
        if isinstance(value, Module) and depth:
            return copied_module(value)
        plain = not holds(_holds_floats, value, depth) and not attribute_of(value, "handgrad_copies")
        if depth == 0 or callable_module(value) or plain:
            new = value
            if type(value) in (list, dict, set) and len(value) < 1000:
                new = value.copy()
            memo[id(value)] = new
            return new
        if isinstance(value, list):
            memo[id(value)] = new = []
            new.extend(copy(v, depth - 1) for v in value)
            return new
        if isinstance(value, dict):
            memo[id(value)] = new = type(value)() if type(value) is dict else value.copy()
            new.update({k: copy(v, depth - 1) for k, v in value.items()})
            return new
        if isinstance(value, tuple):
            items = [copy(v, depth - 1) for v in value]
            if hasattr(value, "_fields"):
                return type(value)(*items)
            return tuple(items) if type(value) is tuple else type(value)(items)
        try:
            new = object.__new__(type(value))
        except TypeError:
            return value
        memo[id(value)] = new
        for key, held in attributes(value).items():
            object.__setattr__(new, key, copy(held, depth - 1))
        return new

    def copied_module(module: Module) -> Module:
        memo[id(module)] = new = object.__new__(type(module))
        for key, held in vars(module).items():
            inside = key in ("_parameters", "_buffers", "_modules")
            new.__dict__[key] = {k: copy(v, 2) for k, v in held.items()} if inside else copy(held, 2)
        return new

    copies = {name: copy(value, 4) for name, value in values.items()}
    memo.clear()  # `copy` holds it, and itself
    return copies


def _holds_floats(value: Any) -> bool:
    return is_float(value) or is_array(value)


def clone(tensor: Tensor) -> Tensor:
    """A copy outside every graph."""
    return tensor.detach().clone()


LARGE = 2**20
"""How many numbers a tensor has of which no copy is made that can be spared."""


class Copies:
    """Copies of tensors, of a large one only once as long as its numbers stay the same."""

    def __init__(self):
        """None yet."""
        self._kept: dict[int, tuple[Tensor, Tensor]] = {}

    def clone(self, tensor: Tensor) -> Tensor:
        """A copy outside every graph, which nobody may change."""
        if tensor.numel() < LARGE or tensor.layout is not torch.strided:
            return clone(tensor)
        original, copy = self._kept.get(id(tensor), (None, None))
        if original is not tensor or copy is None or copy.shape != tensor.shape or not torch.equal(copy, tensor):
            copy = clone(tensor)
            self._kept[id(tensor)] = tensor, copy
        return copy


def copied(value: Any) -> Any:
    """A copy of a tensor, outside every graph, or of an array; anything else as it is."""
    if isinstance(value, Tensor):
        return clone(value)
    return value.copy() if is_array(value) else value


def version_of(tensor: Tensor) -> int:
    """How often the tensor has been changed in place, as far as it is counted."""
    try:
        return tensor._version
    except RuntimeError:  # an inference tensor counts no versions
        return 0


def fingerprints(namespace: dict[str, Any]) -> dict[str, tuple[int, int]]:
    """What each name stands for, and how often that has been changed in place: for comparing two moments."""
    with torch._C.DisableTorchFunction():
        return {
            name: (id(value), version_of(value) if isinstance(value, Tensor) else 0)
            for name, value in namespace.items()
            if not name.startswith("__")
        }


def storage_of(value: Any) -> int | None:
    """Where a tensor's numbers lie, the same for all its views; None for a sparse tensor and for anything else."""
    dense = isinstance(value, Tensor) and value.layout is torch.strided
    return value.untyped_storage().data_ptr() if dense else None
