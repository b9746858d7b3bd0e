"""From a verdict to a report: one row for each input, in its own words, and what the laid-out program explains."""

import ast
import linecache
import math
from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from handgrad.checker.faces.functions.definitions import definition_of, returned_by
from handgrad.checker.faces.functions.findings import Finding, Verdict
from handgrad.checker.faces.functions.inputs import Input
from handgrad.checker.faces.functions.oracles import ByAutograd
from handgrad.checker.faces.functions.stored import stored_at
from handgrad.checker.faces.functions.subjects import AutogradFunction, Operator, Subject
from handgrad.checker.faces.functions.upstreams import RANDOM
from handgrad.checker.place import Place
from handgrad.checker.read.source import around, segment
from handgrad.checker.report import Diagnosis, Report, Unjudged, VariableReport
from handgrad.checker.truth.compare import agrees_only, align, compare, same
from handgrad.checker.truth.numbers import constant_ratio, missing_sum

COARSE = 0.01
"""The part of the largest element up to which a difference may be one of precision."""


def told(verdict: Verdict, strict: bool) -> Report:
    """The report on what was found of the two functions as they are, without a line to blame."""
    place, text = _returned_at(verdict.subject)
    report = Report(None, strict=strict, notes=list(dict.fromkeys(verdict.notes)))
    report.faults = [str(raised) for raised in verdict.raised]
    kind = "backward returns None for {}" if verdict.subject.engine else "no gradient of {} was found"
    report.unjudged = [Unjudged(f"d{text}", None, kind.format(text)) for text in verdict.unjudged]
    report.notes += map(str, report.unjudged)
    report.variables = list(_rows(verdict, place, text))
    subject = verdict.subject
    forward = getattr(getattr(subject, "function", subject), "forward", None)
    halves = (definition_of(half)[0] for half in (forward, subject.backward))
    written = "\n".join(ast.unparse(half) for half in halves if half is not None)
    for one, row in zip(verdict.findings, report.variables, strict=False):
        error = None if row.cause else row.relative_error
        report.notes += agrees_only(row.gradient, error, one.value.dtype, written)
    report.notes += list(_notes(verdict))
    return report


def _returned_at(subject: Subject) -> tuple[Place | None, str]:
    """Where the backward function returns, and the text of that line."""
    line, (_, file) = subject.returns, subject.definition
    return (Place(file, line), linecache.getline(file, line).strip()) if line else (None, "")


def _stored_at(subject: Subject, one: Input) -> tuple[Place, str] | None:
    node, file = subject.definition
    line = stored_at(node, one) if one.held else None
    return (Place(file, line), linecache.getline(file, line).strip()) if line else None


def _rows(verdict: Verdict, place: Place | None, text: str) -> Iterator[VariableReport]:
    own = _in_own_precision(verdict)
    for one, found in verdict.findings.items():
        got, want = own.get(one, (found.got, found.want)) if not found.fault else (found.got, found.want)
        at, line = _stored_at(verdict.subject, one) or (place, text)
        row = VariableReport(one.text, one.gradient, list(want.shape), at, "close", text=line, chain_place=at)
        if got is not None and not (want.is_complex() or got.is_complex()):
            measured = compare(got, want)
            row.exact, row.maxdiff = measured.exact and measured.same_shape, measured.maxdiff
            row.approximate, row.relative_error = measured.approximate, measured.relative_error
        elif got is not None and got.shape == want.shape:
            row.maxdiff = float((got - want).abs().max()) if got.numel() else 0.0
            row.exact = row.maxdiff == 0.0
        row.approximate = row.approximate or not found.fault
        row.verdict = "exact" if row.exact else "close"
        if found.fault:
            row.verdict, row.cause = found.fault, "inherited"
            other = exchanged_with(verdict, found)
            second = other is not None and list(verdict.findings).index(other.one) < list(verdict.findings).index(one)
            if not second and (not verdict.spoiled or (found.upstream and found.upstream.words)):
                row.cause, row.diagnosis = "own", [_diagnosis(verdict, found)]
        yield row
    for one in verdict.subject.inputs:
        if one not in verdict.findings:
            yield VariableReport(one.text, one.gradient, list(one.value.shape), None, "missing")


def _in_own_precision(verdict: Verdict) -> dict[Input, tuple[Tensor, Tensor]]:
    """What the user's own run makes, and autograd in the same precision; nothing where autograd cannot follow."""
    laboratory = verdict.laboratory.in_own_precision()
    try:
        oracle = ByAutograd(laboratory, {})
        got = laboratory.gradients({}, RANDOM)
        want = oracle.gradients(RANDOM(oracle.outputs))
    except Exception:
        return {}
    return {one: (g.detach(), want[one]) for one, g in got.items() if isinstance(g, Tensor) and one in want}


def _diagnosis(verdict: Verdict, found: Finding) -> Diagnosis:
    """What the values alone say."""
    one, got, want, upstream = found.one, found.got, found.want, found.upstream
    if found.fault == "missing" and not (upstream and upstream.words):
        return Diagnosis("missing", fact="unwritten", about=(one.gradient,))
    if found.fault == "shape" and got is not None:
        about = (str(tuple(got.shape)), one.text, str(tuple(want.shape)))
        return Diagnosis("shape", fact="other shape", about=about)
    if upstream is not None and upstream.advice:
        about = (one.gradient, upstream.words, upstream.advice.format((*verdict.subject.upstream_names, "g")[0]))
        return Diagnosis("unknown", fact="contiguous", about=about)
    if upstream is not None and upstream.words:
        return Diagnosis("unknown", fact="some upstreams", about=(one.gradient, upstream.words))
    if not bool(want.any()) and _is_unused(verdict, one):
        return Diagnosis("unknown", fact="unused", about=(one.gradient, one.text))
    if not bool(want.any()):
        return Diagnosis("unknown", fact="flat")
    if got is None:
        return Diagnosis("unknown", fact="nothing", about=(one.gradient,))
    if (other := exchanged_with(verdict, found)) is not None:
        return _exchanged(verdict.subject, one, other.one)
    kind, fact, *about = _symptom(got, want)
    return Diagnosis(kind, fact=fact, about=(one.gradient, *about))


def exchanged_with(verdict: Verdict, found: Finding) -> Finding | None:
    """The finding whose gradient this one is, and which is this one's."""
    others = [other for other in verdict.wrong if other is not found]
    return next((other for other in others if _is_of(found, other) and _is_of(other, found)), None)


def _exchanged(subject: Subject, one: Input, other: Input) -> Diagnosis:
    """That two gradients are exchanged, with the line that returns them where it is a tuple on one line."""
    found = Diagnosis("wrong-variable", fact="exchanged", about=(one.gradient, other.gradient))
    node, file = subject.definition
    ends = returned_by(node)
    if len(ends) != 1 or not isinstance(ends[0].value, ast.Tuple) or ends[0].lineno != ends[0].end_lineno:
        return found
    code, end, parts = "".join(linecache.getlines(file)), ends[0], ends[0].value.elts
    at = subject.matched(tuple(range(len(parts))))
    first, second = (parts[i] for i in sorted((at[one], at[other])))
    text, begin, over = segment(code, end), first.col_offset - end.col_offset, second.col_offset - end.col_offset
    texts = segment(code, first), segment(code, second)
    between = text[begin + len(texts[0]) : over]
    fix = text[:begin] + texts[1] + between + texts[0] + text[over + len(texts[1]) :]
    return replace(found, fix=fix, start=end.lineno, end=end.lineno, around=around(code, end))


def _is_of(found: Finding, other: Finding) -> bool:
    return found.got is not None and same([found.got], [other.want])


def _is_unused(verdict: Verdict, one: Input) -> bool:
    """Whether quite another value makes no difference to the outputs."""
    laboratory = verdict.laboratory
    return same(laboratory.outputs({}), laboratory.outputs({one: one.value.detach() * 3 + 1}), 0.0)


def _symptom(got: Tensor, want: Tensor) -> tuple[str, ...]:
    """The kind, the fact, and its particulars."""
    if want.is_complex() or got.is_complex():
        if got.shape == want.shape and torch.allclose(got.conj().to(want.dtype), want):
            return "unknown", "conjugate"
        if got.shape == want.shape and torch.allclose(-got.to(want.dtype), want):
            return "sign", "minus"
        return _elements(got, want) if got.shape == want.shape else ("unknown", "wrong")
    got, want = got.double(), want.double()
    if got.shape != want.shape and (dims := missing_sum(got, want, 1e-9, 1e-6)):
        return "missing-sum", "lacks a sum", str(dims)
    if got.shape != want.shape and align(got, want) is None:
        return "shape", "has a shape", str(tuple(got.shape)), str(tuple(want.shape))
    aligned = align(got, want)
    if aligned is not None and (ratio := constant_ratio(aligned, want, 1e-6)) is not None:
        if math.isclose(ratio, -1, rel_tol=1e-6):
            return "sign", "minus"
        return "scale", "multiple", f"{1 / ratio:.6g}", f"{ratio:.6g}"
    if aligned is not None and not bool(aligned.any()):
        return "unknown", "zero"
    if aligned is not None and not bool(torch.isfinite(aligned).all()):
        return "unknown", "not finite"
    off = float((aligned - want).abs().max() / want.abs().max()) if aligned is not None else 1.0
    if off < COARSE:
        return "unknown", "coarse", f"{off:.2%}"
    return _elements(aligned, want) if aligned is not None else ("unknown", "wrong")


def _elements(got: Tensor, want: Tensor) -> tuple[str, ...]:
    """In how many elements it is wrong, and what the first of them is and should be."""
    wrong = (got - want).abs() > 1e-6 * want.abs().max()
    if not bool(wrong.any()):
        return "unknown", "wrong"
    where = tuple(wrong.nonzero()[0].tolist())
    numbers = (f"{t[where].item():.4g}" for t in (got, want))
    return "unknown", "elements", str(int(wrong.sum())), str(wrong.numel()), str(where), *numbers


def _notes(verdict: Verdict) -> Iterator[str]:
    subject = verdict.subject
    if isinstance(subject, AutogradFunction) and not isinstance(subject, Operator):
        for one, raw in subject.matched(subject.returned).items():
            if isinstance(raw, Tensor) and raw.shape != one.value.shape and not verdict.raised and not verdict.wrong:
                yield (
                    f"backward returns {tuple(raw.shape)} for {one.text} of {tuple(one.value.shape)}; "
                    "autograd sums it to that shape."
                )
