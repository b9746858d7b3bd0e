"""Mixtures in use: the weighted sum of what their parts say, whatever is computed together."""

import itertools
import math
import subprocess
import sys

import numpy as np
import pytest

import handgrad
from handgrad.data import Dataset, Vocabulary, corpus_from_lines
from handgrad.engine import reading
from handgrad.errors import ConfigError, CorpusError
from handgrad.evaluation import log_likelihood, mean_loss
from handgrad.models.forms import form_of
from handgrad.models.mix import Mix, mixture_of, parts_of
from handgrad.models.registry import FAMILIES, family
from handgrad.models.trained import Model, TextReference

from .cases import problem

WORDS = ["".join(letters) for n in (1, 2, 3, 4) for letters in itertools.product("abc", repeat=n)]
BEGINNINGS = np.array([row for row in itertools.product(range(4), repeat=4) if 0 not in np.trim_zeros(row, "f")])
OF = {
    "gru, ngram": (0.75, 0.25),
    "mlp, ngram": (0.4, 0.6),
    "ngram, lstm, rnn": (0.1, 0.3, 0.6),
    "bigram, wavenet, transformer": (0.5, 0.3, 0.2),
    "bow, gru": (0.5, 0.5),
}
EACH = pytest.mark.parametrize("names", OF)


def model_of(name: str, seed: int) -> Model:
    text, vocabulary = TextReference("", "", ""), Vocabulary("abc")
    if name == "ngram":
        config = family(name)(4, 2)
        tokens = corpus_from_lines(WORDS[::3], vocabulary=vocabulary).tokens
        return Model(config, vocabulary, {}, form_of(name).calibrate(config, {}, tokens), text, 0)
    p = problem(name, seed, vocab_size=4)
    arrays = {key: value.numpy().astype(np.float32) for key, value in p.parameters.items()}
    buffers = {key: np.full(shape, 0.5, np.float32) for key, shape in p.config.buffer_shapes.items()}
    return Model(p.config, vocabulary, arrays, buffers, text, 0)


def mix_of(names: str) -> Model:
    return mixture_of([model_of(name, seed) for seed, name in enumerate(names.split(", "))], OF[names])


def probabilities(model: Model) -> np.ndarray:
    """After each beginning, from the part's own form: a window where it reads contexts."""
    width = model.config.block_size if model.config.reads == "contexts" else BEGINNINGS.shape[1]
    contexts = np.pad(BEGINNINGS, ((0, 0), (max(0, width - BEGINNINGS.shape[1]), 0)))[:, -width:]
    return np.exp(model.log_probabilities(contexts).astype(np.float64))


@EACH
def test_probabilities_are_the_weighted_sum_of_those_of_the_parts(names):
    model = mix_of(names)
    logprobs = model.log_probabilities(BEGINNINGS)
    assert (logprobs.shape, logprobs.dtype) == ((len(BEGINNINGS), 4), np.float32)
    expected = sum(w * probabilities(part) for w, part in zip(OF[names], parts_of(model), strict=True))
    assert np.abs(np.exp(logprobs) / expected - 1).max() <= 1e-5
    assert np.abs(np.exp(logprobs.astype(np.float64)).sum(1) - 1).max() <= 1e-6


def test_every_family_can_be_mixed():
    models = [model_of(name, seed) for seed, name in enumerate(FAMILIES)]
    weights = [1 / len(models)] * len(models)
    expected = np.mean([probabilities(model) for model in models], 0)
    found = mixture_of(models, weights).log_probabilities(BEGINNINGS)
    assert np.abs(np.exp(found) / expected - 1).max() <= 1e-5


@EACH
def test_the_loss_and_likelihoods_are_those_of_the_sums(names):
    model = mix_of(names)
    dataset = Dataset(corpus_from_lines(WORDS, vocabulary=model.vocabulary).tokens)
    of_parts = [reading.of_tokens(part, form_of(part.config.name).readers(part), dataset.tokens)
                for part in parts_of(model)]  # fmt: skip
    expected = -np.log(np.array(OF[names]) @ np.exp(np.array(of_parts, np.float64)))
    assert mean_loss(model, dataset) == pytest.approx(expected.mean(), rel=1e-6)
    assert log_likelihood(model, WORDS[-1]) == pytest.approx(-expected[-5:].sum(), rel=1e-6)


def test_what_one_part_holds_impossible_does_not_make_it_so():
    """Also where its probability is no number that float32 holds."""
    sure, other = model_of("bigram", 0), model_of("bigram", 1)
    sure.parameters["W"][:] = [[0, -1000, -1000, -1000]]
    for weights, models in (((0.9, 0.1), [sure, other]), ((0.1, 0.9), [other, sure])):
        logprobs = mixture_of(models, weights).log_probabilities(BEGINNINGS)
        expected = math.log(0.1) + other.log_probabilities(BEGINNINGS[:, -1:])
        assert np.abs((logprobs - expected)[:, 1:]).max() <= 1e-5


@EACH
def test_samples_are_those_of_the_distribution(names):
    """Each line as often as its likelihood says, given that no line is empty; and cut off where it may be."""
    model, n = mix_of(names), 20_000
    lines = handgrad.sample(model, n, seed=3, max_length=2)
    begins = np.exp(model.log_probabilities(np.zeros((1, 1), int))[0].astype(np.float64))
    assert {len(line) for line in lines} == {1, 2}
    for first, second in itertools.product("abc", ["", *"abc"]):
        token, follows = "_abc".index(first), "_abc".index(second or "_")
        after = math.exp(model.log_probabilities(np.array([[token]]))[0, follows])
        likelihood = begins[token] / (1 - begins[0]) * after
        deviation = math.sqrt(n * likelihood * (1 - likelihood))
        assert abs(lines.count(first + second) - n * likelihood) <= 5 * deviation + 1


@EACH
def test_neither_how_many_lines_are_read_at_once_nor_threads_change_anything(names, monkeypatch):
    model = mix_of(names)
    dataset = Dataset(corpus_from_lines(WORDS[::5], vocabulary=model.vocabulary).tokens)
    seen = []
    for at_once, threads in ((1000, 1), (4, 1), (13, 1), (8, 3)):
        monkeypatch.setenv("HANDGRAD_THREADS", str(threads))
        monkeypatch.setattr(reading, "LINES_AT_ONCE", at_once)
        lines = handgrad.sample(model, 60, seed=5, max_length=5, prefix="ab", temperature=0.7)
        seen.append((lines, model.log_probabilities(BEGINNINGS).tobytes(), round(mean_loss(model, dataset), 12)))
    assert all(each == seen[0] for each in seen)
    assert {line[:2] for line in seen[0][0]} == {"ab"}
    assert handgrad.sample(model, 60, seed=6, max_length=5) != handgrad.sample(model, 60, seed=7, max_length=5)


def test_a_line_longer_than_a_part_reads():
    model = mix_of("bigram, wavenet, transformer")  # the last has 6 places: 5 letters and the end
    assert model.config.longest == 6
    assert max(map(len, handgrad.sample(model, 200, seed=1))) <= 6
    with pytest.raises(CorpusError, match=r"this mix reads lines of at most 5 characters \(got 6\).*--block-size"):
        log_likelihood(model, "abcabc")
    assert mix_of("gru, ngram").config.longest is None


def test_it_holds_what_its_parts_hold():
    model = mix_of("ngram, lstm, rnn")
    assert (model.config.name, model.steps) == ("mix", 0)
    assert {key: value.shape for key, value in model.parameters.items()} == model.config.shapes
    assert set(model.buffers) == set(model.config.buffer_shapes) == {f"1.{key}" for key in parts_of(model)[0].buffers}
    assert model.config.n_parameters == sum(part.config.n_parameters for part in parts_of(model))
    for part, (seed, name) in zip(parts_of(model), enumerate(["ngram", "lstm", "rnn"]), strict=True):
        alone = model_of(name, seed)
        assert part.config == alone.config
        for ours, theirs in ((part.parameters, alone.parameters), (part.buffers, alone.buffers)):
            assert ours.keys() == theirs.keys()
            assert all(ours[key] is model.parameters.get(f"{seed + 1}.{key}", ours[key]) for key in ours)
            assert all(np.array_equal(ours[key], theirs[key]) for key in ours)


@pytest.mark.parametrize(
    "weights",
    [(), (1.0,), (0.5, 0.4), (1.0, 0.0), (1.5, -0.5), (math.nan, 0.5), (1, 0), ("0.5", 0.5), (0.5, 0.25, 0.25)],
)
def test_weights_that_are_none_are_refused(weights):
    parts = tuple(model_of(name, 0).config for name in ("gru", "ngram"))
    with pytest.raises(ConfigError, match=r"weights make no sense .*2 numbers above 0 that add up to 1"):
        Mix(4, parts, weights)


def test_parts_of_other_vocabularies_are_refused():
    with pytest.raises(ConfigError, match=r"the parts differ in vocabulary \(got sizes \{7\}, expected 4\)"):
        Mix(4, (family("bigram")(4), family("bigram")(7)), (0.5, 0.5))


def test_torch_is_not_imported():
    """The module of the mixture, and those of its parts, by themselves."""
    program = (
        "import sys; import handgrad.training.mix; from handgrad.models.forms import form_of;"
        "[form_of(name) for name in ('mix', 'gru', 'mlp', 'ngram')]; print('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "False\n"
