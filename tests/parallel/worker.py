"""Run by torchrun: every family by all processes together and by process 0 alone, in float64, and what differs.

worker.py FILE: process 0 writes to it, as JSON, by case the greatest difference of each parameter relative to its
greatest entry, and of the losses.
"""

import json
import sys
from pathlib import Path

import numpy as np

from handgrad.data import resolve_corpus, split
from handgrad.models.trained import TextReference
from handgrad.training.backend import batches_of
from handgrad.training.config import TrainConfig
from handgrad.training.processes import ALONE, joined
from handgrad.training.state import Settings, initial_state
from handgrad.training.torch_steps import TorchSteps

STEPS = 100
SMALL = {"steps": STEPS, "batch_size": 11, "seed": 3}
CASES = {
    "mlp": {"n_embd": 5, "n_hidden": 7, "block_size": 3},
    "mlp sgd": {"n_embd": 5, "n_hidden": 7, "block_size": 3, "optimizer": "sgd", "lr": 0.1},
    "wavenet": {"n_embd": 5, "n_hidden": 7, "block_size": 4},
    "bigram": {},
    "bow": {"n_embd": 5, "n_hidden": 7, "block_size": 16},
    "rnn": {"n_embd": 5, "n_hidden": 7, "dropout": 0.25},
    "gru": {"n_embd": 5, "n_hidden": 7, "dropout": 0.25},
    "lstm": {"n_embd": 5, "n_hidden": 7},
    "transformer": {"n_embd": 6, "n_head": 2, "n_layer": 2, "block_size": 16, "dropout": 0.25},
    "transformer sgd": {
        "n_embd": 6,
        "n_head": 2,
        "n_layer": 1,
        "block_size": 16,
        "optimizer": "sgd",
        "lr": 0.1,
        "dropout": 0.0,
        "tied": True,
    },
    "microgpt": {"n_embd": 6, "n_head": 2, "n_layer": 1, "block_size": 16},
}


def taken(case: str, processes, dtype=np.float64):
    """The parameters and the losses after all steps."""
    corpus = resolve_corpus()
    config = TrainConfig.of(case.split()[0], **SMALL, **CASES[case], engine="torch")
    settings = Settings(config, corpus.vocabulary, TextReference.to(corpus))
    state = initial_state(settings)
    parameters, moments = ({k: v.astype(dtype) for k, v in some.items()} for some in (state.parameters, state.moments))
    rates = [state.schedule.rate(step) for step in range(STEPS)]
    steps = TorchSteps(settings.model, seed=config.seed, processes=processes)
    batches = batches_of(settings, split(corpus).train, range(STEPS), processes)
    if config.optimizer == "sgd":
        return steps.sgd_steps(parameters, batches, rates)
    parameters, _, losses = steps.adam_steps(parameters, moments, batches, rates, config.weight_decay)
    return parameters, losses


def differences(case: str, processes) -> dict[str, float]:
    together, losses = taken(case, processes)
    if processes.rank:
        return {}
    alone, their_losses = taken(case, ALONE)
    found = {name: float(np.abs(together[name] - value).max() / np.abs(value).max()) for name, value in alone.items()}
    return {**found, "losses": float(np.abs(losses - their_losses).max())}


def are_the_same_bits(case: str, processes) -> bool:
    once, again = (taken(case, processes, np.float32)[0] for _ in range(2))
    return all(once[name].tobytes() == again[name].tobytes() for name in once)


if __name__ == "__main__":
    with joined() as processes:
        found = {case: differences(case, processes) for case in CASES}
        bits = {case: are_the_same_bits(case, processes) for case in ("mlp",)}
        if processes.rank == 0:
            Path(sys.argv[1]).write_text(json.dumps({"differences": found, "same bits": bits}))
