"""What is trained on which text in which time."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handgrad.data.corpus import corpus_from_lines
from handgrad.data.dataset import Splits, split
from handgrad.models.trained import TextReference
from handgrad.training.recipes import recipe
from handgrad.training.run import Text, prepared

any_text = st.tuples(st.integers(8, 10_000_000), st.floats(2, 200))


def splits_of(n_lines: int, a_line: float) -> Any:
    """Splits of so many lines to train on, of so many characters each."""

    class Train(SimpleNamespace):
        def __len__(self) -> int:
            return int(n_lines * a_line)

    starts = np.arange(min(n_lines, 64) + 1) * int(a_line)
    part = Train(n_lines=n_lines, starts=starts, tokens=np.array([26]))
    return Splits(part, part, part)


@given(any_text, st.floats(0.1, 100_000))
def test_every_text_and_time_has_one_that_can_be_trained(text, seconds):
    chosen = recipe(splits_of(*text), seconds)
    assert chosen.parts[0].model == "ngram"
    assert chosen.shares[0] == 0
    assert all(share > 0 for share in chosen.shares[1:])
    assert len({(part.model, part.seed) for part in chosen.parts[1:]}) == len(chosen.parts) - 1
    for part in chosen.parts[1:]:
        assert part.batch_size <= text[0]
        assert part.steps >= 30
        assert part.steps * part.batch_size / text[0] <= max(45, 30 * part.batch_size / text[0] + 1)
    assert chosen.why.startswith(f"{text[0]:,} lines ")
    assert chosen.why.endswith("mixed with an n-gram")


@pytest.mark.parametrize("lines", [50, 300, 900, 4_000, 10_000, 26_000, 800_000])
def test_more_time_is_never_fewer_or_smaller_networks(lines):
    sizes = [
        sum(part.n_hidden * part.steps for part in recipe(splits_of(lines, 7), seconds).parts[1:])
        for seconds in (3, 12, 60, 300)
    ]
    assert sizes == sorted(sizes)


def test_settings_said_hold_for_all_networks_and_the_seed_for_each_its_own():
    chosen = recipe(splits_of(300, 7), 12)
    changed = chosen.with_main(type(chosen.main)(**{**vars(chosen.main), "n_hidden": 9, "seed": 7, "split": "lines"}))
    assert [part.seed for part in changed.parts] == [7, *range(7, 15)]
    assert [part.n_hidden for part in changed.parts[1:]] == [9] * 8
    assert {part.split for part in changed.parts} == {"lines"}
    assert changed.main.n_hidden == 9


def test_lines_of_any_length_have_room_in_its_minibatches():
    corpus = corpus_from_lines([letter * 10_000 for letter in "abcdefghijkl"])
    text = Text(corpus, TextReference.to(corpus), split(corpus))
    parts = recipe(text.splits, 12).parts
    assert 1 < parts[1].batch_size < text.splits.train.n_lines
    for part in parts:
        prepared(text, part)
