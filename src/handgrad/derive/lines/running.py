"""Templates run on examples, which shows their shapes and that they run at all."""

import functools
from collections.abc import Mapping
from types import CodeType
from typing import Any


@functools.cache
def _modules() -> dict[str, Any]:
    import math

    import torch
    import torch.nn.functional as F

    return {"torch": torch, "F": F, "math": math}


@functools.cache
def _compiled(template: str) -> CodeType:
    return compile(template, "<rule>", "eval")


def run(template: str, examples: Mapping[str, Any]) -> Any:
    """What a template gives for examples of the names in it."""
    return eval(_compiled(template), _modules(), dict(examples))


def example_like(value: Any) -> Any:
    """A gradient for a tensor of this shape."""
    return _modules()["torch"].full_like(value, 0.5)


def shape_of(value: Any) -> tuple[int, ...]:
    """The shape of a tensor; () for a number."""
    return tuple(getattr(value, "shape", ()))
