"""Derivations as HTML, with formulas that MathJax and KaTeX read."""

import html as escape
from collections.abc import Iterator

from handgrad.derive.emit.latex import latex
from handgrad.derive.explain.explanation import Explanation, Prose, Quote, Step, tick
from handgrad.derive.explain.markdown import aligned


def page(explanation: Explanation) -> str:
    """The derivation as a piece of HTML."""
    parts = [f"<p>{' '.join(map(_sentence, explanation.opening))}</p>" if explanation.opening else ""]
    for step in explanation.steps:
        parts += _step(step, explanation.judge)
    if explanation.source:
        parts.append(f"<p><b>In PyTorch</b></p>\n<pre>{escape.escape(explanation.source)}</pre>")
    return "\n".join(part for part in parts if part) + "\n"


def _sentence(prose: Prose) -> str:
    return "".join(
        escape.escape(p)
        if isinstance(p, str)
        else f"<code>{escape.escape(p.text)}</code>"
        if isinstance(p, Quote)
        else f"${escape.escape(latex(p))}$"
        for p in prose
    )


def _step(step: Step, judge: str) -> Iterator[str]:
    uses = ", ".join(f"<code>{escape.escape(use.text)}</code> (line {use.number})" for use in step.uses)
    yield f"<p><b>{step.gradient}</b>: <code>{step.variable}</code> is used in {uses}.</p>"
    yield f"$$\n{escape.escape(aligned(step))}\n$$"
    reasons = ["; ".join(map(_sentence, stage.reasons)) for stage in step.stages if stage.reasons]
    if reasons:
        yield f"<ol>{''.join(f'<li>{reason}</li>' for reason in reasons)}</ol>"
    if step.matrix is not None:
        yield f"<p>As matrices: ${escape.escape(latex(step.matrix))}$</p>"
    yield from (f"<p>{_sentence(note)}</p>" for note in step.notes)
    yield f"<p>{tick(step, judge)}</p>"
