"""Run a user's code once: in float64, in silence, without a graph, and without a trace in the random state."""

import contextlib
import copy
import functools
import io
import random
import sys
import types
import warnings
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from handgrad.derive.read.calls import is_array

LIBRARIES = frozenset({"torch", "numpy", "scipy", "math", "einops"}) | sys.stdlib_module_names


def in_library(value: Any) -> bool:
    """Whether a function or class is one of PyTorch's, NumPy's or Python's, and no user's."""
    module = getattr(value, "__module__", None) or "builtins"
    if isinstance(value, types.FunctionType) and module == "builtins":
        return False
    return module.partition(".")[0] in LIBRARIES


def as_numpy(value: Any) -> Any:
    """The value as an array of NumPy."""
    import numpy as np

    return value.detach().cpu().numpy() if hasattr(value, "detach") else np.asarray(value)


def is_complex(value: Any) -> bool:
    """Whether the value is a tensor or an array of complex numbers."""
    if not is_array(value):
        return False
    return value.is_complex() if hasattr(value, "is_complex") else value.dtype.kind == "c"


def is_float(value: Any) -> bool:
    """Whether the value is a tensor or an array of floats."""
    if not is_array(value):
        return False
    return value.is_floating_point() if hasattr(value, "is_floating_point") else value.dtype.kind == "f"


def has_float(value: Any, depth: int = 4) -> bool:
    """Whether the value is a tensor or an array of floats, or has one in its elements or attributes."""
    if is_array(value):
        return is_float(value)
    if depth == 0 or isinstance(value, str | bytes | types.ModuleType | types.FunctionType | type):
        return False
    if isinstance(value, list | tuple | set):
        return any(has_float(v, depth - 1) for v in value)
    if isinstance(value, Mapping):
        return any(has_float(v, depth - 1) for v in value.values())
    inside = getattr(value, "__dict__", None)
    return isinstance(inside, dict) and any(has_float(v, depth - 1) for v in inside.values())


def in_float64(value: Any) -> Any:
    """A float tensor or array in float64 and outside every graph; anything else as it is."""
    if not is_float(value):
        return value
    if hasattr(value, "detach"):
        return value.detach().double()
    return value if value.dtype == "float64" else value.astype("float64")


class Converter:
    """Copies of a user's values, float tensors in float64 if `wide`: what runs on them changes nothing of the user's.

    What is one object to the user is one object in the copies. `wanting` has the ids of the copies of what requires
    gradients.
    """

    def __init__(self, *, wide: bool = True) -> None:
        """See the class."""
        self._wide = wide
        self.wanting: set[int] = set()
        self._made: dict[int, tuple[Any, Any]] = {}

    def __call__(self, value: Any) -> Any:
        """The copy of a value."""
        if id(value) in self._made:
            return self._made[id(value)][1]
        if is_array(value):
            made = _copied_array(value) if self._wide else _cloned(value)
            if getattr(value, "requires_grad", False):
                self.wanting.add(id(made))
            return self._kept(value, made)
        if type(value) in (list, dict) or isinstance(value, dict):
            made = self._kept(value, copy.copy(value))
            items = made.items() if isinstance(made, dict) else enumerate(made)
            for key, part in list(items):
                made[key] = self(part)
            return made
        if isinstance(value, tuple):
            parts = [self(part) for part in value]
            return self._kept(value, type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts))
        if hasattr(value, "clone_state"):
            return self._kept(value, value.clone_state())
        if type(value).__module__ in ("random", "numpy.random._generator", "numpy.random.mtrand"):
            return self._kept(value, copy.deepcopy(value))
        if _holds_state(value):
            made = self._kept(value, object.__new__(type(value)))
            for key, part in vars(value).items():
                made.__dict__[key] = self(part)
            return made
        return value

    def made_of(self, value: Any) -> Any:
        """The copy of a value if it was made already."""
        return self._made.get(id(value), (None, None))[1]

    def _kept(self, value: Any, made: Any) -> Any:
        self._made[id(value)] = value, made
        return made


def _copied_array(value: Any) -> Any:
    if hasattr(value, "detach"):
        own = value.detach()
        return own.double() if own.is_floating_point() and str(own.dtype) != "torch.float64" else own.clone()
    return value.astype("float64") if value.dtype.kind == "f" else value.copy()


def _cloned(value: Any) -> Any:
    return value.detach().clone() if hasattr(value, "detach") else value.copy()


def _holds_state(value: Any) -> bool:
    if isinstance(value, type | types.ModuleType | types.FunctionType | types.MethodType):
        return False
    if not isinstance(getattr(value, "__dict__", None), dict) or type(value).__new__ is not object.__new__:
        return False
    return any(c.__module__ == "torch.nn.modules.module" for c in type(value).__mro__) or not in_library(type(value))


@functools.cache
def _float64_mode() -> Any:
    import torch
    from torch.overrides import TorchFunctionMode

    narrow = {torch.float32, torch.float16, torch.bfloat16}
    methods = {torch.Tensor.float, torch.Tensor.half, torch.Tensor.bfloat16}

    filled = {torch.empty: torch.zeros, torch.empty_like: torch.zeros_like}

    def wide(value: Any) -> Any:
        return torch.float64 if isinstance(value, torch.dtype) and value in narrow else value

    class Float64(TorchFunctionMode):
        """Every float tensor that is made is one of float64, and what is empty is zero."""

        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if func in methods:
                return torch.Tensor.double(*args)
            func = filled.get(func, func)
            return func(*map(wide, args), **{k: wide(v) for k, v in (kwargs or {}).items()})

    return Float64


@contextlib.contextmanager
def float64() -> Iterator[None]:
    """Where PyTorch makes a tensor of floats here, it is one of float64, whatever the code says.

    Example:
        >>> import torch
        >>> with float64():
        ...     torch.ones(2).float().dtype
        torch.float64
    """
    if "torch" not in sys.modules:
        yield
        return
    import torch

    default, fast = torch.get_default_dtype(), torch.backends.mha.get_fastpath_enabled()
    torch.set_default_dtype(torch.float64)
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with _float64_mode()(), torch.no_grad():
            yield
    finally:
        torch.set_default_dtype(default)
        torch.backends.mha.set_fastpath_enabled(fast)


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """What runs here prints nothing, warns of nothing, and leaves the state of the random generators as it was."""
    import numpy as np

    torch = sys.modules.get("torch")
    states = random.getstate(), np.random.get_state(), torch.get_rng_state() if torch else None  # noqa: NPY002
    with (
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
        warnings.catch_warnings(action="ignore"),
        np.errstate(all="ignore"),
    ):
        try:
            yield
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])  # noqa: NPY002
            if torch:
                torch.set_rng_state(states[2])


def random_states(values: Iterable[Any] = ()) -> tuple[Any, ...]:
    """The states of Python's, NumPy's and PyTorch's own generators, and of those among some values, to be compared."""
    import numpy as np

    torch = sys.modules.get("torch")
    numbers = np.random.get_state(legacy=False)["state"]  # noqa: NPY002
    found = [random.getstate(), numbers["key"].tobytes(), numbers["pos"]]
    if torch:
        found.append(torch.get_rng_state().numpy().tobytes())
        found += [v.get_state().numpy().tobytes() for v in values if isinstance(v, torch.Generator)]
    return (*found, *(str(v.bit_generator.state) for v in values if isinstance(v, np.random.Generator)))
