"""Engine and torch start equal, see the same batches and stay equal; nothing else that could differ does."""

import _thread
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from handgrad.data import Dataset
from handgrad.engine import training
from handgrad.engine.training import no_moments, read_batches
from handgrad.models import mlp
from handgrad.models.mlp import PARAMETERS
from handgrad.training.torch_steps import TorchSteps

from . import cases
from .cases import SIZES, case


def reference(parameters, contexts, targets):
    """Loss and gradients in float64."""
    tensors = {name: torch.from_numpy(value.astype(np.float64)) for name, value in parameters.items()}
    loss, cache = mlp.forward(tensors, torch.from_numpy(contexts), torch.from_numpy(targets))
    gradients = mlp.backward(torch.ones((), dtype=torch.float64), cache)
    return loss.item(), {name: value.numpy() for name, value in gradients.items()}


def scales(gradients):
    """What an error is relative to: the greatest gradient; that of `b1` is 0 but for rounding, `bnbias` stands in."""
    greatest = {name: np.abs(value).max() for name, value in gradients.items()}
    return {**greatest, "b1": greatest["bnbias"]}


def assert_gradients_agree(sizes, tolerance):
    parameters, contexts, targets = case(**sizes)
    loss, gradients = cases.loss_and_gradients(parameters, contexts[0], targets[0])
    right_loss, right = reference(parameters, contexts[0], targets[0])
    assert loss == pytest.approx(right_loss, rel=1e-6)
    for name, scale in scales(right).items():
        assert gradients[name].shape == parameters[name].shape
        assert gradients[name].dtype == np.float32
        assert np.abs(gradients[name] - right[name]).max() <= tolerance * scale, name


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_gradients_are_those_of_float64_to_rounding(sizes):
    assert_gradients_agree(sizes, 5e-6)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    vocab_size=st.integers(5, 400),
    block_size=st.integers(2, 9),
    n_embd=st.integers(2, 40),
    n_hidden=st.integers(8, 300),
    batch_size=st.integers(16, 150),
)
def test_gradients_agree_at_any_size(**sizes):
    assert_gradients_agree(sizes, 2e-5)


@pytest.mark.parametrize("sizes", SIZES[:5], ids=str)
def test_parameters_after_100_steps_are_those_of_torch(sizes):
    start = case(**sizes, steps=100)
    rates = np.linspace(0.1, 0.01, 100)
    ours, our_losses = cases.sgd_steps(*start, rates)
    (vocab_size, n_embd), (inputs, n_hidden) = (start.parameters[name].shape for name in ("C", "W1"))
    network = mlp.MLP(vocab_size, inputs // n_embd, n_embd, n_hidden)
    batches = zip(start.contexts, start.targets, strict=True)
    theirs, their_losses = TorchSteps(network).sgd_steps(start.parameters, batches, rates.tolist())
    assert our_losses.dtype == their_losses.dtype
    np.testing.assert_allclose(our_losses, their_losses, rtol=2e-5)
    for name in PARAMETERS:
        assert ours[name].shape == theirs[name].shape
        assert np.abs(ours[name] - theirs[name]).max() <= 1e-4 * np.abs(theirs[name]).max(), name


def test_adam_is_that_of_torch():
    parameters, contexts, targets = case(steps=50)
    rates, decay = np.linspace(5e-3, 1e-3, 50), 0.1
    ours, moments, _ = cases.adam_steps(parameters, no_moments(parameters), contexts, targets, rates, decay)

    tensors = {name: torch.from_numpy(value).clone().requires_grad_() for name, value in parameters.items()}
    adam = torch.optim.AdamW(tensors.values(), betas=(0.9, 0.99), eps=1e-8, weight_decay=decay)
    for step, rate in enumerate(rates):
        adam.param_groups[0]["lr"] = rate
        with torch.no_grad():
            _, cache = mlp.forward(tensors, torch.from_numpy(contexts[step]), torch.from_numpy(targets[step]))
            for name, gradient in mlp.backward(torch.ones(()), cache).items():
                tensors[name].grad = gradient
        adam.step()
    assert int(moments["steps"]) == 50
    for name in set(PARAMETERS) - {"b1"}:  # Adam blows the rounding errors that are b1's gradient up to whole steps
        theirs = tensors[name].detach().numpy()
        assert np.abs(ours[name] - theirs).max() <= 1e-3 * np.abs(theirs).max(), name


def steps_of(optimiser, start):
    if optimiser == "sgd":
        parameters, losses = cases.sgd_steps(*start, np.full(len(start.targets), 0.1))
        return parameters, losses
    moments = no_moments(start.parameters)
    parameters, moments, losses = cases.adam_steps(
        start.parameters, moments, start.contexts, start.targets, np.full(len(start.targets), 0.01), 0.1
    )
    return {**parameters, **moments}, losses


def assert_same_bits(ours, theirs):
    assert np.array_equal(ours[1], theirs[1])
    assert ours[0].keys() == theirs[0].keys()
    for name in ours[0]:
        assert np.array_equal(ours[0][name], theirs[0][name]), name


@pytest.mark.parametrize("optimiser", ["sgd", "adam"])
def test_a_run_repeats_to_the_last_bit_also_beside_another(optimiser):
    starts = [case(steps=30, seed=seed) for seed in (1, 2)]
    alone = [steps_of(optimiser, start) for start in starts]
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(lambda start: steps_of(optimiser, start), starts))
    for ours, theirs in zip(together, alone, strict=True):
        assert_same_bits(ours, theirs)


@pytest.mark.parametrize("cut", [1, 17, 29])
def test_a_run_in_two_parts_is_the_run_in_one(cut):
    parameters, contexts, targets = case(steps=30)
    rates = np.linspace(0.01, 0.001, 30)
    whole = cases.adam_steps(parameters, no_moments(parameters), contexts, targets, rates)
    part = cases.adam_steps(parameters, no_moments(parameters), contexts[:cut], targets[:cut], rates[:cut])
    rest = cases.adam_steps(*part[:2], contexts[cut:], targets[cut:], rates[cut:])
    losses = np.concatenate([part[2], rest[2]])
    assert_same_bits(({**rest[0], **rest[1]}, losses), ({**whole[0], **whole[1]}, whole[2]))


def test_the_calls_of_compiled_code_leave_no_seam(monkeypatch):
    start = case(steps=30)
    in_one_call = steps_of("adam", start)
    monkeypatch.setattr("handgrad.engine.stepping.PRODUCTS_A_CALL", 1)
    assert_same_bits(steps_of("adam", start), in_one_call)


def test_arguments_are_not_changed():
    start = case(steps=3)
    before = {name: value.copy() for name, value in start.parameters.items()}
    steps_of("sgd", start)
    steps_of("adam", start)
    assert all(np.array_equal(before[name], start.parameters[name]) for name in before)


@pytest.mark.parametrize("name", sorted(set(PARAMETERS) - {"b1"}))  # what b1 adds, the batch's mean takes away again
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_shows_in_the_loss(name, value):
    parameters, contexts, targets = case()
    spoilt = parameters[name].copy()
    spoilt.flat[:: max(1, spoilt.size // 7)] = value
    loss, _ = cases.loss_and_gradients({**parameters, name: spoilt}, contexts[0], targets[0])
    saturated = value == np.inf and name in ("bngain", "bnbias")  # tanh of infinity is 1
    assert np.isfinite(loss) == saturated or np.isnan(loss)


def test_a_diverging_run_ends_in_a_loss_that_is_not_finite():
    start = case(steps=200)
    _, losses = cases.sgd_steps(*start, np.full(200, 1e30))
    assert not np.isfinite(losses[-1])


def test_denormal_parameters_count_as_small_ones():
    parameters, contexts, targets = case()
    tiny = {name: (value * 1e-40).astype(np.float32) for name, value in parameters.items()}
    assert np.abs(tiny["W2"]).max() < np.finfo(np.float32).tiny
    loss, _ = cases.loss_and_gradients(tiny, contexts[0], targets[0])
    assert loss == pytest.approx(np.log(27), rel=1e-6)


def test_moments_end_at_zero_not_among_denormals():
    parameters, contexts, targets = case(vocab_size=5, steps=2000, batch_size=4, n_hidden=8)
    contexts, targets = np.where(contexts == 4, 3, contexts), np.where(targets == 4, 3, targets)
    contexts[0, 0, 0] = 4
    _, moments, _ = cases.adam_steps(parameters, no_moments(parameters), contexts, targets, np.full(2000, 1e-3))
    assert (moments["mean_C"][4] == 0).all()
    assert (moments["square_C"][4] > 0).all()


def test_a_step_sees_all_of_a_minibatch():
    parameters, contexts, targets = case(batch_size=50)
    order = np.random.default_rng(1).permutation(50)
    loss, gradients = cases.loss_and_gradients(parameters, contexts[0], targets[0])
    other_loss, others = cases.loss_and_gradients(parameters, contexts[0][order], targets[0][order])
    assert loss == pytest.approx(other_loss, rel=1e-6)
    for name, scale in scales(gradients).items():
        assert np.abs(gradients[name] - others[name]).max() <= 1e-5 * scale


@pytest.mark.parametrize("bad", [-1, 27])
@pytest.mark.parametrize("where", ["contexts", "targets"])
def test_tokens_outside_the_vocabulary_are_refused(bad, where):
    start = case()
    getattr(start, where).flat[3] = bad
    with pytest.raises(IndexError, match=r"a token is not in the vocabulary: got .* expected 0 to 26"):
        cases.sgd_steps(*start, [0.1])


def test_shapes_that_do_not_fit_are_refused():
    parameters, contexts, targets = case()
    with pytest.raises(ValueError, match=r"shapes do not fit: contexts \(1, 32, 2\).*block_size 3"):
        cases.sgd_steps(parameters, contexts[..., 1:], targets, [0.1])
    with pytest.raises(ValueError, match=r"rates \(2,\)"):
        cases.sgd_steps(parameters, contexts, targets, [0.1, 0.1])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int64])
@pytest.mark.parametrize("block_size", [1, 3, 8])
def test_batches_are_those_of_the_dataset(dtype, block_size):
    draw = np.random.default_rng(0)
    tokens = np.append(draw.integers(0, 5, 300), 0).astype(dtype)
    positions = np.concatenate([np.arange(20), draw.integers(0, len(tokens), 80)]).reshape(4, 25)
    contexts, targets = read_batches(tokens, positions, block_size)
    dataset = Dataset(tokens)
    assert np.array_equal(contexts, dataset.contexts(positions, block_size))
    assert np.array_equal(targets, dataset.targets(positions))


@pytest.mark.parametrize("position", [-1, 5])
def test_positions_outside_the_text_are_refused(position):
    with pytest.raises(IndexError, match="a position is not in the text"):
        read_batches(np.array([1, 2, 3, 4, 0], np.uint8), np.array([0, position]), 3)


def test_a_long_run_can_be_interrupted():
    parameters, contexts, targets = case()
    contexts, targets = (np.repeat(letters, 200_000, 0) for letters in (contexts.astype(np.int32), targets))
    timer = threading.Timer(0.2, _thread.interrupt_main)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        cases.sgd_steps(parameters, contexts, targets, np.full(200_000, 1e-3))
    timer.join()


def test_tokens_in_a_file_are_read_by_the_same_code(tmp_path):
    tokens = np.array([5, 13, 13, 1, 0], np.uint8)
    tokens.tofile(tmp_path / "tokens")
    positions = np.array([1, 4])
    contexts, targets = read_batches(tokens, positions, 3)
    compiled = len(training._read_batches.signatures)
    mapped_contexts, mapped_targets = read_batches(np.memmap(tmp_path / "tokens", np.uint8, "r"), positions, 3)
    assert np.array_equal(mapped_contexts, contexts)
    assert np.array_equal(mapped_targets, targets)
    assert len(training._read_batches.signatures) == compiled
