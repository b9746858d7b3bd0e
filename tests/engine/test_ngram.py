"""N-grams against the same formulas in dictionaries, and what their probabilities are used for."""

import itertools
import math
import random
from collections import Counter, defaultdict

import numpy as np
import pytest

import handgrad
from handgrad.data import Dataset, Vocabulary, corpus_from_lines, resolve_corpus, split
from handgrad.engine import ngram
from handgrad.errors import RunError
from handgrad.evaluation import log_likelihood, mean_loss
from handgrad.models.forms import form_of
from handgrad.models.ngram import NGram
from handgrad.models.trained import Model, TextReference


def some_lines(n=120, letters="abcd", seed=3):
    draw = random.Random(seed)
    return ["".join(draw.choices(letters, range(len(letters), 0, -1), k=draw.randint(1, 7))) for _ in range(n)]


def model_of(lines, block_size, letters="abcd") -> Model:
    vocabulary = Vocabulary(letters)
    config = NGram(len(letters) + 1, block_size)
    tokens = corpus_from_lines(lines, vocabulary=vocabulary).tokens
    buffers = form_of("ngram").calibrate(config, {}, tokens)
    return Model(config, vocabulary, {}, buffers, TextReference("", "", ""), 0)


class InDictionaries:
    """Interpolated modified Kneser-Ney in strings and dictionaries; '^' is the boundary before a line, '$' its end."""

    def __init__(self, lines, longest, alphabet):
        self.alphabet = alphabet + "$"
        raw = defaultdict(Counter)
        for line in lines:
            text = f"^{line}$"
            for i in range(1, len(text)):
                for length in range(min(longest, i) + 1):
                    raw[text[i - length : i]][text[i]] += 1
        self.counts = defaultdict(Counter)
        for context, follows in raw.items():
            if len(context) == longest or context.startswith("^"):
                self.counts[context].update(follows)
            if context:
                self.counts[context[1:]].update(dict.fromkeys(follows, 1))
        self.discounts = [self.of_length(length) for length in range(longest + 1)]
        self.longest = longest

    def of_length(self, length):
        seen = Counter(c for k, follows in self.counts.items() if len(k) == length for c in follows.values())
        n = [None, *(max(1, seen[c]) for c in (1, 2, 3, 4))]
        share = n[1] / (n[1] + 2 * n[2])
        raw = (1 - 2 * share * n[2] / n[1], 2 - 3 * share * n[3] / n[2], 3 - 4 * share * n[4] / n[3])
        return [min(max(d, 0.05 * k), 0.95 * k) for k, d in enumerate(raw, 1)]

    def probability(self, letter, context):
        p = 1 / len(self.alphabet)
        for length in range(min(self.longest, len(context)) + 1):
            follows = self.counts.get(context[len(context) - length :])
            if follows is None:
                break
            off = {x: self.discounts[length][min(c, 3) - 1] for x, c in follows.items()}
            p = (follows[letter] - off.get(letter, 0) + sum(off.values()) * p) / sum(follows.values())
        return p


@pytest.mark.parametrize("block_size", [1, 2, 3, 5])
@pytest.mark.parametrize("at_once", [1, 7, 2**16])
def test_the_likelihood_of_lines_is_that_of_the_formulas(block_size, at_once, monkeypatch):
    monkeypatch.setattr(ngram, "POSITIONS_AT_ONCE", at_once)
    lines = some_lines()
    model, reference = model_of(lines, block_size), InDictionaries(lines, block_size, "abcd")
    for line in ["", "a", "dddd", "abcd", "cabbage"[:4], *lines[:10], *some_lines(10, seed=9)]:
        text = f"^{line}$"
        right = sum(math.log(reference.probability(text[i], text[:i])) for i in range(1, len(text)))
        assert log_likelihood(model, line) == pytest.approx(right, rel=1e-12)
    tokens = corpus_from_lines(lines, vocabulary=model.vocabulary).tokens
    assert mean_loss(model, Dataset(tokens)) == pytest.approx(
        -sum(log_likelihood(model, line) for line in lines) / len(tokens), rel=1e-12
    )


def test_distributions_add_up_to_one_and_are_those_of_the_formulas():
    lines = some_lines()
    model, reference = model_of(lines, 3), InDictionaries(lines, 3, "abcd")
    contexts = [c for n in range(4) for c in itertools.product(range(1, 5), repeat=n)]
    rows = np.array([(0,) * (3 - len(c)) + c for c in contexts])
    ours = model.log_probabilities(rows)
    assert (ours.shape, ours.dtype) == ((len(rows), 5), np.float32)
    assert np.allclose(np.exp(ours).sum(1), 1, atol=1e-6)
    for row, context in zip(ours, contexts, strict=True):
        text = "^" + "".join("abcd"[token - 1] for token in context)
        right = [math.log(reference.probability(letter, text[-4:] if len(text) < 4 else text)) for letter in "$abcd"]
        assert np.abs(row - right).max() <= 1e-6
    with pytest.raises(IndexError, match="not in the vocabulary"):
        model.log_probabilities(np.array([[0, 0, 5]]))


def test_what_is_counted():
    """Of the lines aa and ba: the empty context counts older letters, and those with the boundary the lines."""
    model = model_of(["aa", "ba"], 1, "ab")
    counted = ngram.Counted(**model.buffers)
    entries = {}
    for node in range(len(counted.parents)):
        here = slice(counted.starts[node], counted.starts[node + 1])
        entries[int(counted.olders[node])] = dict(
            zip(counted.letters[here].tolist(), counted.counts[here].tolist(), strict=True)
        )
    assert entries == {
        -1: {0: 1, 1: 3, 2: 1},  # the end after a; a after ^, a and b; b after ^
        0: {1: 1, 2: 1},  # ^a, ^b
        1: {0: 2, 1: 1},  # a$ twice, aa
        2: {1: 1},  # ba
    }


def test_lines_are_drawn_from_the_distribution_and_by_number_alone(monkeypatch):
    model = model_of(some_lines(), 2)
    lines = handgrad.sample(model, 20_000, seed=1)
    assert lines[:500] == handgrad.sample(model, 500, seed=1)
    for first in "abcd":
        likelihood = math.exp(model.log_probabilities(np.array([[0, 0]]))[0, "abcd".index(first) + 1])
        likelihood /= 1 - math.exp(log_likelihood(model, ""))
        share = sum(line[0] == first for line in lines) / len(lines)
        assert abs(share - likelihood) < 5 * (likelihood * (1 - likelihood) / len(lines)) ** 0.5
    monkeypatch.setenv("HANDGRAD_THREADS", "3")
    assert handgrad.sample(model, 300, seed=1, prefix="ab", max_length=5) == [
        line for line in handgrad.sample(model, 300, seed=1, prefix="ab", max_length=5) if line.startswith("ab")
    ]


def test_it_is_saved_read_and_gone_on_with(tmp_path):
    text = tmp_path / "text.txt"
    text.write_text("\n".join(some_lines()))
    model = handgrad.train(text, model="ngram", out=tmp_path / "run")
    loaded = handgrad.load(tmp_path / "run")
    assert (loaded.config, loaded.steps) == (NGram(5, 5), 0)
    assert all(np.array_equal(loaded.buffers[name], value) for name, value in model.buffers.items())
    assert handgrad.evaluate(loaded) == handgrad.evaluate(handgrad.train(resume=tmp_path / "run"))
    assert not (tmp_path / "run" / "loss.png").exists()
    other = handgrad.train(text, model="ngram", block_size=2, seed=3, out=tmp_path / "other")
    assert other.config.block_size == 2


def test_counts_that_lead_nowhere_are_refused():
    model = model_of(some_lines(), 2)
    for name, place, value in (
        ("parents", 3, 7), ("parents", 0, 0), ("starts", 2, -5), ("starts", -1, 10**6), ("letters", 0, 5),
        ("letters", 3, -1), ("counts", 2, 0),
    ):  # fmt: skip
        changed = model.buffers[name].copy()
        changed[place] = value
        with pytest.raises(RunError, match=r"no counts of n-grams. Take the model from a backup"):
            mean_loss(Model(model.config, model.vocabulary, {}, {**model.buffers, name: changed}, model.text, 0),
                      Dataset(np.array([1, 0])))  # fmt: skip


def test_many_letters():
    letters = "".join(map(chr, range(0x4E00, 0x4E00 + 3000)))
    lines = some_lines(300, letters)
    model = model_of(lines, 5, letters)
    reference = InDictionaries(lines, 5, letters)
    text = f"^{lines[0]}$"
    right = sum(math.log(reference.probability(text[i], text[:i])) for i in range(1, len(text)))
    assert log_likelihood(model, lines[0]) == pytest.approx(right, rel=1e-12)


def test_on_the_built_in_names_it_is_as_good_as_measured():
    """1.9826 on the validation split, as for the same formulas in dictionaries."""
    parts = split(resolve_corpus())
    config = NGram(27)
    buffers = form_of("ngram").calibrate(config, {}, parts.train.tokens)
    model = Model(config, resolve_corpus().vocabulary, {}, buffers, TextReference("", "", ""), 0)
    assert mean_loss(model, parts.val) == pytest.approx(1.98258, abs=5e-5)
    assert mean_loss(model, parts.test) == pytest.approx(1.97365, abs=5e-5)
