"""A recurrent layer: the state is a tanh of the input and of the state before."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor


class RNNCache(NamedTuple):
    """What `rnn_backward` needs: the state before each place, and after it."""

    before: Float[Tensor, "B T H"]
    h: Float[Tensor, "B T H"]
    weight: Float[Tensor, "H H"]


class RNNGrads(NamedTuple):
    """Gradients of the arguments of `rnn_forward`, in their order."""

    da: Float[Tensor, "B T H"]
    dh0: Float[Tensor, "B H"]
    dweight: Float[Tensor, "H H"]


def rnn_forward(
    a: Float[Tensor, "B T H"], h0: Float[Tensor, "B H"], weight: Float[Tensor, "H H"]
) -> tuple[Float[Tensor, "B T H"], RNNCache]:
    r"""Carry a state along each line.

    $$ h_t = \tanh(a_t + h_{t-1} W), \qquad t = 1 \dots T $$

    Args:
        a: what the input contributes at each place, (B, T, H): a linear layer of it, bias included.
        h0: the state before the first place.
        weight: (in, out).

    Returns:
        h, the state after each place, (B, T, H), and what `rnn_backward` needs.

    Source: Elman 1990, "Finding Structure in Time"; makemore.py, `RNNCell`, whose layer of [x, h] is cut in two here.

    Example:
        >>> import torch
        >>> rnn_forward(torch.tensor([[[0.5], [0.0]]]), torch.zeros(1, 1), torch.ones(1, 1))[0].flatten()
        tensor([0.4621, 0.4318])
    """
    states = [h0]
    for t in range(a.shape[1]):
        states.append(torch.tanh(a[:, t] + states[t] @ weight))
    h = torch.stack(states, 1)
    return h[:, 1:], RNNCache(h[:, :-1], h[:, 1:], weight)


def rnn_backward(dout: Float[Tensor, "B T H"], cache: RNNCache) -> RNNGrads:
    r"""Gradients of `rnn_forward` from the cotangent `dout`, (B, T, H), through time.

    A state goes out, and on to the next place, so two gradients meet in it. From the last place to the first,

    $$ dh_t = dout_t + da_{t+1} W^\top, \qquad da_t = (1 - h_t^2) \, dh_t, \qquad dW = \sum_t h_{t-1}^\top da_t $$

    Source: Werbos 1990, "Backpropagation Through Time: What It Does and How to Do It".

    Example:
        >>> import torch
        >>> _, cache = rnn_forward(torch.zeros(1, 2, 1), torch.zeros(1, 1), torch.ones(1, 1))
        >>> rnn_backward(torch.ones(1, 2, 1), cache).da.flatten()
        tensor([2., 1.])
    """
    before, h, weight = cache
    da = torch.empty_like(h)
    dh = torch.zeros_like(h[:, 0])
    for t in reversed(range(h.shape[1])):
        da[:, t] = (1 - h[:, t] ** 2) * (dout[:, t] + dh)
        dh = da[:, t] @ weight.T
    return RNNGrads(da, dh, dweight=before.flatten(0, 1).T @ da.flatten(0, 1))
