"""Whether what was read computes what the user's own code does."""

import contextlib
import sys
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from handgrad.derive.read.calling import reads_floats
from handgrad.derive.read.calls import is_array
from handgrad.derive.read.running import Converter, as_numpy, is_float, quietly, random_states
from handgrad.errors import DeriveError

TOLERANCES = {"float64": (1e-5, 1e-12), "float32": (2e-3, 1e-6)}
"""How far values may be apart, as a part of their own size and of that of the largest value."""


def own_values(code: types.CodeType, before: Mapping[str, Any], reads: set[str]) -> dict[str, Any] | None:
    """What the user's own statements make of copies of their values.

    None where that cannot be told: they draw random numbers, they do not run outside float64, or they call functions
    that may change what only those see.

    Args:
        code: the statements.
        before: what is there before them.
        reads: the names that they read.
    """
    copied = Converter(wide=False)
    names = dict(before)
    for name in reads & names.keys():
        value = names[name]
        if isinstance(value, types.FunctionType) and value.__globals__ is before and not value.__closure__:
            names[name] = types.FunctionType(value.__code__, names, value.__name__, value.__defaults__)
        elif reads_floats(value):
            return None
        else:
            names[name] = copied(value)
    return names if _ran(lambda: exec(code, names), [names[name] for name in reads & names.keys()]) else None


def own_result(function: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
    """What the user's own function returns for copies of the arguments; None where that cannot be told."""
    if reads_floats(function):
        return None
    copied = Converter(wide=False)
    given = {name: copied(value) for name, value in arguments.items()}
    found: list[Any] = []
    return found[0] if _ran(lambda: found.append(function(**given)), list(given.values())) else None


def check(found: Mapping[str, Any], own: Mapping[str, Any], values: Iterable[Any]) -> None:
    """Refuse where a value that was read is not the user's own.

    Args:
        found: what was read.
        own: what the user's code makes, by the same names.
        values: all that lines make, whose size says what rounding leaves of differences.

    Raises:
        DeriveError: values differ by more than rounding.
    """
    import numpy as np

    pairs = [(name, value, own[name]) for name, value in found.items() if is_float(value) and is_array(own.get(name))]
    arrays = (as_numpy(value) for value in values if is_float(value))
    largest = max((np.abs(a[np.isfinite(a)]).max(initial=0.0) for a in arrays), default=0.0)
    for name, one, other in pairs:
        a, b = as_numpy(one), as_numpy(other)
        relative, absolute = TOLERANCES.get(str(b.dtype), (5e-2, 1e-2))
        if a.shape == b.shape and (np.isfinite(a) == np.isfinite(b)).all():
            a, b = a[np.isfinite(a)], b[np.isfinite(b)]
            if np.abs(a - b).max(initial=0.0) <= relative * np.abs(b).max(initial=0.0) + absolute * largest:
                continue
        raise DeriveError(
            f"what was read makes another '{name}' than these lines do",
            next_step="Write what is assigned in place, or seen under two names, as lines of its own.",
        )


def _ran(run: Callable[[], Any], values: list[Any]) -> bool:
    with quietly(), _dtype_of(values):
        states = random_states(values)
        try:
            run()
        except Exception:  # what the user's lines raise in their own dtype is no matter of this check
            return False
        return states == random_states(values)


@contextlib.contextmanager
def _dtype_of(values: list[Any]) -> Iterator[None]:
    """Where the values are in float64, so are tensors that are made."""
    if "torch" not in sys.modules:
        yield
        return
    import torch

    default = torch.get_default_dtype()
    wide = [v for v in values if isinstance(v, torch.Tensor) and v.is_floating_point()]
    if wide and all(v.dtype == torch.float64 for v in wide):
        torch.set_default_dtype(torch.float64)
    try:
        with torch.no_grad():
            yield
    finally:
        torch.set_default_dtype(default)
