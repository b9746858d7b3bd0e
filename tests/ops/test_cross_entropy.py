import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from handgrad.ops import cross_entropy_backward, cross_entropy_backward_stepwise, cross_entropy_forward

from .cases import CROSS_ENTROPY
from .harness import by_autograd

LOGIT = st.floats(-1e4, 1e4, width=32)


@pytest.mark.parametrize("classes", [1, 2, 27])
def test_equal_logits_cost_the_logarithm_of_the_number_of_classes(classes):
    loss, _ = cross_entropy_forward(
        torch.full((3, classes), 7.0, dtype=torch.float64), torch.zeros(3, dtype=torch.long)
    )
    assert loss.item() == pytest.approx(math.log(classes), abs=1e-15)


@given(
    rows=st.integers(1, 6).flatmap(lambda v: st.lists(st.lists(LOGIT, min_size=v, max_size=v), min_size=1, max_size=5))
)
@settings(derandomize=True, deadline=None, max_examples=60)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_huge_logits_stay_finite(dtype, rows):
    logits = torch.tensor(rows, dtype=dtype)
    targets = torch.arange(len(rows)) % logits.shape[1]
    loss, cache = cross_entropy_forward(logits, targets)
    (dlogits,) = cross_entropy_backward(torch.ones((), dtype=dtype), cache)
    assert loss.isfinite()
    assert dlogits.isfinite().all()
    (theirs,) = by_autograd(F.cross_entropy, [logits, targets], torch.ones((), dtype=dtype))
    assert (dlogits - theirs).abs().max() <= 4 * torch.finfo(dtype).eps
    assert dlogits.sum(1).abs().max() <= 10 * torch.finfo(dtype).eps


def test_a_shift_of_all_logits_changes_nothing():
    (logits, targets), dloss = CROSS_ENTROPY.arguments((5, 7))
    loss, cache = cross_entropy_forward(logits, targets)
    shifted_loss, shifted_cache = cross_entropy_forward(logits + 1e3, targets)
    assert torch.allclose(loss, shifted_loss, rtol=1e-11)
    for backward in (cross_entropy_backward, cross_entropy_backward_stepwise):
        assert torch.allclose(backward(dloss, cache).dlogits, backward(dloss, shifted_cache).dlogits, rtol=1e-11)


@pytest.mark.parametrize("target", [-1, 7])
def test_a_target_that_is_no_class_is_refused(target):
    with pytest.raises(IndexError, match="out of bounds"):
        cross_entropy_forward(torch.zeros(1, 7), torch.tensor([target]))


def test_the_lectures_lines_bit_for_bit():
    """In float32 and at the lecture's sizes, line by line is not close to autograd but equal to it."""
    (logits, targets), dloss = CROSS_ENTROPY.arguments((32, 27), torch.float32)

    def lecture(logits):
        logit_maxes = logits.max(1, keepdim=True).values
        norm_logits = logits - logit_maxes
        counts = norm_logits.exp()
        counts_sum = counts.sum(1, keepdims=True)
        counts_sum_inv = counts_sum**-1
        probs = counts * counts_sum_inv
        logprobs = probs.log()
        return -logprobs[range(32), targets].mean()

    loss, cache = cross_entropy_forward(logits, targets)
    assert torch.equal(loss, F.cross_entropy(logits, targets))
    (theirs,) = by_autograd(lecture, [logits], dloss)
    assert torch.equal(cross_entropy_backward_stepwise(dloss, cache).dlogits, theirs)


@pytest.mark.parametrize("backward", [cross_entropy_backward, cross_entropy_backward_stepwise])
def test_the_target_that_pytorch_passes_over_is_refused_by_the_backward(backward):
    loss, cache = cross_entropy_forward(torch.zeros(2, 7), torch.tensor([3, -100]))
    with pytest.raises((IndexError, RuntimeError), match="out of bounds"):
        backward(loss, cache)
