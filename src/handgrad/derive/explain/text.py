"""Derivations as plain text, for a terminal."""

import textwrap
from collections.abc import Iterator

from handgrad.derive.emit.formula import broken
from handgrad.derive.emit.plain import plain
from handgrad.derive.explain.explanation import Explanation, Prose, Quote, Stage, Step, tick, ticked
from handgrad.derive.explain.lines import LineByLine

WIDTH = 100


def text(explanation: Explanation) -> str:
    """The derivation, its formulas in Unicode."""
    parts = [_wrapped(" ".join(map(said, explanation.opening)))]
    parts += ["\n".join(_step(step, explanation.judge)) for step in explanation.steps]
    parts.append("In PyTorch:\n" + textwrap.indent(explanation.source, "    ") if explanation.source else "")
    return "\n\n".join(part for part in parts if part) + "\n"


def said(prose: Prose) -> str:
    """A sentence as text."""
    return "".join(
        part if isinstance(part, str) else part.text if isinstance(part, Quote) else plain(part) for part in prose
    )


def _wrapped(sentence: str, indent: str = "") -> str:
    return textwrap.fill(sentence, WIDTH, initial_indent=indent, subsequent_indent=indent, break_long_words=False)


def _step(step: Step, judge: str) -> Iterator[str]:
    uses = [f"line {use.number}: {use.text}" for use in step.uses]
    yield f"{step.variable} is used in " + uses[0] if len(uses) == 1 else f"{step.variable} is used in"
    if len(uses) > 1:
        yield from (f"  {use}" for use in uses)
    left = plain(step.left)
    for k, stage in enumerate(step.stages):
        yield from _stage(stage, f"    {left if k == 0 else ' ' * len(left)} = ")
    if step.matrix is not None:
        yield f"    in matrices: {plain(step.matrix)}"
    for note in step.notes:
        yield _wrapped(f"{said(note)}.", "    ")
    yield f"    {tick(step, judge)}"


def _stage(stage: Stage, start: str) -> Iterator[str]:
    indent = " " * (len(start) + 2)
    first, *more = broken(stage.formula, WIDTH - len(start), lambda formula: len(plain(formula)))
    yield f"{start}{plain(first)}"
    for piece in more:
        said_so = plain(piece)
        yield f"{indent}{f'− {said_so[1:]}' if said_so.startswith('−') else f'+ {said_so}'}"
    for reason in stage.reasons:
        yield _wrapped(f"({said(reason)})", indent)


def line_by_line(explanation: LineByLine) -> str:
    """The backward pass line by line, its formulas in Unicode."""
    parts = []
    for line in explanation.lines:
        rules = [f"{plain(r.left)} {'=' if r.first else '+='} {plain(r.formula)}" for r in line.rules]
        body = "\n".join([*rules, line.source])
        parts.append(f"line {line.line.number}: {line.line.text}\n{textwrap.indent(body, '    ')}")
    return "\n\n".join([*parts, ticked(explanation.judge, explanation.difference)]) + "\n"
