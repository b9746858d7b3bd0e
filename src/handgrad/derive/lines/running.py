"""Templates run on examples, which shows their shapes and that they run at all."""

import functools
from collections.abc import Mapping
from types import CodeType
from typing import Any


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


def run(template: str, examples: Mapping[str, Any]) -> Any:
    """What a template gives for examples of the names in it."""
    return eval(_compiled(template), modules(), dict(examples))


def example_like(value: Any) -> Any:
    """A gradient for a tensor of this shape."""
    return modules()["torch"].full_like(value, 0.5)


def shape_of(value: Any) -> tuple[int, ...]:
    """The shape of a tensor; () for a number."""
    return tuple(getattr(value, "shape", ()))


def alike(left: Any, right: Any) -> bool:
    """Whether two values are the same tensor or number but for rounding."""
    torch = modules()["torch"]
    if left is None or shape_of(left) != shape_of(right):
        return False
    return torch.allclose(torch.as_tensor(left), torch.as_tensor(right), rtol=1e-9, atol=1e-9, equal_nan=True)
