import pytest
import torch
from torch.nn import functional as F

from handgrad.ops import (
    batchnorm_backward,
    batchnorm_backward_stepwise,
    batchnorm_forward,
    batchnorm_inference,
)

from .cases import BATCHNORM
from .harness import by_autograd, disagreement


def test_the_variance_has_bessels_correction():
    (x, gain, bias), _ = BATCHNORM.arguments((5, 7))
    out, cache = batchnorm_forward(x, gain, bias)
    assert disagreement([cache.bnmeani, cache.bnvar], [x.mean(0, True), x.var(0, correction=1, keepdim=True)]) <= 1e-12
    normalised = (out - bias) / gain
    assert torch.allclose(normalised.var(0, correction=1), cache.bnvar[0] / (cache.bnvar[0] + 1e-5))


def test_one_row_is_refused():
    (x, gain, bias), _ = BATCHNORM.arguments((5, 7))
    with pytest.raises(ZeroDivisionError):
        batchnorm_forward(x[:1], gain, bias)


@pytest.mark.parametrize("backward", [batchnorm_backward, batchnorm_backward_stepwise])
def test_two_rows(backward):
    """Two rows normalise to ±1/√2 whatever they are, so dx all but vanishes: compare with the cotangent's scale."""
    args, dout = BATCHNORM.arguments((2, 7))
    _, cache = batchnorm_forward(*args)
    for ours, theirs in zip(backward(dout, cache), by_autograd(BATCHNORM.oracle, args, dout), strict=True):
        assert ours.shape == theirs.shape
        assert (ours - theirs).abs().max() <= 1e-12 * (cache.gain * cache.bnvar_inv * dout).abs().max()


@pytest.mark.parametrize("backward", [batchnorm_backward, batchnorm_backward_stepwise])
def test_a_constant_feature_stays_finite(backward):
    _, gain, bias = BATCHNORM.arguments((5, 3))[0]
    out, cache = batchnorm_forward(torch.full((5, 3), 2.0, dtype=torch.float64), gain, bias)
    assert torch.equal(out, bias.expand(5, 3))
    assert all(grad.isfinite().all() for grad in backward(torch.ones_like(out), cache))


def test_eps_is_used_forward_and_backward():
    args, dout = BATCHNORM.arguments((5, 7))
    out, cache = batchnorm_forward(*args, eps=0.5)

    def oracle(x, gain, bias):
        return gain * (x - x.mean(0)) / (x.var(0) + 0.5).sqrt() + bias

    reference = by_autograd(oracle, args, dout)
    assert disagreement([out], [oracle(*args)]) <= 1e-12
    assert disagreement(batchnorm_backward(dout, cache), reference) <= 1e-12
    assert disagreement(batchnorm_backward_stepwise(dout, cache), reference) <= 1e-12


def test_inference_with_the_batchs_own_statistics_equals_training():
    args, _ = BATCHNORM.arguments((5, 7))
    for eps in (1e-5, 0.5):
        out, cache = batchnorm_forward(*args, eps=eps)
        assert disagreement([batchnorm_inference(*args, cache.bnmeani, cache.bnvar, eps)], [out]) <= 1e-12


def test_inference_equals_pytorch():
    (x, gain, bias), _ = BATCHNORM.arguments((5, 7))
    (_, mean, log_var), _ = BATCHNORM.arguments((5, 7), seed=1)
    x, var = x[:1], log_var.exp()
    theirs = F.batch_norm(x, mean[0], var[0], gain[0], bias[0], training=False, eps=1e-5)
    assert disagreement([batchnorm_inference(x, gain, bias, mean, var)], [theirs]) <= 1e-12


def test_the_lectures_lines_bit_for_bit():
    """In float32 and at the lecture's sizes, line by line is not close to autograd but equal to it."""
    args, dout = BATCHNORM.arguments((32, 64), torch.float32)

    def lecture(hprebn, bngain, bnbias, n=32):
        bnmeani = 1 / n * hprebn.sum(0, keepdim=True)
        bndiff = hprebn - bnmeani
        bndiff2 = bndiff**2
        bnvar = 1 / (n - 1) * bndiff2.sum(0, keepdim=True)
        bnvar_inv = (bnvar + 1e-5) ** -0.5
        bnraw = bndiff * bnvar_inv
        return bngain * bnraw + bnbias

    out, cache = batchnorm_forward(*args)
    assert torch.equal(out, lecture(*args))
    for ours, theirs in zip(batchnorm_backward_stepwise(dout, cache), by_autograd(lecture, args, dout), strict=True):
        assert torch.equal(ours, theirs)
