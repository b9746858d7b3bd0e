"""A file that holds functions and their own check, `gradcheck(F.apply, inputs)`, is checked through that call."""

import contextlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import _SingleLevelFunction

import handgrad
from handgrad.checker.faces.functions import check_autograd_function, check_pair
from handgrad.checker.guard import CheckError, outlived
from handgrad.checker.inspection import check_file, undisturbed
from handgrad.checker.read.local_modules import importable
from handgrad.checker.read.source import SourceError
from handgrad.checker.report import Report
from handgrad.checker.run.limits import time_limit
from handgrad.checker.run.machine import Machine

_CALLS = re.compile(r"\b(gradcheck|gradgradcheck|handgrad\.check|check)\s*\(")


def check_program(path: str | Path, *, strict: bool = False, **options: Any) -> Report:
    """Check a file: its gradients, or where it has none outside of functions, those that it calls a check of.

    Args:
        path: a `.py` or `.ipynb` file.
        strict: what was not judged is a fault too.
        options: `loss`, `data` and `timeout`, as for `handgrad check`.

    Raises:
        SourceError: the file cannot be read.
        CheckError: there is nothing to check in it.
    """
    path = Path(path)
    try:
        return check_file(path, strict=strict, **options)
    except SourceError:
        raise
    except CheckError:
        if options.get("loss") is not None or path.suffix != ".py" or not _CALLS.search(path.read_text("utf-8")):
            raise
        reports = list(_called(path, strict, options.get("data"), options.get("timeout", 60.0)))
        if not reports:
            raise
        return _as_one(reports, path)


def _called(path: Path, strict: bool, data: Path | None, timeout: float | None) -> Iterator[Report]:
    """The reports on the functions that a file checks, each once."""
    calls: list[tuple[Any, tuple, dict[str, Any]]] = []
    machine = Machine(path.parent.resolve(), Path(data).resolve() if data else None)
    code = compile(path.read_text("utf-8"), str(path.resolve()), "exec")
    with (
        outlived(path),
        undisturbed(),
        importable(path.parent),
        _listening(calls),
        contextlib.suppress(Exception),  # what came before it is checked
        time_limit(timeout),
        torch.enable_grad(),
    ):
        machine.run(code)
    known: list[Any] = []
    for subject, args, options in calls:
        if subject in known:
            continue
        known.append(subject)
        pair = not isinstance(subject, type) and args and callable(args[0])
        yield (check_pair if pair else check_autograd_function)(subject, *args, strict=strict, **options)


@contextlib.contextmanager
def _listening(calls: list[tuple[Any, tuple, dict[str, Any]]]) -> Iterator[None]:
    """Keep what is checked in place of checking it."""

    def gradcheck(function: Callable, inputs: Any, *_args: Any, **_options: Any) -> bool:
        given = tuple(inputs) if isinstance(inputs, tuple | list) else (inputs,)
        owner = getattr(function, "__self__", function)
        if isinstance(owner, type) and issubclass(owner, torch.autograd.Function):
            calls.append((owner, given, {}))
        else:
            with _applied(calls):
                function(*given)
        return True

    def check(subject: Any, *args: Any, **options: Any) -> Report:
        options.pop("strict", None)
        owner = getattr(subject, "__self__", subject) if getattr(subject, "__name__", "") == "apply" else subject
        calls.append((owner, args, options))
        return Report(None)

    places: list[tuple[Any, str, Any]] = [(torch.autograd, "gradcheck", gradcheck)]
    places += [(torch.autograd, "gradgradcheck", gradcheck), (handgrad, "check", check)]
    before = [(module, name, vars(module).get(name)) for module, name, _ in places]
    for module, name, stand_in in places:
        setattr(module, name, stand_in)
    try:
        yield
    finally:
        for module, name, own in before:
            if own is None:
                delattr(module, name)
            else:
                setattr(module, name, own)


@contextlib.contextmanager
def _applied(calls: list[tuple[Any, tuple, dict[str, Any]]]) -> Iterator[None]:
    """Keep the Functions that are applied, with what they are applied to."""

    def apply(cls: Any, *args: Any, **kwargs: Any) -> Any:
        calls.append((cls, tuple(a.detach() if isinstance(a, Tensor) else a for a in args), {}))
        return super(_SingleLevelFunction, cls).apply(*args, **kwargs)

    _SingleLevelFunction.apply = classmethod(apply)
    try:
        yield
    finally:
        del _SingleLevelFunction.apply


def _as_one(reports: list[Report], path: Path) -> Report:
    whole = Report(None, strict=reports[0].strict, file=str(path))
    for report in reports:
        whole.variables += report.variables
        whole.hazards += report.hazards
        whole.notes += [note for note in report.notes if note not in whole.notes]
        whole.faults += report.faults
        whole.unjudged += report.unjudged
    return whole
