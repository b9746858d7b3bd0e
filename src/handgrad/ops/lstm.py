"""A recurrent layer with long short-term memory."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor


class LSTMCache(NamedTuple):
    """What `lstm_backward` needs: state and memory before each place, and what was made of them there."""

    before: Float[Tensor, "B T H"]
    c_before: Float[Tensor, "B T H"]
    i: Float[Tensor, "B T H"]
    f: Float[Tensor, "B T H"]
    g: Float[Tensor, "B T H"]
    o: Float[Tensor, "B T H"]
    c: Float[Tensor, "B T H"]
    weight: Float[Tensor, "H G"]


class LSTMGrads(NamedTuple):
    """Gradients of the arguments of `lstm_forward`, in their order."""

    da: Float[Tensor, "B T G"]
    dh0: Float[Tensor, "B H"]
    dc0: Float[Tensor, "B H"]
    dweight: Float[Tensor, "H G"]


def lstm_forward(
    a: Float[Tensor, "B T G"], h0: Float[Tensor, "B H"], c0: Float[Tensor, "B H"], weight: Float[Tensor, "H G"]
) -> tuple[Float[Tensor, "B T H"], LSTMCache]:
    r"""Carry a state and a memory along each line; gates say what enters the memory, what stays, and what is shown.

    $$ [i_t, f_t, g_t, o_t] = [\sigma, \sigma, \tanh, \sigma](a_t + h_{t-1} W), \qquad
       c_t = f_t \, c_{t-1} + i_t \, g_t, \qquad h_t = o_t \tanh c_t $$

    Args:
        a: what the input contributes at each place, for i, f, g and o in a row: G = 4H. A linear layer of it, bias
            included.
        h0: the state before the first place.
        c0: the memory before the first place.
        weight: (in, out), of i, f, g and o in a row.

    Returns:
        h, the state after each place, (B, T, H), and what `lstm_backward` needs, with the memory after each place as c.

    Source: Hochreiter and Schmidhuber 1997, "Long Short-Term Memory"; the gate f, and the formulas as everyone writes
    them now: Gers, Schmidhuber and Cummins 2000, "Learning to Forget". The order of the gates is PyTorch's.

    Example:
        >>> import torch
        >>> h, cache = lstm_forward(torch.zeros(1, 2, 4), torch.zeros(1, 1), torch.ones(1, 1), torch.zeros(1, 4))
        >>> cache.c.flatten()
        tensor([0.5000, 0.2500])
    """
    states, memories, gates = [h0], [c0], []
    for t in range(a.shape[1]):
        i, f, g, o = (a[:, t] + states[t] @ weight).chunk(4, 1)
        i, f, g, o = torch.sigmoid(i), torch.sigmoid(f), torch.tanh(g), torch.sigmoid(o)
        memories.append(f * memories[t] + i * g)
        states.append(o * torch.tanh(memories[-1]))
        gates.append((i, f, g, o))
    h, c = torch.stack(states, 1), torch.stack(memories, 1)
    i, f, g, o = (torch.stack(gate, 1) for gate in zip(*gates, strict=True))
    return h[:, 1:], LSTMCache(h[:, :-1], c[:, :-1], i, f, g, o, c[:, 1:], weight)


def lstm_backward(dout: Float[Tensor, "B T H"], cache: LSTMCache) -> LSTMGrads:
    r"""Gradients of `lstm_forward` from the cotangent `dout`, (B, T, H), through time.

    Two things go on to the next place, state and memory, so two gradients come back. From the last place to the first,
    with $e_t = dout_t + dh_t$, and $dc_t$ from the place behind on the right,

    $$ dc_t = dc_t + o_t (1 - \tanh^2 c_t) \, e_t, \qquad dc_{t-1} = f_t \, dc_t, \qquad dh_{t-1} = da_t W^\top, $$

    $$ da_t = [\; i_t (1 - i_t) \, g_t \, dc_t, \;\; f_t (1 - f_t) \, c_{t-1} \, dc_t, \;\;
       (1 - g_t^2) \, i_t \, dc_t, \;\; o_t (1 - o_t) \tanh(c_t) \, e_t \;], \qquad dW = \sum_t h_{t-1}^\top da_t $$

    Source: the formulas of the forward, and Werbos 1990, "Backpropagation Through Time".

    Example:
        >>> import torch
        >>> _, cache = lstm_forward(torch.zeros(1, 2, 4), torch.zeros(1, 1), torch.zeros(1, 1), torch.zeros(1, 4))
        >>> lstm_backward(torch.ones(1, 2, 1), cache).dc0
        tensor([[0.3750]])
    """
    before, c_before, i, f, g, o, c, weight = cache
    da = torch.empty(*i.shape[:2], weight.shape[1], dtype=i.dtype, device=i.device)
    di, df, dg, do = da.chunk(4, 2)
    dh, dc = torch.zeros_like(i[:, 0]), torch.zeros_like(i[:, 0])
    tanh_c = torch.tanh(c)
    for t in reversed(range(i.shape[1])):
        # h = o * tanh(c)
        e = dout[:, t] + dh
        do[:, t] = o[:, t] * (1 - o[:, t]) * tanh_c[:, t] * e
        dc = dc + o[:, t] * (1 - tanh_c[:, t] ** 2) * e
        # c = f * c_before + i * g
        di[:, t] = i[:, t] * (1 - i[:, t]) * g[:, t] * dc
        df[:, t] = f[:, t] * (1 - f[:, t]) * c_before[:, t] * dc
        dg[:, t] = (1 - g[:, t] ** 2) * i[:, t] * dc
        dc = f[:, t] * dc
        dh = da[:, t] @ weight.T
    return LSTMGrads(da, dh, dc, dweight=before.flatten(0, 1).T @ da.flatten(0, 1))
