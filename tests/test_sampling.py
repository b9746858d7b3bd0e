"""Lines drawn as often as the model says, the same for the same seed, and chosen as asked."""

import itertools
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as unhurried
from hypothesis import strategies as st

import handgrad
from handgrad import sampling
from handgrad.engine.distributions import Choice
from handgrad.errors import ConfigError, CorpusError
from handgrad.sampling import SampleConfig, known_lines

from .tiny_model import tiny_model

MODEL = tiny_model()
LONGER = "longer"
DRAWN = 30_000
CHI_SQUARE = 50  # of 12 degrees of freedom, exceeded by chance in one of a million


def shares_of(weights: np.ndarray, top_k: int | None = None, top_p: float = 1.0) -> np.ndarray:
    """Those of the letters that are kept, and no others: the likeliest first, the first of equals before the others."""
    order = np.argsort(-weights, kind="stable")[:top_k]
    upto = np.cumsum(weights[order])
    order = order[: np.searchsorted(upto, top_p * upto[-1]) + 1]
    shares = np.zeros_like(weights)
    shares[order] = weights[order] / weights[order].sum()
    return shares


def exact_distribution(temperature: float = 1.0, prefix: str = "", **kept) -> dict[str, float]:
    """The probability of each line with up to two letters after the prefix, and of all longer ones together.

    A line is not empty: where nothing stands yet, it does not end.
    """
    distribution = {}

    def extend(line: str, probability: float) -> None:
        context = [0, 0, *MODEL.vocabulary.encode(line).tolist()][-2:]
        weights = np.exp(MODEL.log_probabilities(np.array([context]))[0].astype(float) / temperature)
        if not line:
            weights[0] = 0
        end, *letters = probability * shares_of(weights, **kept)
        if line:
            distribution[line] = end
        for letter, share in zip(MODEL.vocabulary.chars, letters, strict=True):
            if len(line) < len(prefix) + 2:
                extend(line + letter, share)
            else:
                distribution[LONGER] = distribution.get(LONGER, 0) + share

    extend(prefix, 1.0)
    return {line: probability for line, probability in distribution.items() if probability}


def chi_square(lines: list[str], distribution: dict[str, float]) -> float:
    assert sum(distribution.values()) == pytest.approx(1)
    counts = Counter(line if line in distribution else LONGER for line in lines)
    return sum((counts[line] - len(lines) * p) ** 2 / (len(lines) * p) for line, p in distribution.items())


CASES = [
    {}, {"temperature": 0.7}, {"temperature": 1.6}, {"prefix": "b"}, {"prefix": "cab", "temperature": 0.8},
    {"top_k": 2}, {"top_k": 9}, {"top_p": 0.7}, {"prefix": "b", "temperature": 1.6, "top_k": 3, "top_p": 0.8},
]  # fmt: skip


@pytest.mark.parametrize("settings", CASES, ids=str)
def test_lines_come_as_often_as_the_model_says(settings):
    lines = handgrad.sample(MODEL, DRAWN, seed=1, **settings)
    distribution = exact_distribution(**settings)
    assert min(distribution.values()) * DRAWN > 20
    assert chi_square(lines, distribution) < CHI_SQUARE


def test_another_distribution_is_noticed():
    assert chi_square(handgrad.sample(MODEL, DRAWN, seed=1), exact_distribution(temperature=1.2)) > 2 * CHI_SQUARE
    after_b = [line[1:] for line in handgrad.sample(MODEL, DRAWN, seed=1, prefix="b") if line != "b"]
    assert chi_square(after_b, exact_distribution()) > 2 * CHI_SQUARE


@st.composite
def rows_of_weights(draw):
    """Weights of some letters, equal ones among them, of which each that counts is well apart from the next."""
    weights = np.array(draw(st.lists(st.sampled_from([*range(1, 12), 1e-3, 200]), min_size=2, max_size=70)), float)
    top_k = draw(st.none() | st.integers(1, 80))
    upto = np.cumsum(np.sort(weights)[::-1][:top_k]) / np.sort(weights)[::-1][:top_k].sum()
    place = draw(st.integers(0, len(upto) - 1))
    top_p = float(upto[place] - draw(st.sampled_from([1e-5, 0.5])) * (upto[place] - (upto[place - 1] if place else 0)))
    return weights, top_k, draw(st.sampled_from([top_p, 1.0]))


@unhurried(deadline=None)  # the first compiles
@given(rows_of_weights(), st.sampled_from([1.0, 0.5, 3.0]), st.booleans())
def test_shares_are_those_of_the_letters_kept(row, temperature, is_begun):
    weights, top_k, top_p = row
    weights = np.append(100.0, weights) if not is_begun else weights  # an end that is likely, and must not come
    logprobs = (np.log(weights / weights.sum()) * temperature).astype(np.float32)
    shares = Choice(temperature, top_k, top_p).shares(logprobs, is_begun)
    expected = shares_of(weights if is_begun else np.append(0, weights[1:]), top_k, top_p)
    assert (shares > 0).tolist() == (expected > 0).tolist()
    assert np.abs(shares - expected).max() <= 1e-6


def test_temperature_0_takes_the_first_of_the_likeliest():
    logprobs = np.log(np.array([[0.2, 0.1, 0.3, 0.3, 0.1], [0.6, 0.1, 0.1, 0.1, 0.1]], np.float32))
    logprobs[0, 3] = np.nextafter(logprobs[0, 2], np.float32(0))  # likelier by its last bit
    thresholds = np.zeros((2, 4), np.uint32)
    Choice(temperature=0).write_thresholds(thresholds, logprobs, np.array([[1], [0]], np.int32))
    highest = 2**32 - 1
    assert thresholds.tolist() == [[0, 0, 0, highest], [0, highest, highest, highest]]


def test_the_same_seed_draws_the_same_lines():
    lines = handgrad.sample(MODEL, 50, seed=3)
    assert lines == handgrad.sample(MODEL, 50, SampleConfig(seed=3))
    assert lines[:7] == handgrad.sample(MODEL, 7, seed=3)
    assert lines != handgrad.sample(MODEL, 50, seed=4)
    assert handgrad.sample(MODEL, 50) != handgrad.sample(MODEL, 50)


@pytest.mark.parametrize("settings", [{}, {"unique": True}, {"prefix": "ab", "top_k": 2, "top_p": 0.8}], ids=str)
@pytest.mark.parametrize("at_once", [4, 13, 1024])
def test_how_many_are_drawn_at_once_changes_nothing(monkeypatch, at_once, settings):
    expected = handgrad.sample(MODEL, 99, seed=5, **settings)
    monkeypatch.setattr(sampling, "FEWEST_AT_ONCE", at_once)
    monkeypatch.setattr(sampling, "MOST_AT_ONCE", at_once)
    assert handgrad.sample(MODEL, 99, seed=5, **settings) == expected


def test_lines_are_drawn_independently_of_their_neighbours():
    """A letter is as likely after each letter of the line before it, and at each place of a line."""
    first = np.array([MODEL.vocabulary.stoi[line[0]] - 1 for line in handgrad.sample(MODEL, 20_000, seed=2)])
    pairs = np.bincount(3 * first[:-1] + first[1:], minlength=9).reshape(3, 3)
    expected = pairs.sum(1, keepdims=True) * pairs.sum(0) / pairs.sum()
    assert ((pairs - expected) ** 2 / expected).sum() < 30


def test_a_low_temperature_takes_the_likeliest_letter_and_so_do_0_and_a_choice_of_one():
    line, tokens = "", [0, 0]
    while len(line) < 8:
        log_probabilities = MODEL.log_probabilities(np.array([tokens[-2:]]))[0]
        if not line:
            log_probabilities[0] = -np.inf
        tokens.append(int(log_probabilities.argmax()))
        if not tokens[-1]:
            break
        line += MODEL.vocabulary.chars[tokens[-1] - 1]
    for settings in ({"temperature": 1e-4}, {"temperature": 0}, {"top_k": 1}, {"top_p": 1e-9}):
        assert set(handgrad.sample(MODEL, 20, max_length=8, **settings)) == {line}


def test_a_line_is_cut_off_at_its_greatest_length():
    lines = handgrad.sample(MODEL, 300, seed=1, max_length=3)
    whole = handgrad.sample(MODEL, 300, seed=1)
    assert lines == [line[:3] for line in whole]
    assert max(map(len, whole)) > 3
    assert set(map(len, handgrad.sample(MODEL, 50, seed=1, max_length=4, prefix="abc"))) == {3, 4}


def test_unique_lines_are_the_first_of_their_kind():
    lines = handgrad.sample(MODEL, 2_000, seed=1)
    unique = handgrad.sample(MODEL, 30, seed=1, unique=True)
    assert unique == list(dict.fromkeys(lines))[:30]
    assert unique != lines[:30]


def test_new_lines_do_not_stand_in_the_training_text(tmp_path):
    words = ["".join(letters) for n in (1, 2) for letters in itertools.product("abc", repeat=n)][:10]
    text = tmp_path / "words.txt"
    text.write_text("".join(f"{word}\n" for word in words))
    model = tiny_model(text=text)
    lines = handgrad.sample(model, 1_000, seed=1)
    new = handgrad.sample(model, 100, seed=1, new_only=True)
    assert new == [line for line in lines if line not in words][:100]
    assert new != lines[:100]
    both = handgrad.sample(model, 20, seed=1, new_only=True, unique=True)
    assert both == list(dict.fromkeys(handgrad.sample(model, 500, seed=1, new_only=True)))[:20]
    assert known_lines(model.text.read(), ["a", "nothing", "ab", "ccc"]) == {"a", "ab"}


def test_fewer_are_returned_where_there_are_no_more_to_be_found():
    assert sorted(handgrad.sample(MODEL, 10, seed=1, unique=True, max_length=1)) == ["a", "b", "c"]


def test_new_lines_need_the_training_text(tmp_path):
    text = tmp_path / "words.txt"
    text.write_text("a\nb\n")
    model = tiny_model(text=text)
    text.unlink()
    with pytest.raises(CorpusError, match=r"words\.txt"):
        handgrad.sample(model, new_only=True)
    assert len(handgrad.sample(model)) == 20


def test_a_prefix_the_model_cannot_write_is_refused():
    with pytest.raises(CorpusError, match="'x', 'é'"):
        handgrad.sample(MODEL, prefix="axé")


BAD = [
    {"temperature": -1}, {"temperature": float("nan")}, {"temperature": float("inf")}, {"temperature": "hot"},
    {"top_k": 0}, {"top_k": 2.0}, {"top_p": 0}, {"top_p": 1.5}, {"top_p": float("nan")}, {"top_p": True},
    {"prefix": 7}, {"unique": "yes"}, {"new_only": 1},
    {"max_length": 0}, {"max_length": 1.5}, {"prefix": "abc", "max_length": 3}, {"seed": -1}, {"seed": 2**63},
    {"n": 0}, {"n": -3}, {"n": 2.0}, {"n": True},
]  # fmt: skip


@pytest.mark.parametrize("settings", BAD, ids=str)
def test_a_setting_that_makes_no_sense_is_refused(settings):
    with pytest.raises(ConfigError, match=next(iter(settings))):
        handgrad.sample(MODEL, **settings)


ANYTHING = st.none() | st.booleans() | st.integers() | st.floats() | st.text("abé", max_size=5) | st.just([1])


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(SampleConfig.__dataclass_fields__, ANYTHING)))
def test_a_config_makes_sense_or_is_refused(settings):
    try:
        config = SampleConfig(**settings)
    except ConfigError:
        return
    assert config.max_length > len(config.prefix)
    assert 0 <= config.temperature < np.inf
    assert 0 < config.top_p <= 1
    assert config.top_k is None or config.top_k >= 1


def test_more_letters_than_a_byte_holds():
    letters = "".join(map(chr, range(0x4E00, 0x4E00 + 299)))
    model = tiny_model(letters)
    lines = handgrad.sample(model, 200, seed=1, prefix=letters[-1])
    assert set("".join(lines)) <= set(letters)
    assert len(set("".join(lines))) > 200
    assert {line[0] for line in lines} == {letters[-1]}
