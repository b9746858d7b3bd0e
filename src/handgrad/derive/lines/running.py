"""Templates run on examples, which shows their shapes and that they run at all."""

import contextlib
import functools
from collections.abc import Iterator, Mapping
from types import CodeType
from typing import Any

from handgrad.derive.rules.adjoint import UncoveredError


@functools.cache
def modules() -> dict[str, Any]:
    """The modules that templates name."""
    import math

    import torch
    import torch.nn.functional as F

    return {"torch": torch, "F": F, "math": math}


@functools.cache
def _compiled(template: str) -> CodeType:
    return compile(template, "<rule>", "eval")


@contextlib.contextmanager
def on_one_thread() -> Iterator[None]:
    """Small tensors are computed faster so, and no graph is kept of them."""
    torch = modules()["torch"]
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.no_grad():
            yield
    finally:
        torch.set_num_threads(before)


@contextlib.contextmanager
def numbers_in(kind: str) -> Iterator[None]:
    """What is computed here from numbers alone is of this kind of float."""
    torch = modules()["torch"]
    before = torch.get_default_dtype()
    torch.set_default_dtype(getattr(torch, kind))
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def run(template: str, examples: Mapping[str, Any]) -> Any:
    """What a template gives for examples of the names in it.

    A tensor made of numbers alone is in float32, as in the user's program, where the examples are in float64: so it
    shows that the template has to say of what kind it is.
    """
    try:
        with numbers_in("float32"):
            try:
                return eval(_compiled(template), modules(), dict(examples))
            except RuntimeError:  # what the program casts is of another kind than what it was read in
                wide = {name: _wide(example) for name, example in examples.items()}
                return eval(_compiled(template), modules(), wide)
    except NotImplementedError as error:  # of complex values, say
        raise UncoveredError(f"the rule does not hold here: {error}".rstrip(".")) from error


def _wide(value: Any) -> Any:
    """Numbers in float64, as NumPy computes with whole ones."""
    return value.double() if hasattr(value, "is_complex") and not value.is_complex() else value


def example_like(value: Any) -> Any:
    """A gradient for a tensor of this shape."""
    return modules()["torch"].full_like(value, 0.5)


def given(value: Any) -> Any:
    """A gradient that comes from outside for a tensor of this shape: nothing is known of how it lies in memory."""
    return modules()["torch"].full((), 0.5, dtype=value.dtype).expand(value.shape)


def shape_of(value: Any) -> tuple[int, ...]:
    """The shape of a tensor; () for a number."""
    return tuple(getattr(value, "shape", ()))


def alike(left: Any, right: Any) -> bool:
    """Whether two values are the same tensor or number but for rounding."""
    torch = modules()["torch"]
    if left is None or shape_of(left) != shape_of(right):
        return False
    return torch.allclose(torch.as_tensor(left), torch.as_tensor(right), rtol=1e-9, atol=1e-9, equal_nan=True)
