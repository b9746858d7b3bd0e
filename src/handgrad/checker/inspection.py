"""From a program to a report: trace it, judge every gradient, and explain the lines at fault."""

import ast
import contextlib
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from handgrad.checker.explain.rows import Rows
from handgrad.checker.guard import CheckError, guarded, outlived
from handgrad.checker.judge import begun, unjudged
from handgrad.checker.judge.begun import Differentiated
from handgrad.checker.judge.interpretation import Interpretation
from handgrad.checker.judge.judging import judged
from handgrad.checker.place import Place
from handgrad.checker.read.local_modules import importable, imports
from handgrad.checker.read.names import variables_of
from handgrad.checker.read.source import Source, SourceError, read_source
from handgrad.checker.report import Diagnosis, Report, Unjudged, VariableReport
from handgrad.checker.run import differences
from handgrad.checker.run.limits import TimeIsUp, deep_enough, time_limit
from handgrad.checker.run.machine import Machine, UserError
from handgrad.checker.run.order import with_the_loss_first
from handgrad.checker.run.randomness import Randomness
from handgrad.checker.run.trace import Region, Trace
from handgrad.checker.run.tracer import Tracer
from handgrad.checker.run.values import holds

Look = Callable[[Interpretation], None]


def check_file(
    path: Path,
    *,
    loss: str | None = None,
    data: Path | None = None,
    timeout: float | None = 60.0,
    strict: bool = False,
    look: Look | None = None,
) -> Report:
    """Check every gradient that a script or notebook computes by hand.

    Args:
        path: a `.py` or `.ipynb` file in the lecture's manner.
        loss: the name of the scalar loss, where it is not clear.
        data: a folder with files the program reads.
        timeout: seconds the user's code may take.
        strict: gradients that were not written, and shapes that only broadcast, are faults too.
        look: is shown every interpretation before it is forgotten, since each holds the values of a whole pass.

    Raises:
        SourceError: the file cannot be read.
        CheckError: no loss, no gradient, an exception before the first gradient, or one of the checker's own.
    """
    path = Path(path)
    with guarded(path):
        path = path.resolve() if path.exists() else path
        source = read_source(path)
        if data is not None and not Path(data).is_dir():
            raise SourceError("there is no such folder", where=data, next_step="--data names one with files to open.")
        machine = Machine(path.parent, Path(data).resolve() if data else None)
        if not imports(source, "torch"):
            machine.follow_arrays(any(re.search(r"float(16|32)|half|single", s.text) for s in source.statements))
        if path.suffix == ".ipynb":
            machine.namespace.update({"In": [""], "_ih": [""], "Out": {}, "_oh": {}, "_": "", "__": "", "___": ""})
        return check_source(source, machine, loss=loss, timeout=timeout, strict=strict, look=look)


def check_source(
    source: Source,
    machine: Machine,
    *,
    loss: str | None = None,
    timeout: float | None = None,
    strict: bool = False,
    look: Look | None = None,
) -> Report:
    """Check a program that has been read; see `check_file`."""
    where = source.path
    differences.used.clear()
    tree = (s.node for s in source.statements)
    with (
        guarded(where or "the functions"),
        undisturbed(),
        outlived(where),
        machine.plainly(),
        deep_enough(tree),
        importable(where.parent if where else None),
    ):
        trace = Tracer(source if loss else with_the_loss_first(source), machine, loss).run(timeout)
        report = Report(None, strict=strict, file=str(where) if where else None)
        left = [*unjudged.refused(source), *unjudged.in_functions(trace), *unjudged.not_run(source, trace)]
        waiting = [region for region in trace.regions if any(s.backward for s in region.steps)]
        try:
            with time_limit(timeout), torch.inference_mode(False), torch.enable_grad():
                before: Differentiated = {}
                while waiting:
                    before, more = _add_region(report, trace, waiting[0], before, look)
                    left += more
                    waiting.pop(0)
        except TimeIsUp:
            left += unjudged.in_time(trace, waiting)
            report.notes.append(f"Judging stopped after {timeout:g} s; give --timeout more seconds.")
    known = {(row.gradient, row.chain_place) for row in report.variables}
    report.unjudged = list({(u.gradient, u.place): u for u in left if (u.gradient, u.place) not in known}.values())
    report.notes += trace.notes
    report.faults = [f"{f.place}: {f.message}; the line was left out." for f in source.faults]
    report.faults += [_told(trace, error) for error in trace.stops]
    if trace.timed_out:
        cut = report.faults if any(variables_of(n) for n in trace.unfinished) else report.notes
        cut.append(f"{trace.timed_out.place}: stopped after {timeout:g} s; what comes later was not run (--timeout).")
    if trace.ended:
        report.notes.append(f"{trace.ended.place}: {trace.ended.message}; what comes later was not run.")
    report.notes += [_told(trace, error) + _about_grad(source, error) for error in trace.displays]
    report.notes += [_told(trace, error) for error in trace.handled]
    if report.right:
        report.faults += [_told(trace, error) for error in trace.errors + trace.asides]
    else:
        shown = {row.place for row in report.blamed}
        report.notes += [_told(trace, error) for error in trace.errors if error.place not in shown]
    report.notes += map(str, report.unjudged)
    if differences.used:
        names = ", ".join(f"np.{name}" for name in sorted(differences.used))
        report.notes.append(f"what goes through {names} is judged by central differences.")
    judged = [row for row in report.variables if row.place]
    if machine.follows_arrays and judged and not (loss or trace.evident) and not any(map(_seems_right, judged)):
        raise CheckError(
            f"none of the gradients is that of {trace.shown(trace.losses[-1])}, and no other loss is known",
            where=where,
            next_step="Call it loss, or give its name with --loss NAME.",
        )
    if not judged:
        _explain_nothing(source, trace, report, loss)
    return report


def _seems_right(row: VariableReport) -> bool:
    return row.verdict in ("exact", "close", "shape")


@contextlib.contextmanager
def undisturbed():
    """The user's warnings are silent, and the random generators begin alike and are afterwards where they were."""
    before, grad, dtype = Randomness.now({}), torch.is_grad_enabled(), torch.get_default_dtype()
    device = torch.get_default_device()
    Randomness.begin()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            before.restore({})
            torch.set_grad_enabled(grad)
            torch.set_default_dtype(dtype)
            if torch.get_default_device() != device:
                torch.set_default_device(None if device.type == "cpu" else device)


def _told(trace: Trace, error: UserError) -> str:
    advice = " (--data FOLDER names a folder with the file)" if error.message.startswith("FileNotFoundError") else ""
    return f"{error.place}: {trace.shown(error.message)}{advice}"


def _about_grad(source: Source, error: UserError) -> str:
    """Why `.grad` is None, where that is what an exception is about."""
    nodes = [node for statement in source.statements for node in ast.walk(statement.node)]
    attributes = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    if "grad" not in attributes or "backward" in attributes or not re.match("(Type|Attribute)Error", error.message):
        return ""
    commented = any(re.search(r"#.*\.backward\(", statement.code) for statement in source.statements)
    return f"; .grad is None, since .backward() is {'commented out' if commented else 'called nowhere'}"


def _where(source: Source, place: Place) -> str:
    """The file, where there is one, and the place in it."""
    file = source.path or (None if place.file.startswith("<") else place.file)
    return f"{file}, {place}" if file else str(place)


def _explain_nothing(source: Source, trace: Trace, report: Report, loss: str | None) -> None:
    where = source.path
    if unfit := [note for note in report.notes if note.startswith("the loss is")]:
        raise CheckError(unfit[0].rstrip("."), where=where, next_step="Mend the forward pass first.")
    if any(note.startswith("Judging stopped") for note in report.notes):
        raise CheckError("judging stopped after the time limit", where=where, next_step="Raise --timeout.")
    if source.faults and not trace.losses:
        fault = source.faults[0]
        raise CheckError(fault.message, where=_where(source, fault.place), next_step="Mend this line first.")
    if trace.timed_out and not trace.losses:
        raise CheckError(
            "stopped after the time limit",
            where=_where(source, trace.timed_out.place),
            next_step="Shorten the loop, or raise --timeout.",
        )
    if raised := [*trace.stops, *trace.errors, *trace.asides, *trace.displays, *trace.handled]:
        error = raised[0]
        what = _told(trace, error).removeprefix(f"{error.place}: ")
        where = _where(source, error.place)
        raise CheckError(what, where=where, next_step="This is raised by the program itself.")
    if trace.ended:
        what = f"{trace.ended.message} before its first gradient"
        raise CheckError(what, where=_where(source, trace.ended.place), next_step="It was run without arguments.")
    namespace = {n: v for n, v in trace.machine.namespace.items() if not n.startswith("__")}
    values = list(namespace.values())
    if not trace.losses and (engine := _engine(source)) is not None:
        raise CheckError(
            f"{engine} computes its gradients in closures called _backward, which are not judged",
            where=where,
            next_step="Write an operation as two functions, and check these: handgrad.check(forward, backward, x, y).",
        )
    if not trace.losses and loss is None and trace.machine.follows_arrays:
        raise CheckError(
            "no loss was found, so there is nothing to derive the gradients from",
            where=where,
            expected="a number that the program computes, such as loss = np.mean((y - t) ** 2), and calls that run it",
            next_step="Give its name with --loss NAME, or give an output its gradient: dout = np.random.randn(4, 3).",
        )
    if not trace.losses:
        raise CheckError(
            "no scalar loss was found" if loss is None else f"no loss called {loss!r}",
            where=where,
            got=_described("loss" if loss is None else loss, namespace),
            expected="a number that the forward pass computes"
            if trace.machine.follows_arrays
            else "a float tensor of PyTorch with one element",
            next_step="Give its name with --loss NAME.",
        )
    if functions := [n for n, v in namespace.items() if isinstance(v, type) and issubclass(v, torch.autograd.Function)]:
        what = f"{functions[0]} is an autograd.Function, and there are no gradients written outside of it"
        raise CheckError(what, where=where, next_step=f"Check it in Python: handgrad.check({functions[0]}, *inputs).")
    raise CheckError(
        f"no gradients were found after the loss {trace.shown(trace.losses[-1])!r}",
        where=where,
        got="complex tensors, which are not judged" if any(holds(Tensor.is_complex, v) for v in values) else None,
        expected="lines such as 'dlogits = ...' for a variable 'logits' of the forward pass",
        next_step="Write the gradient of NAME as dNAME.",
    )


def _engine(source: Source) -> str | None:
    """A class in the manner of micrograd, whose operations keep what is to be done backwards."""
    for node in (part for statement in source.statements for part in ast.walk(statement.node)):
        if isinstance(node, ast.ClassDef):
            inside = list(ast.walk(node))
            if any(isinstance(part, ast.FunctionDef) and part.name == "_backward" for part in inside):
                return node.name
    return None


def _described(name: str, namespace: dict[str, Any]) -> str | None:
    """What the program has under a name."""
    if name not in namespace:
        return None
    value = namespace[name]
    shape = f", {value.dtype}, of shape {tuple(value.shape)}" if isinstance(value, Tensor) else ""
    return f"{name}: a {type(value).__name__}{shape}"


def _add_region(
    report: Report, trace: Trace, region: Region, before: Differentiated, look: Look | None
) -> tuple[Differentiated, list[Unjudged]]:
    """Judge a region and add its rows; what of it is not judged, and what the next region needs to know of it."""
    found = judged(trace, region, before)
    if look is not None:
        look(found)
    explained = {(row.gradient, row.chain_place) for row in report.blamed}
    _merge(report, Rows(trace, found, explained))
    return begun.differentiated(found.judge.truth), list(unjudged.in_region(trace, region, found))


def _merge(report: Report, one: Rows) -> None:
    """Add a region's rows; a later training step adds only what the first did not show."""
    report.notes += [note for note in one.notes if note not in report.notes]
    if report.loss is None:
        report.loss = one.loss
    seen = {(row.gradient, row.chain_place): i for i, row in enumerate(report.variables)}
    named = {row.name for row in report.variables}
    for row in one.rows:
        key = (row.gradient, row.chain_place)
        if key in seen:
            if report.variables[seen[key]].cause is None and row.cause == "own":
                report.variables[seen[key]] = row
        elif row.place is not None or row.name not in named:
            report.variables.append(row)
    known = {(h.kind, h.variable, h.place) for h in report.hazards}
    report.hazards += [h for h in one.hazards if (h.kind, h.variable, h.place) not in known]


__all__ = ["CheckError", "Diagnosis", "check_file", "check_source"]
