"""The operations and, for each, mistakes people make in its backward."""

import math
from dataclasses import replace

import torch
from torch.nn import functional as F

from handgrad import ops

from . import layer_cases, recurrent_cases
from .harness import Case, altered, named


def batchnorm_oracle(x, gain, bias):
    """PyTorch normalises with N; stretching `x` by √(N/(N−1)) turns that into N−1."""
    stretch = math.sqrt(len(x) / (len(x) - 1))
    return F.batch_norm(x * stretch, None, None, gain[0] / stretch, bias[0], training=True, eps=1e-5)


def embedding_mistake(accumulate):
    def backward(demb, cache):
        dC = demb.new_zeros(cache.vocab_size, demb.shape[-1])
        accumulate(dC, cache.Xb, demb)
        return ops.EmbeddingGrads(dC)

    return backward


def overwritten(dC, Xb, demb):
    dC[Xb] = demb


def repeats_lost(dC, Xb, demb):
    dC[Xb] += demb


def averaged(dC, Xb, demb):
    dC.index_add_(0, Xb.flatten(), demb.flatten(0, -2))
    dC /= Xb.flatten().bincount(minlength=len(dC)).clamp(min=1)[:, None]


def next_row(dC, Xb, demb):
    dC.index_add_(0, (Xb.flatten() + 1) % len(dC), demb.flatten(0, -2))


def linear_mistakes():
    def change(**changes):
        return altered(ops.linear_backward, **changes)

    return named(
        path_through_x_dropped=change(dx=lambda _, cache, __: torch.zeros_like(cache.x)),
        wrong_sign=change(dx=lambda _, __, grads: -grads.dx),
        weight_transposed=change(dweight=lambda dout, cache, _: dout.T @ cache.x),
        averaged_over_rows=change(dweight=lambda dout, _, grads: grads.dweight / len(dout)),
        bias_not_summed=change(dbias=lambda dout, _, __: dout),
        bias_sum_keeps_its_dimension=change(dbias=lambda dout, _, __: dout.sum(0, keepdim=True)),
        bias_averaged=change(dbias=lambda dout, _, __: dout.mean(0)),
    )


def batchnorm_dx(
    direct=1.0, mean_factor=lambda n: 1 / n, variance_factor=lambda n: 1 / (n - 1), raw="bnraw", gain=True
):
    """The closed form of dx with something in it replaced."""

    def dx(dout, cache, _):
        n = len(dout)
        u = cache.gain * dout if gain else dout
        through_mean = mean_factor(n) * u.sum(0, keepdim=True)
        through_variance = variance_factor(n) * getattr(cache, raw) * (u * cache.bnraw).sum(0, keepdim=True)
        return cache.bnvar_inv * (direct * u - through_mean - through_variance)

    return dx


def without_eps(dout, cache):
    return ops.batchnorm_backward(dout, cache._replace(bnvar_inv=cache.bnvar.rsqrt()))


def batchnorm_mistakes():
    def change(**changes):
        return altered(ops.batchnorm_backward, **changes)

    return named(
        path_through_mean_dropped=change(dx=batchnorm_dx(mean_factor=lambda _: 0)),
        path_through_variance_dropped=change(dx=batchnorm_dx(variance_factor=lambda _: 0)),
        direct_path_dropped=change(dx=batchnorm_dx(direct=0)),
        mean_over_n_minus_1=change(dx=batchnorm_dx(mean_factor=lambda n: 1 / (n - 1))),
        variance_over_n=change(dx=batchnorm_dx(variance_factor=lambda n: 1 / n)),
        variance_sign=change(dx=batchnorm_dx(variance_factor=lambda n: -1 / (n - 1))),
        bndiff_for_bnraw=change(dx=batchnorm_dx(raw="bndiff")),
        gain_forgotten=change(dx=batchnorm_dx(gain=False)),
        eps_forgotten=without_eps,
        gain_not_summed=change(dgain=lambda dout, cache, _: dout * cache.bnraw),
        gain_sum_loses_its_dimension=change(dgain=lambda dout, cache, _: (dout * cache.bnraw).sum(0)),
        gain_without_bnraw=change(dgain=lambda dout, _, __: dout.sum(0, keepdim=True)),
        bias_averaged=change(dbias=lambda dout, _, __: dout.mean(0, keepdim=True)),
    )


def tanh_mistakes():
    def wrong(derivative):
        return lambda dh, cache: ops.TanhGrads(derivative(cache.h) * dh)

    return named(
        square_forgotten=wrong(lambda h: 1 - h),
        wrong_sign=wrong(lambda h: 1 + h * h),
        input_for_output=wrong(lambda h: 1 - h.atanh() ** 2),
        cotangent_dropped=lambda _, cache: ops.TanhGrads(1 - cache.h**2),
    )


def cross_entropy_mistakes():
    def wrong(dlogits):
        def backward(dloss, cache):
            onehot = F.one_hot(cache.targets, cache.logits.shape[1])
            return ops.CrossEntropyGrads(dlogits(cache.logprobs.exp(), onehot, dloss, len(onehot)))

        return backward

    return named(
        not_divided_by_n=wrong(lambda probs, onehot, dloss, _: (probs - onehot) * dloss),
        divided_by_classes=wrong(lambda probs, onehot, dloss, _: (probs - onehot) * dloss / onehot.shape[1]),
        only_target_divided_by_n=wrong(lambda probs, onehot, dloss, n: (probs - onehot / n) * dloss),
        target_not_subtracted=wrong(lambda probs, _, dloss, n: probs * dloss / n),
        only_target=wrong(lambda probs, onehot, dloss, n: (probs - 1) * onehot * dloss / n),
        wrong_sign=wrong(lambda probs, onehot, dloss, n: (onehot - probs) * dloss / n),
        cotangent_dropped=wrong(lambda probs, onehot, _, n: (probs - onehot) / n),
        softmax_over_rows=lambda dloss, cache: ops.cross_entropy_backward(
            dloss, cache._replace(logprobs=cache.logits.log_softmax(0))
        ),
    )


EMBEDDING = Case(
    name="embedding",
    forward=ops.embedding_forward,
    backward=ops.embedding_backward,
    oracle=lambda C, Xb: F.embedding(Xb, C),
    draw=lambda size, randn, tokens: (randn(*size[:2]), tokens(size[0], *size[2:])),
    sizes=[(5, 3, 7, 2), (2, 4, 11, 3), (13, 2, 5, 6)],
    smallest=(1, 1, 1, 1),
    mistakes=named(
        **{f.__name__: embedding_mistake(f) for f in (overwritten, repeats_lost, averaged, next_row)},
    ),
)

LINEAR = Case(
    name="linear",
    forward=ops.linear_forward,
    backward=ops.linear_backward,
    oracle=lambda x, weight, bias: F.linear(x, weight.T, bias),
    draw=lambda size, randn, _: (randn(size[0], size[1]), randn(size[1], size[2]), randn(size[2])),
    sizes=[(5, 3, 7), (2, 11, 4), (13, 6, 2)],
    smallest=(1, 1, 1),
    mistakes=linear_mistakes(),
)

BATCHNORM = Case(
    name="batchnorm",
    forward=ops.batchnorm_forward,
    backward=ops.batchnorm_backward,
    oracle=batchnorm_oracle,
    draw=lambda size, randn, _: (randn(*size), 1 + 0.5 * randn(1, size[1]), randn(1, size[1])),
    sizes=[(5, 7), (11, 3), (4, 13)],
    smallest=(3, 1),
    mistakes=batchnorm_mistakes(),
)

TANH = Case(
    name="tanh",
    forward=ops.tanh_forward,
    backward=ops.tanh_backward,
    oracle=torch.tanh,
    draw=lambda size, randn, _: (randn(*size),),
    sizes=[(5, 7), (11, 3), (2, 3)],
    smallest=(1, 1),
    mistakes=tanh_mistakes(),
)

CROSS_ENTROPY = Case(
    name="cross_entropy",
    forward=ops.cross_entropy_forward,
    backward=ops.cross_entropy_backward,
    oracle=F.cross_entropy,
    draw=lambda size, randn, tokens: (2 * randn(*size), tokens(size[1], size[0])),
    sizes=[(5, 7), (11, 3), (2, 13)],
    smallest=(1, 1),
    mistakes=cross_entropy_mistakes(),
)

STEPWISE = [
    replace(BATCHNORM, name="batchnorm_stepwise", backward=ops.batchnorm_backward_stepwise, mistakes=()),
    replace(CROSS_ENTROPY, name="cross_entropy_stepwise", backward=ops.cross_entropy_backward_stepwise, mistakes=()),
]

CASES = [EMBEDDING, LINEAR, BATCHNORM, TANH, CROSS_ENTROPY, *STEPWISE, *layer_cases.CASES, *recurrent_cases.CASES]
