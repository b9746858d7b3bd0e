"""Models of lines: compiled and torch form start equal, see the same batches and stay equal."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from handgrad.engine.lines import Dropping, read_lines
from handgrad.engine.training import no_moments
from handgrad.training.masks import masks_of_step
from handgrad.training.torch_steps import TorchSteps

from .line_cases import FAMILIES, SIZES, line_case

EACH = pytest.mark.parametrize("name", FAMILIES)
SEED = 11


def dropping_of(start, first=0):
    return Dropping(getattr(start.network, "dropout", 0.0), SEED, first)


def batches_of(start):
    return [start.dataset.lines(numbers) for numbers in start.numbers]


def reference(start):
    """Loss and gradients in float64."""
    tensors = {key: torch.from_numpy(value.astype(np.float64)) for key, value in start.parameters.items()}
    ((X, Y),) = batches_of(start)
    X, Y = torch.from_numpy(X), torch.from_numpy(Y)
    loss, cache = start.network.forward(tensors, X, Y, masks_of_step(start.network, SEED, 0, X, Y))
    gradients = start.network.backward(torch.ones((), dtype=torch.float64), cache)
    return loss.item(), {key: value.numpy() for key, value in gradients.items()}


@pytest.mark.parametrize(
    ("name", "sizes"), [(name, sizes) for name, cases in SIZES.items() for sizes in cases], ids=str
)
def test_gradients_are_those_of_float64_to_rounding(name, sizes):
    start = line_case(name, **sizes)
    loss, gradients = start.compiled.loss_and_gradients(start.parameters, start.lines, dropping_of(start))
    right_loss, right = reference(start)
    assert loss == pytest.approx(right_loss, rel=1e-6)
    assert list(gradients) == list(right)
    for key, value in right.items():
        assert (gradients[key].shape, gradients[key].dtype) == (start.parameters[key].shape, np.float32)
        assert np.abs(gradients[key] - value).max() <= 5e-6 * np.abs(value).max(), key


def of_torch(start, optimizer, rates, decay):
    steps = TorchSteps(start.network, seed=SEED)
    if optimizer == "sgd":
        return steps.sgd_steps(start.parameters, batches_of(start), rates)
    parameters, _, losses = steps.adam_steps(
        start.parameters, no_moments(start.parameters), batches_of(start), rates, decay
    )
    return parameters, losses


@pytest.mark.one_in(6)
@EACH
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("dropout", [0.0, 0.25])
def test_parameters_after_100_steps_are_those_of_torch(name, optimizer, dropout):
    assert_the_steps_of_torch(line_case(name, steps=100, dropout=dropout, batch_size=12), optimizer)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_tied_transformer_takes_the_steps_of_torch(optimizer):
    start = line_case("transformer", steps=100, tied=True, dropout=0.25, batch_size=12)
    assert "Wy" not in start.parameters
    assert_the_steps_of_torch(start, optimizer)


def assert_the_steps_of_torch(start, optimizer):
    rates, dropping = (
        np.linspace(*((0.3, 0.03) if optimizer == "sgd" else (0.005, 0.001)), 100).tolist(),
        dropping_of(start),
    )
    if optimizer == "sgd":
        ours, losses = start.compiled.sgd_steps(start.parameters, start.lines, rates, dropping)
    else:
        moments = no_moments(start.parameters)
        ours, moments, losses = start.compiled.adam_steps(start.parameters, moments, start.lines, rates, 0.1, dropping)
        assert int(moments["steps"]) == 100
    theirs, their_losses = of_torch(start, optimizer, rates, 0.1)
    assert losses.dtype == their_losses.dtype
    np.testing.assert_allclose(losses, their_losses, rtol=1e-4)
    for key, value in theirs.items():
        assert ours[key].shape == value.shape
        apart, way = np.abs(ours[key] - value), np.abs(value - start.parameters[key])
        if key.startswith("bqkv"):  # it does not matter to softmax what is added to all keys of a line
            apart.reshape(3, -1)[1] = 0
        assert apart.max() <= 1e-3 * way.max(), key


def adam(start, steps=slice(None), parameters=None, moments=None):
    lines = read_lines(start.dataset.tokens, start.dataset.starts, start.numbers[steps])
    rates = np.linspace(0.01, 0.001, len(start.numbers))[steps]
    moments = moments or no_moments(start.parameters)
    first = range(len(start.numbers))[steps][0]
    return start.compiled.adam_steps(
        parameters or start.parameters, moments, lines, rates, 0.1, dropping_of(start, first)
    )


def assert_same_bits(ours, theirs):
    for mine, reference in zip(ours[:2], theirs[:2], strict=True):
        assert mine.keys() == reference.keys()
        assert [key for key in mine if not np.array_equal(mine[key], reference[key])] == []


@EACH
@pytest.mark.parametrize("cut", [1, 17, 29])
def test_a_run_in_two_parts_is_the_run_in_one(name, cut):
    start = line_case(name, steps=30, dropout=0.2)
    whole = adam(start)
    part = adam(start, slice(0, cut))
    rest = adam(start, slice(cut, None), *part[:2])
    assert_same_bits(rest, whole)
    assert np.array_equal(np.concatenate([part[2], rest[2]]), whole[2])


@EACH
def test_the_calls_of_compiled_code_leave_no_seam(name, monkeypatch):
    start = line_case(name, steps=10, dropout=0.2)
    in_one_call = adam(start)
    monkeypatch.setattr("handgrad.engine.stepping.PRODUCTS_A_CALL", 1)
    assert_same_bits(adam(start), in_one_call)


@EACH
def test_a_run_repeats_to_the_last_bit_also_beside_another(name):
    starts = [line_case(name, steps=20, dropout=0.2, seed=seed) for seed in (1, 2)]
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
    start = line_case(name)
    for key, parameter in start.parameters.items():
        spoilt = {**start.parameters, key: np.full_like(parameter, value)}
        loss, _ = start.compiled.loss_and_gradients(spoilt, start.lines)
        saturated = value == np.inf and key not in ("Why", "Wy", "by")
        assert np.isnan(loss) or saturated, key


@pytest.mark.parametrize("bad", [-1, 27])
def test_tokens_outside_the_vocabulary_are_refused(bad):
    start = line_case("gru")
    start.lines.text[3] = bad
    with pytest.raises(IndexError, match=r"a token is not in the vocabulary: got .* expected 0 to 26"):
        start.compiled.sgd_steps(start.parameters, start.lines, [0.1])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int64])
def test_lines_are_those_of_the_dataset(dtype):
    start = line_case("rnn", steps=3, batch_size=5)
    text, starts = read_lines(start.dataset.tokens.astype(dtype), start.dataset.starts, start.numbers)
    assert (text.dtype, starts.dtype, starts.shape) == (np.int32, np.int64, (3, 6))
    assert np.array_equal(starts[1:, 0], starts[:-1, -1])
    for begins, (_, Y) in zip(starts, batches_of(start), strict=True):
        for begin, end, row in zip(begins, begins[1:], Y, strict=False):
            assert np.array_equal(text[begin:end], row[row >= 0])
