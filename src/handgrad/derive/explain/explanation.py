"""A derivation as data: the steps from the end of a program back to a variable, each with its reasons and its check."""

from dataclasses import dataclass

from handgrad.derive.emit.formula import Formula


@dataclass(frozen=True)
class Quote:
    """A piece of source in a sentence."""

    text: str


Prose = tuple[str | Quote | Formula, ...]
"""A sentence: words, source and formulas."""


@dataclass(frozen=True)
class Use:
    """A forward line that uses a variable: its number and its text."""

    number: int
    text: str


@dataclass(frozen=True)
class Stage:
    """One of the equal forms of a gradient, and why it is equal to the one before."""

    formula: Formula
    reasons: tuple[Prose, ...] = ()


@dataclass(frozen=True)
class Step:
    """The gradient of one variable.

    Attributes:
        variable: its name.
        gradient: the name of its gradient.
        left: an element of its gradient.
        uses: the forward lines that use it.
        stages: the chain rule in the gradients of what is made of it, then what it becomes.
        matrix: the chain rule as products of matrices, where it is one.
        notes: what of the notation is new here.
        difference: how far the gradient is from autograd's at most, relative to the largest element.
    """

    variable: str
    gradient: str
    left: Formula
    uses: tuple[Use, ...]
    stages: tuple[Stage, ...]
    matrix: Formula | None = None
    notes: tuple[Prose, ...] = ()
    difference: float = 0.0


def tick(step: Step, judge: str) -> str:
    """That a step was checked, and how close it is."""
    return ticked(judge, step.difference)


def ticked(judge: str, difference: float) -> str:
    """That something was compared, and how close it is."""
    return f"✓ as {judge}, to {difference:.0e}" if difference else f"✓ as {judge}, exactly"


@dataclass(frozen=True)
class Explanation:
    """The derivation of some variables' gradients from that of an end.

    `opening` says the plan, `closing` is the result as PyTorch source, and `judge` what the steps were compared with.
    """

    end: str
    targets: tuple[str, ...]
    opening: tuple[Prose, ...]
    steps: tuple[Step, ...]
    source: str
    judge: str = "autograd"

    def markdown(self) -> str:
        """The derivation as Markdown, its formulas as GitHub shows them."""
        from handgrad.derive.explain.markdown import GITHUB, written

        return written(self, GITHUB)

    def html(self) -> str:
        """The derivation as HTML, its formulas between dollars, as MathJax reads them in a notebook."""
        from handgrad.derive.explain.html import page

        return page(self)

    def text(self) -> str:
        """The derivation as plain text, for a terminal."""
        from handgrad.derive.explain.text import text

        return text(self)

    def __str__(self) -> str:
        """The derivation as plain text."""
        return self.text()

    def _repr_markdown_(self) -> str:
        from handgrad.derive.explain.markdown import NOTEBOOK, written

        return written(self, NOTEBOOK)
