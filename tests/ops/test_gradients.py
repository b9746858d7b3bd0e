"""Every operation against autograd and central differences, and every planted mistake noticed by both."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from .cases import BATCHNORM, CASES, CROSS_ENTROPY, STEPWISE
from .harness import by_autograd, by_central_differences, disagreement, floating

EXACT, DIFFERENCES, MISTAKEN = 1e-12, 1e-7, 1e-6  # relative to the largest entry; a mistake must stand out from both

SIZED = [pytest.param(case, size, id=f"{case.name}-{size}") for case in CASES for size in case.sizes]
MISTAKES = [pytest.param(case, m, id=f"{case.name}-{m.__name__}") for case in CASES for m in case.mistakes]
EACH = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


def gradients(case, args, dout, backward=None):
    out, cache = case.forward(*args)
    assert out.shape == dout.shape
    return (backward or case.backward)(dout, cache)


@pytest.mark.parametrize(("case", "size"), SIZED)
def test_forward_equals_pytorch(case, size):
    args, _ = case.arguments(size)
    assert disagreement([case.forward(*args)[0]], [case.oracle(*args)]) <= EXACT


@pytest.mark.parametrize(("case", "size"), SIZED)
def test_backward_equals_autograd(case, size):
    args, dout = case.arguments(size)
    assert disagreement(gradients(case, args, dout), by_autograd(case.oracle, args, dout)) <= EXACT


@pytest.mark.one_in(3)
@pytest.mark.parametrize(("case", "size"), SIZED)
def test_backward_equals_central_differences(case, size):
    args, dout = case.arguments(size)
    reference = by_central_differences(case.oracle, args, dout)
    assert disagreement(gradients(case, args, dout), reference) <= DIFFERENCES


@pytest.mark.one_in(4)
@pytest.mark.parametrize(("case", "mistake"), MISTAKES)
@pytest.mark.parametrize("reference", [by_autograd, by_central_differences], ids=lambda f: f.__name__)
def test_a_mistake_is_noticed(case, mistake, reference):
    args, dout = case.arguments(case.sizes[0])
    assert disagreement(gradients(case, args, dout, mistake), reference(case.oracle, args, dout)) > MISTAKEN


@pytest.mark.parametrize("closed_form", [BATCHNORM, CROSS_ENTROPY], ids=lambda case: case.name)
def test_stepwise_equals_closed_form(closed_form):
    (stepwise,) = (case for case in STEPWISE if case.name == f"{closed_form.name}_stepwise")
    for size in closed_form.sizes:
        args, dout = closed_form.arguments(size)
        assert disagreement(gradients(stepwise, args, dout), gradients(closed_form, args, dout)) <= EXACT


@EACH
@given(data=st.data())
@settings(derandomize=True, deadline=None, max_examples=25)
def test_any_size(case, data):
    size = data.draw(st.tuples(*(st.integers(least, 8) for least in case.smallest)))
    args, dout = case.arguments(size, seed=data.draw(st.integers(0, 2**32)))
    assert disagreement([case.forward(*args)[0]], [case.oracle(*args)]) <= 1e-9
    assert disagreement(gradients(case, args, dout), by_autograd(case.oracle, args, dout)) <= 1e-9


@EACH
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_shapes_and_dtypes(case, dtype):
    args, dout = case.arguments(case.sizes[0], dtype)
    out, cache = case.forward(*args)
    grads = case.backward(dout, cache)
    assert (out.shape, out.dtype) == (dout.shape, dtype)
    assert [(g.shape, g.dtype) for g in grads] == [(arg.shape, dtype) for arg in floating(args)]


@EACH
def test_nothing_is_changed_in_place(case):
    args, dout = case.arguments(case.sizes[0])
    check_arguments = unchanged(args)
    _, cache = case.forward(*args)
    check_arguments()
    check_all = unchanged([*args, dout, *tensors(cache)])
    case.backward(dout, cache)
    check_all()


@EACH
def test_gradients_share_no_memory_with_what_was_given(case):
    args, dout = case.arguments(case.sizes[0])
    _, cache = case.forward(*args)
    theirs = {memory(tensor) for tensor in [*args, dout, *tensors(cache)]}
    ours = [memory(grad) for grad in case.backward(dout, cache)]
    assert theirs.isdisjoint(ours)
    assert len(set(ours)) == len(ours)


def tensors(cache):
    return [value for value in cache if isinstance(value, torch.Tensor)]


def memory(tensor):
    return tensor.untyped_storage().data_ptr()


def unchanged(values):
    """A check, to be called later, that nothing has been written to `values` in between."""
    before = [(value.clone(), value._version) for value in values]

    def check():
        for value, (copy, version) in zip(values, before, strict=True):
            assert value._version == version
            assert torch.equal(value, copy)

    return check
