"""Which line is wrong: the two functions laid out as one program, as far as that agrees with the verdict."""

from collections.abc import Callable
from dataclasses import replace

from handgrad.checker.faces.functions.findings import Finding, Verdict
from handgrad.checker.faces.functions.given import Context
from handgrad.checker.faces.functions.halves import Half, parameters_of
from handgrad.checker.faces.functions.inputs import rebound
from handgrad.checker.faces.functions.pairs import Pair
from handgrad.checker.faces.functions.program import Program
from handgrad.checker.faces.functions.subjects import AutogradFunction
from handgrad.checker.report import Report, VariableReport


def explained(report: Report, verdict: Verdict) -> Report:
    """The report with the lines at fault, where laying the functions out finds some that account for what is wrong."""
    if not any(_by_values(found) for found in verdict.wrong):
        return report
    try:
        laid_out = _laid_out(verdict, report.strict).check()
    except Exception:  # the verdict stands
        return report
    return _reconciled(report, laid_out, verdict)


def _by_values(found: Finding) -> bool:
    """Whether it is wrong for any upstream gradient: a program laid out shows no other."""
    return found.upstream is None or found.upstream.kind in ("random", "sizes")


def _laid_out(verdict: Verdict, strict: bool) -> Program:
    subject = verdict.subject
    values = next((found.values for found in verdict.wrong if found.values), None)
    given = subject.world.fresh(values, double=False)
    if isinstance(subject, AutogradFunction):
        function = subject.function
        context = Context()
        args = given.args if subject.separate else [context, *given.args]
        backward: Callable = getattr(function, subject.kind)
        program = Program(Half(function.forward, args), strict, parameters_of(backward)[1:], context)
        with program.undisturbed():
            program.run_forward()
            setup = function.setup_context if subject.separate else None
            program.run_backward(backward, program.arguments_of_function(setup))
        return program
    assert isinstance(subject, Pair)
    objects = iter(subject.world.held)
    forward, backward = rebound(subject.forward, objects), rebound(subject.backward, objects)
    program = Program(Half(forward, given.args, given.kwargs), strict, parameters_of(backward))
    with program.undisturbed():
        program.run_forward()
        program.run_backward(backward, program.arguments_of_pair())
    return program


def _reconciled(report: Report, laid_out: Report, verdict: Verdict) -> Report:
    """One row for each input as the verdict has it, explained by the program laid out, and what lies between them."""
    faults = {one.text: found.fault for one, found in verdict.findings.items()}
    by_name = {row.name: row for row in laid_out.variables}
    rows: list[VariableReport] = []
    between = [row for row in laid_out.variables if row.name not in faults and row.name not in verdict.unjudged]
    blamed = [row for row in between if row.cause == "own" and laid_out.is_fault(row)]
    for row in report.variables:
        other = by_name.get(row.name)
        if faults.get(row.name) and other is not None and other.cause == "own":
            rows.append(other if other.verdict != "shape" or faults[row.name] == "shape" else row)
        elif faults.get(row.name) and row.verdict == "wrong" and (blamed or laid_out.hazards or _inherits(other)):
            rows.append(replace(row, cause="inherited", diagnosis=[]))
        elif other is not None and other.place is not None and other.verdict in ("exact", "close"):
            rows.append(replace(row, place=other.place, text=other.text, proof=other.proof))
        else:
            rows.append(row)
    order = {row.name: i for i, row in enumerate(laid_out.variables)}
    report.variables = sorted([*between, *rows], key=lambda row: order.get(row.name, len(order)))
    report.hazards, report.loss = laid_out.hazards, laid_out.loss
    report.notes += [note for note in laid_out.notes if note not in report.notes and not _said(note, report)]
    return report


def _inherits(row: VariableReport | None) -> bool:
    return row is not None and row.cause == "inherited"


def _said(note: str, report: Report) -> bool:
    """Whether the verdict has its own sentence of the kind."""
    kinds = ("central differences", "returns None for")
    return any(kind in note and any(kind in other for other in report.notes) for kind in kinds)
