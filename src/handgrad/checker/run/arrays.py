"""NumPy arrays that are tensors: what a program computes with them is NumPy's own, and autograd can differentiate it.

An `Array` shares its memory with an array of NumPy, whose functions compute all values. Where a gradient is asked for,
the same is computed by PyTorch's layer of NumPy functions besides, and taken where it agrees; what that has not, or does
otherwise, is differentiated by central differences.
"""

import functools
import operator
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import torch
import torch._numpy as layer
from torch import Tensor
from torch.overrides import _get_current_function_mode_stack

from handgrad.checker.run.differences import by_differences
from handgrad.errors import HandgradError

CONSTANT = {"zeros_like", "ones_like", "empty_like", "full_like", "shape", "sign", "floor", "ceil", "round", "rint"}
"""Functions that have no slope, and whose results autograd rightly holds for constants."""
_LOW = {np.dtype(np.float32), np.dtype(np.float16)}
_AGREE = 1e-9


class NotFollowed(HandgradError):
    """A NumPy function through which the checker finds no gradient."""


class _IsArray(type(Tensor)):
    """What `isinstance(x, np.ndarray)` asks: NumPy's own arrays, as those of strings, are arrays too, numbers are not."""

    def __instancecheck__(cls, value: Any) -> bool:
        if type.__instancecheck__(cls, value):
            return value.dim() > 0 or cls is not Array
        return isinstance(value, np.ndarray)


class Array(Tensor):
    """An array of NumPy's, or a number as its functions return them, that is a tensor."""

    __array_priority__ = 1000

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        """What the checker does with any tensor; a program's own lines have only what NumPy has."""
        asked = func.__self__ if func.__name__ in ("__get__", "__set__", "__delete__") else func
        if _asked_by_program() and not (asked.__name__.startswith("__") or hasattr(np.ndarray, asked.__name__)):
            raise AttributeError(f"'numpy.ndarray' object has no attribute '{asked.__name__}'")
        return super().__torch_function__(func, types, args, kwargs or {})

    def __array__(self, dtype=None, copy=None):
        """The values, for a library that knows nothing of this class."""
        if self.requires_grad and torch.is_grad_enabled():
            raise NotFollowed("a function outside of NumPy is given an array", next_step="Compute it with NumPy.")
        return np.array(raw(self), dtype=dtype)

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        """NumPy's own operators, where another array or number of NumPy's stands on the left."""
        return call(
            getattr(ufunc, method), counterpart(ufunc.__name__) if method == "__call__" else None, inputs, kwargs
        )

    def __array_function__(self, function, types, args, kwargs):
        """NumPy's own functions, where they were reached by another way than the program's `import numpy`."""
        return call(function, counterpart(function.__name__), args, kwargs)

    @property
    def dtype(self):
        """NumPy's name of the type in the program, PyTorch's elsewhere."""
        return raw(self).dtype if _asked_by_program() else plain(self).dtype

    @property
    def size(self):
        """How many numbers there are."""
        return self.numel()

    @property
    def T(self):
        """The transpose, with all dimensions in the opposite order."""
        return self.transpose()

    def item(self, *index):
        """The number, still as one that can be differentiated."""
        return self.reshape(-1)[index[0] if len(index) == 1 else 0] if len(index) < 2 else self[index]

    def __iter__(self) -> Iterator[Any]:
        """Along the first dimension."""
        if not self.dim():
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index):
        return call(operator.getitem, _taken, (self, index), {})

    def __setitem__(self, index, value):
        put(self, index, value)

    def __deepcopy__(self, _memo):
        return self.copy() if self.dim() else self

    __copy__ = __deepcopy__

    def __round__(self, digits=0):
        return self.round(digits)

    def __repr__(self):
        return repr(raw(self))

    __str__ = __repr__

    def __format__(self, spec):
        return format(raw(self) if self.dim() else raw(self).item(), spec)

    def __reversed__(self):
        return iter(self[::-1])

    def __contains__(self, value):
        return value in raw(self)

    __hash__ = Tensor.__hash__

    def fill(self, value):
        """Every element is the value."""
        put(self, ..., value)

    def sort(self, axis=-1, **kwargs):
        """In place, as arrays sort themselves."""
        put(self, ..., call(np.sort, layer.sort, (self, axis), kwargs))


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


def call(function: Callable, same: Callable | None, args: tuple, kwargs: dict) -> Any:
    """What a function of NumPy returns; where a gradient is asked for, with one.

    Args:
        function: NumPy's own.
        same: the one of PyTorch's layer; None where there is none.
        args: its arguments, arrays as tensors.
        kwargs: those by name.
    """
    if (out := kwargs.get("out")) is not None:
        target = out[0] if isinstance(out, tuple) else out
        put(target, ..., call(function, same, args, {k: v for k, v in kwargs.items() if k != "out"}))
        return target
    if in_double():
        args, kwargs = tuple(map(widened, args)), {k: widened(v) for k, v in kwargs.items()}
    inputs = list(arrays_in([*args, *kwargs.values()]))
    with torch._C.DisableTorchFunction():
        made = function(*raw(args), **raw(kwargs))
        if not (torch.is_grad_enabled() and any(one.requires_grad for one in inputs)):
            return wrapped(made, inputs)
        return _differentiable(function, same, args, kwargs, made, inputs)


def _differentiable(function, same, args, kwargs, made, inputs) -> Any:
    floats = [one for one in _leaves(made) if _is_float(one)]
    name = getattr(function, "__name__", "")
    if not floats or name in CONSTANT:
        return wrapped(made, inputs)
    shared = any(isinstance(one, np.ndarray) and one.base is not None for one in floats)
    try:
        result = same(*_lent(args, shared), **_lent(kwargs, shared)) if same else None
    except (NotImplementedError, TypeError, ValueError, RuntimeError, AttributeError, IndexError):
        result = None
    if result is not None and (given := _given_back(result, made, shared)) is not None:
        return given
    return by_differences(function, args, kwargs, made, raw, wrapped)


def _is_float(value: Any) -> bool:
    return isinstance(value, np.ndarray | np.generic) and value.dtype.kind == "f"


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, list | tuple):
        for one in value:
            yield from _leaves(one)
    else:
        yield value


def _lent(value: Any, shared: bool) -> Any:
    """Arguments as the layer takes them; what may be changed later in place is copied, for autograd keeps its inputs."""
    if type(value) is Array:
        tensor = plain(value)
        return layer.ndarray(tensor if shared or not tensor.requires_grad else tensor.clone())
    if type(value) in (list, tuple):
        return type(value)(_lent(one, shared) for one in value)
    if type(value) is dict:
        return {key: _lent(one, shared) for key, one in value.items()}
    if isinstance(value, np.ndarray):
        return layer.ndarray(torch.from_numpy(np.ascontiguousarray(value)))
    if isinstance(value, np.generic):
        return value.item() if value.dtype.kind in "iub" else layer.ndarray(torch.from_numpy(np.array(value)))
    if value is float or value is int or value is bool or isinstance(value, str):
        return value
    if isinstance(value, np.dtype | type):
        return np.dtype(value).name
    return value


def _given_back(result: Any, made: Any, shared: bool) -> Any:
    """What the layer made, as arrays; None where it is not what NumPy made, or has lost its gradient."""
    if isinstance(made, list | tuple):
        if not isinstance(result, list | tuple) or len(result) != len(made):
            return None
        parts = [_given_back(one, its, shared) for one, its in zip(result, made, strict=True)]
        return None if any(part is None for part in parts) else type(made)(parts)
    if not _is_float(made):
        return wrapped(made)
    tensor = result.tensor if isinstance(result, layer.ndarray) else result
    if not isinstance(tensor, Tensor) or not tensor.requires_grad or tuple(tensor.shape) != np.shape(made):
        return None
    own = tensor.detach().numpy()
    tolerance = _AGREE if own.dtype == np.float64 else 1e-4
    if own.dtype != made.dtype or not np.allclose(own, made, rtol=tolerance, atol=tolerance, equal_nan=True):
        return None
    return (tensor if shared else tensor.clone()).as_subclass(Array)


def put(target: Any, index: Any, value: Any) -> None:
    """`target[index] = value`, in place."""
    if type(target) is not Array:
        target[raw(index)] = raw(value)
        return
    follows = torch.is_grad_enabled() and (target.requires_grad or any(a.requires_grad for a in arrays_in(value)))
    with torch._C.DisableTorchFunction():
        own = target.detach().numpy()
        if not follows:
            own[raw(index)] = raw(value)
            torch.autograd.graph.increment_version(target)
            return
        wanted = own.copy()
        wanted[raw(index)] = raw(value)
        tensor, given = plain(target), value
        if isinstance(value, list | tuple):
            given = call(np.array, made_of, (value,), {})
        if type(given) is Array:
            given = plain(given).clone().to(tensor.dtype)
        layer.ndarray(tensor)[_lent(index, True)] = layer.ndarray(given) if isinstance(given, Tensor) else raw(given)
        if not np.allclose(target.detach().numpy(), wanted, equal_nan=True):
            raise NotFollowed("an assignment to a part of an array", next_step="Assign to one part at a time.")


def added_at(target: Array, index: Any, value: Any, sign: int = 1) -> None:
    """`np.add.at`, and with a sign of -1 `np.subtract.at`: what is added to one place twice counts twice."""
    follows = torch.is_grad_enabled() and (target.requires_grad or any(a.requires_grad for a in arrays_in(value)))
    with torch._C.DisableTorchFunction():
        if not follows:
            (np.add if sign > 0 else np.subtract).at(target.detach().numpy(), raw(index), raw(value))
            torch.autograd.graph.increment_version(target)
            return
        places = np.arange(target.numel()).reshape(tuple(target.shape))[raw(index)]
        given = plain(value).clone() if type(value) is Array else torch.as_tensor(raw(value), dtype=torch.float64)
        given = sign * given.to(plain(target).dtype).broadcast_to(places.shape)
        flat = torch.zeros(target.numel(), dtype=given.dtype)
        added = flat.index_add(0, torch.from_numpy(np.ascontiguousarray(places).reshape(-1)), given.reshape(-1))
        plain(target).add_(added.reshape(target.shape))


def _taken(held: Any, index: Any) -> Any:
    return held[index]


def made_of(value: Any, dtype: Any = None, **_kwargs: Any) -> Tensor:
    """`np.array` of numbers and arrays in lists."""
    if isinstance(value, layer.ndarray):
        return value.tensor.clone()
    if isinstance(value, list | tuple):
        parts = [torch.as_tensor(made_of(one)) for one in value]
        widest = functools.reduce(torch.promote_types, (part.dtype for part in parts))
        return torch.stack([part.to(widest) for part in parts])
    return torch.as_tensor(value, dtype=torch.float64 if isinstance(value, float) else None)


def counterpart(name: str) -> Callable | None:
    return OWN.get(name) or getattr(layer, name, None)


def _larger(keep: Callable) -> Callable:
    """`np.maximum` and `np.minimum`: at a tie with a constant, as in `np.maximum(0, x)`, the slope is 0."""

    def chosen(a: Any, b: Any) -> Any:
        a, b = (v.tensor if isinstance(v, layer.ndarray) else torch.as_tensor(v, dtype=torch.float64) for v in (a, b))
        a, b = (v.to(torch.promote_types(a.dtype, b.dtype)) for v in (a, b))
        if b.requires_grad and not a.requires_grad:
            a, b = b, a
        return (
            torch.where(keep(a, b), a, b)
            if not b.requires_grad
            else torch.where(a == b, (a + b) / 2, torch.where(keep(a, b), a, b))
        )

    return chosen


OWN: dict[str, Callable] = {
    "array": made_of,
    "asarray": lambda value, *_a, **_k: value.tensor if isinstance(value, layer.ndarray) else made_of(value),
    "maximum": _larger(torch.gt),
    "minimum": _larger(torch.lt),
}
"""Functions that the layer has not, or has with another slope."""

_OPERATORS = {
    "add": "add", "sub": "subtract", "mul": "multiply", "truediv": "true_divide", "floordiv": "floor_divide",
    "mod": "remainder", "pow": "power", "matmul": "matmul", "and": "bitwise_and", "or": "bitwise_or",
    "xor": "bitwise_xor", "lshift": "left_shift", "rshift": "right_shift",
}  # fmt: skip
_COMPARISONS = {
    "eq": "equal",
    "ne": "not_equal",
    "lt": "less",
    "le": "less_equal",
    "gt": "greater",
    "ge": "greater_equal",
}
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


for _name in _OPERATORS:
    _operator(_name)
for _name, _function in {**_COMPARISONS, **_UNARY}.items():
    _method(f"__{_name}__", getattr(np, _function), counterpart(_function))
for _name in dir(np.ndarray):
    if not _name.startswith("_") and callable(getattr(np.ndarray, _name)) and _name not in vars(Array):
        _method(_name, _asked_of_value(_name), getattr(layer.ndarray, _name, None))
