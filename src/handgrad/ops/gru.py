"""A gated recurrent layer."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor


class GRUCache(NamedTuple):
    """What `gru_backward` needs: the state before each place, and what was made of it there."""

    before: Float[Tensor, "B T H"]
    z: Float[Tensor, "B T H"]
    r: Float[Tensor, "B T H"]
    hbar: Float[Tensor, "B T H"]
    weight_zr: Float[Tensor, "H G"]
    weight_h: Float[Tensor, "H H"]


class GRUGrads(NamedTuple):
    """Gradients of the arguments of `gru_forward`, in their order."""

    da: Float[Tensor, "B T I"]
    dh0: Float[Tensor, "B H"]
    dweight_zr: Float[Tensor, "H G"]
    dweight_h: Float[Tensor, "H H"]


def gru_forward(
    a: Float[Tensor, "B T I"],
    h0: Float[Tensor, "B H"],
    weight_zr: Float[Tensor, "H G"],
    weight_h: Float[Tensor, "H H"],
) -> tuple[Float[Tensor, "B T H"], GRUCache]:
    r"""Carry a state along each line; one gate says how much of it is new, another what the new part sees of the old.

    $$ [z_t, r_t] = \sigma(a^{zr}_t + h_{t-1} W_{zr}), \qquad \bar h_t = \tanh(a^h_t + (r_t \, h_{t-1}) W_h), \qquad
       h_t = h_{t-1} + z_t (\bar h_t - h_{t-1}) $$

    The reset gate acts before the product with the weight, as in the paper and in makemore; `torch.nn.GRU` lets it act
    behind. The paper's z is 1 − z here, as in makemore.

    Args:
        a: what the input contributes at each place, for z, r and h̄ in a row: I = 3H. A linear layer of it, bias
            included.
        h0: the state before the first place.
        weight_zr: (in, out), of z and r in a row: G = 2H.
        weight_h: (in, out).

    Returns:
        h, the state after each place, (B, T, H), and what `gru_backward` needs.

    Source: Cho et al. 2014, "Learning Phrase Representations using RNN Encoder-Decoder", arXiv:1406.1078, eq. 5 to 8;
    makemore.py, `GRUCell`.

    Example:
        >>> import torch
        >>> gru_forward(torch.zeros(1, 2, 3), torch.ones(1, 1), torch.zeros(1, 2), torch.zeros(1, 1))[0].flatten()
        tensor([0.5000, 0.2500])
    """
    size = h0.shape[1]
    states, z, r, hbar = [h0], [], [], []
    for t in range(a.shape[1]):
        h = states[t]
        gates = torch.sigmoid(a[:, t, : 2 * size] + h @ weight_zr)
        z.append(gates[:, :size])
        r.append(gates[:, size:])
        hbar.append(torch.tanh(a[:, t, 2 * size :] + (r[t] * h) @ weight_h))
        states.append(h + z[t] * (hbar[t] - h))
    h = torch.stack(states, 1)
    zs, rs, hbars = (torch.stack(gate, 1) for gate in (z, r, hbar))
    return h[:, 1:], GRUCache(h[:, :-1], zs, rs, hbars, weight_zr, weight_h)


def gru_backward(dout: Float[Tensor, "B T H"], cache: GRUCache) -> GRUGrads:
    r"""Gradients of `gru_forward` from the cotangent `dout`, (B, T, H), through time.

    The state before a place is used four times there: as itself, in h̄ through the reset gate, and in both gates. From
    the last place to the first, with $g_t = dout_t + dh_t$,

    $$ da^h_t = z_t (1 - \bar h_t^2) \, g_t, \qquad v_t = da^h_t W_h^\top, \qquad
       da^z_t = z_t (1 - z_t)(\bar h_t - h_{t-1}) \, g_t, \qquad da^r_t = r_t (1 - r_t) \, h_{t-1} \, v_t, $$

    $$ dh_{t-1} = (1 - z_t) \, g_t + r_t \, v_t + [da^z_t, da^r_t] \, W_{zr}^\top, \qquad
       dW_{zr} = \sum_t h_{t-1}^\top [da^z_t, da^r_t], \qquad dW_h = \sum_t (r_t h_{t-1})^\top da^h_t $$

    Source: the formulas of the forward, and Werbos 1990, "Backpropagation Through Time".

    Example:
        >>> import torch
        >>> _, cache = gru_forward(torch.zeros(1, 2, 3), torch.zeros(1, 1), torch.zeros(1, 2), torch.zeros(1, 1))
        >>> gru_backward(torch.ones(1, 2, 1), cache).dh0
        tensor([[0.7500]])
    """
    before, z, r, hbar, weight_zr, weight_h = cache
    size = z.shape[2]
    da = torch.empty(*z.shape[:2], 3 * size, dtype=z.dtype, device=z.device)
    dh = torch.zeros_like(z[:, 0])
    for t in reversed(range(z.shape[1])):
        dzr, dhbar = da[:, t, : 2 * size], da[:, t, 2 * size :]
        # h = before + z * (hbar - before)
        g = dout[:, t] + dh
        dhbar[:] = z[:, t] * (1 - hbar[:, t] ** 2) * g
        dzr[:, :size] = z[:, t] * (1 - z[:, t]) * (hbar[:, t] - before[:, t]) * g
        # hbar = tanh(a + (r * before) @ weight_h)
        dreset = dhbar @ weight_h.T
        dzr[:, size:] = r[:, t] * (1 - r[:, t]) * before[:, t] * dreset
        # the four uses of before
        dh = (1 - z[:, t]) * g + r[:, t] * dreset + dzr @ weight_zr.T
    dzr, dhbar = da[:, :, : 2 * size], da[:, :, 2 * size :]
    dweight_zr = before.flatten(0, 1).T @ dzr.flatten(0, 1)
    dweight_h = (r * before).flatten(0, 1).T @ dhbar.flatten(0, 1)
    return GRUGrads(da, dh, dweight_zr, dweight_h)
