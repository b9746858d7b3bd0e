"""What arrays can do: the operators, methods and protocols of NumPy's."""

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch._numpy as layer
from torch import Tensor

from handgrad.checker.run.arrays import Array, arrays_in, raw
from handgrad.checker.run.calling import call, counterpart, put

_OPERATORS = {
    "add": "add", "sub": "subtract", "mul": "multiply", "truediv": "true_divide", "floordiv": "floor_divide",
    "mod": "remainder", "pow": "power", "matmul": "matmul", "and": "bitwise_and", "or": "bitwise_or",
    "xor": "bitwise_xor", "lshift": "left_shift", "rshift": "right_shift",
}  # fmt: skip
_COMPARISONS = {
    "eq": "equal", "ne": "not_equal", "lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal",
}  # fmt: skip
_UNARY = {"neg": "negative", "pos": "positive", "abs": "absolute", "invert": "invert"}


def _operator(name: str) -> None:
    function = getattr(np, _OPERATORS[name])
    same = counterpart(function.__name__)

    def forwards(self, other):
        return call(function, same, (self, other), {}) if _known(other) else NotImplemented

    def backwards(self, other):
        return call(function, same, (other, self), {}) if _known(other) else NotImplemented

    def inplace(self, other):
        if not self.dim():
            return forwards(self, other)
        if torch.is_grad_enabled() and any(one.requires_grad for one in arrays_in([self, other])):
            put(self, ..., forwards(self, other))
        else:
            function(raw(self), raw(other), out=raw(self))
            torch.autograd.graph.increment_version(self)
        return self

    for prefix, made in (("", forwards), ("r", backwards), ("i", inplace)):
        setattr(Array, f"__{prefix}{name}__", made)


def _known(other: Any) -> bool:
    return isinstance(other, Tensor | np.ndarray | np.generic | int | float | complex | list | tuple)


def _asked_of_value(name: str) -> Callable:
    """A method of whatever NumPy has: an array, or a number."""

    def asked(value, *args, **kwargs):
        return getattr(value, name)(*args, **kwargs)

    asked.__name__ = name
    return asked


def _method(name: str, function: Callable, same: Callable | None) -> None:
    def method(self, *args, **kwargs):
        return call(function, same, (self, *args), kwargs)

    method.__name__ = name
    setattr(Array, name, method)


class _Own:
    """What is no plain call of a function of NumPy's, or changes the array itself."""

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        same = counterpart(ufunc.__name__) if method == "__call__" else None
        return call(getattr(ufunc, method), same, inputs, kwargs)

    def __array_function__(self, function, types, args, kwargs):
        return call(function, counterpart(function.__name__), args, kwargs)

    def __getitem__(self, index):
        return call(operator.getitem, operator.getitem, (self, index), {})

    def __setitem__(self, index, value):
        put(self, index, value)

    @property
    def T(self: Any):
        return self.transpose()

    def item(self: Any, *index):
        flat = self.reshape(-1)
        return flat[index[0] if index else 0] if len(index) < 2 else self[index]

    def fill(self, value):
        put(self, ..., value)

    def sort(self, axis=-1, **kwargs):
        put(self, ..., call(np.sort, counterpart("sort"), (self, axis), kwargs))


def equip() -> None:
    """Give `Array` all of these."""
    for name in _OPERATORS:
        _operator(name)
    for name, called in {**_COMPARISONS, **_UNARY}.items():
        _method(f"__{name}__", getattr(np, called), counterpart(called))
    for name, member in vars(_Own).items():
        if callable(member) or isinstance(member, property):
            setattr(Array, name, member)
    for name in dir(np.ndarray):
        if not name.startswith("_") and callable(getattr(np.ndarray, name)) and name not in vars(_Own):
            _method(name, _asked_of_value(name), getattr(layer.ndarray, name, None))
