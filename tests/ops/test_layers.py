"""What the layers of sequence models do at their edges."""

import pytest
import torch

from handgrad import ops

from .harness import disagreement
from .layer_cases import ATTENTION, CAUSAL_MEAN, HEADS, LAYERNORM, RMSNORM
from .recurrent_cases import GRU, LSTM, RNN


@pytest.mark.parametrize("case", [ATTENTION, CAUSAL_MEAN, RNN, GRU, LSTM], ids=lambda case: case.name)
def test_the_future_does_not_matter(case):
    """What comes later changes nothing forward, and gets nothing backward from what came before."""
    args, dout = case.arguments(case.sizes[0])
    out, cache = case.forward(*args)
    later = [arg.clone() for arg in args]
    for arg in later:
        if arg.ndim == 3:
            arg[:, 3:] += 1
    assert torch.equal(case.forward(*later)[0][:, :3], out[:, :3])
    dout[:, 3:] = 0
    for grad in case.backward(dout, cache):
        assert grad.ndim != 3 or not grad[:, 3:].any()


def test_a_state_carried_on_is_the_state_of_the_whole_line():
    (a, h0, weight), _ = RNN.arguments((3, 5, 4))
    front, _ = ops.rnn_forward(a[:, :2], h0, weight)
    back, _ = ops.rnn_forward(a[:, 2:], front[:, -1], weight)
    assert disagreement([torch.cat([front, back], 1)], [ops.rnn_forward(a, h0, weight)[0]]) <= 1e-15
    (a, h0, *weights), _ = GRU.arguments((3, 5, 4))
    front, _ = ops.gru_forward(a[:, :2], h0, *weights)
    back, _ = ops.gru_forward(a[:, 2:], front[:, -1], *weights)
    assert disagreement([torch.cat([front, back], 1)], [ops.gru_forward(a, h0, *weights)[0]]) <= 1e-15
    (a, h0, c0, weight), _ = LSTM.arguments((3, 5, 4))
    front, cache = ops.lstm_forward(a[:, :2], h0, c0, weight)
    back, _ = ops.lstm_forward(a[:, 2:], front[:, -1], cache.c[:, -1], weight)
    assert disagreement([torch.cat([front, back], 1)], [ops.lstm_forward(a, h0, c0, weight)[0]]) <= 1e-15


@pytest.mark.parametrize("case", [LAYERNORM, RMSNORM], ids=lambda case: case.name)
def test_eps_is_used_forward_and_backward(case):
    (x, *rest), dout = case.arguments((5, 7))
    out, cache = case.forward(x, *rest, eps=0.5)
    leaf = x.clone().requires_grad_()
    if case is LAYERNORM:
        reference = torch.nn.functional.layer_norm(leaf, (7,), *rest, eps=0.5)
    else:
        reference = torch.nn.functional.rms_norm(leaf, (7,), eps=0.5)
    assert disagreement([out], [reference.detach()]) <= 1e-12
    assert disagreement([case.backward(dout, cache)[0]], torch.autograd.grad(reference, leaf, dout)) <= 1e-12


@pytest.mark.parametrize("case", [LAYERNORM, RMSNORM], ids=lambda case: case.name)
def test_a_row_of_zeros_stays_finite(case):
    (x, *rest), dout = case.arguments((5, 7))
    out, cache = case.forward(torch.zeros_like(x), *rest)
    assert all(grad.isfinite().all() for grad in (out, *case.backward(dout, cache)))


def test_great_scores_stay_finite():
    (q, k, v), dout = ATTENTION.arguments((4, 5, 2))
    out, cache = ops.attention_forward(1e4 * q, 1e4 * k, v, HEADS)
    assert all(x.isfinite().all() for x in (out, *ops.attention_backward(dout, cache)))


def test_features_that_do_not_divide_into_heads_are_refused():
    with pytest.raises(RuntimeError, match="unflatten"):
        ops.attention_forward(*torch.zeros(3, 1, 2, 7), n_head=3)


def test_gelu_is_near_its_exact_form():
    x = torch.linspace(-6, 6, 1001, dtype=torch.float64)
    assert (ops.gelu_forward(x)[0] - torch.nn.functional.gelu(x)).abs().max() < 5e-4


def test_relu_has_no_gradient_at_zero():
    _, cache = ops.relu_forward(torch.zeros(3))
    assert ops.relu_backward(torch.ones(3), cache).dx.tolist() == [0, 0, 0]
