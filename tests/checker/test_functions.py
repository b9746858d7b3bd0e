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


def numpy_forward(x, w):
    x, w = x.numpy(), w.numpy()
    return torch.from_numpy(x @ w), (x, w)


def numpy_backward(dout, cache):
    x, w = cache
    dout = dout.numpy()
    dx = 3 * dout @ w.T
    dw = x.T @ dout
    return torch.from_numpy(dx), torch.from_numpy(dw)


def test_a_pair_that_computes_with_arrays_of_tensors_is_gone_into():
    report = check(numpy_forward, numpy_backward, torch.randn(4, 6), torch.randn(6, 5))
    (row,) = report.blamed
    assert (row.text, [one.fix for one in row.diagnosis]) == ("dx = 3 * dout @ w.T", ["dx = dout @ w.T"])


class Coarse(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x.bfloat16())
        return x**3

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * 3 * x.to(g.dtype) ** 2


def test_what_agrees_to_a_lower_precision_alone_is_told(check_text):
    report = check(Coarse, torch.linspace(0.1, 1.0, 12))
    assert report.right
    assert any("dx agrees only to bfloat16's precision" in note for note in report.notes)
    text = (
        "import torch\nx, W = torch.linspace(0.1, 1, 12).view(3, 4), torch.ones(4, 2, requires_grad=True)\n"
        "loss = ((y := x @ W) ** 2).sum()\ndy = 2 * y\ndW = {}\n"
    )
    assert not check_text(text.format("x.T @ dy")).notes
    report = check_text(text.format("(x.bfloat16().T @ dy.bfloat16()).float()"))
    assert report.right
    assert any("dW agrees only to bfloat16's precision" in note for note in report.notes)


class HalfTheSpectrum(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return torch.fft.rfft(x).abs().pow(2).sum(-1)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g[..., None] * 2 * torch.fft.ifft(torch.fft.fft(x)).real * x.shape[-1]


def test_where_nothing_explains_it_an_element_is_told_with_what_it_should_be():
    (row,) = check(HalfTheSpectrum, torch.randn(2, 6)).blamed
    assert "dx is wrong in 12 of 12 elements, the first at (0, 0): it is" in row.diagnosis[0].message
    assert "and should be" in row.diagnosis[0].message
