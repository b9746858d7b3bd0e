"""What a program under check gets for `import numpy` and `import math`: functions of arrays that are tensors."""

import importlib
import math
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import torch
import torch._numpy as layer

from handgrad.checker.run.arrays import Array, array, raw, wrapped
from handgrad.checker.run.calling import added_at, call, counterpart, put
from handgrad.checker.run.operators import equip

equip()

_READS = {"load", "loadtxt", "genfromtxt", "fromfile", "memmap"}
_WRITES = {"save", "savez", "savez_compressed", "savetxt"}
_FILLS = {"copyto": 0, "put": 0, "place": 0, "putmask": 0, "fill_diagonal": 0, "shuffle": 0, "put_along_axis": 0}
_INSIDE = {"linalg": layer.linalg, "fft": layer.fft}


class Facade(ModuleType):
    """A module of NumPy's whose functions take and return tensors that are arrays."""

    def __init__(self, real: ModuleType, find: Callable[[Any], Any]):
        """Stand for `real`; `find` gives the path of a data file."""
        super().__init__(real.__name__, real.__doc__)
        self.__dict__.update(real_module=real, _find=find, __all__=getattr(real, "__all__", []), __path__=[])

    def __getattr__(self, name: str) -> Any:
        """The function, made once."""
        real = getattr(self.__dict__["real_module"], name)
        if not name.startswith("__"):
            self.__dict__[name] = made = self._made(name, real)
            return made
        return real

    def _made(self, name: str, real: Any) -> Any:
        part = self.__name__.rpartition(".")[2]
        if isinstance(real, ModuleType):
            return Facade(real, self._find) if real.__name__.startswith("numpy") else real
        if isinstance(real, np.ufunc):
            return _Ufunc(real)
        if part == "random":
            return _drawing(real) if callable(real) else real
        if name in _OWN:
            return _OWN[name]
        if name in _WRITES:
            return lambda *_args, **_kwargs: None
        if isinstance(real, type) or not callable(real):
            return wrapped(real) if isinstance(real, np.ndarray) else real
        if name in _READS:
            return lambda file, *args, **kwargs: wrapped(real(self._find(file), *raw(args), **raw(kwargs)))
        if name in _FILLS:
            return _filling(real)
        return _function(real, getattr(_INSIDE[part], name, None) if part in _INSIDE else counterpart(name))


def _function(real: Callable, same: Callable | None) -> Callable:
    def function(*args, **kwargs):
        return call(real, same, args, kwargs)

    function.__name__, function.__doc__ = real.__name__, real.__doc__
    return function


class _Ufunc:
    """A function of each element, with its `at`, `reduce`, `accumulate` and `outer`."""

    def __init__(self, real: np.ufunc):
        self.real, self.__name__, self.__doc__ = real, real.__name__, real.__doc__
        self.same = counterpart(real.__name__)
        self.reduce = _function(
            real.reduce, getattr(layer, {"add": "sum", "multiply": "prod"}.get(real.__name__, ""), None)
        )
        self.accumulate, self.outer = _function(real.accumulate, None), _function(real.outer, None)

    def __call__(self, *args, **kwargs):
        if self.real.nin < len(args) <= self.real.nargs:
            args, kwargs = args[: self.real.nin], {**kwargs, "out": args[self.real.nin]}
        return call(self.real, self.same, args, kwargs)

    def at(self, target, index, *values):
        """In place, what is named twice twice."""
        sign = {"add": 1, "subtract": -1}.get(self.real.__name__)
        if sign is not None and type(target) is Array:
            return added_at(target, index, *values, sign=sign)
        return _filling(self.real.at)(target, index, *values)


def _filling(real: Callable) -> Callable:
    """A function that changes its first argument in place, through which no gradient is followed."""

    def function(target, *args, **kwargs):
        if type(target) is not Array:
            return real(target, *raw(args), **raw(kwargs))
        changed = raw(target).copy()
        real(changed, *raw(args), **raw(kwargs))
        return put(target, ..., array(changed))

    return function


def _drawing(real: Any) -> Any:
    """A random function, or a class of generators whose methods are such."""
    if isinstance(real, type):
        return _GENERATORS.get(real, real)
    name = getattr(real, "__name__", "")
    if name in _FILLS:
        return _filling(real)
    if name == "default_rng":
        return lambda *args: _Generator(real(*raw(args)).bit_generator)

    def drawn(*args, **kwargs):
        return wrapped(real(*raw(args), **raw(kwargs)))

    return drawn


class _Generator(np.random.Generator):
    def __getattribute__(self, name):
        found = super().__getattribute__(name)
        return found if name.startswith("_") or name == "bit_generator" else _drawing(found)


class _RandomState(np.random.RandomState):
    def __getattribute__(self, name):
        found = super().__getattribute__(name)
        return found if name.startswith("_") or not callable(found) or "state" in name else _drawing(found)


_GENERATORS: dict[Any, Any] = {np.random.Generator: _Generator, np.random.RandomState: _RandomState}


class _Vectorized:
    """`np.vectorize`: a Python function of one number, for every number."""

    def __init__(self, function, *_args, **_kwargs):
        self.function = function

    def __call__(self, *args):
        args = _in_one_shape(args)
        flat = [self.function(*one) for one in zip(*(a.reshape(-1) for a in args), strict=True)]
        return call(np.array, counterpart("array"), (flat,), {}).reshape(tuple(args[0].shape))


def _in_one_shape(args: tuple) -> list:
    """The arguments in one shape."""
    shape = np.broadcast_shapes(*(np.shape(raw(a)) for a in args))
    return [call(np.broadcast_to, counterpart("broadcast_to"), (a, shape), {}) for a in args]


def _apply_along_axis(function, axis, values, *args, **kwargs):
    moved = call(np.moveaxis, counterpart("moveaxis"), (values, axis, -1), {})
    rows = moved.reshape(-1, moved.shape[-1])
    made = call(np.stack, counterpart("stack"), ([function(row, *args, **kwargs) for row in rows],), {})
    made = made.reshape(*moved.shape[:-1], *made.shape[1:])
    return call(np.moveaxis, counterpart("moveaxis"), (made, -1, axis), {}) if made.ndim == moved.ndim else made


_OWN: dict[str, Any] = {
    "ndarray": Array,
    "vectorize": _Vectorized,
    "apply_along_axis": _apply_along_axis,
    "nditer": lambda *args, **kwargs: np.nditer(*raw(args), **raw(kwargs)),
    "ndindex": lambda *shape: np.ndindex(*raw(shape)),
    "shape": lambda value: np.shape(raw(value)),
    "ndim": lambda value: np.ndim(raw(value)),
    "asarray": lambda value, *a, **k: (
        value if type(value) is Array and not (a or k) else call(np.asarray, counterpart("asarray"), (value, *a), k)
    ),
}
"""Functions that take functions, or that have to return the very array they are given."""


class _Math(ModuleType):
    """`math`, whose functions of a number that is followed are NumPy's."""

    real_module = math

    def __getattr__(self, name: str) -> Any:
        """The function."""
        real, same = getattr(math, name), getattr(np, name, None)
        if not isinstance(same, np.ufunc):
            return real
        return lambda *args: (
            call(same, counterpart(name), args, {}) if any(type(a) is Array for a in args) else real(*args)
        )


class _IsFloat(type):
    def __instancecheck__(cls, value: Any) -> bool:
        return isinstance(value, float) or (type(value) is Array and not value.dim() and value.is_floating_point())


class Float(metaclass=_IsFloat):
    """`float`, which leaves a number that is followed what it is; as a type of arrays it is float64."""

    dtype = np.dtype(np.float64)

    def __new__(cls, value: Any = 0.0) -> Any:
        """The number."""
        if type(value) is Array and value.numel() == 1:
            return call(np.asarray, counterpart("asarray"), (value, np.float64), {}).reshape(())
        return float(value)


class Modules:
    """The modules that a program without PyTorch imports in the place of NumPy and of `math`."""

    def __init__(self, find: Callable[[Any], Any]):
        """Make them; `find` gives the path of a data file."""
        self.numpy, self.math = Facade(np, find), _Math("math")

    def imported(self, name: str, fromlist: Any) -> ModuleType | None:
        """What an import statement gets; None for any other module."""
        if name == "math":
            return self.math
        if name.split(".")[0] != "numpy":
            return None
        importlib.import_module(name)
        module = self.numpy
        for part in name.split(".")[1:] if fromlist else ():
            module = getattr(module, part)
        return module

    def put_into(self, module: ModuleType) -> None:
        """Let a module of the user's that has imported NumPy use these in its place."""
        vars(module)["__arrays__"] = True
        for name, value in list(vars(module).items()):
            setattr(module, name, self.taken(value))

    def taken(self, value: Any) -> Any:
        """What takes the place of something that was made with NumPy itself."""
        if isinstance(value, ModuleType):
            other = self.imported(value.__name__, True) if not isinstance(value, Facade | _Math) else None
            return value if other is None else other
        if isinstance(value, np.ufunc) or (callable(value) and getattr(value, "__module__", None) == "numpy"):
            return getattr(self.numpy, getattr(value, "__name__", ""), value)
        if type(value) in (list, tuple):
            return type(value)(map(self.taken, value))
        if type(value) is dict:
            return {key: self.taken(held) for key, held in value.items()}
        return value.as_subclass(Array) if isinstance(value, torch.Tensor) else wrapped(value)


def lifted(value: Any) -> Any:
    """A plain number, such as a bias `b = 0.0`, as one that is followed."""
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    return array(np.array(float(value))) if plain else value
