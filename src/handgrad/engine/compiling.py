"""How the engine's functions are compiled, and where what was compiled is kept."""

import functools
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numba
import numba.extending


@functools.cache
def cache_folder() -> Path:
    """Where compiled code is kept: in NUMBA_CACHE_DIR or else the user's cache folder, apart for each version.

    Numba looks at the file of the function it compiles, not at those of the functions called, so the folder's name
    holds a digest of all of the engine's sources: after an upgrade everything is compiled anew.
    """
    import pooch

    sources = sorted(Path(__file__).parent.rglob("*.py"))
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()
    return Path(os.environ.get("NUMBA_CACHE_DIR") or pooch.os_cache("handgrad")) / f"compiled-{digest[:12]}"


def is_compiled(family: str = "mlp") -> bool:
    """Whether the training loop of a family has been compiled and kept, so that it starts without a wait."""
    function = _FUNCTIONS.get(family, f"{family}.")
    return any(cache_folder().rglob(f"{function}*.nbc"))


_FUNCTIONS = {
    "bigram": "distinct.",
    "bow": "causal_mean.",
    "mlp": "batchnorm.",
    "ngram": "ngram._count",
    "transformer": "layernorm.layernorm_backward",
    "microgpt": "rmsnorm.rmsnorm_backward",
    "wavenet": "batchnorm.",
}
"""Of each family one that it needs: what is in the file of kernels of its name, where there is none here."""

_OPTIONS: dict[str, Any] = {"fastmath": {"contract"}, "nogil": True, "error_model": "numpy"}
"""A product and a sum may be fused into one rounding; no other liberty is taken, so a NaN stays one."""
_WITHIN: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
"""Only compiled code calls it."""
_FROM_PYTHON: dict[str, Any] = {"no_cfunc_wrapper": True}
"""Python calls it, nothing written in C."""


def compiled(function: Callable[..., Any]) -> Any:
    """Compile a function that other compiled functions call; Python cannot."""
    return numba.njit(**_OPTIONS, **_WITHIN)(function)


def intrinsic(function: Callable[..., Any]) -> Any:
    """A function that other compiled functions call, and that returns its type and the generator of its code."""
    return numba.extending.intrinsic(function)


def c_function(function: Callable[..., Any], signature: Any) -> Any:
    """Compile a function that compiled code calls by its address; the result is kept, as that of `entry_point`."""
    with _in_cache_folder():
        try:
            return numba.cfunc(signature, cache=True, **_OPTIONS)(function)
        except RuntimeError:  # no folder can be written to
            return numba.cfunc(signature, **_OPTIONS)(function)


def entry_point(function: Callable[..., Any]) -> Any:
    """Compile a function that Python calls, at its first call, and keep the result; without a place for it, do not."""
    with _in_cache_folder():
        try:
            return numba.njit(cache=True, **_OPTIONS, **_FROM_PYTHON)(function)
        except RuntimeError:  # no folder can be written to
            return numba.njit(**_OPTIONS)(function)


@contextmanager
def _in_cache_folder() -> Iterator[None]:
    config: Any = numba.config
    before, config.CACHE_DIR = config.CACHE_DIR, str(cache_folder())
    try:
        yield
    finally:
        config.CACHE_DIR = before
