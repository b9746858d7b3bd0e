"""Call functions of NumPy with arrays that are tensors.

NumPy itself computes all values. Where a gradient is asked for, the same is computed by PyTorch's layer of NumPy
functions besides, and taken where it agrees; what that has not, or does otherwise, is differentiated by central
differences.
"""

import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
import torch._numpy as layer
from torch import Tensor

from handgrad.checker.run.arrays import Array, NotFollowedError, arrays_in, in_double, plain, raw, widened, wrapped
from handgrad.checker.run.differences import by_differences

CONSTANT = {"zeros_like", "ones_like", "empty_like", "full_like", "shape", "sign", "floor", "ceil", "round", "rint"}
"""Functions that have no slope, and whose results autograd rightly holds for constants."""
_AGREE = 1e-9
layer.set_default_dtype()  # to what it has anyway; else it asks torch._dynamo, which takes a second to load


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
    """Arguments as the layer takes them, copied where they may be changed in place, for autograd keeps its inputs."""
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
            raise NotFollowedError("an assignment to a part of an array", next_step="Assign to one part at a time.")


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


def made_of(value: Any, dtype: Any = None, **_kwargs: Any) -> Tensor:
    """`np.array` of numbers and arrays in lists."""
    if isinstance(value, layer.ndarray):
        made = value.tensor.clone()
    elif isinstance(value, list | tuple):
        parts = [torch.as_tensor(made_of(one)) for one in value]
        widest = functools.reduce(torch.promote_types, (part.dtype for part in parts))
        made = torch.stack([part.to(widest) for part in parts])
    else:
        made = torch.as_tensor(value, dtype=torch.float64 if isinstance(value, float) else None)
    return made if dtype is None else made.to(layer.dtype(dtype).torch_dtype)


def counterpart(name: str) -> Callable | None:
    """The function of this name in PyTorch's layer, or our own in its place."""
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
