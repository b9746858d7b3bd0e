"""The lecture's `cmp`: what it prints for right, nearly right and wrong gradients."""

import pytest
import torch

import handgrad
from handgrad.lecture.cmp import compare


@pytest.fixture
def t() -> torch.Tensor:
    """A variable whose gradient is [[2, 4, -6]]."""
    t = torch.tensor([[1.0, 2.0, -3.0]], requires_grad=True)
    (t * t).sum().backward()
    return t


def printed(capsys, *arguments) -> str:
    handgrad.cmp("name", *arguments)
    return capsys.readouterr().out


RIGHT = torch.tensor([[2.0, 4.0, -6.0]])


def test_it_prints_the_lectures_line(capsys, t):
    assert printed(capsys, RIGHT, t) == "name            | exact: True  | approximate: True  | maxdiff: 0.0\n"
    assert printed(capsys, RIGHT + 0.5, t) == "name            | exact: False | approximate: False | maxdiff: 0.5\n"
    nearly = printed(capsys, RIGHT * (1 + 3e-7), t)
    assert nearly.startswith("name            | exact: False | approximate: True  | maxdiff: ")
    assert 1e-6 < float(nearly.split()[-1]) < 3e-6


WRONG = {
    "a scalar": (torch.tensor(2.0), "wrong shape: got (), expected (1, 3)"),
    "a dimension less": (RIGHT[0], "wrong shape: got (3,), expected (1, 3)"),
    "rows that broadcast": (RIGHT.expand(2, 3), "wrong shape: got (2, 3), expected (1, 3)"),
    "a column that broadcasts": (RIGHT[:, :1], "wrong shape: got (1, 1), expected (1, 3)"),
    "float64": (RIGHT.double(), "wrong dtype: got torch.float64, expected torch.float32"),
    "integers": (RIGHT.long(), "wrong dtype: got torch.int64, expected torch.float32"),
    "None": (None, "not written yet"),
    "an ellipsis": (..., "not written yet"),
    "an int": (2, "no tensor: got int"),
    "a list": ([[2.0, 4.0, -6.0]], "no tensor: got list"),
    "NumPy": (RIGHT.numpy(), "no tensor: got ndarray"),
}


@pytest.mark.parametrize(("dt", "remark"), WRONG.values(), ids=WRONG.keys())
def test_it_says_why_there_is_nothing_to_compare(capsys, t, dt, remark):
    assert printed(capsys, dt, t) == f"name            | {remark}\n"


def test_it_says_what_to_do_where_pytorch_has_no_gradient(capsys):
    leaf = torch.ones(3, requires_grad=True)
    intermediate = leaf * 2
    untracked = torch.ones(3)
    for t in (leaf, intermediate, untracked):
        assert "PyTorch has no gradient of it: call its retain_grad(), then loss.backward()" in printed(capsys, t, t)
    intermediate.retain_grad()
    intermediate.sum().backward()
    assert "exact: True" in printed(capsys, torch.ones(3), intermediate)
    assert "the third argument is no tensor: got NoneType" in printed(capsys, torch.ones(3), None)


def test_a_gradient_with_a_history_of_its_own_can_be_compared(capsys, t):
    assert "exact: True" in printed(capsys, 2 * t, t)


def test_not_a_number_is_never_right():
    for ours, theirs in ((RIGHT * float("nan"), RIGHT), (RIGHT, RIGHT * float("nan")), (RIGHT / 0, RIGHT)):
        comparison = compare("x", ours, theirs)
        assert not comparison.exact
        assert not comparison.approximate


def test_approximate_is_relative_to_the_greatest_entry():
    reference = torch.tensor([1e4, 1e-3])
    assert compare("x", reference + torch.tensor([0.0, 1e-2]), reference).approximate
    assert not compare("x", reference + torch.tensor([0.0, 1.0]), reference).approximate
    assert not compare("x", 0 * reference, reference).approximate


def test_empty_gradients_are_equal():
    comparison = compare("x", torch.zeros(0, 3), torch.zeros(0, 3))
    assert (comparison.exact, comparison.approximate, comparison.maxdiff) == (True, True, 0.0)
