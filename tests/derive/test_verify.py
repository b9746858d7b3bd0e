"""A backward pass is compared at other sizes: right ones pass, planted mistakes do not, whatever the sizes hide."""

import time

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from handgrad.derive.backward import Backward, GradientLine
from handgrad.derive.read.statements import read_program
from handgrad.derive.verify import references, verify

from .cases.first import LECTURE

LECTURE_BACKWARD = """
dlogprobs = torch.zeros_like(logprobs)
dlogprobs[range(n), Yb] = -1.0/n
dprobs = dlogprobs / probs
dcounts_sum_inv = (counts * dprobs).sum(1, keepdim=True)
dcounts = counts_sum_inv * dprobs
dcounts_sum = -counts_sum**-2 * dcounts_sum_inv
dcounts += torch.ones_like(counts) * dcounts_sum
dnorm_logits = counts * dcounts
dlogits = dnorm_logits.clone()
dlogit_maxes = (-dnorm_logits).sum(1, keepdim=True)
dlogits += F.one_hot(logits.max(1).indices, num_classes=logits.shape[1]) * dlogit_maxes
dh = dlogits @ W2.T
dW2 = h.T @ dlogits
db2 = dlogits.sum(0)
dhpreact = (1.0 - h**2) * dh
dbngain = (bnraw * dhpreact).sum(0, keepdim=True)
dbnraw = bngain * dhpreact
dbnbias = dhpreact.sum(0, keepdim=True)
dbndiff = bnvar_inv * dbnraw
dbnvar_inv = (bndiff * dbnraw).sum(0, keepdim=True)
dbnvar = (-0.5*(bnvar + 1e-5)**-1.5) * dbnvar_inv
dbndiff2 = (1.0/(n-1))*torch.ones_like(bndiff2) * dbnvar
dbndiff += (2*bndiff) * dbndiff2
dhprebn = dbndiff.clone()
dbnmeani = (-dbndiff).sum(0, keepdim=True)
dhprebn += 1.0/n * (torch.ones_like(hprebn) * dbnmeani)
dembcat = dhprebn @ W1.T
dW1 = embcat.T @ dhprebn
db1 = dhprebn.sum(0)
demb = dembcat.view(emb.shape)
dC = torch.zeros_like(C)
dC.index_add_(0, Xb.view(-1), demb.view(-1, C.shape[1]))
"""


def lecture(n: int = 32, b: int = 3, e: int = 10, h: int = 64, v: int = 27) -> dict[str, object]:
    """What the lecture's lines start from."""
    g = torch.Generator().manual_seed(n + h)
    normal = lambda *shape: torch.randn(shape, generator=g)  # noqa: E731
    weights = dict(C=normal(v, e), W1=normal(b * e, h) * 0.2, b1=normal(h) * 0.1, W2=normal(h, v) * 0.1, b2=normal(v))
    norm = dict(bngain=normal(1, h) * 0.1 + 1, bnbias=normal(1, h) * 0.1)
    index = dict(Xb=torch.randint(v, (n, b), generator=g), Yb=torch.randint(v, (n,), generator=g))
    return dict(torch=torch, F=F, n=n, **weights, **norm, **index)


def backward(source: str, upstream: str | None = None, **more) -> Backward:
    """A backward pass by hand, each `dname` the gradient of `name`."""
    lines = [GradientLine(line.split()[0].split("[")[0].split(".")[0], line) for line in source.strip().split("\n")]
    made = [line.gradient for line in lines if line.gradient.startswith("d")]
    return Backward(tuple(lines), {name[1:]: name for name in made}, upstream, **more)


def checked(forward: str, back: str, before: dict, upstream: str | None = None, **more):
    program = read_program(forward.strip(), before)
    return verify(program, backward(back, upstream, **more))


@pytest.mark.parametrize(
    "sizes", [{}, {"n": 27}, {"n": 8, "b": 4, "e": 8, "h": 32, "v": 8}, {"h": 30, "n": 10}], ids=str
)
def test_the_lecture_by_hand_is_right(sizes):
    found = checked(LECTURE, LECTURE_BACKWARD, lecture(**sizes))
    assert found.right
    assert len(found.checks) == 26
    assert max(check.error for check in found.checks) < 1e-10


@pytest.mark.parametrize("sizes", [{}, {"n": 27}, {"n": 8, "b": 4, "e": 8, "h": 32, "v": 8}], ids=str)
def test_sizes_that_are_equal_by_chance_become_different_ones(sizes):
    program = read_program(LECTURE.strip(), lecture(**sizes))
    for reference in references(program)[1:]:
        shapes = reference.sizes
        n, b, v, e, h = *shapes["Xb"], *shapes["C"], shapes["b1"][0]
        assert len({n, b, v, e, h, shapes["b2"][0]}) == 6, "the letters of the input are those of the output by chance"
        assert shapes["W1"] == (b * e, h)
        assert shapes["W2"] == (h, shapes["b2"][0])
        assert shapes["n"] == (n,)
        assert not reference.fixed


PLANTED = [
    ("1.0/n * (torch", "1.0/(n-1) * (torch", "hprebn"),
    ("dlogprobs[range(n), Yb] = -1.0/n", "dlogprobs[range(n), Yb] = -1.0", "logprobs"),
    ("(2*bndiff)", "(bndiff)", "bndiff"),
    ("(1.0/(n-1))", "(1.0/n)", "bndiff"),
    ("1e-5)**-1.5", "1e-6)**-1.5", "bnvar"),
    ("1e-5)**-1.5", "1e-5)**-0.5", "bnvar"),
    ("db2 = dlogits.sum(0)", "db2 = dlogits.sum(0, keepdim=True)", "b2"),
    ("dbnbias = dhpreact.sum(0, keepdim=True)", "dbnbias = dhpreact.sum(0)", "bnbias"),
    ("dW2 = h.T @ dlogits", "dW2 = hpreact.T @ dlogits", "W2"),
    ("dh = dlogits @ W2.T", "dh = dlogits @ W2.T * 1.0001", "h"),
    ("dC.index_add_(0, Xb.view(-1), demb.view(-1, C.shape[1]))", "dC[Xb] = demb", "C"),
]


@pytest.mark.parametrize(("right", "wrong", "variable"), PLANTED)
def test_a_planted_mistake_is_found(right, wrong, variable):
    assert right in LECTURE_BACKWARD
    found = checked(LECTURE, LECTURE_BACKWARD.replace(right, wrong), lecture())
    assert not found.right
    assert variable in [check.variable for check in found.wrong]


CONFUSED = [
    ("logits.shape[1])", "n)", {"n": 27}),
    ("logits.shape[1])", "27)", {}),
    ("C.shape[1]))", "Xb.shape[1]))", {"b": 10}),
    ("(n-1)", "(logits.shape[1]-1)", {"n": 27}),
    ("-1.0/n", "-1.0/32", {}),
]


@pytest.mark.parametrize(("right", "wrong", "sizes"), CONFUSED)
def test_a_size_confused_with_an_equal_one_is_found(right, wrong, sizes):
    """At the program's own sizes the numbers are right: only other ones show it."""
    changed = LECTURE_BACKWARD.replace(right, wrong)
    program = read_program(LECTURE.strip(), lecture(**sizes))
    known = references(program)
    assert verify(program, backward(changed), against=known[:1]).right
    assert not verify(program, backward(changed), against=known).right


def test_a_whole_verification_of_the_lecture_is_fast():
    program, derived = read_program(LECTURE.strip(), lecture()), backward(LECTURE_BACKWARD)
    verify(program, derived)
    begin = time.process_time()
    verify(program, derived)
    assert time.process_time() - begin < 0.15


def test_two_names_of_one_tensor_have_gradients_of_their_own():
    """What comes back to the second name reaches the first by the line that gave it the name."""
    before = dict(torch=torch, x=torch.randn(4, 3))
    forward = "h = x\ny = torch.tanh(h) + 2 * x"
    back = "dh = (1 - torch.tanh(h)**2) * dy\ndx = dh + 2 * dy"
    assert checked(forward, back, before, "dy").right
    assert not checked(forward, back.replace("dh = ", "dh = 2 * dy + "), before, "dy").right


def test_a_backward_pass_that_changes_the_program_is_not_right():
    forward = "p = torch.softmax(x, 1)\nloss = -p[range(n), Y].log().mean()"
    before = dict(torch=torch, x=torch.randn(5, 7), Y=torch.randint(7, (5,)), n=5)
    back = "dx = p\ndx[range(n), Y] -= 1\ndx /= n"
    found = checked(forward, back, before)
    assert found.changed == ("p",)
    assert not found.right
    assert checked(forward, back.replace("= p", "= p.clone()"), before).right


def test_a_gradient_that_is_not_made_and_one_that_is_no_float():
    before = dict(torch=torch, x=torch.randn(5, 7))
    lines = (GradientLine("dx", "dy_of_x = dy * 2"),)
    found = verify(read_program("y = x * 2", before), Backward(lines, {"x": "dx"}, "dy"))
    assert found.wrong[0].problem == "dx is not made"
    found = checked("y = x.sum()", "dx = torch.ones_like(x).long()", before)
    assert "no kind of float" in found.wrong[0].problem


def test_what_the_derived_source_raises_is_the_failure():
    found = checked("y = x * w", "dx = dy @ w", dict(x=torch.randn(5, 3), w=torch.randn(3)), "dy")
    assert not found.right
    assert checked("y = x * w", "dx = dy * u", dict(x=torch.randn(5, 3), w=torch.randn(3)), "dy").failure.startswith(
        "NameError"
    )


def test_positive_inputs_are_not_taken_for_proof():
    """All that could be seen was positive; ReLU's mask is needed none the less, unless it is said to be a fact."""
    before = dict(F=F, x=torch.rand(5, 7) + 0.5)
    assert not checked("y = F.relu(x)", "dx = dy * 1", before, "dy").right
    assert checked("y = F.relu(x)", "dx = dy * (x > 0)", before, "dy").right
    assert checked("y = F.relu(x)", "dx = dy * 1", before, "dy", facts=("x > 0",)).right


def test_rows_that_sum_to_one_do_so_only_by_a_fact():
    q = torch.softmax(torch.randn(6, 9), 1)
    before = dict(F=F, torch=torch, z=torch.randn(6, 9, requires_grad=True), q=q)
    forward = "logp = F.log_softmax(z, 1)\nloss = -(q * logp).sum() / 6"
    assert not checked(forward, "dz = (logp.exp() - q) / 6", before).right
    assert checked(forward, "dz = (logp.exp() - q) / 6", before, facts=("q sums to one",)).right
    assert checked(forward, "dz = (logp.exp() * q.sum(1, keepdim=True) - q) / 6", before).right


def test_values_stay_where_the_forward_pass_needs_them():
    before = dict(torch=torch, x=torch.rand(5, 3) + 0.1, y=torch.rand(5, 3))
    found = checked("z = torch.log(x) * torch.sqrt(y)", "dx = dz * torch.sqrt(y) / x", before, "dz")
    assert found.right
    assert {*found.draws[1].kept} == {"x", "y"}


def test_sizes_that_the_source_fixes_are_named():
    before = dict(x=torch.randn(32, 3, 10), W=torch.randn(30, 7))
    found = checked("y = x.view(32, 30) @ W", "dW = x.view(32, 30).T @ dy", before, "dy")
    assert found.right
    assert {32, 30} <= {*found.draws[1].fixed}
    assert not checked("y = x.view(32, 30) @ W", "dW = x.view(32, 30).T @ dy * 2", before, "dy").right


@pytest.mark.slow
def test_heads_get_a_number_of_their_own():
    n, t, nh, hd = 2, 6, 4, 6
    forward = "y = (x @ W).view(n, t, nh, hd).transpose(1, 2)"
    before = dict(x=torch.randn(n, t, 24), W=torch.randn(24, 24), n=n, t=t, nh=nh, hd=hd)
    found = checked(forward, "dW = x.flatten(0, 1).T @ dy.transpose(1, 2).reshape(n * t, nh * hd)", before, "dy")
    assert found.right
    for draw in found.draws[1:]:
        sizes = [*draw.sizes["x"], *draw.sizes["nh"], *draw.sizes["hd"]]
        assert len(set(sizes)) == 5
        assert draw.sizes["W"] == (draw.sizes["x"][2], draw.sizes["nh"][0] * draw.sizes["hd"][0])
    confused = "dW = x.flatten(0, 1).T @ dy.transpose(1, 2).reshape(n * t, nh * t)"
    assert not checked(forward, confused, before, "dy").right


def test_masks_keep_their_structure():
    t = 6
    before = dict(torch=torch, s=torch.randn(3, t, t), mask=torch.tril(torch.ones(t, t)), ninf=float("-inf"))
    forward = "p = torch.softmax(s.masked_fill(mask == 0, ninf), -1)"
    found = checked(forward, "ds = p * (dp - (dp * p).sum(-1, keepdim=True))", before, "dp")
    assert found.right
    program = read_program(forward, before, inputs=["s"])
    for reference in references(program)[1:]:
        mask = reference.values["mask"]
        assert mask.shape[-1] != t
        assert torch.equal(mask, torch.tril(torch.ones_like(mask)))


def test_indices_stay_in_range_and_permutations_permutations():
    before = dict(C=torch.randn(11, 4), order=torch.randperm(11), i=torch.randint(11, (50,)))
    program = read_program("y = C[order][i]", before, inputs=["C"])
    for reference in references(program)[1:]:
        order, i, v = reference.values["order"], reference.values["i"], reference.sizes["C"][0]
        assert sorted(order.tolist()) == list(range(len(order)))
        assert v not in (11, len(order)) or len(order) == v != 11
        assert int(i.min()) >= 0
        assert int(i.max()) < v


def test_a_random_cotangent_finds_what_a_sum_of_ones_hides():
    """The gradient of a softmax is zero for a cotangent of ones."""
    before = dict(torch=torch, x=torch.randn(4, 6))
    assert not checked("p = torch.softmax(x, 1)", "dx = 0 * dp", before, "dp").right


def test_a_gradient_of_zero_but_for_rounding():
    before = dict(torch=torch, x=torch.randn(8, 5), b=torch.randn(5), W=torch.randn(5, 3))
    forward = "a = x + b\nc = (a - a.mean(0)) @ W"
    back = "da = dc @ W.T\nda = da - da.mean(0)\ndb = da.sum(0)"
    assert checked(forward, back, before, "dc").right
    assert checked(forward, back.replace("da.sum(0)", "torch.zeros_like(b)"), before, "dc").right
    assert not checked(forward, back.replace("da.sum(0)", "1e-6 * torch.ones_like(b)"), before, "dc").right


def test_elements_without_a_finite_gradient_are_skipped_and_counted():
    before = dict(torch=torch, x=torch.tensor([0.0, 1.0, 4.0]))
    found = checked("y = torch.sqrt(x)", "dx = dy * 0.5 / y", before, "dy")
    assert found.checks[0].skipped > 0
    assert found.right


NUMPY = """
z = X.dot(W) + b
a = np.maximum(0, z)
p = 1 / (1 + np.exp(-a))
loss = -np.mean(np.log(p[np.arange(n), Y]))
"""
NUMPY_BACKWARD = """
dp = np.zeros_like(p)
dp[np.arange(n), Y] = -1 / (n * p[np.arange(n), Y])
da = dp * p * (1 - p)
dz = da * (z > 0)
dW = X.T @ dz
db = dz.sum(0)
"""


def numpy_before() -> dict[str, object]:
    g = np.random.default_rng(1)
    weights = dict(W=g.normal(size=(5, 7)), b=g.normal(size=7))
    return dict(np=np, n=9, X=g.normal(size=(9, 5)), Y=g.integers(7, size=9), **weights)


def test_a_numpy_program_is_compared_with_central_differences():
    program = read_program(NUMPY.strip(), numpy_before(), inputs=["W", "b"])
    found = verify(program, backward(NUMPY_BACKWARD))
    assert found.right, found
    assert {check.variable for check in found.checks} == {"W", "b", "z", "a", "p"}


@pytest.mark.parametrize(
    ("right", "wrong"),
    [("(z > 0)", "(z > -1)"), ("dz.sum(0)", "dz.mean(0)"), ("* (1 - p)", "* (1 - p**2)"), ("-1 /", "-1.001 /")],
)
def test_a_mistake_in_a_numpy_program_is_found(right, wrong):
    program = read_program(NUMPY.strip(), numpy_before(), inputs=["W", "b"])
    assert not verify(program, backward(NUMPY_BACKWARD.replace(right, wrong))).right


def test_nothing_is_left_behind():
    """The dtype, the threads and the random generators are as they were."""
    kind, threads, state = torch.get_default_dtype(), torch.get_num_threads(), torch.get_rng_state()
    numpy_state = np.random.get_state()[1].copy()  # noqa: NPY002
    before = lecture()
    kept = {name: value.clone() for name, value in before.items() if isinstance(value, torch.Tensor)}
    checked(LECTURE, LECTURE_BACKWARD, before)
    assert torch.get_default_dtype() == kind
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), state)
    assert (np.random.get_state()[1] == numpy_state).all()  # noqa: NPY002
    assert all(torch.equal(before[name], value) for name, value in kept.items())
