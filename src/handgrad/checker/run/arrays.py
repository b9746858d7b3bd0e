"""NumPy arrays that are tensors: what is computed with them is NumPy's own, and autograd can differentiate it."""

import functools
import sys
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
import torch._numpy as layer
from torch import Tensor
from torch.overrides import _get_current_function_mode_stack

from handgrad.errors import HandgradError

_LOW = {np.dtype(np.float32), np.dtype(np.float16)}
_TELLING = {Tensor.is_complex, Tensor.dim, Tensor.numel, vars(torch._C.TensorBase)["_version"].__get__}
"""What says something of a tensor, and makes none."""


class NotFollowedError(HandgradError):
    """A NumPy function through which the checker finds no gradient."""


class _IsArray(type(Tensor)):
    """What `isinstance(x, np.ndarray)` asks: NumPy's own arrays, as of strings, are arrays too, numbers are not."""

    def __instancecheck__(cls, value: Any) -> bool:
        """Whether it is one."""
        if type.__instancecheck__(cls, value):
            return value.dim() > 0 or cls is not Array
        return isinstance(value, np.ndarray)


class Array(Tensor):
    """An array of NumPy's, or a number as its functions return them, that is a tensor."""

    __array_priority__ = 1000

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        """What the checker does with any tensor; a program's own lines have only what NumPy has."""
        if not _is_numpys(func) and _asked_by_program():
            raise AttributeError(f"'numpy.ndarray' object has no attribute '{_asked(func)}'")
        if func in _TELLING:
            with torch._C.DisableTorchFunctionSubclass():
                return func(*args)
        return super().__torch_function__(func, types, args, kwargs or {})

    def __array__(self, dtype=None, copy=None):
        """The values, for a library that knows nothing of this class."""
        if self.requires_grad and torch.is_grad_enabled():
            raise NotFollowedError("a function outside of NumPy is given an array", next_step="Compute it with NumPy.")
        return np.array(raw(self), dtype=dtype)

    @property
    def dtype(self):  # pyrefly: ignore[bad-override]
        """NumPy's name of the type in the program, PyTorch's elsewhere."""
        return raw(self).dtype if _asked_by_program() else plain(self).dtype

    @property
    def size(self):  # pyrefly: ignore[bad-override]
        """How many numbers there are."""
        return self.numel()

    def __iter__(self) -> Iterator[Any]:
        """Along the first dimension."""
        if not self.dim():
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(len(self)))

    def __deepcopy__(self: Any, memo):
        """A copy that is followed too; a number is what it is."""
        return self.copy() if self.dim() else self

    __copy__ = functools.partialmethod(__deepcopy__, None)

    def __round__(self: Any, digits=0):
        """As the method of the same name."""
        return self.round(digits)

    def __repr__(self, *, tensor_contents=None):
        """As NumPy shows it."""
        return repr(raw(self))

    __str__ = __repr__

    def __format__(self, format_spec):
        """As NumPy formats it."""
        return format(raw(self) if self.dim() else raw(self).item(), format_spec)

    def __reversed__(self):
        """Along the first dimension, from its end."""
        return iter(self[::-1])

    def __contains__(self, element):
        """Whether a number is among the elements."""
        return element in raw(self)

    __hash__ = Tensor.__hash__


def _asked(func: Any) -> str:
    """The name of a method or a property that PyTorch is asked for."""
    return (func.__self__ if func.__name__ in ("__get__", "__set__", "__delete__") else func).__name__


@functools.lru_cache(4096)
def _is_numpys(func: Any) -> bool:
    """Whether NumPy's arrays have a method or a property of this name too."""
    name = _asked(func)
    return name.startswith("__") or hasattr(np.ndarray, name)


def _asked_by_program() -> bool:
    """Whether the line that asked for something of an array is one of the program under check."""
    return "__arrays__" in sys._getframe(2).f_globals


def plain(value: Tensor) -> Tensor:
    """The tensor that an array is, with PyTorch's own methods; any other tensor as it is."""
    return value.as_subclass(Tensor) if type(value) is Array else value


def alike(value: Tensor, other: Tensor) -> Tensor:
    """The tensor as an array, where the other is one."""
    return value.as_subclass(Array) if type(other) is Array and type(value) is not Array else value


def array(values: np.ndarray) -> Array:
    """The array as a tensor, in the same memory."""
    if any(stride < 0 for stride in values.strides) or not values.flags.writeable:
        values = values.copy()
    with torch._C.DisableTorchFunction():
        return torch.from_numpy(values).as_subclass(Array)


def raw(value: Any) -> Any:
    """What NumPy itself computes with: its own array in the same memory, inside lists, tuples, slices and dicts too."""
    if type(value) is Array:
        with torch._C.DisableTorchFunction():
            own = value.detach().numpy()
        return own if own.ndim else own[()]
    if type(value) in (list, tuple):
        return type(value)(map(raw, value))
    if type(value) is dict:
        return {key: raw(held) for key, held in value.items()}
    if type(value) is slice:
        return slice(*(raw(part) for part in (value.start, value.stop, value.step)))
    if isinstance(value, torch.dtype):
        return layer.dtype(str(value).removeprefix("torch.")).name
    return value


def wrapped(value: Any, inputs: Iterable[Array] = ()) -> Any:
    """What a NumPy function returns, its arrays of numbers and its floats as tensors; a view is one of its input."""
    if isinstance(value, np.floating | np.complexfloating):
        value = np.asarray(value)
    if isinstance(value, np.ndarray) and value.dtype.kind in "fciub":
        if in_double() and value.dtype in _LOW:
            value = value.astype(np.float64)
        views = (_view(one, value) for one in inputs if value.base is not None)
        view = next((one for one in views if one is not None), None)
        return array(value) if view is None else view
    if type(value) in (list, tuple):
        return type(value)(wrapped(one, inputs) for one in value)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(wrapped(one, inputs) for one in value))
    return value


def _view(base: Array, view: np.ndarray) -> Array | None:
    """The view of an array's memory as one of its tensor; None where it is none, or none that a tensor can have."""
    own = raw(base)
    if not isinstance(own, np.ndarray) or own.dtype != view.dtype or any(stride < 0 for stride in view.strides):
        return None
    if not np.may_share_memory(own, view):
        return None
    offset, size = view.ctypes.data - own.ctypes.data, own.itemsize
    with torch._C.DisableTorchFunction():
        tensor = base.detach()
        strides = [stride // size for stride in view.strides]
        return torch.as_strided(base, view.shape, strides, tensor.storage_offset() + offset // size).as_subclass(Array)


def in_double() -> bool:
    """Whether every float that is made is to be one of 64 bits."""
    return any(type(mode).__name__ == "InDouble" for mode in _get_current_function_mode_stack())


def widened(value: Any) -> Any:
    """Arguments that name a type of low precision name float64."""
    if value in ("float32", "float16", "f4", "f2", "single", "half") if isinstance(value, str) else False:
        return np.float64
    if isinstance(value, np.dtype | type):
        return np.float64 if value in (np.float32, np.float16) or value in _LOW else value
    return value


def arrays_in(value: Any) -> Iterator[Array]:
    """The arrays among arguments, those in lists and dicts too."""
    if type(value) is Array:
        yield value
    elif type(value) in (list, tuple):
        for one in value:
            yield from arrays_in(one)
    elif type(value) is dict:
        yield from arrays_in(list(value.values()))
    elif type(value) is slice:
        yield from arrays_in((value.start, value.stop, value.step))
