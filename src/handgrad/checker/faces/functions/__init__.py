"""Check a pair of functions, or an autograd.Function, by laying both bodies out as one program.

h = x @ w                                   the forward function, as it stands
handgrad_out = h
handgrad_loss = (handgrad_out * handgrad_upstream).sum()
dout·0 = dhandgrad_out                      the backward function, its names numbered
dx·0 = dout·0 @ w·0.T
dx = dx·0                                   what it returns
"""

from collections.abc import Callable
from typing import Any

import torch

from handgrad.checker.faces.functions.given import Context
from handgrad.checker.faces.functions.halves import Half, parameters_of
from handgrad.checker.faces.functions.program import Program
from handgrad.checker.inspection import CheckError
from handgrad.checker.report import Report


def check_pair(forward: Callable, backward: Callable, *args: Any, strict: bool = False, **kwargs: Any) -> Report:
    """Check `grads = backward(dout, cache)` against `out, cache = forward(*args, **kwargs)`.

    The gradients returned belong to the float tensors among the arguments, in order, or by name where they come as a
    NamedTuple or a dict.
    """
    program = Program(Half(forward, args, kwargs), strict, parameters_of(backward))
    with program.undisturbed():
        program.run_forward()
        program.run_backward(backward, program.arguments_of_pair())
    return program.check()


def check_autograd_function(
    function: type[torch.autograd.Function], *args: Any, strict: bool = False, **kwargs: Any
) -> Report:
    """Check a custom autograd function; its reference is its own forward body under autograd."""
    base = torch.autograd.Function
    backward = function.backward if function.backward is not base.backward else function.vjp
    if backward is base.backward or backward is base.vjp:
        raise CheckError("there is no backward to check", where=function.__name__)
    separate = function.setup_context is not base.setup_context
    context = Context()
    forward = Half(function.forward, args if separate else (context, *args), kwargs)
    program = Program(forward, strict, parameters_of(backward)[1:], context)
    with program.undisturbed():
        program.run_forward()
        program.run_backward(backward, program.arguments_of_function(function.setup_context if separate else None))
    return program.check()
