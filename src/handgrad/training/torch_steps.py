"""Training steps in torch, without autograd: the readable form of what `handgrad.engine` compiles."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from handgrad.engine.training import BETA1, BETA2, EPS
from handgrad.models import mlp
from handgrad.models.config import PARAMETERS
from handgrad.models.threads import one_thread

Arrays = Mapping[str, np.ndarray]


def sgd_steps(
    parameters: Arrays, contexts: np.ndarray, targets: np.ndarray, rates: Sequence[float], device: str = "cpu"
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Take one step of gradient descent a minibatch, each gradient by its closed form.

    One thread does it, so that sums keep their order. On a GPU the order of some may change from run to run.

    Args:
        parameters: seven float32 arrays by name; they are not changed.
        contexts: (steps, N, block_size) integers.
        targets: (steps, N) integers.
        rates: (steps,) learning rates.
        device: where PyTorch takes the steps; parameters, batches and losses move there and back once a call.

    Returns:
        The new parameters, and the losses, (steps,) float32 in nats, each before its step.

    Source: lecture, exercise 4.
    """

    def update(now: dict[str, Any], gradients: dict[str, Any], _step: int, rate: float) -> None:
        for name in PARAMETERS:
            now[name].sub_(gradients[name], alpha=rate)

    return _take_steps(parameters, contexts, targets, rates, update, device)


def adam_steps(
    parameters: Arrays,
    moments: Arrays,
    contexts: np.ndarray,
    targets: np.ndarray,
    rates: Sequence[float],
    weight_decay: float = 0.0,
    device: str = "cpu",
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], np.ndarray]:
    r"""Take one step of Adam with decoupled weight decay a minibatch.

    $$ m = \beta_1 m + (1 - \beta_1) g, \quad v = \beta_2 v + (1 - \beta_2) g^2, \quad
       \theta = (1 - \eta \lambda) \, \theta - \eta \frac{m / (1 - \beta_1^t)}{\sqrt{v / (1 - \beta_2^t)} + \epsilon} $$

    Args:
        parameters: as in `sgd_steps`.
        moments: `mean_NAME` and `square_NAME` of each parameter, m and v above, and `steps`, the t of the last step.
        contexts: as in `sgd_steps`.
        targets: as in `sgd_steps`.
        rates: as in `sgd_steps`; η above.
        weight_decay: λ above.
        device: as in `sgd_steps`.

    Returns:
        The new parameters, the new moments, and the losses as in `sgd_steps`.

    Source: Kingma and Ba 2015, arXiv:1412.6980, algorithm 1; Loshchilov and Hutter 2019, arXiv:1711.05101.
    """
    done = int(moments["steps"])
    kept = _moved({name: value for name, value in moments.items() if name != "steps"}, device)

    def update(now: dict[str, Any], gradients: dict[str, Any], step: int, rate: float) -> None:
        t = done + step + 1
        for name in PARAMETERS:
            g, m, v = gradients[name], kept[f"mean_{name}"], kept[f"square_{name}"]
            m.mul_(BETA1).add_(g, alpha=1 - BETA1)
            v.mul_(BETA2).addcmul_(g, g, value=1 - BETA2)
            denominator = (v / (1 - BETA2**t)).sqrt_().add_(EPS)
            now[name].mul_(1 - rate * weight_decay).addcdiv_(m, denominator, value=-rate / (1 - BETA1**t))

    new, losses = _take_steps(parameters, contexts, targets, rates, update, device)
    return new, {**_returned(kept), "steps": np.array(done + len(rates))}, losses


def _take_steps(
    parameters: Arrays,
    contexts: np.ndarray,
    targets: np.ndarray,
    rates: Sequence[float],
    update: Callable[..., None],
    device: str,
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    Xs, Ys = (torch.from_numpy(letters).to(device).long() for letters in (contexts, targets))
    losses = torch.empty(len(rates), device=device)
    dloss = torch.ones((), device=device)
    with one_thread(), torch.no_grad():
        now = _moved({name: parameters[name] for name in PARAMETERS}, device)
        for step, rate in enumerate(rates):
            losses[step], cache = mlp.forward(now, Xs[step], Ys[step])
            update(now, mlp.backward(dloss, cache), step, rate)
    return _returned(now), losses.cpu().numpy()


def _moved(arrays: Arrays, device: str) -> dict[str, Tensor]:
    return {name: torch.from_numpy(value).to(device, copy=True) for name, value in arrays.items()}


def _returned(tensors: Mapping[str, Tensor]) -> dict[str, np.ndarray]:
    return {name: value.cpu().numpy() for name, value in tensors.items()}
