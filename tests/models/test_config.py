"""Sizes, shapes and initial values."""

import numpy as np
import pytest

from handgrad.errors import ConfigError
from handgrad.models.config import require_integer
from handgrad.models.mlp import MLP, PARAMETERS


def test_shapes():
    config = MLP(vocab_size=5, block_size=2, n_embd=3, n_hidden=7)
    assert config.shapes == {
        "C": (5, 3), "W1": (6, 7), "b1": (7,), "W2": (7, 5), "b2": (5,), "bngain": (1, 7), "bnbias": (1, 7),
    }  # fmt: skip
    assert tuple(config.shapes) == PARAMETERS


@pytest.mark.parametrize(("n_hidden", "published"), [(64, 4_137), (200, 12_297)])
def test_the_lecture_counts_as_many_parameters(n_hidden, published):
    config = MLP(27, n_hidden=n_hidden)
    assert config.n_parameters == published
    assert sum(np.prod(shape) for shape in config.shapes.values()) == published


@pytest.mark.parametrize("name", ["vocab_size", "block_size", "n_embd", "n_hidden"])
@pytest.mark.parametrize("value", [0, -1, 2.0, True, "3", None], ids=repr)
def test_a_size_that_makes_no_sense_is_refused(name, value):
    with pytest.raises(ConfigError, match=f"{name} makes no sense .*at least 1") as error:
        MLP(**{"vocab_size": 5, name: value})
    assert error.value.got is value


def test_bounds_are_included():
    for value in (2, 5):
        require_integer("size", value, at_least=2, at_most=5)
    for value in (1, 6):
        with pytest.raises(ConfigError, match="2 to 5"):
            require_integer("size", value, at_least=2, at_most=5)


def test_initial_values_are_drawn_in_the_lectures_order_and_scaled():
    config = MLP(vocab_size=5, block_size=2, n_embd=3, n_hidden=7)
    drawn = []

    def ones(name, shape):
        drawn.append((name, shape))
        return np.ones(shape)

    parameters = config.initial(ones)
    assert drawn == list(config.shapes.items())
    assert tuple(parameters) == PARAMETERS
    assert {name: value.shape for name, value in parameters.items()} == config.shapes
    scales = {"C": 1, "W1": 5 / 3 / 6**0.5, "b1": 0.1, "W2": 0.1, "b2": 0.1, "bngain": 1.1, "bnbias": 0.1}
    for name, scale in scales.items():
        assert np.allclose(parameters[name], scale, rtol=1e-15), name
