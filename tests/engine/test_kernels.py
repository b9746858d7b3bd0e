"""Kernels on their own: the prefix tree, dropout masks, cross-entropy of several targets."""

import doctest

import numpy as np
import pytest

from handgrad.engine import flat, lines, tape
from handgrad.engine.kernels.dropout import draw_mask
from handgrad.engine.kernels.tree import grow, tree_for
from handgrad.engine.tape import Tape
from handgrad.models.dropping import place_of
from handgrad.training.masks import dropout_mask


@pytest.mark.parametrize("module", [flat, lines, tape], ids=lambda m: m.__name__)
def test_docstrings_show_what_happens(module):
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize(("n_lines", "letters", "longest"), [(1, 1, 1), (40, 2, 6), (100, 500, 4), (7, 3, 60)])
def test_each_distinct_beginning_is_a_node(n_lines, letters, longest):
    draw = np.random.default_rng(n_lines)
    words = [draw.integers(1, letters + 1, draw.integers(1, longest + 1)).tolist() for _ in range(n_lines)]
    text = np.array([0, 0, *(token for word in words for token in (*word, 0))], np.int32)
    starts = np.array([[0] * (n_lines + 1), 2 + np.cumsum([0, *(len(word) + 1 for word in words)])])
    tree, sizes = tree_for(text.size), np.zeros(4, np.int64)
    Tape([grow(sizes, *tree, text, starts, 1)], np.zeros(1, np.int64)).run()
    n_levels, n, n_rows, n_targets = sizes
    assert (n_rows, n_targets) == (tree.levels[n_levels - 1] + 1, text.size - 2)
    assert n == tree.levels[n_levels]

    beginnings = [[]]
    for node in range(1, n):
        beginnings.append([*beginnings[tree.parents[node] - 1], int(tree.tokens[node])])
    expected = {tuple(word[:end]) for word in words for end in range(len(word) + 1)}
    assert len(beginnings) == n == len(expected)
    assert set(map(tuple, beginnings)) == expected
    leaves = expected - {beginning[:-1] for beginning in expected}
    assert n_levels == 1 + max(map(len, words))
    for level in range(n_levels - 1):
        assert {len(beginnings[node]) for node in range(*tree.levels[level : level + 2])} == {level}
    assert {tuple(beginnings[node]) for node in range(tree.levels[n_levels - 1], n)} == leaves
    placed = [tuple(beginnings[node]) for node in tree.places[: text.size - 2]]
    assert placed == [tuple(word[:end]) for word in words for end in range(len(word) + 1)]
    assert tree.depths[:n].tolist() == [len(beginning) for beginning in beginnings]
    assert tree.firsts[:n].tolist() == [placed.index(tuple(beginning)) for beginning in beginnings]
    assert np.array_equal(tree.counts[:n], np.bincount(tree.places[: text.size - 2], minlength=n))


@pytest.mark.parametrize("shape", [(1, 1), (7, 5), (40, 33)])
@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.9])
def test_masks_are_those_of_training(shape, share):
    seed, step, (n_rows, n_columns) = 2**63 - 1, 12_345, shape
    rows = np.random.default_rng(1).integers(0, n_rows, 9).astype(np.int32)
    mask = flat.rows_apart(9, n_columns + 3)
    mask[:] = -1
    Tape([draw_mask(mask, rows, n_columns, share, seed, step, place_of("h"))], np.zeros(1, np.int64)).run()
    assert np.array_equal(mask[:, :n_columns], dropout_mask(share, (seed, step), "h", shape)[rows])
    assert (mask[:, n_columns:] == -1).all()


def test_parameters_come_back_as_they_went_and_are_padded_with_zeros():
    shapes = {"b": (6,), "W": (5, 6), "first": (1, 3), "single": (1, 4)}
    layout = flat.Layout(shapes, {"W": 3, "b": 2}, ["b", "first"])
    arrays = {
        name: np.random.default_rng(1).standard_normal(shape).astype(np.float32) for name, shape in shapes.items()
    }
    packed = layout.pack(arrays)
    assert (packed != 0).sum() == sum(value.size for value in arrays.values())
    back = layout.unpack(packed)
    assert list(back) == list(shapes)
    assert all(np.array_equal(back[name], value) for name, value in arrays.items())
    views = layout.views(packed)
    assert [views[name].ndim for name in shapes] == [1, 2, 1, 2]
    assert layout.matrices == packed.size - views["b"].size - views["first"].size
    assert not any(views[name].flags.c_contiguous for name in ("W", "single"))
