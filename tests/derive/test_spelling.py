"""Derived text in a program's own names for its modules."""

import ast
import math

import numpy
import pytest
import torch
from torch import nn
from torch.nn import functional

from handgrad.derive.emit.source import lines_of, written
from handgrad.derive.emit.spelling import spelled

TEXT = "dx = F.softmax(x, 1) - math.log(2) * torch.exp(np.F.T)"


@pytest.mark.parametrize(
    ("values", "text"),
    [
        (
            {"F": functional, "torch": torch, "math": math, "np": numpy},
            "dx = F.softmax(x, 1) - math.log(2) * torch.exp(np.F.T)",
        ),
        (
            {"th": torch, "m": math, "numpy": numpy},
            "dx = th.nn.functional.softmax(x, 1) - m.log(2) * th.exp(numpy.F.T)",
        ),
        (
            {"torch": torch, "nn": nn},
            "dx = nn.functional.softmax(x, 1) - 0.6931471805599453 * torch.exp(numpy.F.T)",
        ),
    ],
)
def test_names_of_modules(values, text):
    assert spelled(TEXT, values) == text


def test_a_variable_is_no_module():
    values = {"F": torch.ones(3), "torch": torch}
    assert spelled("dx = F.sum() * torch.nn.functional.relu(F)", values) == "dx = F.sum() * torch.nn.functional.relu(F)"


def test_numbers_are_written_out_as_far_as_they_are_numbers():
    assert spelled("dx = 2 / math.sqrt(math.pi) * dy", {}) == "dx = 1.1283791670955126 * dy"
    assert spelled("dx = math.log(a) * dy", {}) == "dx = math.log(a) * dy"


def test_all_lines_and_letters_beside_ascii():
    text = "dµ = F.relu(µ) + torch.exp(µ)\ndν = torch.exp(ν)"
    assert spelled(text, {"th": torch}) == "dµ = th.nn.functional.relu(µ) + th.exp(µ)\ndν = th.exp(ν)"


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("(a*b)+c", "a * b + c"),
        ("a*(b*c)", "a * (b * c)"),
        ("a-(b-c)", "a - (b - c)"),
        ("a/(b*c)", "a / (b * c)"),
        ("-(a*b)", "-a * b"),
        ("(-a)**2", "(-a)**2"),
        ("-a**2", "-a**2"),
        ("2**-x", "2**-x"),
        ("(a+b)**-0.5", "(a + b)**-0.5"),
        ("-(a+b)", "-(a + b)"),
        ("(a@b).T", "(a @ b).T"),
        ("(a>b)&(c<d)", "(a > b) & (c < d)"),
        ("x[:,None,...,1:-1]", "x[:, None, ..., 1:-1]"),
        ("x[(1,)]", "x[1,]"),
        ("f(a,*b,k='v')", 'f(a, *b, k="v")'),
        ("1e-05", "1e-5"),
        ("1e20", "1e20"),
        ("float('inf')", 'float("inf")'),
        ("1 .real", "(1).real"),
        ("(a if b else c)*2", "(a if b else c) * 2"),
        ("[i for i in x]", "[i for i in x]"),
    ],
)
def test_written(source, text):
    tree = ast.parse(source, mode="eval").body
    assert written(tree) == text
    assert eval_like(text) == eval_like(source)


def eval_like(source: str) -> str:
    """What an expression computes, whether a minus stands before a product or before its first factor."""
    return ast.dump(ast.parse(source.replace("-(a*b)", "-a*b"), mode="eval"))


def test_statements():
    source = "for t in reversed(range(T)):\n    dh = dhs[t] + dh\n    dW += x[t].T @ dh"
    (loop,) = ast.parse(source).body
    assert "\n".join(lines_of(loop)) == source
