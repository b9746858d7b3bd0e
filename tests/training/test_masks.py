"""Dropout masks: the share dropped, and the same bits for the same step."""

import numpy as np
import pytest
import torch

from handgrad.models.registry import family
from handgrad.training.masks import dropout_mask, masks_of_step


@pytest.mark.parametrize("share", [0.01, 0.25, 0.5, 0.9])
def test_the_share_that_is_dropped(share):
    mask = dropout_mask(share, (3, 7), "h", (400, 250))
    assert mask.dtype == np.float32
    deviation = (share * (1 - share) / mask.size) ** 0.5
    assert abs((mask == 0).mean() - share) < 4 * deviation
    assert np.unique(mask).tolist() == [0, pytest.approx(1 / (1 - share))]
    assert mask.mean() == pytest.approx(1, abs=4 * deviation / (1 - share))


def test_nothing_is_dropped_where_nothing_is_to_be():
    assert (dropout_mask(0.0, (1, 1), "h", (50, 50)) == 1).all()
    X = Y = torch.zeros(2, 3, dtype=torch.int64)
    assert masks_of_step(family("gru")(27), 1, 1, X, Y) is None
    assert masks_of_step(family("mlp")(27), 1, 1, X, Y) is None


def test_neighbours_are_dropped_independently():
    dropped = dropout_mask(0.5, (1, 2), "h", (1000, 100)) == 0
    for shifted in (dropped[1:] == dropped[:-1], dropped[:, 1:] == dropped[:, :-1], dropped[:, 2:] == dropped[:, :-2]):
        assert abs(shifted.mean() - 0.5) < 4 * (0.25 / shifted.size) ** 0.5


def test_seed_step_and_name_decide_the_mask():
    def bits(seed, step, name):
        X = Y = torch.zeros(4, 5, dtype=torch.int64)
        mask = masks_of_step(family("gru")(27, dropout=0.5), seed, step, X, Y)
        return mask(name, torch.zeros(20, 30, dtype=torch.float64))

    assert bits(1, 2, "h").dtype == torch.float64
    assert torch.equal(bits(1, 2, "h"), bits(1, 2, "h"))
    different = [bits(1, 2, "h"), bits(1, 3, "h"), bits(2, 2, "h"), bits(1, 2, "g"), bits(2, 1, "h")]
    for n, mask in enumerate(different):
        for other in different[:n]:
            assert 0.4 < (mask == other).double().mean() < 0.6


LINES = [[0, 1, 2, 1], [0, 2], [0, 1, 2], [0, 1, 1], [0, 2, 1, 3]]
X = torch.tensor([line + [0] * (5 - len(line)) for line in LINES])
Y = torch.tensor([[1] * len(line) + [-1] * (5 - len(line)) for line in LINES])


@pytest.mark.parametrize(("name", "rows_of"), [("gru", lambda Y: int((Y >= 0).sum())), ("transformer", torch.numel)])
def test_shares_of_a_minibatch_have_the_masks_of_the_whole(name, rows_of):
    network = family(name)(27, dropout=0.5)
    parts = [slice(0, 2), slice(2, 3), slice(3, 5)]
    whole, *masks = (masks_of_step(network, 1, 2, X, Y, lines) for lines in (slice(None), *parts))
    of_parts = [mask("h", torch.zeros(rows_of(Y[lines]), 40)) for mask, lines in zip(masks, parts, strict=True)]
    assert torch.equal(torch.cat(of_parts), whole("h", torch.zeros(rows_of(Y), 40)))


def test_lines_that_begin_alike_share_rows_whatever_pads_them():
    lines = LINES
    masks = masks_of_step(family("transformer")(27, dropout=0.5), 1, 2, X, Y)
    rows = masks("embedding", torch.zeros(25, 40)).unflatten(0, X.shape)
    beginnings = [tuple(line[: n + 1]) for line in lines for n in range(len(line))]
    drawn = dropout_mask(0.5, (1, 2), "embedding", (len(beginnings), 40))
    for line, row in zip(lines, rows, strict=True):
        for n in range(len(line)):
            expected = drawn[beginnings.index(tuple(line[: n + 1]))]
            assert np.array_equal(row[n].numpy(), expected)
