from typing import NamedTuple

import pytest
import torch

from handgrad.checker import CheckError, WrongGradientError, check


class Cache(NamedTuple):
    x: torch.Tensor
    gain: torch.Tensor
    inv_rms: torch.Tensor


class Grads(NamedTuple):
    dx: torch.Tensor
    dgain: torch.Tensor


def rms_forward(x, gain, eps=1e-5):
    inv_rms = (x.square().mean(1, keepdim=True) + eps).rsqrt()
    return gain * x * inv_rms, Cache(x, gain, inv_rms)


def rms_backward(dy, cache):
    x, gain, inv_rms = cache
    u = gain * dy
    dinv_rms = (u * x).sum(1, keepdim=True)
    dx = u * inv_rms - x * inv_rms**3 * dinv_rms / x.shape[1]
    dgain = (dy * x * inv_rms).sum(0)
    return Grads(dx, dgain)


def rms_backward_over_rows(dy, cache):
    x, gain, inv_rms = cache
    u = gain * dy
    dinv_rms = (u * x).sum(1, keepdim=True)
    dx = u * inv_rms - x * inv_rms**3 * dinv_rms / x.shape[0]
    return Grads(dx, (dy * x).sum(0))


def rms_backward_as_dict(dy, cache):
    grads = rms_backward(dy, cache)
    return {"gain": grads.dgain, "x": grads.dx}


class Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, w):
        ctx.save_for_backward(x, w)
        return x**2 * w

    @staticmethod
    def backward(ctx, grad_output):
        x, w = ctx.saved_tensors
        return 2 * x * w * grad_output, grad_output * x**2


class SquareWithoutWeight(Square):
    @staticmethod
    def backward(ctx, grad_output):
        x, _ = ctx.saved_tensors
        grad_x = 2 * x * grad_output
        return grad_x, grad_output * x**2


class Doubled(torch.autograd.Function):
    @staticmethod
    def forward(x):
        return x * 2

    @staticmethod
    def setup_context(ctx, inputs, output):  # noqa: ARG004
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, dout):  # noqa: ARG004
        return dout * 2


@pytest.fixture
def inputs():
    generator = torch.Generator().manual_seed(3)
    return torch.randn(5, 7, generator=generator), torch.rand(7, generator=generator) + 0.5


@pytest.mark.parametrize("backward", [rms_backward, rms_backward_as_dict])
def test_a_right_pair_is_right(backward, inputs):
    report = check(rms_forward, backward, *inputs)
    assert report.right
    assert {"x", "gain"} <= {row.name for row in report.variables}


@pytest.mark.slow
def test_the_wrong_lines_inside_are_named(inputs):
    report = check(rms_forward, rms_backward_over_rows, *inputs)
    assert {row.name for row in report.blamed} == {"x", "gain"}
    fixes = {row.name: row.diagnosis[0].fix for row in report.blamed}
    assert fixes["x"].endswith("x.shape[1]")
    assert "inv_rms" in fixes["gain"]


@pytest.mark.slow
def test_a_wrong_pair_raises_its_report(inputs):
    with pytest.raises(WrongGradientError, match=r"x\.shape\[1\] in place of|wrong-dim"):
        check(rms_forward, rms_backward_over_rows, *inputs).raise_if_wrong()


def test_an_autograd_function_is_checked_against_its_own_forward(inputs):
    x, _ = inputs
    assert check(Square, x, x.abs() + 1).right
    report = check(SquareWithoutWeight, x, x.abs() + 1)
    assert [row.name for row in report.blamed] == ["x"]
    assert report.blamed[0].diagnosis[0].kind == "missing-factor"


def test_a_separate_setup_context_is_understood(inputs):
    assert check(Doubled, inputs[0]).right


def test_functions_without_source_are_judged_by_their_values(inputs):
    report = check(lambda a: (a * 2, a), lambda up, _cache: up * 3, inputs[0])
    assert report.blamed[0].diagnosis[0].kind == "scale"
    assert "0.666667" in report.blamed[0].diagnosis[0].message


def test_arguments_are_left_as_they_were(inputs):
    before = [t.clone() for t in inputs]
    check(rms_forward, rms_backward, *inputs)
    assert all(torch.equal(a, b) for a, b in zip(inputs, before, strict=True))
    assert not any(t.requires_grad for t in inputs)


def not_finite_forward(x):
    y = x.log()
    return y, y


def not_finite_backward(dy, _y):
    return dy


def test_messages_speak_of_no_file_where_there_is_none():
    with pytest.raises(CheckError, match="no gradient can be judged") as refused:
        check(not_finite_forward, not_finite_backward, -torch.ones(3))
    assert "None" not in str(refused.value)


def test_too_few_arguments_are_an_error():
    with pytest.raises(CheckError, match="also needs gain"):
        check(rms_forward, rms_backward, torch.randn(2, 3))
