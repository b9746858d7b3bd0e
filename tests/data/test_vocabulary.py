"""Letters and tokens."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handgrad.data import Vocabulary
from handgrad.errors import CorpusError

letters = st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"])
texts = st.text(letters, min_size=1)


@given(texts)
def test_decoding_undoes_encoding(text):
    vocabulary = Vocabulary.of([text])
    tokens = vocabulary.encode(text)
    assert vocabulary.decode(tokens) == text
    assert tokens.tolist() == [vocabulary.stoi[char] for char in text]


@given(texts)
def test_letters_are_numbered_from_one_in_order(text):
    vocabulary = Vocabulary.of(text)
    assert list(vocabulary.stoi) == sorted(set(text))
    assert list(vocabulary.stoi.values()) == list(range(1, vocabulary.size))
    assert {token: char for char, token in vocabulary.stoi.items()} == vocabulary.itos


def test_the_boundary_is_no_letter():
    vocabulary = Vocabulary.of(["a.b\n"])
    assert vocabulary.chars == ".ab"
    assert 0 not in vocabulary.itos
    assert vocabulary.decode([2, 0, 1, 0]) == "a\n.\n"


@pytest.mark.parametrize(("n_letters", "dtype"), [(1, "u1"), (255, "u1"), (256, "u2"), (65_535, "u2"), (65_536, "u4")])
def test_tokens_take_as_few_bytes_as_they_can(n_letters, dtype):
    vocabulary = Vocabulary("".join(map(chr, range(0x10000, 0x10000 + n_letters))))
    assert vocabulary.dtype == dtype
    assert vocabulary.encode(vocabulary.chars).tolist() == list(range(1, n_letters + 1))


@given(texts, texts)
def test_unseen_letters_are_exactly_those_missing(known, text):
    assert Vocabulary.of([known]).unseen(text) == "".join(sorted(set(text) - set(known)))


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("éa", "'é'"),
        ("a\u200bb", "U+200B"),
        ("a b", "U+0020"),
        ("a\nb", "U+000A"),
        ("a\udcff", "U+DCFF"),
        ("zzy", "'y', 'z'"),
    ],
    ids=ascii,
)
def test_encoding_names_unseen_letters(text, named):
    with pytest.raises(CorpusError) as caught:
        Vocabulary("ab").encode(text)
    assert f"(got {named}, expected only ab)" in str(caught.value)


def test_a_long_list_of_unseen_letters_is_cut():
    with pytest.raises(CorpusError, match="'j', 16 more,"):
        Vocabulary("0").encode("abcdefghijklmnopqrstuvwxyz")


@pytest.mark.parametrize("chars", ["", "ba", "aab", "a\n", "a\u2028"], ids=ascii)
def test_letters_that_are_no_vocabulary_are_refused(chars):
    with pytest.raises(CorpusError, match="sorted, each once, no line end"):
        Vocabulary("".join(chars))


def test_decoding_takes_any_integers():
    tokens = np.array([[1, 2], [2, 1]], np.int64)
    assert Vocabulary("ab").decode(tokens.ravel()) == "abba"
