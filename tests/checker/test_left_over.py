"""What is left over of a wrong line: each sentence says the right thing, and none is said that does not hold."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from cases.schema import program
from cases.third import PLANTED_LINES
from left_over import Said, holds, mends, read

import lecture
from handgrad.checker.explain import residual
from handgrad.checker.truth import truth
from handgrad.derive.prove import Proof, Prover

MEAN, VARIANCE = "the path through bnmeani (line 36)", "the path through bndiff2 (line 38)"
ADDED_MEAN = "dhprebn += 1.0/n * (torch.ones_like(hprebn) * dbnmeani)\n"
OF_THE_MEAN = "bngain * bnvar_inv * dhpreact.mean(0)"

PLANTED = {
    "no path of the mean": (ADDED_MEAN, "", f"too much by dbndiff.mean(0): {MEAN} is missing."),
    "mean not divided": (
        "dhprebn += 1.0/n *",
        "dhprebn +=",
        f"too much by dbnmeani * (1 - 1 / n): {MEAN} comes out 32 times as large.",
    ),
    "mean's sign": (
        "dhprebn += 1.0/n",
        "dhprebn -= 1.0/n",
        f"too little by 2 * dbnmeani / n: {MEAN} has the wrong sign.",
    ),
    "fused, no mean": ("= A + B + C", "= A + C", f"too much by {OF_THE_MEAN}: {MEAN} is missing."),
    "fused, mean's sign": ("= A + B + C", "= A - B + C", f"too much by 2 * {OF_THE_MEAN}: {MEAN} has the wrong sign."),
    "fused, mean twice": ("= A + B + C", "= A + 2 * B + C", f"too little by {OF_THE_MEAN}: {MEAN} is there twice."),
    "fused, no direct path": ("= A + B + C", "= B + C", "too little by bngain * bnvar_inv * dhpreact."),
    "fused, not divided": (
        "dhpreact.sum(0, keepdim=True))/n",
        "dhpreact.sum(0, keepdim=True))",
        f"too much by bngain * bnvar_inv * (1 / n - 1) * dhpreact.sum(0): {MEAN} comes out n times as large.",
    ),
    "fused, sum dropped": (
        "dhpreact.sum(0, keepdim=True))/n",
        "dhpreact)/n",
        "too much by bngain * bnvar_inv * (dhpreact.sum(0) - dhpreact) / n.",
    ),
    "fused, product swapped": (
        "(bnraw*dhpreact)",
        "(hpreact*dhpreact)",
        "too much by bngain * bnvar_inv * bnraw * (dhpreact * (bnraw - hpreact)).sum(0) / (n - 1).",
    ),
    "counts twice": (
        "dcounts += torch.ones_like",
        "dcounts += 2 * torch.ones_like",
        "too much by dcounts_sum: the path through counts_sum (line 48) is there twice.",
    ),
    "no maximum": (
        "dlogits += F.one_hot(logits.max(1).indices, num_classes=logits.shape[1]) * dlogit_maxes\n",
        "",
        "too little by dlogit_maxes * F.one_hot(logits.argmax(1), logits.shape[1]): "
        "the path through logit_maxes (line 45) is missing.",
    ),
    "square without its two": (
        "dbndiff += (2*bndiff)",
        "dbndiff += bndiff",
        f"too little by bndiff * dbndiff2: {VARIANCE} comes out 1/2 times as large.",
    ),
    "plus for times": (
        "= bngain * dhpreact",
        "= bngain + dhpreact",
        "too much by bngain + dhpreact - bngain * dhpreact.",
    ),
    "no target": (
        "dlogits[range(n), Yb] -= 1\n",
        "",
        "too much by F.one_hot(Yb, logits.shape[1]).type_as(logits) / n.",
    ),
    "not divided by n": ("dlogits /= n\n", "", "it is n times the right gradient."),
    "three times": ("dh = dlogits @ W2.T", "dh = 3 * dlogits @ W2.T", "it is 3 times the right gradient."),
    "minus": ("dh = dlogits @ W2.T", "dh = -dlogits @ W2.T", "it is minus the right gradient."),
    "1.7 times": ("dh = dlogits @ W2.T", "dh = 1.7320508 * dlogits @ W2.T", None),
    "a sum is missing": ("dbnvar_inv = (bndiff * dbnraw).sum(0, keepdim=True)", "dbnvar_inv = bndiff * dbnraw", None),
    "transposed": ("dW2 = h.T @ dlogits", "dW2 = dlogits.T @ h", None),
    "written over": (lecture.MISTAKES["embedding"][0], "dC[Xb] = demb\n", None),
}
"""By id: what stands in the lecture's program, what is planted, and what is said to be left over."""

IN_THE_USERS_NAMES = {
    "batchnorm_class/gamma-of-the-output": ["too much by (dhbn * (hbn - self.xhat)).sum(0)."],
    "batchnorm_class/beta-for-gamma": ["too much by dhbn * (self.beta - self.gamma)."],
    "vae_class/half-lost": ["too much by 0.5 * eps * std * dz: the path through std (line 12) is there twice."],
    "vae_class/divergence-lost": ["too little by mu / n: the path through kl (line 17) is missing."],
    "nested_dicts/slope-of-the-input": ["too much by dh1 * (h1**2 - z1**2)."],
    "makemore_layers/weight-divided": ["it is 1/12 times the right gradient."],
    "decorator_timer/inner-sign": ["it is minus the right gradient."],
}
"""By id of the third set's cases, in classes, dicts, functions and loops over layers."""


def planted(name: str) -> str:
    right, wrong, _ = PLANTED[name]
    assert lecture.SCRIPT.count(right) == 1
    return lecture.SCRIPT.replace(right, wrong)


def said(report) -> list[str]:
    return [str(d.left_over) for row in report.blamed for d in row.diagnosis if d.left_over]


@pytest.mark.slow
@pytest.mark.one_in(12)
@pytest.mark.parametrize("name", PLANTED)
def test_what_is_left_over_is_said_and_holds(name, check_text):
    text = planted(name)
    report = check_text(text)
    (row,) = report.blamed
    left = row.diagnosis[0].left_over
    assert (str(left) if left else None) == PLANTED[name][2]
    assert [holds(sentence, text, row) for sentence in said(report)] == len(said(report)) * [True]


@pytest.mark.slow
@pytest.mark.one_in(3)
@pytest.mark.parametrize("name", IN_THE_USERS_NAMES)
def test_it_is_said_in_the_names_of_classes_functions_and_loops(name, check_text):
    (case,) = (case for case in PLANTED_LINES if case.id == name)
    report = check_text(case.source)
    assert said(report) == IN_THE_USERS_NAMES[name]
    for row in report.blamed:
        sentence = str(row.diagnosis[0].left_over)
        told = holds(sentence, case.source, row)
        assert mends(sentence, case.source, row, check_text) if told is None else told


@pytest.mark.slow
def test_it_is_shown_below_what_is_wrong_but_not_with_the_first_hint(check_text):
    report = check_text(planted("fused, no mean"))
    assert f"    left over: {PLANTED['fused, no mean'][2]}" in str(report).split("\n")
    report.hint = 1
    assert "left over" not in str(report)


WHAT_IS_TOO_MUCH = "bngain * bnvar_inv * dhpreact.sum(0) / 32"


@pytest.mark.slow
@pytest.mark.one_in(4)
@pytest.mark.parametrize(
    "difference",
    [
        *(
            "dhpreact",
            f"-{WHAT_IS_TOO_MUCH}",
            "bngain * nowhere",
            f"{WHAT_IS_TOO_MUCH} + 1e-5",
            f"x = 1\n{WHAT_IS_TOO_MUCH}",
        ),
        *(f"{WHAT_IS_TOO_MUCH} + 0 * dhprebn", f"{WHAT_IS_TOO_MUCH} + (h - h)"),
    ],
)
def test_a_formula_that_is_not_what_is_left_over_or_explains_nothing_is_not_said(difference, check_text, monkeypatch):
    monkeypatch.setattr(Prover, "prove", lambda *_: Proof("different", difference))
    assert said(check_text(planted("fused, no mean"))) == [f"{MEAN} is missing."]


@pytest.mark.slow
def test_a_formula_that_does_is_said_whatever_it_is(check_text, monkeypatch):
    monkeypatch.setattr(Prover, "prove", lambda *_: Proof("different", WHAT_IS_TOO_MUCH))
    assert said(check_text(planted("fused, no mean"))) == [f"too much by {WHAT_IS_TOO_MUCH}: {MEAN} is missing."]


@pytest.mark.slow
def test_a_long_formula_is_not_said(check_text, monkeypatch):
    monkeypatch.setattr(residual, "LONGEST", 20)
    assert said(check_text(planted("fused, no mean"))) == [f"{MEAN} is missing."]


@pytest.mark.slow
def test_an_error_of_the_algebra_says_nothing(check_text, monkeypatch):
    def fail(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(Prover, "prove", fail)
    report = check_text(planted("counts twice"))
    assert said(report) == ["the path through counts_sum (line 48) is there twice."]
    assert not any(row.proven for row in report.variables)


def test_nothing_is_left_over_of_what_is_not_there(check_text):
    report = check_text(lecture.SCRIPT.replace("dh = dlogits @ W2.T", "dh = None"))
    assert said(report) == []


def test_of_a_single_number_no_chance_ratio_is_said(check_text):
    scaled = "s = torch.tensor(0.7318, requires_grad=True)\ny = x * s\nloss = (y**3).sum()\n"
    lines = HEAD + scaled + "dy = 3 * y**2\nds = (dy * y).sum()"
    assert said(check_text(lines)) == ["too much by (s - 1) * (x * dy).sum()."]
    assert said(check_text(lines.replace("dy * y", "2 * dy * x"))) == ["it is 2 times the right gradient."]


def test_what_a_loop_counts_is_no_size(check_text):
    text = HEAD + "for t in range(8):\n    u = t\nloss = (x**2).sum()\ndx = 14 * x"
    assert said(check_text(text.replace("    u = t", "    pass"))) == ["it is 7 times the right gradient."]
    assert said(check_text(text.replace("    u = t", "    u = 8 - t"))) == ["it is 7 times the right gradient."]


def test_in_small_sizes_no_number_stands_for_a_size(check_text, monkeypatch):
    """The tensors count as large: the mistake is looked into in others, whose sizes the program does not have."""
    monkeypatch.setattr(truth, "LARGE", 5000)
    text = lecture.SCRIPT.replace("= A + B + C", "= A + C")
    assert said(check_text(text)) == [f"{MEAN} is missing."]


def test_the_reader_of_sentences_reads_them():
    assert read("too little by a * b: the path through u (line 3) is there twice.") == Said("a * b", True, "u", "2")
    assert read("it is about 1.732 times the right gradient.").factor == "about 1.732"
    with pytest.raises(AssertionError):
        read("something else.")


@pytest.mark.slow
def test_a_sentence_that_is_not_true_is_told(check_text):
    text = planted("fused, no mean")
    (row,) = check_text(text).blamed
    wrong = [
        f"too little by {OF_THE_MEAN}.",
        f"too much by {OF_THE_MEAN}: {MEAN} is there twice.",
        f"{VARIANCE} is missing.",
        "it is 2 times the right gradient.",
    ]
    assert [holds(sentence, text, row) for sentence in wrong] == 4 * [False]
    assert [mends(wrong[i], text, row, check_text) for i in (0, 3)] == [False, False]


HEAD = """
import torch
import torch.nn.functional as F
g = torch.Generator().manual_seed(5)
n, d, k, epochs = 8, 6, 5, 8
X = torch.randn(n, d, generator=g)
W = torch.randn(d, k, generator=g, requires_grad=True)
x = X @ W
"""

PROVEN = {
    "mean": ("loss = (x**2).mean()", "dx = 2 * x / x.numel()"),
    "sizes by name": ("loss = (x**2).mean()", "dx = 2 * x / (n * k)"),
    "in two lines": ("loss = (x**2).mean()", "dx = x + x\ndx /= n * k"),
    "a sum that is zero by definition": (
        "c = x - x.mean(0)\nloss = (c**3).sum()",
        "dc = 3 * c**2\ndx = dc - dc.mean(0) + c.sum(0)",
    ),
    "its own mask": ("r = torch.relu(x)\nloss = (r**3).sum()", "dr = 3 * r**2\ndx = dr * (x > 0)"),
    "an exact third": ("loss = (x / 3).sum()", "dx = torch.ones_like(x) / 3"),
}
"""Right lines that are right whatever the numbers; the last gradient is the one meant."""

RIGHT_HERE = {
    "a number for a size": ("loss = (x**2).mean()", "dx = 2 * x / 40"),
    "another number of that size": ("loss = (x**2).sum(1).mean()", "dx = 2 * x / epochs"),
    "another axis of that size": (
        "y = x @ torch.randn(k, 8, generator=g)\nloss = (y**2).sum(0).mean()",
        "dy = 2 * y / y.shape[0]",
    ),
    "nearly a third": ("loss = (x / 3).sum()", "dx = 0.3333333333333 * torch.ones_like(x)"),
    "a sum that is zero here": ("loss = (x**3).sum()", "z = x - x.mean(0).detach()\ndx = 3 * x**2 + z.sum(0)"),
    "all positive": ("p = x.abs() + 1\nr = torch.relu(p)\nloss = (r**3).sum()", "dr = 3 * r**2\ndp = dr"),
    "zero where it has to be": ("r = torch.relu(x)\nloss = (r**3).sum()", "dr = 3 * r**2\ndx = dr"),
    "a mask of ones": ("keep = torch.ones(n, k)\ny = x * keep\nloss = (y**3).sum()", "dy = 3 * y**2\ndx = dy"),
}
"""Right lines that are so for these values alone."""


@pytest.mark.one_in(3)
@pytest.mark.parametrize("name", PROVEN)
def test_a_line_that_is_right_whatever_the_numbers_is_proven(name, check_text):
    report = check_text(HEAD + "\n".join(PROVEN[name]))
    assert report.right
    assert [row.proven for row in report.variables if row.place][-1]


@pytest.mark.one_in(3)
@pytest.mark.parametrize("name", RIGHT_HERE)
def test_a_line_that_is_right_for_these_values_alone_is_not_proven(name, check_text):
    report = check_text(HEAD + "\n".join(RIGHT_HERE[name]))
    assert report.right
    assert not [row.proven for row in report.variables if row.place][-1]


def test_of_the_lectures_lines_all_are_proven_but_a_loop(check_text):
    report = check_text(program("lecture_chunked"))
    assert [row.name for row in report.variables if not row.proven] == ["C"]


def test_no_wrong_line_is_proven_and_a_right_one_is_that_uses_it(check_text):
    report = check_text(planted("minus"))
    rows = {row.name: row for row in report.variables}
    assert (rows["h"].proven, rows["hpreact"].verdict, rows["hpreact"].proven) == (False, "wrong", True)


def test_a_right_line_of_another_shape_is_not_proven(check_text):
    text = program("lecture_chunked").replace("dbnbias = dhpreact.sum(0, keepdim=True)", "dbnbias = dhpreact.sum(0)")
    rows = {row.name: row for row in check_text(text).variables}
    assert (rows["bnbias"].verdict, rows["bnbias"].proven) == ("shape", False)


def test_what_a_function_returns_is_proven_line_by_line(check_text):
    text = f"""{HEAD}
def linear_backward(dout, a, b):
    da = dout @ b.T
    return da, a.T @ dout

y = torch.tanh(x)
loss = (y**2).sum()
dy = 2 * y
dx = (1 - y**2) * dy
dX, dW = linear_backward(dx, X, W)
"""
    rows = {row.name: row.proven for row in check_text(text).variables}
    assert rows["W"]


def test_a_name_that_is_given_anew_stands_for_what_it_was_given(check_text):
    """`X` holds a part of the gradient, not the inputs."""
    right = HEAD + "y = x * x\nloss = (y**2).sum()\ndy = 2 * y\nX = 2 * x\ndx = X * dy"
    assert {row.name: row.proven for row in check_text(right).variables}["x"]
    assert said(check_text(right.replace("X = 2 * x", "X = 3 * x"))) == ["it is 3/2 times the right gradient."]


def test_of_two_passes_each_gradient_is_that_of_its_own(check_text):
    passes = [f"y = ({c} * x) ** 2\nloss = (y**2).sum()\ndy = 2 * y\ndx = {2 * c**2} * x * dy\n" for c in (2, 3)]
    report = check_text(HEAD + "".join(passes))
    assert [row.proven for row in report.variables if row.name in "xy"] == 4 * [True]
