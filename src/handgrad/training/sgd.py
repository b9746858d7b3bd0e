"""Stochastic gradient descent in torch, without autograd."""

from collections.abc import Mapping, Sequence

import numpy as np

from handgrad.models.config import PARAMETERS
from handgrad.models.threads import one_thread


def sgd_steps(
    parameters: Mapping[str, np.ndarray], contexts: np.ndarray, targets: np.ndarray, rates: Sequence[float]
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Take one step of gradient descent a minibatch, each gradient by its closed form.

    One thread does it, so that sums keep their order.

    Args:
        parameters: seven float32 arrays by name; they are not changed.
        contexts: (steps, N, block_size) int64.
        targets: (steps, N) int64.
        rates: (steps,) learning rates.

    Returns:
        The new parameters, and the losses, (steps,) float32 in nats, each before its step.

    Source: lecture, exercise 4.
    """
    import torch

    from handgrad.models import mlp

    Xs, Ys = torch.from_numpy(contexts), torch.from_numpy(targets)
    losses = torch.empty(len(rates))
    dloss = torch.ones(())
    with one_thread(), torch.no_grad():
        now = {name: torch.from_numpy(parameters[name]).clone() for name in PARAMETERS}
        for step, rate in enumerate(rates):
            losses[step], cache = mlp.forward(now, Xs[step], Ys[step])
            gradients = mlp.backward(dloss, cache)
            for name in PARAMETERS:
                now[name].sub_(gradients[name], alpha=rate)
    return {name: value.numpy() for name, value in now.items()}, losses.numpy()
