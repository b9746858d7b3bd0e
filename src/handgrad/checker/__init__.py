"""The gradient checker: says which line is wrong, why, and what it should be, and never blames a right line."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from handgrad.checker.faces.functions import check_autograd_function, check_pair
from handgrad.checker.guard import guarded
from handgrad.checker.inspection import CheckError
from handgrad.checker.read.source import SourceError
from handgrad.checker.report import Diagnosis, Hazard, Report, VariableReport, WrongGradientError

__all__ = [
    "CheckError",
    "Diagnosis",
    "Hazard",
    "Report",
    "SourceError",
    "VariableReport",
    "WrongGradientError",
    "check",
]


def check(subject: str | Path | type[torch.autograd.Function] | Callable, *args: Any, **options: Any) -> Report:
    """Check gradients written by hand against autograd, line by line.

    Args:
        subject: a `.py` or `.ipynb` file; or a `torch.autograd.Function` subclass, or an operator of
            `torch.library.custom_op`, followed by its arguments; or a function `out, cache = forward(*args)`, followed
            by `grads = backward(dout, cache)` and its arguments. Either may be a method, and `out` a tuple or a dict of
            tensors, with `dout` like it.
        args: what the forward function is called with; each tensor or array of floats among them has a gradient.
        options: `strict` everywhere; `loss`, `data` and `timeout` for a file, as in `handgrad check`; for functions
            `reference`, a function in PyTorch that is differentiated in place of the forward function, `rtol` and
            `atol`, and `double_backward`. All others are keyword arguments of the forward function.

    Returns:
        A report: `report.right`, `assert report`, `print(report)`, `report.to_json()`, `report.raise_if_wrong()`.

    Raises:
        SourceError: a file that cannot be read.
        CheckError: nothing to check, or the forward pass raises.

    Example:
        >>> def forward(x, w):
        ...     return x * w, (x, w)
        >>> def backward(dout, cache):
        ...     x, w = cache
        ...     return dout * w, dout * w
        >>> report = check(forward, backward, torch.randn(3), torch.randn(3))
        >>> [v.name for v in report.blamed]
        ['w']
    """
    if isinstance(subject, str | Path):
        from handgrad.checker.faces.calls import check_program

        return check_program(Path(subject), *args, **options)
    subject = getattr(subject, "__self__", subject) if getattr(subject, "__name__", "") == "apply" else subject
    if isinstance(subject, type) and issubclass(subject, torch.autograd.Function):
        return _checked(check_autograd_function, subject, *args, **options)
    if isinstance(subject, torch.library.CustomOpDef) and not (args and callable(args[0])):
        return _checked(check_autograd_function, subject, *args, **options)
    if callable(subject) and args and callable(args[0]):
        return _checked(check_pair, subject, *args, **options)
    raise CheckError(
        "nothing that can be checked",
        got=type(subject).__name__,
        expected="a file, an autograd.Function, or a forward and a backward function",
    )


def _checked(checker: Callable[..., Report], subject: Any, *args: Any, **options: Any) -> Report:
    inspect.signature(checker).bind(subject, *args, **options)
    with guarded(getattr(subject, "__name__", subject)):
        return checker(subject, *args, **options)
