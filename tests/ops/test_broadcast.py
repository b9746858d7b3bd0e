import pytest
import torch

from handgrad.ops import unbroadcast

from .harness import by_autograd, disagreement

SHAPES = [
    ((5, 7), (5, 7)),
    ((1, 7), (5, 7)),
    ((5, 1), (5, 7)),
    ((7,), (5, 7)),
    ((), (5, 7)),
    ((1, 1), (5, 7)),
    ((3, 1, 2), (11, 3, 7, 2)),
    ((1,), (1, 1)),
]


@pytest.mark.parametrize(("shape", "stretched"), SHAPES, ids=str)
def test_equals_the_backward_of_expand(shape, stretched):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(shape, generator=generator, dtype=torch.float64)
    dy = torch.randn(stretched, generator=generator, dtype=torch.float64)
    reference = by_autograd(lambda x: x.expand(stretched), [x], dy)
    assert disagreement([unbroadcast(dy, shape)], reference) <= 1e-12


def test_a_shape_that_does_not_broadcast_is_refused():
    with pytest.raises(RuntimeError, match="not expandable"):
        unbroadcast(torch.ones(5, 7), (5,))
