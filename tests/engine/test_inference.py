"""Losses and probabilities are those of torch, and do not depend on what else is asked for."""

import numpy as np
import pytest
import torch

from handgrad.data import Dataset
from handgrad.models import mlp

from . import cases
from .cases import SIZES, case


def statistics(parameters):
    draw, shape = np.random.default_rng(3), parameters["bngain"].shape
    return draw.standard_normal(shape, np.float32), draw.uniform(0.5, 2, shape).astype(np.float32)


def in_float64(parameters, *arrays):
    tensors = {name: torch.from_numpy(value.astype(np.float64)) for name, value in parameters.items()}
    return tensors, *(torch.from_numpy(array.astype(np.float64)) for array in arrays)


def text(vocab_size, length=3000):
    tokens = np.random.default_rng(4).integers(0, vocab_size, length)
    return np.append(tokens, 0).astype(np.min_scalar_type(vocab_size))


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_log_probabilities_are_those_of_float64(sizes):
    parameters, contexts, _ = case(**sizes)
    bnmean, bnvar = statistics(parameters)
    ours = cases.log_probabilities(parameters, bnmean, bnvar, contexts[0])
    right = mlp.logits(*in_float64(parameters, bnmean, bnvar), torch.from_numpy(contexts[0])).log_softmax(1).numpy()
    assert ours.shape == right.shape
    assert np.abs(ours - right).max() <= 1e-5 * np.abs(right).max()


def test_a_row_does_not_depend_on_the_others():
    parameters, contexts, _ = case(batch_size=5000)
    bnmean, bnvar = statistics(parameters)
    together = cases.log_probabilities(parameters, bnmean, bnvar, contexts[0])
    for part in (slice(0, 1), slice(1, 8), slice(8, 2000), slice(4999, 5000)):
        assert np.array_equal(cases.log_probabilities(parameters, bnmean, bnvar, contexts[0][part]), together[part])


def test_no_result_depends_on_the_number_of_threads(monkeypatch):
    monkeypatch.setattr("handgrad.engine.models.contexts.CONTEXTS_AT_ONCE", 50)
    parameters, contexts, _ = case(batch_size=1000)
    bnmean, bnvar = statistics(parameters)
    results = []
    for threads in ("1", "2", "5"):
        monkeypatch.setenv("HANDGRAD_THREADS", threads)
        logprobs = cases.log_probabilities(parameters, bnmean, bnvar, contexts[0])
        loss = cases.mean_loss(parameters, bnmean, bnvar, text(27))
        mean, variance = cases.calibrate(parameters, text(27))
        results.append((logprobs.tobytes(), loss, mean.tobytes(), variance.tobytes()))
    assert results[0] == results[1] == results[2]


@pytest.mark.parametrize("sizes", [SIZES[0], SIZES[3], SIZES[4]], ids=str)
def test_mean_loss_is_that_of_float64(sizes):
    parameters, _, _ = case(**sizes)
    block_size = len(parameters["W1"]) // parameters["C"].shape[1]
    bnmean, bnvar = statistics(parameters)
    dataset = Dataset(text(len(parameters["C"])))
    positions = np.arange(len(dataset))
    contexts, targets = dataset.contexts(positions, block_size), dataset.targets(positions)
    logits = mlp.logits(*in_float64(parameters, bnmean, bnvar), torch.from_numpy(contexts))
    right = torch.nn.functional.cross_entropy(logits, torch.from_numpy(targets)).item()
    assert cases.mean_loss(parameters, bnmean, bnvar, dataset.tokens) == pytest.approx(right, rel=1e-6)


@pytest.mark.parametrize("limit", [None, 2, 1000])
def test_calibration_measures_the_hidden_preactivations(limit, monkeypatch):
    monkeypatch.setattr("handgrad.engine.models.contexts.CONTEXTS_AT_ONCE", 50)
    parameters, _, _ = case()
    parameters["b1"] += 100  # a sum of squares in float32 would lose the digits of the variance
    dataset = Dataset(text(27))
    contexts = torch.from_numpy(dataset.contexts(np.arange(len(dataset))[:limit], 3))
    hprebn = mlp.hidden_preactivation(*in_float64(parameters), contexts)
    bnmean, bnvar = cases.calibrate(parameters, dataset.tokens, limit)
    assert bnmean.shape == bnvar.shape == (1, 200)
    assert bnmean.dtype == bnvar.dtype == np.float32
    np.testing.assert_allclose(bnmean, hprebn.mean(0, keepdim=True), rtol=1e-6)
    np.testing.assert_allclose(bnvar, hprebn.var(0, keepdim=True), rtol=1e-4, atol=1e-4)


def test_contexts_outside_the_vocabulary_are_refused():
    parameters, contexts, _ = case()
    with pytest.raises(IndexError, match="expected 0 to 26"):
        cases.log_probabilities(parameters, *statistics(parameters), contexts[0] + 27)
