"""Models and minibatches of random sizes, the same for every test."""

from typing import NamedTuple

import numpy as np

from handgrad.data import Vocabulary
from handgrad.engine.contexts import CompiledContexts, Contexts
from handgrad.engine.distributions import Choice
from handgrad.engine.models import contexts as form
from handgrad.engine.sampler import LineSampler
from handgrad.models.mlp import MLP
from handgrad.models.trained import Model, TextReference


class Case(NamedTuple):
    parameters: dict[str, np.ndarray]
    contexts: np.ndarray
    targets: np.ndarray


def case(vocab_size=27, block_size=3, n_embd=10, n_hidden=200, batch_size=32, steps=1, seed=0) -> Case:
    draw = np.random.default_rng(seed)
    config = MLP(vocab_size, block_size, n_embd, n_hidden)
    parameters = config.initial(lambda _, shape: draw.standard_normal(shape, np.float32))
    contexts = draw.integers(0, vocab_size, (steps, batch_size, block_size))
    targets = draw.integers(0, vocab_size, (steps, batch_size))
    return Case({name: np.asarray(value, np.float32) for name, value in parameters.items()}, contexts, targets)


def network_of(parameters) -> MLP:
    (vocab_size, n_embd), (inputs, n_hidden) = parameters["C"].shape, parameters["W1"].shape
    return MLP(vocab_size, inputs // n_embd, n_embd, n_hidden)


def compiled(parameters) -> CompiledContexts:
    return form.compiled_contexts(network_of(parameters))


def sgd_steps(parameters, contexts, targets, rates):
    return compiled(parameters).sgd_steps(parameters, Contexts(contexts, targets), rates)


def adam_steps(parameters, moments, contexts, targets, rates, weight_decay=0.0):
    return compiled(parameters).adam_steps(parameters, moments, Contexts(contexts, targets), rates, weight_decay)


def loss_and_gradients(parameters, contexts, targets):
    return compiled(parameters).loss_and_gradients(parameters, Contexts(contexts[None], targets[None]))


def model_of(parameters, bnmean, bnvar) -> Model:
    network = network_of(parameters)
    vocabulary = Vocabulary("".join(map(chr, range(256, 255 + network.vocab_size))))
    return Model(network, vocabulary, parameters, {"bnmean": bnmean, "bnvar": bnvar}, TextReference("", "", ""), 0)


def log_probabilities(parameters, bnmean, bnvar, contexts):
    return form.log_probabilities(model_of(parameters, bnmean, bnvar), contexts)


def mean_loss(parameters, bnmean, bnvar, tokens):
    return form.mean_loss(model_of(parameters, bnmean, bnvar), tokens)


def calibrate(parameters, tokens, limit=None):
    buffers = form.calibrate(network_of(parameters), parameters, tokens, limit)
    return buffers["bnmean"], buffers["bnvar"]


def sampler(parameters, bnmean, bnvar, temperature=1.0, prefix=(), max_length=100) -> LineSampler:
    return form.sampler(model_of(parameters, bnmean, bnvar), Choice(temperature), prefix, max_length)


SIZES = [
    {},
    {"batch_size": 2, "n_hidden": 1, "n_embd": 1, "block_size": 1, "vocab_size": 2},
    {"batch_size": 7, "n_hidden": 33, "n_embd": 3, "block_size": 5, "vocab_size": 11},
    {"batch_size": 100, "n_hidden": 257, "n_embd": 17, "block_size": 2, "vocab_size": 65},
    {"batch_size": 300, "n_hidden": 64, "n_embd": 8, "block_size": 8, "vocab_size": 300},
    {"batch_size": 2048, "n_hidden": 16, "n_embd": 5, "block_size": 3, "vocab_size": 27},
    {"batch_size": 16, "n_hidden": 1024, "n_embd": 10, "block_size": 3, "vocab_size": 27},
]
