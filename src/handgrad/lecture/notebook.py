"""The notebook's cells in order, as functions; each returns what the notebook prints."""

import random
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from handgrad import ops
from handgrad.data.corpus import Corpus
from handgrad.data.dataset import Dataset, Splits, split
from handgrad.engine.contexts import Contexts
from handgrad.engine.models.mlp import compiled_contexts
from handgrad.lecture import exercise1
from handgrad.lecture.cmp import Comparison, compare
from handgrad.models import mlp
from handgrad.models.mlp import MLP, PARAMETERS
from handgrad.training.loop import Progress, Report
from handgrad.training.schedule import step_decay

SEED = 2147483647
BN_SEED = SEED + 1
BATCH_SIZE = 32
STEPS = 200_000
LR = 0.1
STEPS_A_CHUNK = 500


class Network(NamedTuple):
    """The network as a cell sets it up: its parameters, and the generator from which minibatches are drawn next."""

    config: MLP
    parameters: dict[str, Tensor]
    generator: torch.Generator


class Minibatch(NamedTuple):
    """Contexts (32, 3) and targets (32,)."""

    Xb: Tensor
    Yb: Tensor


class OneGo(NamedTuple):
    """A forward pass in one go beside the one in steps, and the gradient in closed form beside autograd's."""

    value: float
    difference: float
    gradient: Comparison


@dataclass(frozen=True)
class Trained:
    """What training leaves: parameters, losses of all minibatches, and calibrated statistics, each (1, n_hidden)."""

    parameters: dict[str, Tensor]
    losses: np.ndarray
    gradients: list[Comparison]
    bnmean: Tensor
    bnvar: Tensor


def split_as_in_lecture(corpus: Corpus) -> Splits:
    """The splits that `random.seed(42); random.shuffle(words)` gives.

    Source: lecture, cell 4.
    """
    order = list(range(corpus.n_lines))
    random.Random(42).shuffle(order)
    return split(corpus, np.array(order))


def network(vocab_size: int, n_hidden: int) -> Network:
    """Parameters in the lecture's order from the lecture's generator, and so bit for bit the lecture's.

    `bngain` and `bnbias`, which the lecture draws without a seed, come from a generator of their own.

    Source: lecture, cells 6 and 16.
    """
    config = MLP(vocab_size, n_hidden=n_hidden)
    g, bn = torch.Generator().manual_seed(SEED), torch.Generator().manual_seed(BN_SEED)
    parameters = config.initial(
        lambda name, shape: torch.randn(shape, generator=bn if name in ("bngain", "bnbias") else g)
    )
    return Network(config, parameters, g)


def minibatch(net: Network, train: Dataset) -> Minibatch:
    """The next minibatch of the lecture's stream.

    Source: lecture, cell 7.
    """
    return _examples(train, torch.randint(0, len(train), (BATCH_SIZE,), generator=net.generator))


def exercise_1(net: Network, batch: Minibatch) -> tuple[float, list[Comparison]]:
    """The loss of the first batch, and 26 gradients by hand, one line each, beside autograd's.

    Source: lecture, exercise 1.
    """
    parameters = _tracked(net.parameters)
    v = exercise1.forward(parameters, *batch)
    variables = {**v._asdict(), **parameters}
    with torch.no_grad():
        by_hand = exercise1.backward(parameters, *batch, v)
    by_autograd = torch.autograd.grad(v.loss, [variables[name] for name in by_hand])
    return v.loss.item(), _compared(by_hand, dict(zip(by_hand, by_autograd, strict=True)))


def exercise_2(net: Network, batch: Minibatch) -> OneGo:
    """Cross-entropy in one go: the loss and its difference, and `dlogits` in closed form.

    Source: lecture, exercise 2.
    """
    v = exercise1.forward(_tracked(net.parameters), *batch)
    loss_fast, cache = ops.cross_entropy_forward(v.logits.detach(), batch.Yb)
    (dlogits,) = ops.cross_entropy_backward(torch.ones(()), cache)
    (reference,) = torch.autograd.grad(v.loss, v.logits)
    return OneGo(loss_fast.item(), (loss_fast - v.loss).item(), compare("logits", dlogits, reference))


def exercise_3(net: Network, batch: Minibatch) -> OneGo:
    """Batch norm in one go: the greatest output and difference, and `dhprebn` in closed form.

    Source: lecture, exercise 3.
    """
    v = exercise1.forward(_tracked(net.parameters), *batch)
    hpreact_fast, cache = ops.batchnorm_forward(v.hprebn.detach(), net.parameters["bngain"], net.parameters["bnbias"])
    dhpreact, reference = torch.autograd.grad(v.loss, [v.hpreact, v.hprebn])
    dhprebn = ops.batchnorm_backward(dhpreact, cache).dx
    difference = (hpreact_fast - v.hpreact).abs().max().item()
    return OneGo(hpreact_fast.abs().max().item(), difference, compare("hprebn", dhprebn, reference))


def exercise_4(net: Network, train: Dataset, steps: int = STEPS, progress: Progress | None = None) -> Trained:
    """Training with the backward pass by hand, its gradients beside autograd's at the end, and calibration.

    Args:
        net: freshly set up; its generator moves on.
        train: the training split.
        steps: the lecture takes 200,000; the learning rate falls to a tenth after half of them.
        progress: is told how it goes.

    Source: lecture, exercise 4 and the cell that calibrates the batch norm.
    """
    arrays = {name: value.numpy() for name, value in net.parameters.items()}
    losses = np.empty(steps, np.float32)
    batch = Minibatch(torch.empty(0), torch.empty(0))
    compiled = compiled_contexts(net.config)
    for start in range(0, steps, STEPS_A_CHUNK):
        stop = min(start + STEPS_A_CHUNK, steps)
        # all at once they are the numbers that one draw a step gives
        ix = torch.randint(0, len(train), (stop - start, BATCH_SIZE), generator=net.generator)
        batches = _examples(train, ix)
        rates = [step_decay(step, steps, LR) for step in range(start, stop)]
        arrays, losses[start:stop] = compiled.sgd_steps(arrays, Contexts(batches.Xb.numpy(), batches.Yb.numpy()), rates)
        batch = Minibatch(batches.Xb[-1], batches.Yb[-1])
        if progress:
            progress(Report(Path(), stop, steps, losses[start:stop], None, rates[-1]))
    parameters = {name: torch.from_numpy(value) for name, value in arrays.items()}
    with torch.no_grad():
        hpreact = mlp.hidden_preactivation(parameters, _everything(train).Xb)
        bnmean, bnvar = hpreact.mean(0, keepdim=True), hpreact.var(0, keepdim=True, unbiased=True)
    return Trained(parameters, losses, _compare_with_autograd(parameters, batch), bnmean, bnvar)


def split_loss(trained: Trained, part: Dataset) -> float:
    """Mean loss of a split with the calibrated statistics, in nats.

    Source: lecture, cell 18.
    """
    X, Y = _everything(part)
    with torch.no_grad():
        logits = mlp.logits(trained.parameters, trained.bnmean, trained.bnvar, X)
        return F.cross_entropy(logits, Y).item()


def sample(trained: Trained, itos: dict[int, str], n: int = 20) -> list[str]:
    """Lines drawn one letter at a time with the lecture's generator, each ending in the lecture's full stop.

    Source: lecture, last cell.
    """
    g = torch.Generator().manual_seed(SEED + 10)
    letters = {**itos, 0: "."}
    lines = []
    for _ in range(n):
        out = [0, 0, 0]
        while len(out) == 3 or out[-1] != 0:
            with torch.no_grad():
                logits = mlp.logits(trained.parameters, trained.bnmean, trained.bnvar, torch.tensor([out[-3:]]))
            out.append(int(torch.multinomial(F.softmax(logits, dim=1), num_samples=1, generator=g)))
        lines.append("".join(letters[ix] for ix in out[3:]))
    return lines


def _compare_with_autograd(parameters: dict[str, Tensor], batch: Minibatch) -> list[Comparison]:
    loss, cache = mlp.forward(parameters, *batch)
    by_hand = mlp.backward(torch.ones(()), cache)
    tracked = _tracked(parameters)
    loss, _ = mlp.forward(tracked, *batch)
    by_autograd = torch.autograd.grad(loss, [tracked[name] for name in PARAMETERS])
    return _compared(by_hand, dict(zip(PARAMETERS, by_autograd, strict=True)))


def _compared(by_hand: dict[str, Tensor], by_autograd: dict[str, Tensor]) -> list[Comparison]:
    """Each gradient beside autograd's; that of b1, which batch norm takes away again, is zero but for rounding."""
    beside = {"b1": by_autograd["W1"]}
    return [compare(name, by_hand[name], theirs, beside.get(name)) for name, theirs in by_autograd.items()]


def _tracked(parameters: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach().clone().requires_grad_() for name, value in parameters.items()}


def _everything(part: Dataset) -> Minibatch:
    return _examples(part, torch.arange(len(part)))


def _examples(part: Dataset, ix: Tensor) -> Minibatch:
    positions = ix.numpy()
    return Minibatch(torch.from_numpy(part.contexts(positions, 3)), torch.from_numpy(part.targets(positions)))
