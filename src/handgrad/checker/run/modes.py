"""How PyTorch's functions act while the user's code is run again: in float64, or with its graphs kept."""

from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

LOW = {torch.float32, torch.float16, torch.bfloat16}


_CASTS = {Tensor.float, Tensor.half, Tensor.bfloat16}


class InDouble(TorchFunctionMode):
    """Every float tensor the code makes is a float64 one, explicit casts included.

    Factories draw in the dtype the user wrote and are widened afterwards, so that they give the user's own numbers.
    """

    def __torch_function__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        """Run `func` in float64."""
        kwargs = kwargs or {}
        if func in _CASTS:
            return args[0].double()
        if args and isinstance(args[0], Tensor):
            if any(isinstance(a, torch.dtype) and a in LOW for a in args):
                args = tuple(torch.float64 if isinstance(a, torch.dtype) and a in LOW else a for a in args)
            if kwargs.get("dtype") in LOW:
                kwargs = {**kwargs, "dtype": torch.float64}
            if func is Tensor.type and len(args) > 1 and isinstance(args[1], str):
                args = (args[0], args[1].replace("Float", "Double").replace("Half", "Double"))
            like = args[1] if len(args) > 1 else None
            if func in (Tensor.to, Tensor.type_as) and isinstance(like, Tensor) and like.dtype in LOW:
                args = (args[0], torch.float64, *args[2:])
        out = func(*args, **kwargs)
        if isinstance(out, Tensor) and out.dtype in LOW and func is not Tensor.numpy:
            return out.double()
        return out


class KeepingGraphs(TorchFunctionMode):
    """Where a line differentiates what it has computed, the graph stays, since the checker goes through it too."""

    def __torch_function__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        """Run `func`, and free nothing."""
        kwargs = dict(kwargs or {})
        if func in (Tensor.backward, torch.autograd.backward, torch.autograd.grad):
            kwargs["retain_graph"] = True
        return func(*args, **kwargs)
