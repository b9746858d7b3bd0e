"""Models of contexts: compiled and torch form start equal, see the same batches and stay equal."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from handgrad.data import Vocabulary
from handgrad.engine.contexts import Contexts
from handgrad.engine.distributions import Choice
from handgrad.engine.models import contexts as form
from handgrad.engine.training import no_moments
from handgrad.models import bigram
from handgrad.models.trained import Model, TextReference
from handgrad.training.torch_steps import TorchSteps

from . import torch_form
from .context_cases import FAMILIES, SIZES, context_case

OF_NO_EFFECT = ("b1",)
"""What `b1` adds the mean of batch norm takes away again: its gradient is 0, but for rounding."""
EACH = pytest.mark.parametrize("name", FAMILIES)


def reference(start):
    """Loss and gradients in float64."""
    tensors = {key: torch.from_numpy(value.astype(np.float64)) for key, value in start.parameters.items()}
    X, Y = (torch.from_numpy(tokens[0]) for tokens in start.batches)
    loss, cache = start.network.forward(tensors, X, Y)
    gradients = start.network.backward(torch.ones((), dtype=torch.float64), cache)
    return loss.item(), {key: value.numpy() for key, value in gradients.items()}


@EACH
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_gradients_are_those_of_float64_to_rounding(name, sizes):
    start = context_case(name, **sizes)
    loss, gradients = start.compiled.loss_and_gradients(start.parameters, start.batches)
    right_loss, right = reference(start)
    assert loss == pytest.approx(right_loss, rel=1e-6)
    assert list(gradients) == list(right)
    for key, value in right.items():
        assert (gradients[key].shape, gradients[key].dtype) == (start.parameters[key].shape, np.float32)
        assert np.abs(gradients[key] - value).max() <= max(5e-6 * np.abs(value).max(), 1e-12), key


@pytest.mark.one_in(2)
@EACH
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_parameters_after_100_steps_are_those_of_torch(name, optimizer):
    start = context_case(
        name, steps=100, batch_size=24, longest=60
    )  # a place of zeros alone has a gradient of rounding
    batches, torch_steps = list(zip(*start.batches, strict=True)), TorchSteps(start.network)
    if optimizer == "sgd":
        rates = np.linspace(0.3, 0.03, 100).tolist()
        ours, losses = start.compiled.sgd_steps(start.parameters, start.batches, rates)
        theirs, their_losses = torch_steps.sgd_steps(start.parameters, batches, rates)
    else:
        rates, nothing = np.linspace(0.005, 0.001, 100).tolist(), no_moments(start.parameters)
        ours, moments, losses = start.compiled.adam_steps(start.parameters, nothing, start.batches, rates, 0.1)
        theirs, _, their_losses = torch_steps.adam_steps(start.parameters, nothing, batches, rates, 0.1)
        assert int(moments["steps"]) == 100
    assert losses.dtype == their_losses.dtype
    np.testing.assert_allclose(losses, their_losses, rtol=1e-4)
    for key, value in theirs.items():
        assert ours[key].shape == value.shape
        assert (
            key in OF_NO_EFFECT or np.abs(ours[key] - value).max() <= 1e-3 * np.abs(value - start.parameters[key]).max()
        ), key


def adam(start, steps=slice(None), parameters=None, moments=None):
    rates = np.linspace(0.01, 0.001, len(start.batches.targets))[steps]
    batches = Contexts(*(tokens[steps] for tokens in start.batches))
    moments = moments or no_moments(start.parameters)
    return start.compiled.adam_steps(parameters or start.parameters, moments, batches, rates, 0.1)


def assert_same_bits(ours, theirs):
    for mine, others in zip(ours[:2], theirs[:2], strict=True):
        assert mine.keys() == others.keys()
        assert [key for key in mine if not np.array_equal(mine[key], others[key])] == []


@EACH
@pytest.mark.parametrize("cut", [1, 17, 29])
def test_a_run_in_two_parts_is_the_run_in_one(name, cut):
    start = context_case(name, steps=30)
    whole = adam(start)
    part = adam(start, slice(0, cut))
    rest = adam(start, slice(cut, None), *part[:2])
    assert_same_bits(rest, whole)
    assert np.array_equal(np.concatenate([part[2], rest[2]]), whole[2])


@EACH
def test_the_calls_of_compiled_code_leave_no_seam(name, monkeypatch):
    start = context_case(name, steps=10)
    in_one_call = adam(start)
    monkeypatch.setattr("handgrad.engine.stepping.PRODUCTS_A_CALL", 1)
    assert_same_bits(adam(start), in_one_call)


@EACH
def test_a_run_repeats_to_the_last_bit_also_beside_another(name):
    starts = [context_case(name, steps=20, seed=seed) for seed in (1, 2)]
    alone = [adam(start) for start in starts]
    before = [{key: value.copy() for key, value in start.parameters.items()} for start in starts]
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(adam, starts))
    for ours, theirs, start, parameters in zip(together, alone, starts, before, strict=True):
        assert_same_bits(ours, theirs)
        assert all(np.array_equal(start.parameters[key], value) for key, value in parameters.items())


@EACH
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_shows_in_the_loss(name, value):
    start = context_case(name)
    for key, parameter in start.parameters.items():
        spoilt = {**start.parameters, key: np.full_like(parameter, value)}
        loss, _ = start.compiled.loss_and_gradients(spoilt, start.batches)
        saturated = value == np.inf and key.startswith("bn")
        assert np.isnan(loss) or saturated or key in OF_NO_EFFECT, key


@pytest.mark.parametrize("bad", [-1, 27])
@pytest.mark.parametrize("which", [0, 1])
def test_tokens_outside_the_vocabulary_are_refused(bad, which):
    start = context_case("wavenet")
    start.batches[which][0, 3] = bad
    with pytest.raises(IndexError, match=r"a token is not in the vocabulary: got .* expected 0 to 26"):
        start.compiled.sgd_steps(start.parameters, start.batches, [0.1])


def test_shapes_that_do_not_fit_are_refused():
    start = context_case("wavenet")
    contexts, targets = start.batches
    with pytest.raises(ValueError, match=r"the shapes do not fit: contexts \(1, 32, 7\), targets \(1, 32\)"):
        start.compiled.sgd_steps(start.parameters, Contexts(contexts[..., 1:], targets), [0.1])


def model_of(start) -> Model:
    """With its buffers measured by PyTorch."""
    vocabulary = Vocabulary("".join(map(chr, range(97, 96 + start.network.vocab_size))))
    buffers = torch_form.calibrate(start.network, start.parameters, start.dataset.tokens)
    return Model(start.network, vocabulary, start.parameters, buffers, TextReference("", "", ""), 0)


@EACH
def test_buffers_are_those_of_torch(name):
    start = context_case(name, longest=60)
    ours = form.calibrate(start.network, start.parameters, start.dataset.tokens)
    theirs = torch_form.calibrate(start.network, start.parameters, start.dataset.tokens)
    assert list(ours) == list(theirs)
    for key, value in theirs.items():
        assert (ours[key].shape, ours[key].dtype) == (value.shape, np.float32)
        np.testing.assert_allclose(ours[key], value, rtol=2e-5, atol=2e-6)
    fewer = form.calibrate(start.network, start.parameters, start.dataset.tokens, 50)
    assert all(not np.array_equal(value, ours[key]) for key, value in fewer.items())


@EACH
def test_evaluation_and_samples_are_those_of_torch(name, monkeypatch):
    start = context_case(name)
    model, tokens = model_of(start), start.dataset.tokens
    contexts = start.dataset.contexts(np.arange(len(tokens)), start.network.block_size)
    together = form.log_probabilities(model, contexts)
    np.testing.assert_allclose(together, torch_form.log_probabilities(model, contexts), atol=2e-5)
    assert form.mean_loss(model, tokens) == pytest.approx(torch_form.mean_loss(model, tokens), rel=1e-6)

    monkeypatch.setattr(form, "CONTEXTS_AT_ONCE", 37)
    assert np.array_equal(form.log_probabilities(model, contexts), together)
    whole = form.sampler(model, Choice(0.8), [3], 12).draw(7, range(200))
    again = form.sampler(model, Choice(0.8), [3], 12)
    parts = [again.draw(7, range(first, min(first + 30, 200))) for first in range(0, 200, 30)]
    assert np.array_equal(np.concatenate(parts), whole)
    assert np.array_equal(torch_form.sampler(model, Choice(0.8), [3], 12).draw(7, range(200)), whole)


def test_counting_and_gradients_agree():
    """Full-batch gradient descent ends where counting begins."""
    start = context_case("bigram", vocab_size=5)
    positions = np.arange(len(start.dataset))
    whole = start.dataset.contexts(positions, 1), start.dataset.targets(positions)
    counted = bigram.counted(start.dataset.tokens, 5, smoothing=1e-3)
    steps = 3_000
    batches = Contexts(*(np.broadcast_to(tokens, (steps, *tokens.shape)) for tokens in whole))
    trained, losses = start.compiled.sgd_steps(start.parameters, batches, [4.0] * steps)
    loss, _ = start.compiled.loss_and_gradients(counted, Contexts(whole[0][None], whole[1][None]))
    assert losses[-1] == pytest.approx(loss, abs=1e-3)

    def shares(W):
        return np.exp(W) / np.exp(W).sum(1, keepdims=True)

    assert np.abs(shares(trained["W"]) - shares(counted["W"])).max() < 0.01
