"""Which path of a gradient a difference belongs to: what comes back through one value alone, times a number."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from torch import Tensor

from handgrad.checker.report import LeftOver
from handgrad.checker.truth.cases import Case
from handgrad.checker.truth.compare import agrees
from handgrad.checker.truth.numbers import constant_ratio
from handgrad.checker.truth.passes import Value

EXACTLY = 1e-7
"""Relative difference up to which two float64 gradients are one."""


@dataclass(frozen=True)
class Share:
    """A part of a gradient, and what a line makes of it: `factor` times what it should be.

    `value` is the value through which it comes back; None where it is the whole gradient.
    """

    value: Value | None
    factor: float


def share(case: Case, difference: Tensor) -> Share | None:
    """The part of a case's gradient that a line makes too large or too small, where `difference` is that and no more.

    Of the values along a path the first is named, which the variable itself was used for.
    """
    if (ratio := _ratio(case.want, difference)) is not None:
        return Share(None, _plain(1 + ratio))
    for value, part in _parts(case):
        if (ratio := _ratio(part, difference)) is not None:
            return Share(value, _plain(1 + ratio))
    return None


def _plain(number: float) -> float:
    """A number that is whole but for rounding, as one."""
    return float(round(number)) if abs(number - round(number)) < EXACTLY else number


def _ratio(part: Tensor, difference: Tensor) -> float | None:
    """The number that one tensor is of another; of a single element any is, and only a fraction means something."""
    ratio = constant_ratio(part.double(), difference.double(), EXACTLY)
    return ratio if ratio is None or part.numel() > 1 or _fraction(ratio) is not None else None


def _fraction(number: float) -> Fraction | None:
    """The number as a fraction of whole numbers up to a hundred or so; None where it is none."""
    close = Fraction(number).limit_denominator(100)
    return close if math.isclose(number, close, rel_tol=EXACTLY) else None


def _parts(case: Case) -> Iterator[tuple[Value, Tensor]]:
    """What comes back through each value between a case's value and its loss, from the first to the last."""
    forward = case.forward
    behind = [
        v for v in forward.values if v in case.flow and v is not case.value and case.value in forward.ancestors(v)
    ]
    for middle in behind:
        between = forward.ancestors(middle)
        gradients = {middle: case.flow[middle]}
        for value in reversed(behind):
            if value not in between or value not in gradients:
                continue
            inputs = [v for v in forward.inputs(value) if v is case.value or v in behind]
            for source, part in zip(inputs, forward.local(value, gradients[value], inputs), strict=True):
                if part is not None:
                    gradients[source] = gradients[source] + part if source in gradients else part
        if case.value in gradients and not agrees(gradients[case.value], case.want, case.noise, EXACTLY):
            yield middle, gradients[case.value]


def told(part: Share, sizes: Sequence[tuple[str, int]]) -> LeftOver:
    """What a line makes of a share; `sizes` are the program's names of whole numbers."""
    times, step = _times(part.factor, sizes), part.value.step if part.value else None
    if part.value is None:
        return LeftOver(times="" if part.factor == 0 or times.startswith("about") else times)
    return LeftOver(path=part.value.name, place=step.statement.place if step else None, times=times)


def _times(factor: float, sizes: Sequence[tuple[str, int]]) -> str:
    """A factor in terms of the program's whole numbers: `(n - 1) / n`, `1 / n`, or the number to four digits."""
    if factor in (0, 2, -1):
        return str(int(factor))
    for name, n in sizes:
        known = {name: n, f"1 / {name}": 1 / n, f"{name} - 1": n - 1} if n > 2 else {}
        known |= {f"({name} - 1) / {name}": (n - 1) / n, f"{name} / ({name} - 1)": n / (n - 1)} if n > 2 else {}
        for text, number in known.items():
            if math.isclose(factor, number, rel_tol=EXACTLY):
                return text
    return str(_fraction(factor) or f"about {factor:.4g}")
