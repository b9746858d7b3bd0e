"""Gradients that are kept as a multiple of what they are called, as in `dZ = A - Y`, and then `dW = 1 / m * dZ @ X.T`.

That is a convention of courses: what it multiplies by is claimed of the name, its line is judged by it, and the lines
that use the name are given the multiple.
"""

import ast
import itertools
import re
from collections.abc import Iterable
from dataclasses import replace

from handgrad.checker.judge.blame import Judge, Judgement
from handgrad.checker.judge.interpretation import Interpretation
from handgrad.checker.place import Place
from handgrad.checker.read.spelling import DOT, bare
from handgrad.checker.truth.compare import as_tensor
from handgrad.checker.truth.numbers import constant_ratio

_DATA = re.compile(r"[A-Z]?A_?0$|[xX](_?\w*)?$|(inputs?|data|images?)$|[hc]_?(0|prev\w*|init\w*)$|prev_[hc]$")
"""How people call what a network is given: data, and the state it begins with."""


def with_multiples(found: Interpretation) -> Interpretation:
    """The interpretation with the multiples that leave fewer lines wrong; those that are right are left out."""
    for judgement in found.wrong:
        wrongly = (False, True) if any(j is not judgement and _passes_on(found, j) for j in found.wrong) else (False,)
        pairs = itertools.product(_factors(found, judgement), wrongly)
        hypotheses = ((factor, _scaled(found, judgement, factor, through)) for factor, through in pairs)
        made = [(len(_places(again.wrong)), factor, again) for factor, again in hypotheses if again is not None]
        if made:
            faults, factor, again = min(made, key=lambda one: one[0])
            if faults < len(_places(found.wrong)):
                name, variable = (found.judge.trace.shown(n) for n in (judgement.chain.name, judgement.chain.variable))
                note = f"{name} is {factor:.4g} times the gradient of {variable}; lines that use it are judged with it."
                return with_multiples(replace(again, notes=(*again.notes, note)))
    return _without_the_right(found)


def _places(judgements: Iterable[Judgement]) -> set[tuple[Place, str]]:
    """The lines, and what each makes, once for all calls of a function."""
    return {(judgement.chain.last.statement.place, bare(judgement.chain.name)) for judgement in judgements}


def _factors(found: Interpretation, first: Judgement) -> list[float]:
    """What a wrong line, or those that use what it makes, may be understood to multiply by."""
    returned = first.chain.last.statement.only_moves  # for whoever called, and so what it is called
    if returned or first.chain.name in found.region.scales or not _is_used(found, first):
        return []
    own, tolerance = _ratio(first, found.judge.truth.tolerance), found.judge.truth.tolerance
    readers = [_ratio(j, tolerance) for j in found.readers(first.chain.name) if j in found.wrong]
    factors = [own, *(1 / ratio for ratio in readers if ratio), abs(own or 0.0), *_sizes(found, first)]
    return [f for f in dict.fromkeys(float(f"{f:.9g}") for f in factors if f) if f != 1]


def _sizes(found: Interpretation, first: Judgement) -> set[int]:
    """The whole numbers that the wrong lines which use a gradient divide by, or multiply with."""
    wrong = [j for j in found.readers(first.chain.name) if j in found.wrong and j.cases]
    named = ((j.cases[0].values.get(name) for step in j.plan.steps for name in step.reads) for j in wrong)
    return {value for values in named for value in values if type(value) is int and value > 1}


def _ratio(judgement: Judgement, tolerance: float) -> float | None:
    """How many times the gradient a wrong line makes of right values, where that is a number other than 1."""
    if judgement.fault != "wrong" or judgement.outcome is None or judgement.failing is None:
        return None
    got = as_tensor(judgement.outcome.got, judgement.want)
    if got is None or got.is_complex() or got.shape != judgement.want.shape:
        return None
    ratio = constant_ratio(judgement.want, got, tolerance)
    return ratio if ratio is not None and _is_agreed(ratio) else None


def _is_agreed(ratio: float) -> bool:
    """Whether people may mean a number by a convention: a whole one, one over it, or a few times that."""
    parts = (times * one for one in (ratio, 1 / ratio) for times in range(1, 5)) if ratio > 0 else ()
    return any(part > 0.99 and abs(part - round(part)) < 1e-6 * part for part in parts)


def _scaled(found: Interpretation, first: Judgement, factor: float, wrongly: bool) -> Interpretation | None:
    """The judgements where a gradient is a multiple, and those that pass it on are too, or pass it on `wrongly`.

    None where no line that makes up for it is right then.
    """
    scales, made = {**found.region.scales, first.chain.name: factor}, dict[Judgement, Judgement]()
    for old in sorted(found.judgements, key=lambda one: one.chain.last.index):
        judge = _under(found, scales)
        affected = old is first or judge.truth.plan(old.chain).gradients & (scales.keys() - found.region.scales.keys())
        if not affected:
            continue
        if (new := judge.judge(old.chain.within(judge.region))) is None:
            return None
        if new.fault in ("wrong", "masked") and old is not first and _passes_on(found, old):
            more = {**scales, old.chain.name: factor}
            further = _under(found, more)
            other = further.judge(old.chain.within(further.region))
            if other is not None and (wrongly or other.fault is None):
                new, scales = other, more
        made[old] = new
    if not any(old.fault and not new.fault and old.chain.name not in scales for old, new in made.items()):
        return None
    return found.under(_under(found, scales), (made.get(old, old) for old in found.judgements))


def _passes_on(found: Interpretation, judgement: Judgement) -> bool:
    """Whether a gradient may be a multiple too: others are made with it, or with what its line makes, or it is of data.

    That of a parameter, which is used for an update alone, has to be what it is called.
    """
    data = _DATA.match(bare(judgement.chain.variable).rpartition(DOT)[2])
    return _is_used(found, judgement) or data is not None


def _is_used(found: Interpretation, judgement: Judgement) -> bool:
    """Whether others are made with a gradient, or with what its line makes: these alone tell that it is a multiple."""
    same_line = (j for j in found.judgements if _line(j) == _line(judgement))
    return any(_is_for_others(found, one) for one in same_line)


def _line(judgement: Judgement) -> tuple[Place, str]:
    """A line as it is written, one for all calls of its function; of several values returned each has its own."""
    statement = judgement.chain.last.statement
    value = getattr(statement.node, "value", None)
    return statement.place, bare(ast.unparse(value)) if value is not None else ""


def _is_for_others(found: Interpretation, judgement: Judgement) -> bool:
    """Whether gradients of values that its own was computed from are made with one, or with what it is handed on as."""
    value, name = found.value_of(judgement.chain), judgement.chain.name
    before = found.judge.truth.forward.ancestors(value) - {value}
    readers = [(found.value_of(one.chain), one) for one in found.readers(name)]
    handed_on = (one for its, one in readers if its is value and one.chain.last.index > judgement.chain.last.index)
    return any(its in before for its, _ in readers) or any(_is_for_others(found, one) for one in handed_on)


def _under(found: Interpretation, scales: dict[str, float]) -> Judge:
    return found.judge.under(replace(found.region, scales=scales))


def _without_the_right(found: Interpretation) -> Interpretation:
    """The others: a right multiple is not the gradient that the report has of its variable."""
    left_out = [j for j in found.judgements if j.chain.name in found.region.scales and j.fault is None]
    values = (v for one in left_out for v in found.judge.truth.forward.versions(one.chain.variable))
    kept = tuple(judgement for judgement in found.judgements if judgement not in left_out)
    written = found.written.union(*(value.names for value in values))
    return replace(found, judgements=kept, written=written, replaced=(*found.replaced, *(j.chain for j in left_out)))
