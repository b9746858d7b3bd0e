"""Contexts and targets, against the loop of the lecture."""

import random
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handgrad.data import Dataset, corpus_from_lines, read_corpus, resolve_corpus, split
from handgrad.errors import CorpusError

words = st.lists(st.text("abcé.", min_size=1, max_size=9), min_size=1, max_size=12)
block_sizes = st.integers(1, 12)


def by_the_lecture(some_words: list[str], stoi: dict[str, int], block_size: int) -> tuple[np.ndarray, np.ndarray]:
    """One row a letter or boundary: a context that slides over the word, and what comes next."""
    contexts, targets = [], []
    for word in some_words:
        context = [0] * block_size
        for token in [*(stoi[letter] for letter in word), 0]:
            contexts.append(context)
            targets.append(token)
            context = [*context[1:], token]
    return np.array(contexts), np.array(targets)


def lines_of(dataset: Dataset, vocabulary) -> list[str]:
    return vocabulary.decode(dataset.tokens).splitlines()


@given(words, block_sizes)
def test_contexts_and_targets_equal_the_lecture(some_words, block_size):
    corpus = corpus_from_lines(some_words)
    dataset = Dataset(corpus.tokens)
    contexts, targets = by_the_lecture(some_words, corpus.vocabulary.stoi, block_size)
    positions = np.arange(len(dataset))
    assert np.array_equal(dataset.contexts(positions, block_size), contexts)
    assert np.array_equal(dataset.targets(positions), targets)


@given(words, block_sizes, st.data())
def test_positions_may_have_any_shape_and_order(some_words, block_size, data):
    dataset = Dataset(corpus_from_lines(some_words).tokens)
    shape = data.draw(st.sampled_from([(), (3,), (2, 5), (0,)]))
    positions = np.random.default_rng(0).integers(0, len(dataset), shape)
    contexts = dataset.contexts(positions, block_size)
    everywhere = dataset.contexts(np.arange(len(dataset)), block_size)
    assert contexts.shape == (*shape, block_size)
    assert contexts.dtype == np.int64
    assert np.array_equal(contexts, everywhere[positions])
    assert dataset.targets(positions).shape == shape


@given(words, st.integers(1, 40), block_sizes)
def test_batches_are_everything_in_order(some_words, size, block_size):
    dataset = Dataset(corpus_from_lines(some_words).tokens)
    contexts, targets = zip(*dataset.batches(size, block_size), strict=True)
    assert {len(batch) for batch in targets[:-1]} <= {size}
    assert 0 < len(targets[-1]) <= size
    positions = np.arange(len(dataset))
    assert np.array_equal(np.concatenate(contexts), dataset.contexts(positions, block_size))
    assert np.array_equal(np.concatenate(targets), dataset.targets(positions))


@given(words, st.integers(1, 40))
def test_pieces_are_all_lines_in_order(some_words, n_tokens):
    dataset = Dataset(corpus_from_lines(some_words).tokens)
    pieces = list(dataset.pieces(n_tokens))
    assert all(len(piece) <= n_tokens or piece.n_lines == 1 for piece in pieces)
    assert np.array_equal(np.concatenate([piece.tokens for piece in pieces]), dataset.tokens)


@pytest.mark.parametrize("tokens", [[], [1, 0, 2], [[1, 0]]], ids=str)
def test_tokens_that_are_no_dataset_are_refused(tokens):
    with pytest.raises(CorpusError, match="a flat array that ends in 0"):
        Dataset(np.array(tokens, np.uint8))


@given(st.lists(st.text("abc", min_size=1, max_size=9), min_size=10, max_size=60), st.randoms(use_true_random=False))
def test_a_split_holds_every_line_once(some_words, rng):
    corpus = corpus_from_lines(some_words)
    order = rng.sample(range(len(some_words)), len(some_words))
    for permutation in (None, order):
        parts = [lines_of(part, corpus.vocabulary) for part in split(corpus, permutation)]
        n = len(some_words)
        assert [len(part) for part in parts] == [int(0.8 * n), int(0.9 * n) - int(0.8 * n), n - int(0.9 * n)]
        assert Counter(line for part in parts for line in part) == Counter(some_words)
    assert [line for part in parts for line in part] == [some_words[i] for i in order]


def test_the_order_is_the_same_for_every_run():
    corpus = corpus_from_lines("abcdefghijkl")
    parts = split(corpus)
    assert ["".join(lines_of(part, corpus.vocabulary)) for part in parts] == ["lhbgkedfj", "a", "ci"]


def test_many_lines_are_moved_in_pieces():
    corpus = resolve_corpus()
    lines = list(corpus.lines())
    order = np.random.default_rng(1).permutation(len(lines))
    moved = [line for part in split(corpus, order) for line in lines_of(part, corpus.vocabulary)]
    assert moved == [lines[i] for i in order]


@pytest.mark.parametrize("order", [range(9), [0] * 10, range(1, 11), [range(10)]], ids=str)
def test_an_order_that_is_no_permutation_is_refused(order):
    with pytest.raises(CorpusError, match="order: this is no permutation"):
        split(corpus_from_lines("abcdefghij"), np.array(order))


def test_the_splits_of_the_lecture(names_txt):
    corpus = read_corpus(names_txt)
    order = list(range(corpus.n_lines))
    random.Random(42).shuffle(order)
    parts = split(corpus, np.array(order))
    assert [len(part) for part in parts] == [182_625, 22_655, 22_866]

    some_words = names_txt.read_text().splitlines()
    random.Random(42).shuffle(some_words)
    contexts, targets = by_the_lecture(some_words, corpus.vocabulary.stoi, 3)
    ours = [next(part.batches(len(part), 3)) for part in parts]
    assert np.array_equal(np.concatenate([x for x, _ in ours]), contexts)
    assert np.array_equal(np.concatenate([y for _, y in ours]), targets)


def test_lines_are_read_whole_and_padded():
    dataset = Dataset(np.array([5, 13, 1, 0, 2, 0, 7, 7, 0], np.uint8))
    assert dataset.n_lines == 3
    assert dataset.starts.tolist() == [0, 4, 6, 9]
    X, Y = dataset.lines(np.array([1, 0, 1]))
    assert X.dtype == Y.dtype == np.int64
    assert X.tolist() == [[0, 2, 0, 0], [0, 5, 13, 1], [0, 2, 0, 0]]
    assert Y.tolist() == [[2, 0, -1, -1], [5, 13, 1, 0], [2, 0, -1, -1]]
    X, Y = dataset.lines(np.array([2]))
    assert (X.tolist(), Y.tolist()) == ([[0, 7, 7]], [[7, 7, 0]])


def test_lines_hold_what_contexts_hold():
    corpus = resolve_corpus()
    dataset = split(corpus).val
    X, Y = dataset.lines(np.arange(dataset.n_lines))
    assert np.array_equal(Y[Y >= 0], dataset.tokens)
    contexts = dataset.contexts(np.arange(len(dataset)), 3)
    assert np.array_equal(X[Y >= 0], contexts[:, -1])
    assert not X[Y < 0].any()
