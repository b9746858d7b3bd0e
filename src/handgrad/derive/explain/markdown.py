"""Derivations as Markdown, for GitHub and for notebooks."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from handgrad.derive.emit.formula import broken
from handgrad.derive.emit.latex import latex
from handgrad.derive.emit.plain import plain
from handgrad.derive.explain.explanation import Explanation, Prose, Quote, Step, tick, ticked
from handgrad.derive.explain.lines import LineByLine

WIDTH = 80
"""The length of an equation as plain text that fits on a page."""


EQUAL, ADDED = "=", r"\mathrel{+}="


@dataclass(frozen=True)
class Flavour:
    """How formulas are marked in a text and on lines of their own."""

    inline: Callable[[str], str]
    display: Callable[[str], str]


GITHUB = Flavour("$`{}`$".format, "```math\n{}\n```".format)
"""Formulas between backticks, in which GitHub's Markdown changes nothing."""
NOTEBOOK = Flavour("${}$".format, "$$\n{}\n$$".format)


def written(explanation: Explanation, flavour: Flavour) -> str:
    """The derivation in a flavour of Markdown."""
    parts = [" ".join(f"{sentence(p, flavour)}" for p in explanation.opening)]
    for step in explanation.steps:
        parts += _step(step, explanation, flavour)
    if explanation.source:
        parts += ["**In PyTorch**", f"```python\n{explanation.source}\n```"]
    return "\n\n".join(part for part in parts if part) + "\n"


def line_by_line(explanation: LineByLine, flavour: Flavour) -> str:
    """The backward pass line by line in a flavour of Markdown."""
    parts = []
    for line in explanation.lines:
        parts.append(f"`{line.line.text}` (line {line.line.number})")
        rules = [f"{latex(r.left)} &{EQUAL if r.first else ADDED} {latex(r.formula)}" for r in line.rules]
        if rules:
            parts.append(flavour.display(_aligned(rules)))
        parts.append(f"```python\n{line.source}\n```")
    return "\n\n".join([*parts, ticked(explanation.judge, explanation.difference)]) + "\n"


def sentence(prose: Prose, flavour: Flavour) -> str:
    """A sentence in a flavour of Markdown."""
    return "".join(
        p if isinstance(p, str) else f"`{p.text}`" if isinstance(p, Quote) else flavour.inline(latex(p)) for p in prose
    )


def _step(step: Step, explanation: Explanation, flavour: Flavour) -> Iterator[str]:
    uses = [f"`{use.text}` (line {use.number})" for use in step.uses]
    *most, last = uses
    listed = f"{', '.join(most)} and {last}" if most else last
    yield f"**{step.gradient}**: `{step.variable}` is used in {listed}."
    yield flavour.display(aligned(step))
    numbered = [stage for stage in step.stages if stage.reasons]
    yield "\n".join(
        f"{k}. {_capital('; '.join(sentence(reason, flavour) for reason in stage.reasons))}."
        for k, stage in enumerate(numbered, start=1)
    )
    if step.matrix is not None:
        yield f"As matrices: {flavour.inline(latex(step.matrix))}."
    for note in step.notes:
        yield f"{_capital(sentence(note, flavour))}."
    yield tick(step, explanation.judge)


def aligned(step: Step) -> str:
    """The equal forms of a gradient below each other, those that have reasons with the numbers of these."""
    lines = []
    number = 0
    for k, stage in enumerate(step.stages):
        number += bool(stage.reasons)
        first, *more = broken(stage.formula, WIDTH, lambda formula: len(plain(formula)))
        lines.append(f"{latex(step.left) if k == 0 else ''} &= {latex(first)}".strip())
        lines += [_continued(latex(piece)) for piece in more]
        lines[-1] += rf" && \text{{({number})}}" if stage.reasons else ""
    return _aligned(lines)


def _aligned(lines: list[str]) -> str:
    inside = " \\\\[1ex]\n".join(lines)
    return f"\\begin{{aligned}}\n{inside}\n\\end{{aligned}}"


def _continued(text: str) -> str:
    """A piece of a sum on a line of its own."""
    return rf"&\quad {text if text.startswith('-') else f'+ {text}'}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
