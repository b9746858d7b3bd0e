"""Check a pair of functions, or an autograd.Function: first whether it is right, then, of a wrong one, which line is.

The verdict calls the user's code as training does, and compares each gradient with the reference. The explanation lays
both bodies out as one program; where the two disagree, the verdict counts.
"""

from collections.abc import Callable
from typing import Any

import torch

from handgrad.checker.faces.functions.explaining import explained
from handgrad.checker.faces.functions.findings import Options
from handgrad.checker.faces.functions.pairs import Pair
from handgrad.checker.faces.functions.subjects import AutogradFunction, Operator, Subject
from handgrad.checker.faces.functions.telling import told
from handgrad.checker.faces.functions.verdict import Trial
from handgrad.checker.inspection import undisturbed
from handgrad.checker.report import Report


def check_pair(forward: Callable, backward: Callable, *args: Any, strict: bool = False, **given: Any) -> Report:
    """Check `grads = backward(dout, cache)` against `out, cache = forward(*args, **kwargs)`; `given` are `Options` too.

    The gradients returned belong to the float tensors among the arguments, in order, or by name where they come as a
    NamedTuple or a dict; those stored in the object of a method, to its attributes.
    """
    options, kwargs = Options.taken_from(given)
    return _report(lambda: Pair(forward, backward, args, kwargs), options, strict)


def check_autograd_function(function: Any, *args: Any, strict: bool = False, **given: Any) -> Report:
    """Check a custom autograd function, or an operator of `torch.library`, against its own forward body."""
    kind = AutogradFunction if isinstance(function, type) else Operator
    options, kwargs = Options.taken_from(given)
    return _report(lambda: kind(function, args, kwargs), options, strict)


def _report(made: Callable[[], Subject], options: Options, strict: bool) -> Report:
    with undisturbed(), torch.inference_mode(False):
        subject = made()
        verdict = Trial(subject, options).verdict()
        report = told(verdict, strict)
        return explained(report, verdict) if verdict.wrong and not verdict.spoiled else report
