"""The recurrent layers and, for each, mistakes people make in its backward."""

import torch
from torch.nn import functional as F

from handgrad import ops

from .harness import Case, altered, named


def rnn_oracle(a, h0, weight):
    h, states, eye = h0, [], torch.eye(a.shape[2], dtype=a.dtype)
    for now in a.unbind(1):
        h = torch.rnn_tanh_cell(now, h, eye, weight.T)
        states.append(h)
    return torch.stack(states, 1)


def gru_oracle(a, h0, weight_zr, weight_h):
    """makemore's cell, of [x, h] side by side; PyTorch's own resets behind the product."""
    h, states, size = h0, [], h0.shape[1]
    for now in a.unbind(1):
        of_z, of_r, of_hbar = now.split(size, 1)
        r = torch.sigmoid(of_r + F.linear(h, weight_zr[:, size:].T))
        hbar = torch.tanh(of_hbar + F.linear(r * h, weight_h.T))
        z = torch.sigmoid(of_z + F.linear(h, weight_zr[:, :size].T))
        h = (1 - z) * h + z * hbar
        states.append(h)
    return torch.stack(states, 1)


def lstm_oracle(a, h0, c0, weight):
    h, c, states, eye = h0, c0, [], torch.eye(a.shape[2], dtype=a.dtype)
    for now in a.unbind(1):
        h, c = torch.lstm_cell(now, (h, c), eye, weight.T)
        states.append(h)
    return torch.stack(states, 1)


def rows(x):
    return x.flatten(0, 1)


def rnn_mistakes():
    right = ops.rnn_backward
    return named(
        cut_between_places=altered(right, da=lambda dout, cache, _: (1 - cache.h**2) * dout),
        weight_not_transposed=lambda dout, cache: right(dout, cache._replace(weight=cache.weight.T)),
        tanh_of_the_state_before=lambda dout, cache: right(dout, cache._replace(h=cache.before)),
        state_after_for_before=altered(right, dweight=lambda _, cache, grads: rows(cache.h).T @ rows(grads.da)),
        weight_of_the_last_place_only=altered(
            right, dweight=lambda _, cache, grads: cache.before[:, -1].T @ grads.da[:, -1]
        ),
        first_state_forgotten=altered(right, dh0=lambda _, __, grads: torch.zeros_like(grads.dh0)),
    )


def place_by_place(backward, shared):
    """Each place with a backward of its own: nothing goes through time."""

    def cut(dout, cache):
        parts = []
        for t in range(dout.shape[1]):
            here = {name: value[:, t : t + 1] for name, value in cache._asdict().items() if name not in shared}
            parts.append(backward(dout[:, t : t + 1], cache._replace(**here)))
        return parts[0]._replace(da=torch.cat([part.da for part in parts], 1))

    return cut


def gru_mistakes():
    right = ops.gru_backward
    return named(
        cut_between_places=place_by_place(right, ("weight_zr", "weight_h")),
        gates_swapped=lambda dout, cache: right(dout, cache._replace(z=cache.r, r=cache.z)),
        reset_gate_forgotten=lambda dout, cache: right(dout, cache._replace(r=torch.ones_like(cache.r))),
        kept_for_new=lambda dout, cache: right(dout, cache._replace(z=1 - cache.z)),
        weight_not_transposed=lambda dout, cache: right(dout, cache._replace(weight_h=cache.weight_h.T)),
        weight_without_the_reset=altered(
            right,
            dweight_h=lambda _, cache, grads: rows(cache.before).T @ rows(grads.da[:, :, 2 * cache.z.shape[2] :]),
        ),
        gate_weights_of_the_reset_state=altered(
            right,
            dweight_zr=lambda _, cache, grads: (
                rows(cache.r * cache.before).T @ rows(grads.da[:, :, : 2 * cache.z.shape[2]])
            ),
        ),
        state_not_subtracted=lambda dout, cache: right(dout, cache._replace(before=torch.zeros_like(cache.before))),
    )


def lstm_mistakes():
    right = ops.lstm_backward
    return named(
        cut_between_places=place_by_place(right, ("weight",)),
        input_and_forget_gates_swapped=lambda dout, cache: right(dout, cache._replace(i=cache.f, f=cache.i)),
        tanh_of_the_memory_forgotten=lambda dout, cache: right(dout, cache._replace(c=torch.zeros_like(cache.c))),
        memory_after_for_before=lambda dout, cache: right(dout, cache._replace(c_before=cache.c)),
        everything_kept=lambda dout, cache: right(dout, cache._replace(f=torch.ones_like(cache.f))),
        weight_not_transposed_in_blocks=lambda dout, cache: right(
            dout, cache._replace(weight=torch.cat([w.T for w in cache.weight.chunk(4, 1)], 1))
        ),
        memory_before_forgotten=altered(right, dc0=lambda _, __, grads: torch.zeros_like(grads.dc0)),
    )


def draw(n_gates, *weights, memory=False):
    """`a`, the first state, the first memory if there is one, and the weights, so many gates each."""

    def arguments(size, randn, _):
        lines, places, width = size
        states = [randn(lines, width) for _ in range(1 + memory)]
        return (randn(lines, places, n_gates * width), *states, *(0.7 * randn(width, n * width) for n in weights))

    return arguments


SIZES = [(3, 5, 4), (2, 7, 3), (5, 2, 6)]

RNN = Case(
    name="rnn",
    forward=ops.rnn_forward,
    backward=ops.rnn_backward,
    oracle=rnn_oracle,
    draw=draw(1, 1),
    sizes=SIZES,
    smallest=(1, 1, 1),
    mistakes=rnn_mistakes(),
)

GRU = Case(
    name="gru",
    forward=ops.gru_forward,
    backward=ops.gru_backward,
    oracle=gru_oracle,
    draw=draw(3, 2, 1),
    sizes=SIZES,
    smallest=(1, 1, 1),
    mistakes=gru_mistakes(),
)

LSTM = Case(
    name="lstm",
    forward=ops.lstm_forward,
    backward=ops.lstm_backward,
    oracle=lstm_oracle,
    draw=draw(4, 4, memory=True),
    sizes=SIZES,
    smallest=(1, 1, 1),
    mistakes=lstm_mistakes(),
)

CASES = [RNN, GRU, LSTM]
