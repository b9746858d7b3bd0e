"""The compiled form of the lecture's network."""

from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np

from handgrad.engine import inference, reading
from handgrad.engine.sampler import Sampler
from handgrad.models.mlp import MLP
from handgrad.models.trained import Model


def calibrate(
    network: MLP, parameters: Mapping[str, np.ndarray], tokens: np.ndarray, limit: int | None = None
) -> dict[str, np.ndarray]:
    """The statistics of batch norm over a text, or over the first `limit` tokens of it."""
    bnmean, bnvar = inference.calibrate(parameters, tokens, network.block_size, limit)
    return {"bnmean": bnmean, "bnvar": bnvar}


def readers(model: Model) -> reading.Readers:
    """How it is read."""
    blocks = inference.Blocks(model.parameters, reading.LINES_AT_ONCE)

    def new() -> reading.Window:
        block = blocks.begin()

        def of_contexts(contexts: np.ndarray) -> np.ndarray:
            logprobs = np.empty((len(contexts), blocks.sizes.vocab_size), np.float32)
            for start in range(0, len(contexts), blocks.n_at_once):
                now = slice(start, start + blocks.n_at_once)
                logprobs[now] = block.log_probabilities(contexts[now], *_statistics(model))
            return logprobs

        return reading.Window(of_contexts, blocks.sizes.block_size)

    return reading.Readers(new, reading.LINES_AT_ONCE)


def log_probabilities(model: Model, contexts: np.ndarray) -> np.ndarray:
    """Of each next token, (N, vocab_size) float32, from contexts, (N, block_size)."""
    return inference.log_probabilities(model.parameters, *_statistics(model), contexts)


def mean_loss(model: Model, tokens: np.ndarray) -> float:
    """Mean cross-entropy over all tokens of some lines, in nats."""
    return inference.mean_loss(model.parameters, *_statistics(model), tokens, _network(model).block_size)


def sampler(model: Model, temperature: float, prefix: Sequence[int] | np.ndarray, max_length: int) -> Sampler:
    """What draws lines from the model."""
    return Sampler(model.parameters, *_statistics(model), temperature, prefix, max_length)


def _statistics(model: Model) -> tuple[np.ndarray, np.ndarray]:
    return model.buffers["bnmean"], model.buffers["bnvar"]


def _network(model: Model) -> MLP:
    return cast(MLP, model.config)
