"""A repair is said in the user's own words, and left out where nobody would read it."""

import ast

import pytest
import torch

from handgrad.checker.explain.differences import kind_of_difference
from handgrad.checker.explain.readable import Wording, is_readable
from handgrad.checker.faces.mend import mended

WORLD = {
    "q1": torch.tensor([[1.0, 2.0], [3.0, 5.0]]),
    "d": torch.arange(8.0).reshape(2, 4),
    "h": torch.tensor([0.5, 0.7]),
    "r": torch.tensor([0.5, 0.7]).rsqrt(),
    "half": 2,
    "batch": 7,
    "rows": 2,
}

WORDINGS = [
    ("d.split([q1.shape[-1], q1.shape[-1]], -1)[0]", "d[:, :half] * 2", "d[:, :half]"),
    ("d / torch.ones(7).numel()", "d", "d / batch"),
    ("d / q1.shape[0]", "d", "d / q1.shape[0]"),
    ("d / q1.shape[0]", "d * rows", "d / rows"),
    ("h * h.rsqrt()", "h", "h * r"),
    ("h * 0.5 * 2 * h", "h", "h * h"),
    ("1.0 / batch * h", "h", "h / batch"),
    ("h * -0.5 * 2", "h", "-h"),
    ("h * 3 / 2", "h", "1.5 * h"),
    ("--h * 1", "h", "h"),
]


@pytest.mark.parametrize(("formula", "line", "said"), WORDINGS)
def test_a_formula_is_said_in_the_words_of_the_line(formula, line, said):
    wording = Wording(lambda node: eval(ast.unparse(node), {"torch": torch} | WORLD), WORLD, [_parsed(line)])
    assert wording.of(formula) == said


DIFFERENCES = [
    ("b.T @ dx + a.T @ dy", "a.T @ dx + b.T @ dy", "wrong-variable"),
    ("h**-0.5 * dy", "h**-1.5 * dy", "wrong-constant"),
    ("dy * a - dz * b", "dy * a + dz * b", "sign"),
    ("dy", "dy * a", "missing-factor"),
    ("dy", "dy + a", "missing-term"),
    ("dy * a", "dy", "extra-factor"),
    ("dy + a", "dy", "extra-term"),
    ("dy - logp * dy.sum()", "dy - logp.exp() * dy.sum()", "wrong-operator"),
    ("dy", "dy.sum(0)", "missing-sum"),
    ("p * dy * (1 - p)", "p * (dy - (p * dy).sum(1))", "missing-term"),
    ("dy / n", "dy / m", "wrong-variable"),
    ("dy", "dy / n", "scale"),
    ("dy * a / b * c", "dy * (a / b) * c", "unknown"),
    ("dy.expand_as(x)", "dy * a", "missing-factor"),
    ("dy * (a > 0)", "dy * a", "wrong-operator"),
    ("dy.expand(n, -1)", "torch.outer(a, dy)", "missing-factor"),
]


@pytest.mark.parametrize(("old", "new", "kind"), DIFFERENCES)
def test_what_differs_between_two_formulas(old, new, kind):
    assert kind_of_difference(_parsed(old), _parsed(new), sizes={"n", "m"}) == kind


def _parsed(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def test_a_long_repair_is_left_out():
    assert is_readable("x" * 90, "dx = dy")
    assert not is_readable("x" * 150, "dx = dy")
    assert is_readable("x" * 150, "x" * 140)


PROGRAM = """
import math
import torch
g = torch.Generator().manual_seed(5)
X = torch.randn(8, 6, generator=g)
W = torch.randn(6, 5, generator=g, requires_grad=True)
goal = torch.randn(8, 5, generator=g)
x = X @ W
mu = x.mean(0)
var = ((x - mu)**2).mean(0)
xhat = (x - mu) / torch.sqrt(var + 1e-5)
loss = (xhat * goal).sum() + (xhat**3).sum()
dxhat = goal + 3 * xhat**2
istd = 1 / torch.sqrt(var + 1e-5)
scaled = istd * 1.0
dx = scaled * (dxhat - dxhat.mean(0) - xhat * (dxhat * xhat).mean(0))
"""

TEMPORARIES = [
    ("istd = 1 / torch.sqrt(var)", "epsilon", "istd = 1 / torch.sqrt(var + 1e-5)"),
    ("istd = torch.sqrt(var + 1e-5)", "missing-factor", None),
    ("istd = 1 / torch.sqrt(var + 1e-3)", "epsilon", "istd = 1 / torch.sqrt(var + 1e-5)"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("wrong", "kind", "fix"), TEMPORARIES)
def test_the_line_of_a_temporary_is_named(wrong, kind, fix, check_text):
    text = PROGRAM.replace("istd = 1 / torch.sqrt(var + 1e-5)", wrong)
    report = check_text(text)
    (found,) = report.blamed[0].diagnosis
    assert [row.name for row in report.blamed] == ["x"]
    if fix is not None:
        assert (found.kind, found.fix) == (kind, fix)
        assert text.splitlines()[report.blamed[0].line - 1] == wrong
    assert check_text(mended(text, report.repairs)).right


@pytest.mark.slow
def test_two_edits_of_one_line_keep_its_spelling(check_text):
    last = PROGRAM.splitlines()[-1]
    right = "dx = scaled*(dxhat - dxhat.mean(0) - xhat*(dxhat * xhat).mean(0))  # as in the paper"
    wrong = right.replace("- dxhat.mean", "+ dxhat.mean").replace("* xhat)", "/ xhat)")
    assert check_text(PROGRAM.replace(last, right)).right
    text = PROGRAM.replace(last, wrong)
    first = check_text(text).blamed[0].diagnosis[0]
    assert first.fix == right.partition("  #")[0]
