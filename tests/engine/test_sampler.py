"""Lines follow the model's probabilities, and depend on the seed and their number alone."""

import itertools

import numba
import numpy as np
import pytest

from handgrad.data import Vocabulary
from handgrad.engine import distributions, sampler
from handgrad.engine.models import contexts as form
from handgrad.engine.philox import philox
from handgrad.models.mlp import MLP
from handgrad.models.trained import Model, TextReference
from handgrad.sampling import sample

from . import cases
from .cases import case


def model(**sizes):
    parameters = case(**sizes).parameters
    shape = parameters["bngain"].shape
    return parameters, np.zeros(shape, np.float32), np.ones(shape, np.float32)


def lines_of(tokens):
    return [tuple(line) for line in np.split(tokens, np.flatnonzero(tokens == 0) + 1)[:-1]]


SETTINGS = [
    {},
    {"temperature": 0.5},
    {"prefix": [5, 1, 3, 2]},
    {"prefix": [5], "max_length": 2},
    {"max_length": 3},
]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_the_table_draws_what_the_network_draws(settings):
    sizes = {"vocab_size": 9, "n_hidden": 20}
    network, table = cases.sampler(*model(**sizes), **settings), cases.sampler(*model(**sizes), **settings)
    table.draw(0, range(1000))
    lines = network.draw(7, range(50))
    assert network._table is None
    assert table._table is not None
    assert np.array_equal(lines, table.draw(7, range(50)))


WAYS = pytest.mark.parametrize("vocab_size", [9, 300], ids=["table", "network"])


def smaller(monkeypatch, threads: int) -> None:
    """So many threads, and limits at which there is something for each to do, and too little room to keep it."""
    monkeypatch.setenv("HANDGRAD_THREADS", str(threads))
    monkeypatch.setattr(form, "CONTEXTS_AT_ONCE", 16)
    monkeypatch.setattr(sampler, "LINES_AT_ONCE", 64)


@WAYS
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_lines_do_not_depend_on_the_number_of_threads(monkeypatch, vocab_size, threads):
    arguments = model(vocab_size=vocab_size, n_hidden=20)
    expected = cases.sampler(*arguments, max_length=12).draw(3, range(500))
    smaller(monkeypatch, threads)
    assert np.array_equal(cases.sampler(*arguments, max_length=12).draw(3, range(500)), expected)


@pytest.mark.parametrize("kept", [1, 5, 200])
def test_lines_do_not_depend_on_how_many_contexts_are_kept(monkeypatch, kept):
    arguments = model(vocab_size=30, n_hidden=20, block_size=4)
    expected = cases.sampler(*arguments, max_length=12).draw(3, range(500))
    monkeypatch.setattr(distributions, "NUMBERS_KEPT", kept * (distributions.padded(30) + 4))
    few = cases.sampler(*arguments, max_length=12)
    assert np.array_equal(few.draw(3, range(500)), expected)
    assert np.array_equal(few.draw(3, range(500)), expected)
    assert few._met._kept == kept


def test_a_context_met_again_is_not_computed_again(monkeypatch):
    fill, asked = form._Thresholds.fill, []
    monkeypatch.setattr(
        form._Thresholds, "fill", lambda self, out, new: (asked.append(new.copy()), fill(self, out, new))
    )
    draw = cases.sampler(*model(vocab_size=30, n_hidden=20, block_size=4))
    draw.draw(3, range(500))
    contexts = np.concatenate(asked)
    assert len(np.unique(contexts, axis=0)) == len(contexts) > 500
    asked.clear()
    draw.draw(3, range(500))
    assert sum(map(len, asked)) == 0


@WAYS
def test_lines_do_not_depend_on_how_they_are_batched(vocab_size):
    arguments = model(vocab_size=vocab_size, n_hidden=20)
    whole = cases.sampler(*arguments, max_length=12).draw(3, range(200))
    parts = cases.sampler(*arguments, max_length=12)
    cuts = [0, 1, 3, 6, 50, 121, 200]
    assert np.array_equal(np.concatenate([parts.draw(3, range(*cut)) for cut in itertools.pairwise(cuts)]), whole)


def test_lines_are_those_of_the_torch_form():
    vocabulary = Vocabulary("abcdefgh")
    parameters, bnmean, bnvar = model(vocab_size=9, n_hidden=20)
    reference = Model(
        MLP(9, 3, 10, 20), vocabulary, parameters, {"bnmean": bnmean, "bnvar": bnvar}, TextReference("", "", ""), 0
    )
    tokens = cases.sampler(parameters, bnmean, bnvar).draw(11, range(500))
    assert vocabulary.decode(tokens)[:-1].split("\n") == sample(reference, 500, seed=11)


@pytest.mark.parametrize("settings", [{}, {"temperature": 2.0}, {"prefix": [1]}], ids=str)
def test_frequencies_are_the_exact_probabilities(settings):
    n, settings = 200_000, {"max_length": 3, **settings}
    parameters, bnmean, bnvar = model(vocab_size=4, n_hidden=6, block_size=2)
    counts = {}
    for line in lines_of(cases.sampler(parameters, bnmean, bnvar, **settings).draw(1, range(n))):
        counts[line] = counts.get(line, 0) + 1

    def distribution(context):
        logprobs = cases.log_probabilities(parameters, bnmean, bnvar, np.array([context]))[0].astype(np.float64)
        weights = np.exp(logprobs / settings.get("temperature", 1))
        weights[0] *= any(context)
        return weights / weights.sum()

    def probabilities(line, probability):
        if len(line) == settings["max_length"]:
            return {(*line, 0): probability}
        shares = distribution([0, 0, *line][-2:])
        longer = {(*line, 0): probability * shares[0]} if line else {}
        for letter in range(1, 4):
            longer |= probabilities((*line, letter), probability * shares[letter])
        return longer

    expected = probabilities(tuple(settings.get("prefix", ())), 1.0)
    assert sum(expected.values()) == pytest.approx(1)
    assert counts.keys() <= expected.keys()
    for line, probability in expected.items():
        deviation = (n * probability * (1 - probability)) ** 0.5
        assert abs(counts.get(line, 0) - n * probability) <= 5 * deviation + 1, line


@numba.njit
def random_words(counter, seed, place):
    return philox(counter, seed, place)


def test_random_numbers_are_those_of_numpy():
    for seed, place in [(0, 0), (2**63 - 1, 41)]:
        words = np.random.Philox(key=[seed, place], counter=2).random_raw(40)
        assert [
            word for counter in range(3, 13) for word in random_words(counter, np.uint64(seed), place)
        ] == words.tolist()


def test_nothing_to_draw():
    sampler = cases.sampler(*model(vocab_size=4, n_hidden=6))
    assert sampler.draw(1, range(5, 5)).size == 0
    sampler.draw(1, range(1000))
    assert sampler.draw(1, range(5, 5)).size == 0


@pytest.mark.parametrize("high_bits", [0, 2**32 - 1])
def test_no_random_number_draws_a_letter_without_a_share(high_bits):
    thresholds = np.array([0, 2**32 - 1, 2**32 - 1, 2**32 - 1], np.uint32)
    assert sampler._letter.py_func(thresholds, np.uint64(high_bits << 32)) == 1
