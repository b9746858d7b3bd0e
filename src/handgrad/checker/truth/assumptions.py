"""What a program leaves open about its loss and its derivatives, where the gradients it writes have to tell."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, _SingleLevelFunction


@dataclass(frozen=True)
class Assumptions:
    """What is taken to be true.

    `wholes`: a scalar made of a loss and of something else, as in `total = loss + penalty`, is the loss.
    `derived`: a `torch.autograd.Function` of the user has the gradient of its forward half, not what its backward says.
    `epsilons`: the tiny number in `np.log(y + 1e-7)` is a part of what is differentiated.
    """

    wholes: bool = True
    derived: bool = True
    epsilons: bool = True


@contextlib.contextmanager
def differentiated(module: str, found: set[str]) -> Iterator[None]:
    """Run the Functions that a module defines without their backward halves, under autograd; `found` gets their names.

    Where autograd does not see through the forward half, as where it computes in NumPy or rounds, the backward half
    stays.
    """

    def apply(cls: Any, *args: Any, **kwargs: Any) -> Any:
        original = super(_SingleLevelFunction, cls).apply
        if cls.__module__ != module:
            return original(*args, **kwargs)
        context = FunctionCtx()
        vars(context)["needs_input_grad"] = tuple(_requires_grad(a) for a in args)
        try:
            if "setup_context" in vars(cls):
                out = cls.forward(*args, **kwargs)
                cls.setup_context(context, args, out)
            else:
                out = cls.forward(context, *args, **kwargs)
        except Exception:
            return original(*args, **kwargs)
        if _is_flat(out, args):
            return original(*args, **kwargs)
        found.add(cls.__name__)
        return out

    _SingleLevelFunction.apply = classmethod(apply)
    try:
        yield
    finally:
        del _SingleLevelFunction.apply


def _is_flat(out: Any, args: tuple[Any, ...]) -> bool:
    """Whether autograd sees no slope in what was made of the arguments, as in that of `torch.round`."""
    inputs = [a for a in args if _requires_grad(a)]
    outputs = [o for o in (out if isinstance(out, tuple) else (out,)) if _requires_grad(o)]
    slopes = torch.autograd.grad(outputs, inputs, outputs, retain_graph=True, allow_unused=True) if outputs else ()
    return bool(inputs) and not any(slope is not None and bool(slope.any()) for slope in slopes)


def _requires_grad(value: Any) -> bool:
    return isinstance(value, Tensor) and value.requires_grad
