"""`handgrad.check` of files, of pairs of functions and of autograd functions, right and wrong."""

from typing import NamedTuple

import pytest
import torch

import handgrad
from handgrad.checker import WrongGradientError
from handgrad.errors import HandgradError


class Grads(NamedTuple):
    dx: torch.Tensor
    dgain: torch.Tensor


def rmsnorm_forward(x, gain):
    ms = (x**2).mean(-1, keepdim=True)
    inv = (ms + 1e-5) ** -0.5
    xhat = x * inv
    return xhat * gain, (x, gain, inv, xhat)


def rmsnorm_backward(dout, cache):
    x, gain, inv, xhat = cache
    dgain = (dout * xhat).sum(0)
    dxhat = dout * gain
    dinv = (dxhat * x).sum(-1, keepdim=True)
    dms = -0.5 * inv**3 * dinv
    dx = dxhat * inv + 2 * x / x.shape[-1] * dms
    return Grads(dx, dgain)


def half_a_backward(dout, cache):
    x, gain, inv, xhat = cache
    dgain = (dout * xhat).sum(0)
    dxhat = dout * gain
    dinv = (dxhat * x).sum(-1, keepdim=True)
    dms = 0.5 * inv**3 * dinv
    dx = dxhat * inv + 2 * x / x.shape[-1] * dms
    return Grads(dx, dgain)


class Swish(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, beta):
        s = torch.sigmoid(beta * x)
        ctx.save_for_backward(x, beta, s)
        return x * s

    @staticmethod
    def backward(ctx, dy):
        x, beta, s = ctx.saved_tensors
        ds = dy * x
        dz = ds * s * (1 - s)
        return dy * s + dz * beta, (dz * x).sum()


class ForgetfulSwish(Swish):
    @staticmethod
    def backward(ctx, dy):
        x, beta, s = ctx.saved_tensors
        ds = dy * x
        dz = ds * s * (1 - s)
        return dz * beta, (dz * x).sum()


X, GAIN, BETA = torch.randn(5, 7), torch.rand(7) + 0.5, torch.tensor(1.5)


def test_a_right_pair():
    report = handgrad.check(rmsnorm_forward, rmsnorm_backward, X, GAIN)
    report.raise_if_wrong()
    assert report.right
    assert {"x", "gain"} == {row.name for row in report.variables}


def test_a_wrong_pair_is_blamed_on_the_line_inside():
    report = handgrad.check(rmsnorm_forward, half_a_backward, X, GAIN)
    (row,) = report.blamed
    first = half_a_backward.__code__.co_firstlineno
    assert (row.name, row.line, row.diagnosis[0].kind) == ("ms", first + 5, "sign")
    assert row.place.file == __file__
    with pytest.raises(WrongGradientError, match=r"dms = 0\.5 \* inv\*\*3 \* dinv"):
        report.raise_if_wrong()
    with pytest.raises(AssertionError):
        report.raise_if_wrong()


def test_a_right_autograd_function():
    assert handgrad.check(Swish, X, BETA).right


def test_a_wrong_autograd_function():
    report = handgrad.check(ForgetfulSwish, X, BETA)
    assert [row.name for row in report.blamed] == ["x"]
    assert report.to_json()["variables"][-1]["name"] in ("x", "beta")


def test_a_file(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        "import torch\nw = torch.ones(3, requires_grad=True)\ny = w**2\nloss = y.sum()\n"
        "dy = torch.ones(3)\ndw = 3 * w * dy\n"
    )
    for subject in (path, str(path)):
        (row,) = handgrad.check(subject).blamed
        assert (row.name, row.line) == ("w", 6)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((3,), "got int"),
        ((rmsnorm_forward,), "expected a file, an autograd.Function, or a forward and a backward function"),
        ((rmsnorm_forward, rmsnorm_backward, X), "needs gain"),
        ((rmsnorm_forward, rmsnorm_backward, X, torch.rand(8)), "rmsnorm_forward.*RuntimeError|RuntimeError"),
        (("nowhere.py",), "no such file"),
    ],
)
def test_what_cannot_be_checked_is_an_error_of_ours(arguments, says):
    with pytest.raises(HandgradError, match=says):
        handgrad.check(*arguments)


def test_neither_arguments_nor_random_numbers_are_touched():
    x, gain, state = X.clone(), GAIN.clone().requires_grad_(), torch.get_rng_state()
    handgrad.check(rmsnorm_forward, half_a_backward, x, gain)
    assert torch.equal(x, X)
    assert torch.equal(gain, GAIN)
    assert gain.grad is None
    assert torch.equal(torch.get_rng_state(), state)
