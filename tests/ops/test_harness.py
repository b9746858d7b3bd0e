"""The measure that judges the operations, judged."""

import math

import pytest
import torch

from .harness import by_autograd, by_central_differences, disagreement

RIGHT = torch.tensor([[1.0, -4.0, 2.0]], dtype=torch.float64)


def test_equal_gradients_agree():
    assert disagreement([RIGHT, 0 * RIGHT], [RIGHT.clone(), 0 * RIGHT]) == 0


def test_the_error_is_relative_to_the_largest_entry():
    assert disagreement([RIGHT + torch.tensor([0.0, 0.0, 0.1])], [RIGHT]) == pytest.approx(0.1 / 4)
    assert disagreement([0 * RIGHT], [1e-9 * RIGHT]) == pytest.approx(1)


@pytest.mark.parametrize(
    "ours",
    [[RIGHT[0]], [RIGHT.expand(2, 3)], [RIGHT.float()], [RIGHT, RIGHT], [], [RIGHT * math.nan], [RIGHT / 0]],
    ids=["shape", "broadcastable", "dtype", "one too many", "one too few", "nan", "infinite"],
)
def test_what_cannot_be_compared_does_not_agree(ours):
    assert disagreement(ours, [RIGHT]) == math.inf


def test_nan_in_a_later_gradient_does_not_agree():
    assert disagreement([RIGHT, RIGHT * math.nan], [RIGHT, RIGHT]) == math.inf


def test_the_two_references_agree():
    def function(x, index):
        return (x[index] ** 3).sum(1)

    args = RIGHT.T.clone(), torch.tensor([2, 0, 0, 1])
    dout = torch.tensor([1.0, -2.0, 0.5, 3.0], dtype=torch.float64)
    analytic = by_autograd(function, args, dout)
    assert disagreement(by_central_differences(function, args, dout), analytic) <= 1e-8
    assert torch.allclose(analytic[0], torch.tensor([[-1.5 * 3], [3 * 48], [1.0 * 12]], dtype=torch.float64))
