"""Names a second, on one core: from the table, from the network, and with the tokens turned into strings.

Run: python bench/sampling.py
"""

import time

import numpy as np

from handgrad import engine
from handgrad.data import resolve_corpus, split
from handgrad.models.config import MLPConfig, initial_parameters

LINES, ROUNDS, STEPS = 1_000_000, 7, 10_000


def rates() -> dict[str, list[float]]:
    """Lines a second of each way, one number a round, from a model of the lecture's sizes."""
    corpus = resolve_corpus()
    train = split(corpus).train
    draw = np.random.default_rng(1)
    config = MLPConfig(corpus.vocabulary.size)
    parameters = initial_parameters(config, lambda _, shape: draw.standard_normal(shape, np.float32))
    contexts, targets = engine.read_batches(train.tokens, draw.integers(0, len(train), (STEPS, 32)), 3)
    parameters, _ = engine.sgd_steps(parameters, contexts, targets, np.full(STEPS, 0.1))
    model = parameters, *engine.calibrate(parameters, train.tokens, 3)
    table = engine.Sampler(*model)
    table.draw(1, range(LINES))
    result: dict[str, list[float]] = {"table": [], "table, as strings": [], "network": []}
    for _ in range(ROUNDS):
        begun = time.process_time()
        tokens = table.draw(1, range(LINES))
        drawn = time.process_time()
        corpus.vocabulary.decode(tokens).split("\n")
        result["table"].append(LINES / (drawn - begun))
        result["table, as strings"].append(LINES / (time.process_time() - begun))
        begun = time.process_time()
        engine.Sampler(*model).draw(1, range(2000))  # too few for a table
        result["network"].append(2000 / (time.process_time() - begun))
    return result


if __name__ == "__main__":
    for name, values in rates().items():
        q1, median, q3 = np.quantile(values, [0.25, 0.5, 0.75])
        print(f"{name:<18} {median:>10,.0f} ({q1:,.0f} to {q3:,.0f}) lines a second")
