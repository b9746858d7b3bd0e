"""Whether a sentence about what is left over is true, told without the checker.

The program is run in float64 as it stands. After the line that makes the gradient, what the sentence says is taken off
it, and what is left has to be autograd's.
"""

import ast
import contextlib
import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from handgrad.checker.report import Report, VariableReport

SENTENCE = re.compile(
    r"(?:(?P<way>too much by|too little by) (?P<formula>.*?)(?:: |\.$))?"
    r"(?:the path through (?P<through>[^ ]+)(?: \([^)]*\))? (?P<what>.*?)|it is (?P<times>.*) the right gradient)?\.?$"
)
FACTORS = {"is missing": "0", "is there twice": "2", "has the wrong sign": "-1"}
LOSSES = ("loss", "total_loss", "total", "cost", "J", "L", "nll", "objective", "energy")
CLOSE, ROUNDED = 1e-7, 1e-2
NOTHING = 1e-12
"""A gradient that is zero but for rounding, such as that of a bias before batch norm, is not larger."""


@dataclass(frozen=True)
class Said:
    """What a sentence says: a formula that a line has too much, or lacks; and a share that comes out `factor` times."""

    formula: str | None = None
    lacks: bool = False
    through: str | None = None
    factor: str | None = None

    @property
    def number(self) -> str:
        """The factor as an expression."""
        return (self.factor or "1").removeprefix("about ")

    @property
    def tolerance(self) -> float:
        """To how much the factor is said."""
        return ROUNDED if self.factor and self.factor.startswith("about ") else CLOSE


def read(sentence: str) -> Said:
    """What a sentence says."""
    found = SENTENCE.fullmatch(sentence)
    assert found is not None, sentence
    what, times = found["what"], found["times"]
    if what:
        factor = FACTORS.get(what) or what.removeprefix("comes out ").removesuffix(" times as large")
    else:
        factor = "-1" if times == "minus" else times and times.removesuffix(" times")
    said = Said(found["formula"], found["way"] == "too little by", found["through"], factor)
    assert said.formula or said.factor, sentence
    return said


def holds(sentence: str, source: str, row: VariableReport) -> bool | None:
    """Whether a sentence about a row of the report is true; None where the program cannot be run to tell."""
    said, place = read(sentence), row.chain_place
    if place is None or place.cell:
        return None
    lines = source.split("\n")
    statement = _statement(lines, place.line)
    indent, last = " " * statement.col_offset, statement.end_lineno or place.line
    asked = [row.name, said.formula or "0", said.through or row.name, said.number]
    tried = f"{indent}_tried_({row.gradient}, {', '.join(f'lambda: {text}' for text in asked)})"
    trial = _Trial(said)
    with _graphs_are_kept(), contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(Exception):
        exec(compile("\n".join([*lines[:last], tried, *lines[last:]]), "<program>", "exec"), trial.names)
    with contextlib.suppress(Exception):
        return trial.again()
    return trial.answer


def mends(sentence: str, source: str, row: VariableReport, check: Callable[[str], Report]) -> bool | None:
    """Whether a line is no longer blamed where what a sentence says is taken off it; None where no line can do that."""
    said, place, lines = read(sentence), row.chain_place, source.split("\n")
    statement = _statement(lines, place.line) if place is not None and not place.cell else None
    if not isinstance(statement, ast.Assign | ast.AugAssign) or not (said.formula or said.through is None):
        return None
    target = statement.target if isinstance(statement, ast.AugAssign) else statement.targets[0]
    made = row.gradient if isinstance(target, ast.Tuple) else ast.unparse(target)
    indent = " " * statement.col_offset
    off = f"{'+' if said.lacks else '-'} ({said.formula})" if said.formula else f"/ ({said.number})"
    lines.insert(statement.end_lineno or place.line, f"{indent}{made} = {made} {off}")
    blamed = check("\n".join(lines)).blamed
    return not any(other.gradient == row.gradient and other.verdict != "shape" for other in blamed)


@contextlib.contextmanager
def _graphs_are_kept():
    """All is recorded in float64, and nothing is freed."""
    backward, without = torch.Tensor.backward, torch.no_grad
    keeping = lambda self, *args, **words: backward(self, *args, **{**words, "retain_graph": True})  # noqa: E731
    torch.Tensor.backward, torch.no_grad = keeping, torch.enable_grad
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)
        torch.Tensor.backward, torch.no_grad = backward, without


def _statement(lines: list[str], first: int) -> ast.stmt:
    """The innermost statement that begins in a line."""
    return [n for n in ast.walk(ast.parse("\n".join(lines))) if isinstance(n, ast.stmt) and n.lineno == first][-1]


class _Trial:
    """Compares, where the program calls it, a gradient without what is left over with autograd's."""

    def __init__(self, said: Said):
        self.said, self.later = said, None
        self.answer: bool | None = None
        self.names: dict[str, Any] = {"__name__": "__main__", "_tried_": self}

    def __call__(self, made, variable, formula, through, factor) -> None:
        """Judge a gradient where the program has just made it; the last time counts."""
        value, made = variable(), torch.as_tensor(made, dtype=torch.float64).clone()
        loss = next(self.names[n] for n in LOSSES if n in self.names)
        self.later = lambda: self._judge(loss, value, made, formula, through, factor)
        with contextlib.suppress(NameError):  # a gradient that the program makes later
            self.answer = self._judge(loss, value, made, formula, through, factor)

    def again(self) -> bool | None:
        """The answer, with all names of the program at hand."""
        return self.answer if self.answer is not None or self.later is None else self.later()

    def _judge(self, loss, value, made, formula, through, factor) -> bool:
        (want,) = torch.autograd.grad(loss, value, retain_graph=True)
        answers = []
        if self.said.formula:
            part = formula()
            answers.append(_close(made + part if self.said.lacks else made - part, want))
        if self.said.factor:
            share = want if self.said.through is None else _share(loss, through(), value)
            answers.append(_close(made - (factor() - 1) * share, want, self.said.tolerance))
        return all(answers)


def _share(loss, middle, value):
    (behind,) = torch.autograd.grad(loss, middle, retain_graph=True)
    return torch.autograd.grad(middle, value, behind, retain_graph=True)[0]


def _close(made: torch.Tensor, want: torch.Tensor, tolerance: float = CLOSE) -> bool:
    return bool(((made - want).abs() <= tolerance * want.abs().max() + NOTHING).all())
