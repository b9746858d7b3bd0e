"""Training steps in torch, without autograd, of any family: the readable form of what `handgrad.engine` compiles."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from handgrad.engine.training import BETA2, EPS
from handgrad.models.family import Family, Share
from handgrad.models.threads import one_thread
from handgrad.training.masks import masks_of_step
from handgrad.training.processes import ALONE, Alone
from handgrad.training.shares import Batch

Arrays = Mapping[str, np.ndarray]
Batches = Iterable[Sequence[Any]]


@dataclass(frozen=True)
class TorchSteps:
    """Takes the steps of a run with PyTorch's operations, each gradient by its closed form.

    One thread does it, so that sums keep their order. On a GPU the order of some may change from run to run.

    Args:
        network: the family and its sizes.
        device: where the steps are taken; parameters, batches and losses move there and back once a call.
        seed: of the dropout masks.
        first: the number of the first step, which the masks depend on too.
        processes: that take the same steps at the same time, each a share of every minibatch.
    """

    network: Family
    device: str = "cpu"
    seed: int = 0
    first: int = 0
    processes: Alone = ALONE

    def sgd_steps(
        self, parameters: Arrays, batches: Batches, rates: Sequence[float]
    ) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Take one step of gradient descent a minibatch.

        Args:
            parameters: float32 or float64 arrays by name; they are not changed.
            batches: what is read and what follows, a pair of integer arrays a step, as the family reads them; or what
                this process has of it.
            rates: (steps,) learning rates.

        Returns:
            The new parameters, and the losses, (steps,) of their type in nats, each before its step.

        Source: lecture, exercise 4.
        """

        def update(now: dict[str, Any], gradients: dict[str, Any], _step: int, rate: float) -> None:
            for name in self.network.shapes:
                now[name].sub_(gradients[name], alpha=rate)

        return self._take(parameters, batches, rates, update)

    def adam_steps(
        self,
        parameters: Arrays,
        moments: Arrays,
        batches: Batches,
        rates: Sequence[float],
        weight_decay: float = 0.0,
    ) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], np.ndarray]:
        r"""Take one step of Adam with decoupled weight decay a minibatch.

        $$ m = \beta_1 m + (1 - \beta_1) g, \qquad v = \beta_2 v + (1 - \beta_2) g^2, \qquad
           \theta = (1 - \eta \lambda) \, \theta - \eta \frac{\hat m}{\sqrt{\hat v} + \epsilon}, $$

        with $\hat m = m / (1 - \beta_1^t)$ and $\hat v = v / (1 - \beta_2^t)$.

        Args:
            parameters: as in `sgd_steps`.
            moments: `mean_NAME` and `square_NAME` of each parameter, m and v above, and `steps`, the t of the last.
            batches: as in `sgd_steps`.
            rates: as in `sgd_steps`; η above.
            weight_decay: λ above, of those parameters on which the family lets it act.

        Returns:
            The new parameters, the new moments, and the losses as in `sgd_steps`.

        Source: Kingma and Ba 2015, arXiv:1412.6980, algorithm 1; Loshchilov and Hutter 2019, arXiv:1711.05101.
        """
        done, beta1 = int(moments["steps"]), self.network.beta1
        kept = self._moved({name: value for name, value in moments.items() if name != "steps"})
        decay = {name: weight_decay * self.network.decays(name) for name in self.network.shapes}

        def update(now: dict[str, Any], gradients: dict[str, Any], step: int, rate: float) -> None:
            t = done + step + 1
            for name in self.network.shapes:
                g, m, v = gradients[name], kept[f"mean_{name}"], kept[f"square_{name}"]
                m.mul_(beta1).add_(g, alpha=1 - beta1)
                v.mul_(BETA2).addcmul_(g, g, value=1 - BETA2)
                denominator = (v / (1 - BETA2**t)).sqrt_().add_(EPS)
                now[name].mul_(1 - rate * decay[name])
                now[name].addcdiv_(m, denominator, value=-rate / (1 - beta1**t))

        new, losses = self._take(parameters, batches, rates, update)
        return new, {**_returned(kept), "steps": np.array(done + len(rates))}, losses

    def _take(
        self, parameters: Arrays, batches: Batches, rates: Sequence[float], update: Callable[..., None]
    ) -> tuple[dict[str, np.ndarray], np.ndarray]:
        with one_thread(), torch.no_grad():
            now = self._moved({name: parameters[name] for name in self.network.shapes})
            some = next(iter(now.values()))
            losses, dloss = some.new_empty(len(rates)), some.new_ones(())
            for step, (batch, rate) in enumerate(zip(batches, rates, strict=True)):
                losses[step], gradients = self._differentiated(now, Batch(*batch), self.first + step, dloss)
                update(now, gradients, step, rate)
        return _returned(now), losses.cpu().numpy()

    def _differentiated(
        self, now: dict[str, Tensor], batch: Batch, step: int, dloss: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss and the gradients of the whole minibatch: each share's mean counts as much as it has targets."""
        X, Y = (torch.from_numpy(tokens).to(self.device).long() for tokens in (batch.X, batch.Y))
        share = Share(batch.here, batch.of_all, self.processes.total)
        masks = masks_of_step(self.network, self.seed, step, X, Y, batch.lines)
        loss, cache = self.network.forward(now, X[batch.lines], Y[batch.lines], masks, share)
        weight = share.here / share.of
        return self.processes.summed(loss * weight, self.network.backward(dloss * weight, cache))

    def _moved(self, arrays: Arrays) -> dict[str, Tensor]:
        return {name: torch.from_numpy(value).to(self.device, copy=True) for name, value in arrays.items()}


def _returned(tensors: Mapping[str, Tensor]) -> dict[str, np.ndarray]:
    return {name: value.cpu().numpy() for name, value in tensors.items()}
