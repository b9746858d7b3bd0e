"""Tensors as small maps."""

import base64

import numpy as np
import pytest
import torch

from handgrad.studio.heat import block, heat_map


def cells(found):
    data = np.frombuffer(base64.b64decode(found["data"]), np.int8)
    return data.reshape(found["rows"], found["columns"])


def test_a_cell_shows_the_number_of_its_block_that_is_furthest_from_zero():
    tensor = torch.zeros(130, 65)
    tensor[129, 64] = -5.0
    tensor[128, 64] = 4.0
    found = heat_map(tensor, 64)
    assert (found["rows"], found["columns"], found["top"]) == (64, 64, 5.0)
    assert cells(found)[63, 63] == -127
    assert np.count_nonzero(cells(found)) == 1


@pytest.mark.parametrize("shape", [(1,), (64,), (65,), (3, 200), (200, 3), (7, 5, 30), ()])
def test_the_blocks_of_all_cells_are_the_tensor(shape):
    tensor = torch.arange(int(np.prod(shape, dtype=int))).reshape(shape)
    found, grid = heat_map(tensor, 64), tensor.reshape(shape[0] if len(shape) > 1 else 1, -1)
    met = [grid[block(shape, 64, (r, c))] for r in range(found["rows"]) for c in range(found["columns"])]
    assert sorted(torch.cat([part.flatten() for part in met]).tolist()) == tensor.flatten().tolist()


def test_what_is_no_number_and_what_is_empty_is_shown_as_such():
    found = heat_map(torch.tensor([[1.0, float("nan"), float("-inf"), -1.0]]), 64)
    assert cells(found).tolist() == [[127, -128, -128, -127]]
    assert heat_map(torch.zeros(0, 3), 64)["rows"] == 0
    assert cells(heat_map(torch.zeros(2, 2), 64)).tolist() == [[0, 0], [0, 0]]
