"""The operations of feed-forward layers, norms and attention and, for each, mistakes people make in its backward."""

import torch
from torch.nn import functional as F

from handgrad import ops

from .harness import Case, altered, named

KEPT = 0.75
HEADS = 3


def gelu_mistakes():
    def wrong(slope):
        return lambda dy, cache: ops.GELUGrads(slope(*cache) * dy)

    def du(x):
        return (2 / torch.pi) ** 0.5 * (1 + 3 * 0.044715 * x * x)

    return named(
        factor_only=wrong(lambda _, t: 0.5 * (1 + t)),
        inner_slope_forgotten=wrong(lambda x, t: 0.5 * (1 + t + x * (1 - t * t))),
        cube_not_differentiated=wrong(lambda x, t: 0.5 * (1 + t + x * (1 - t * t) * (du(x) - 0.0713 * x * x))),
        slope_of_the_exact_form=wrong(
            lambda x, _: torch.special.ndtr(x) + x * (-x * x / 2).exp() / (2 * torch.pi) ** 0.5
        ),
        square_forgotten=wrong(lambda x, t: 0.5 * (1 + t + x * (1 - t) * du(x))),
    )


def layernorm_mistakes():
    def dx(mean=True, variance=True, gain=True, axis=1, divisor=None):
        def change(dout, cache, _):
            u = cache.gain * dout if gain else dout
            through_mean = u.mean(axis, keepdim=True) if mean else 0
            size = divisor or u.shape[1]
            through_variance = cache.raw * (u * cache.raw).sum(1, keepdim=True) / size if variance else 0
            return cache.std_inv * (u - through_mean - through_variance)

        return altered(ops.layernorm_backward, dx=change)

    return named(
        path_through_mean_dropped=dx(mean=False),
        path_through_variance_dropped=dx(variance=False),
        gain_forgotten=dx(gain=False),
        mean_over_rows=dx(axis=0),
        bessels_correction=dx(divisor=6),
        gain_summed_over_features=altered(
            ops.layernorm_backward, dgain=lambda dout, cache, _: (dout * cache.raw).sum(1)
        ),
        bias_averaged=altered(ops.layernorm_backward, dbias=lambda dout, _, __: dout.mean(0)),
    )


def rmsnorm_mistakes():
    def wrong(dx):
        return lambda dy, cache: ops.RMSNormGrads(dx(dy, *cache))

    return named(
        path_through_root_dropped=wrong(lambda dy, _, r: r * dy),
        sum_for_mean=wrong(lambda dy, y, r: r * (dy - y * (dy * y).sum(1, keepdim=True))),
        input_for_output=wrong(lambda dy, y, r: r * (dy - y / r * (dy * y / r).mean(1, keepdim=True))),
        mean_taken_off=wrong(lambda dy, y, r: r * (dy - dy.mean(1, keepdim=True) - y * (dy * y).mean(1, keepdim=True))),
        wrong_sign=wrong(lambda dy, y, r: r * (dy + y * (dy * y).mean(1, keepdim=True))),
    )


def causal_mean_mistakes():
    def wrong(dx):
        return lambda dy, cache: ops.CausalMeanGrads(dx(dy, cache.count))

    return named(
        own_place_only=wrong(lambda dy, count: dy / count),
        sum_from_the_front=wrong(lambda dy, count: (dy / count).cumsum(1)),
        divided_after_the_sum=wrong(lambda dy, count: dy.flip(1).cumsum(1).flip(1) / count),
        divided_by_all=wrong(lambda dy, count: dy.flip(1).cumsum(1).flip(1) / len(count)),
    )


def attention_mistakes():
    right = ops.attention_backward

    def without_sum(dout, cache):
        dy = dout.unflatten(2, (HEADS, -1)).transpose(1, 2)
        dscores = cache.weights * (dy @ cache.v.mT) / cache.q.shape[3] ** 0.5
        dq, dk = (x.transpose(1, 2).flatten(2) for x in (dscores @ cache.k, dscores.mT @ cache.q))
        return ops.AttentionGrads(dq, dk, right(dout, cache).dv)

    return named(
        scale_forgotten=altered(
            right,
            dq=lambda _, cache, grads: grads.dq * cache.q.shape[3] ** 0.5,
            dk=lambda _, cache, grads: grads.dk * cache.q.shape[3] ** 0.5,
        ),
        softmax_backward_without_its_sum=without_sum,
        weights_not_transposed=lambda dout, cache: right(dout, cache._replace(weights=cache.weights.mT)),
        keys_and_queries_swapped=lambda dout, cache: right(dout, cache._replace(q=cache.k, k=cache.q)),
        values_gradient_not_weighted=altered(right, dv=lambda dout, _, __: dout.clone()),
        heads_in_another_order=lambda dout, cache: right(dout, type(cache)(*(x.flip(1) for x in cache))),
    )


RELU = Case(
    name="relu",
    forward=ops.relu_forward,
    backward=ops.relu_backward,
    oracle=F.relu,
    draw=lambda size, randn, _: (randn(*size),),
    sizes=[(5, 7), (11, 3), (2, 13)],
    smallest=(1, 1),
    mistakes=named(
        sign_turned=lambda dy, cache: ops.ReLUGrads(dy * ~cache.positive),
        all_pass=lambda dy, _: ops.ReLUGrads(dy.clone()),
        cotangent_dropped=lambda dy, cache: ops.ReLUGrads(cache.positive.to(dy.dtype)),
        cotangent_rectified=lambda dy, _: ops.ReLUGrads(dy.clamp(min=0)),
    ),
)

GELU = Case(
    name="gelu",
    forward=ops.gelu_forward,
    backward=ops.gelu_backward,
    oracle=lambda x: F.gelu(x, approximate="tanh"),
    draw=lambda size, randn, _: (randn(*size),),
    sizes=[(5, 7), (11, 3), (2, 13)],
    smallest=(1, 1),
    mistakes=gelu_mistakes(),
)

LAYERNORM = Case(
    name="layernorm",
    forward=ops.layernorm_forward,
    backward=ops.layernorm_backward,
    oracle=lambda x, gain, bias: F.layer_norm(x, x.shape[1:], gain, bias, eps=1e-5),
    draw=lambda size, randn, _: (randn(*size), 1 + 0.5 * randn(size[1]), randn(size[1])),
    sizes=[(5, 7), (11, 3), (2, 13)],
    smallest=(1, 3),
    mistakes=layernorm_mistakes(),
)

RMSNORM = Case(
    name="rmsnorm",
    forward=ops.rmsnorm_forward,
    backward=ops.rmsnorm_backward,
    oracle=lambda x: F.rms_norm(x, x.shape[1:], eps=1e-5),
    draw=lambda size, randn, _: (randn(*size),),
    sizes=[(5, 7), (11, 3), (2, 13)],
    smallest=(1, 2),
    mistakes=rmsnorm_mistakes(),
)

MATMUL = Case(
    name="matmul",
    forward=ops.matmul_forward,
    backward=ops.matmul_backward,
    oracle=lambda x, weight: F.linear(x, weight.T),
    draw=lambda size, randn, _: (randn(size[0], size[1]), randn(size[1], size[2])),
    sizes=[(5, 3, 7), (2, 11, 4), (13, 6, 2)],
    smallest=(1, 1, 1),
    mistakes=named(
        weight_transposed=altered(ops.matmul_backward, dweight=lambda dout, cache, _: dout.T @ cache.x),
        averaged_over_rows=altered(ops.matmul_backward, dweight=lambda dout, _, grads: grads.dweight / len(dout)),
        path_through_x_dropped=altered(ops.matmul_backward, dx=lambda _, cache, __: torch.zeros_like(cache.x)),
    ),
)

DROPOUT = Case(
    name="dropout",
    forward=lambda x, keep: ops.dropout_forward(x, keep.to(x.dtype) / KEPT),
    backward=ops.dropout_backward,
    oracle=lambda x, keep: torch.where(keep == 1, x / KEPT, 0 * x),
    draw=lambda size, randn, tokens: (randn(*size), tokens(2, *size)),
    sizes=[(5, 7), (11, 3), (2, 13)],
    smallest=(1, 1),
    mistakes=named(
        mask_forgotten=lambda dy, _: ops.DropoutGrads(dy / KEPT),
        not_scaled_up=lambda dy, cache: ops.DropoutGrads(dy * (cache.mask > 0)),
        mask_turned=lambda dy, cache: ops.DropoutGrads(dy * (1 / KEPT - cache.mask)),
        scaled_twice=lambda dy, cache: ops.DropoutGrads(dy * cache.mask / KEPT),
    ),
)

CAUSAL_MEAN = Case(
    name="causal_mean",
    forward=ops.causal_mean_forward,
    backward=ops.causal_mean_backward,
    oracle=lambda x: (
        torch.zeros(x.shape[1], x.shape[1], dtype=x.dtype)
        .masked_fill(torch.ones(x.shape[1], x.shape[1]).tril() == 0, -torch.inf)
        .softmax(1)
        @ x
    ),
    draw=lambda size, randn, _: (randn(*size),),
    sizes=[(3, 5, 7), (2, 11, 4), (6, 2, 3)],
    smallest=(1, 1, 1),
    mistakes=causal_mean_mistakes(),
)


def attention_oracle(q, k, v):
    q, k, v = (x.unflatten(2, (HEADS, -1)).transpose(1, 2) for x in (q, k, v))
    return F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(2)


ATTENTION = Case(
    name="attention",
    forward=lambda q, k, v: ops.attention_forward(q, k, v, HEADS),
    backward=ops.attention_backward,
    oracle=attention_oracle,
    draw=lambda size, randn, _: tuple(randn(size[0], size[1], HEADS * size[2]) for _ in range(3)),
    sizes=[(4, 5, 2), (2, 7, 5), (5, 2, 4)],
    smallest=(1, 2, 1),
    mistakes=attention_mistakes(),
)

CASES = [RELU, GELU, LAYERNORM, RMSNORM, MATMUL, DROPOUT, CAUSAL_MEAN, ATTENTION]
