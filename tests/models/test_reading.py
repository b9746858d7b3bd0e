"""Models in use, letter by letter: log-probabilities, losses and samples, whatever is computed together."""

import itertools
import math

import numpy as np
import pytest
import torch

import handgrad
from handgrad.data import Dataset, Vocabulary, corpus_from_lines
from handgrad.engine import reading
from handgrad.engine.distributions import Choice
from handgrad.errors import CorpusError
from handgrad.evaluation import log_likelihood, mean_loss
from handgrad.models.forms import form_of
from handgrad.models.mix import mixture_of
from handgrad.models.ngram import NGram
from handgrad.models.registry import FAMILIES
from handgrad.models.trained import Model, TextReference

from .cases import problem

WORDS = ["".join(letters) for n in (1, 2, 3) for letters in itertools.product("abc", repeat=n)]
EACH = pytest.mark.parametrize("name", [name for name in FAMILIES if name not in ("ngram", "mlp")])


def model_of(name: str) -> Model:
    p = problem(name, vocab_size=4)
    arrays = {key: value.numpy().astype(np.float32) for key, value in p.parameters.items()}
    buffers = {key: np.full(shape, 0.5, np.float32) for key, shape in p.config.buffer_shapes.items()}
    return Model(p.config, Vocabulary("abc"), arrays, buffers, TextReference("", "", ""), 0)


def counted(words: list[str]) -> Model:
    """An ngram of two letters of context, over the same letters."""
    vocabulary, config = Vocabulary("abc"), NGram(4, 2)
    tokens = corpus_from_lines(words, vocabulary=vocabulary).tokens
    return Model(config, vocabulary, {}, form_of("ngram").calibrate(config, {}, tokens), TextReference("", "", ""), 0)


def mixed() -> Model:
    return mixture_of([model_of("gru"), counted(WORDS)], [0.4, 0.6])


def by_reading(model: Model, line: list[int]) -> torch.Tensor:
    """Log-probabilities of all letters at each place of a line, in float64, one line alone."""
    arrays = {**model.parameters, **model.buffers}
    values = {key: torch.from_numpy(value).double() for key, value in arrays.items()}
    state, rows = model.config.start(values, 1), []
    for place, token in enumerate([0, *line]):
        scores, state = model.config.step(values, state, torch.tensor([token]), place)
        rows.append(scores.log_softmax(1)[0])
    return torch.stack(rows)


@pytest.mark.slow
@pytest.mark.one_in(7)
@EACH
def test_log_probabilities_are_those_of_the_line_read_alone(name):
    model = model_of(name)
    width = getattr(model.config, "block_size", 4)
    width = 4 if model.config.reads == "lines" else width
    contexts = np.array([row for row in itertools.product(range(4), repeat=width) if 0 not in np.trim_zeros(row, "f")])
    ours = model.log_probabilities(contexts)
    assert (ours.shape, ours.dtype) == ((len(contexts), 4), np.float32)
    for row, context in zip(ours, contexts, strict=True):
        assert np.abs(row - by_reading(model, np.trim_zeros(context, "f").tolist())[-1].numpy()).max() <= 5e-6


def test_a_tied_transformer_is_read_as_it_is_trained():
    p = problem("transformer", vocab_size=4, tied=True)
    arrays = {key: value.numpy().astype(np.float32) for key, value in p.parameters.items()}
    model = Model(p.config, Vocabulary("abc"), arrays, {}, TextReference("", "", ""), 0)
    for line in ([], [1], [3, 2, 1, 1]):
        (row,) = model.log_probabilities(np.array([[0, *line]]))
        assert np.abs(row - by_reading(model, line)[-1].numpy()).max() <= 5e-6


def test_a_context_that_goes_on_behind_its_end_is_refused():
    with pytest.raises(IndexError, match="0 stands between its letters"):
        model_of("gru").log_probabilities(np.array([[1, 0, 2]]))


@pytest.mark.one_in(8)
@EACH
@pytest.mark.parametrize("at_once", [1, 5, 1000])
def test_the_mean_loss_is_that_of_the_lines_read_alone(name, at_once, monkeypatch):
    monkeypatch.setattr(reading, "LINES_AT_ONCE", at_once)
    model, total = model_of(name), 0.0
    dataset = Dataset(corpus_from_lines(WORDS, vocabulary=model.vocabulary).tokens)
    for word in WORDS:
        line = model.vocabulary.encode(word).tolist()
        logprobs = by_reading(model, line)
        likelihood = sum(logprobs[place, token].item() for place, token in enumerate([*line, 0]))
        assert log_likelihood(model, word) == pytest.approx(likelihood, rel=1e-5)
        total -= likelihood
    assert mean_loss(model, dataset) == pytest.approx(total / len(dataset), rel=1e-6)


@pytest.mark.parametrize("name", ["mlp", "ngram"])
def test_a_model_of_contexts_is_read_letter_by_letter_too(name):
    model, form = model_of(name) if name == "mlp" else counted(WORDS), form_of(name)
    dataset = Dataset(corpus_from_lines(WORDS[::2], vocabulary=model.vocabulary).tokens)
    places = np.arange(len(dataset))
    logprobs = form.log_probabilities(model, dataset.contexts(places, model.config.block_size))
    expected = logprobs[places, dataset.targets(places)]
    assert np.abs(reading.of_tokens(model, form.readers(model), dataset.tokens) - expected).max() <= 1e-6
    assert reading.mean_loss(model, form.readers(model), dataset.tokens) == pytest.approx(-expected.mean(), rel=1e-6)
    drawn = [reading.Sampler(model, form.readers(model), Choice(0.8), [2], 9), form.sampler(model, Choice(0.8), [2], 9)]
    first, second = (sampler.draw(3, range(200)).tolist() for sampler in drawn)
    assert first == second


def test_evaluation_reads_lines_that_begin_alike_together():
    """However they are mixed: each beginning is read once, but for those on which one part ends and the next begins."""
    words = [WORDS[place * 7 % len(WORDS)] for place in range(len(WORDS))]
    model, at_once, read = counted(words), 6, []
    form, dataset = form_of("ngram"), Dataset(corpus_from_lines(words, vocabulary=model.vocabulary).tokens)

    class Counting(reading.Window):
        def read(self, rows, tokens):
            read.append(len(tokens))
            return super().read(rows, tokens)

    width = model.config.block_size
    few = reading.Readers(lambda: Counting(lambda contexts: form.log_probabilities(model, contexts), width), at_once)
    found = reading.of_tokens(model, few, dataset.tokens)
    assert np.array_equal(found, reading.of_tokens(model, form.readers(model), dataset.tokens))
    parts, beginnings = (
        math.ceil(len(words) / at_once),
        len({word[: n + 1] for word in words for n in range(len(word))}),
    )
    assert beginnings <= sum(read) <= beginnings + 3 * parts


@EACH
def test_samples_are_those_of_the_distribution(name):
    """Each line as often as its likelihood says, given that no line is empty; and cut off where it may be."""
    model, n = model_of(name), 20_000
    lines = handgrad.sample(model, n, seed=3, max_length=2)
    empty = math.exp(log_likelihood(model, ""))
    counts = {line: lines.count(line) for line in set(lines)}
    assert all(len(line) in (1, 2) for line in counts)
    for first, second in itertools.product("abc", ["", *"abc"]):
        token = model.vocabulary.encode(first)
        logprobs = by_reading(model, token.tolist())
        begins = logprobs[0, token[0]].item() - math.log(1 - empty)
        likelihood = math.exp(begins + logprobs[1, model.vocabulary.encode(second)[0] if second else 0].item())
        deviation = math.sqrt(n * likelihood * (1 - likelihood))
        assert abs(counts.get(first + second, 0) - n * likelihood) <= 5 * deviation + 1


@pytest.mark.slow
@pytest.mark.parametrize("name", [*FAMILIES, "mix"])
def test_letters_are_drawn_from_the_likeliest(name):
    model = counted(WORDS) if name == "ngram" else mixed() if name == "mix" else model_of(name)
    width = model.config.block_size if model.config.reads == "contexts" else 4

    def ranked(line: str) -> list[int]:
        """The letters that may follow, the likeliest first."""
        context = [0] * width + model.vocabulary.encode(line).tolist()
        logprobs = model.log_probabilities(np.array([context[-width:]]))[0]
        return [letter for letter in np.argsort(-logprobs).tolist() if line or letter]

    def ranks(line: str) -> list[int]:
        letters = [*model.vocabulary.encode(line).tolist(), 0][:4]
        return [ranked(line[:place]).index(letter) for place, letter in enumerate(letters)]

    (likeliest,) = set(handgrad.sample(model, 3, temperature=0, max_length=4))
    assert set(ranks(likeliest)) == {0}
    drawn = [ranks(line) for line in set(handgrad.sample(model, 200, seed=1, top_k=2, max_length=4))]
    assert {rank for line in drawn for rank in line} == {0, 1}


@EACH
@pytest.mark.parametrize("at_once", [4, 13])
def test_how_many_lines_are_drawn_at_once_changes_nothing(name, at_once, monkeypatch):
    model = model_of(name)
    for settings in ({"max_length": 9, "top_p": 0.8}, {"prefix": "ab", "max_length": 4, "temperature": 0.7}):
        expected = handgrad.sample(model, 50, seed=5, **settings)
        with monkeypatch.context() as patched:
            patched.setattr(reading, "LINES_AT_ONCE", at_once)
            assert handgrad.sample(model, 50, seed=5, **settings) == expected
        if "prefix" in settings:
            assert {line[:2] for line in expected} == {"ab"}
            assert max(map(len, expected)) == 4


@pytest.mark.parametrize(("parts", "share"), [(16, 0.75), (2, 0.95)])
def test_lines_that_begin_alike_are_drawn_together(monkeypatch, parts, share):
    """Not those whose numbers follow each other; parts are divided again where there are many."""
    monkeypatch.setenv("HANDGRAD_THREADS", "1")
    monkeypatch.setattr(reading, "PARTS", parts)
    model, read, at_once, n = model_of("lstm"), [], 40, 600
    readers = form_of("lstm").readers(model)._replace(at_once=at_once)

    def new():
        reader = form_of("lstm").readers(model).new()
        before = reader.read
        monkeypatch.setattr(reader, "read", lambda rows, tokens: (read.append(len(tokens)), before(rows, tokens))[1])
        return reader

    sampler = reading.Sampler(model, readers._replace(new=new), Choice(), [], 8)
    lines = model.vocabulary.decode(sampler.draw(5, range(n)))[:-1].split("\n")
    assert lines == handgrad.sample(model, n, seed=5, max_length=8)

    def beginnings(some):
        return len({line[: k + 1] for line in some for k in range(min(len(line), 7))})

    in_order = sum(beginnings(lines[start : start + at_once]) for start in range(0, n, at_once))
    assert max(read) <= at_once
    assert beginnings(lines) <= sum(read) <= share * in_order


@pytest.mark.parametrize("name", ["lstm", "bow"])
def test_how_many_threads_there_are_changes_nothing(name, monkeypatch):
    monkeypatch.setattr(reading, "LINES_AT_ONCE", 8)
    model, seen = model_of(name), []
    dataset = Dataset(corpus_from_lines(WORDS, vocabulary=model.vocabulary).tokens)
    for threads in "13":
        monkeypatch.setenv("HANDGRAD_THREADS", threads)
        seen.append((handgrad.sample(model, 100, seed=5, max_length=9, top_p=0.8), mean_loss(model, dataset)))
    assert seen[0] == seen[1]


@pytest.mark.parametrize("name", ["bow", "transformer", "microgpt"])
def test_a_line_longer_than_the_model_reads(name):
    model = model_of(name)  # 6 places: 5 letters and the end
    assert max(map(len, handgrad.sample(model, 200, seed=1))) <= 6
    assert math.isfinite(log_likelihood(model, "abcab"))
    with pytest.raises(CorpusError, match=r"lines of at most 5 characters \(got 6\).*--block-size"):
        log_likelihood(model, "abcabc")
    with pytest.raises(CorpusError, match=r"lines of at most 5 characters \(got 6\)"):
        handgrad.sample(model, prefix="abcabc")


def test_families_with_the_same_numbers_draw_by_the_same_random_ones():
    """A bigram model is an MLP whose scores depend on the last letter alone: both draw the same lines."""
    bigram = model_of("bigram")
    config = problem("mlp", vocab_size=4, block_size=1, n_embd=4, n_hidden=4).config
    saturated = {
        "C": np.eye(4), "W1": 40 * np.eye(4) - 20 * np.ones((4, 4)), "b1": np.zeros(4),
        "W2": bigram.parameters["W"] / 2,
        "b2": bigram.parameters["W"].sum(0) / 2, "bngain": np.ones((1, 4)), "bnbias": np.zeros((1, 4)),
    }  # fmt: skip
    parameters = {key: value.astype(np.float32) for key, value in saturated.items()}
    buffers = {"bnmean": np.zeros((1, 4), np.float32), "bnvar": np.ones((1, 4), np.float32)}
    mlp = Model(config, bigram.vocabulary, parameters, buffers, bigram.text, 0)
    assert handgrad.sample(mlp, 200, seed=4) == handgrad.sample(bigram, 200, seed=4)
