"""Functions and pairs are called as training calls them: what is right, what is wrong, and what was not judged."""
# ruff: noqa: ARG001 - autograd says what the two halves take

import textwrap
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from handgrad.checker import CheckError, check
from handgrad.cli import main


def randn(*size: int) -> torch.Tensor:
    return torch.randn(size, generator=torch.Generator().manual_seed(5 * sum(size) + len(size)))


def function(forward, backward, **members) -> type[Function]:
    halves = {"forward": staticmethod(forward), "backward": staticmethod(backward)}
    return type(forward.__name__, (Function,), {**halves, **members})


@dataclass
class Case:
    """What is checked, whether it is right, and what the report says."""

    id: str
    subject: tuple[Any, ...]
    right: bool
    says: tuple[str, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
    silent: tuple[str, ...] = ()


# --- pairs ---


def steps(x, w):
    h, cache = torch.zeros(3, 4), []
    for t in range(3):
        h[t] = x[t] * w
        cache.append((x[t], w))
    return h, cache


def steps_backward(dh, cache):
    dx, dw = None, None
    x, w = cache[0]
    dx, dw = torch.zeros(3, *x.shape), torch.zeros_like(w)
    for t in range(3):
        x, w = cache[t]
        dx[t] = dh[t] * w
        dw += dh[t] * x
    return dx, dw


def recurrent(x, h0, w):
    h = torch.zeros(x.shape)
    for t in range(len(x)):
        h[t] = torch.tanh(x[t] + (h[t - 1] if t else h0) @ w)
    return h, (h0, w, h)


def recurrent_backward(dh, cache):
    h0, w, h = cache
    dx, dw, dnext = torch.zeros_like(h), torch.zeros_like(w), torch.zeros_like(h0)
    for t in reversed(range(len(h))):
        dx[t] = da = (dh[t] + dnext) * (1 - h[t] ** 2)
        dw += torch.outer(h[t - 1] if t else h0, da)
        dnext = da @ w.T
    return dx, dnext, dw


def recurrent_backward_of_the_last_step(dh, cache):
    h0, w, h = cache
    dx, dw, dnext = torch.zeros_like(h), torch.zeros_like(w), torch.zeros_like(h0)
    for t in reversed(range(len(h))):
        dx[t] = da = dh[t] * (1 - h[t] ** 2)
        dw += torch.outer(h[t - 1] if t else h0, da)
        dnext = da @ w.T
    return dx, dnext, dw


def softmax_in_place(x):
    x = torch.exp(x - x.max(1, keepdim=True).values)
    x /= x.sum(1, keepdim=True)
    return x, x


def softmax_backward(dout, out):
    dx = out * dout
    return dx - out * dx.sum(1, keepdim=True)


def affine(x, w, b):
    return x @ w + b, (x, w)


def affine_backward(dout, cache):
    x, w = cache
    return dout @ w.T, x.T @ dout, dout.sum(0)


def affine_backward_over_columns(dout, cache):
    x, w = cache
    return dout @ w.T, x.T @ dout, dout.sum(1)


def tanh_layer(x, w):
    h = torch.tanh(x @ w)
    return h * 2, (x, w)


def tanh_layer_with_a_name_of_forward(dout, cache):
    x, w = cache
    da = 2 * dout * (1 - h**2)
    return da @ w.T, x.T @ da


def scaled_by_mean(x):
    return x / x.shape[0], x


def scaled_by_mean_of_the_other_size(dout, x):
    return dout / x.shape[1]


class Lists:
    def __init__(self, W, factor):
        self.params, self.grads, self.factor = [W], [torch.zeros_like(W)], factor

    def forward(self, x):
        self.x = x
        return x @ self.params[0]

    def backward(self, dout):
        self.grads[0][...] = self.x.T @ dout * self.factor
        return dout @ self.params[0].T


class Unjudged(Lists):
    def backward(self, dout):
        self.kept = self.x.T @ dout
        return dout @ self.params[0].T


class Rows:
    def __init__(self, W):
        self.W, self.dW = W, torch.zeros_like(W)

    def forward(self, x):
        self.x = x
        self.h = torch.tanh(self.W @ x)
        return self.h

    def backward(self, delta):
        da = delta.reshape(1, -1) * (1 - self.h.reshape(1, -1) ** 2)
        self.dW += (self.x.reshape(-1, 1) @ da).T
        return (da @ self.W).reshape(-1)


# --- autograd functions ---


def cubed(ctx, x, w):
    ctx.save_for_backward(x, w)
    return x**3 * w


def cubed_backward(ctx, g):
    x, w = ctx.saved_tensors
    return 3 * x**2 * w * g, x**3 * g


@once_differentiable
def cubed_backward_once(ctx, g):
    return cubed_backward(ctx, g)


def cubed_backward_detached(ctx, g):
    x, w = ctx.saved_tensors
    return 3 * x.detach() ** 2 * w * g, x**3 * g


def cubed_backward_coarse(ctx, g):
    x, w = ctx.saved_tensors
    return 3 * x**2 * w * g * 1.001, x**3 * g


def with_bias(ctx, x, bias):
    return x + bias


def with_bias_unreduced(ctx, g):
    return g, g


def scale(ctx, x, s):
    ctx.save_for_backward(x, s)
    return x * s


def scale_backward(ctx, g):
    _, s = ctx.saved_tensors
    return g * s, None


def two(ctx, x):
    ctx.set_materialize_grads(False)
    return x * 2, x * 3


def two_backward(ctx, g1, g2):
    return 2 * g1 + 3 * g2


def two_backward_that_expects_none(ctx, g1, g2):
    return sum(k * g for k, g in ((2, g1), (3, g2)) if g is not None)


def filled_views(ctx, x):
    y = torch.zeros_like(x)
    for part, out in zip(x.split(2), y.split(2), strict=True):
        most = torch.full((len(part), 1), -torch.finfo(x.dtype).max)
        e = torch.exp(part - torch.maximum(most, part.amax(-1, keepdim=True)))
        out.add_(e / e.sum(-1, keepdim=True))
    ctx.save_for_backward(y)
    return y


def filled_views_backward(ctx, g):
    (y,) = ctx.saved_tensors
    return y * (g - (g * y).sum(-1, keepdim=True))


def single_square(ctx, x):
    if x.dtype != torch.float32:
        raise TypeError("expected float32")
    ctx.save_for_backward(x)
    return torch.from_numpy(x.detach().numpy() ** 2)


def single_square_backward(ctx, g):
    (x,) = ctx.saved_tensors
    return 2 * x * g


def single_square_backward_of_three(ctx, g):
    (x,) = ctx.saved_tensors
    return 2.02 * x * g


def rounded(ctx, x):
    return x.round()


def straight_through(ctx, g):
    return g


def power(ctx, x):
    ctx.save_for_backward(x)
    return torch.fft.rfft(x).abs().pow(2).sum(-1)


def power_backward_of_the_whole_spectrum(ctx, g):
    (x,) = ctx.saved_tensors
    return g[..., None] * 2 * torch.fft.ifft(torch.fft.fft(x)).real * x.shape[-1]


def norm(ctx, x):
    ctx.save_for_backward(x)
    return x.norm(dim=-1, keepdim=True) * x


def norm_backward_divided_by_the_upstream(ctx, g):
    (x,) = ctx.saved_tensors
    size = x.norm(dim=-1, keepdim=True)
    unit = g / g.norm(dim=-1, keepdim=True)
    return g.norm(dim=-1, keepdim=True) * (unit * size + x * (unit * x).sum(-1, keepdim=True) / size)


def gated(ctx, x, mask):
    assert not mask.requires_grad
    ctx.save_for_backward(mask)
    return x * mask


def gated_backward(ctx, g):
    (mask,) = ctx.saved_tensors
    return g * mask, None


def sum_and_difference(ctx, a, b):
    return a + b, a - b


def sum_and_difference_by_the_first(ctx, g1, g2):
    da = db = None
    if ctx.needs_input_grad[0]:
        da, db = g1 + g2, g1 - g2
    return da, db


def detached(ctx, x):
    y = x.detach() * x
    ctx.save_for_backward(x)
    return y


def detached_backward(ctx, g):
    (x,) = ctx.saved_tensors
    return 2 * x * g


def product(ctx, x, w):
    ctx.save_for_backward(x, w)
    return x @ w


def product_transposed(ctx, g):
    x, w = ctx.saved_tensors
    return g @ w.T, g.T @ x


def squared(ctx, x):
    ctx.save_for_backward(x)
    return x**2


def squared_backward_in_place_of_the_input(ctx, g):
    (x,) = ctx.saved_tensors
    return x.mul_(2) * g


def squared_backward_in_place_of_the_upstream(ctx, g):
    (x,) = ctx.saved_tensors
    return g.mul_(2 * x)


def softmax_backward_in_place(dout, out):
    d = out
    d *= dout - (dout * out).sum(1, keepdim=True)
    return d


class OfClasses(Function):
    @classmethod
    def forward(cls, ctx, x):
        ctx.save_for_backward(x)
        return cls.times(x)

    @classmethod
    def times(cls, x):
        return x * x

    @classmethod
    def backward(cls, ctx, g):
        (x,) = ctx.saved_tensors
        return x * g


@torch.library.custom_op("handgrad_tests::cube", mutates_args=())
def cube(x: torch.Tensor, k: float) -> torch.Tensor:
    return x**3 * k


def cube_setup(ctx, inputs, output):
    ctx.save_for_backward(inputs[0])
    ctx.k = inputs[1]


def cube_backward(ctx, g):
    (x,) = ctx.saved_tensors
    return 3 * x * g * ctx.k, None


cube.register_autograd(cube_backward, setup_context=cube_setup)

X, W, B = randn(3, 4), randn(4, 5), randn(5)
LISTS, ROWS = Lists(W, 1), Rows(W.T)
DIFFERENCES = "central differences"

CASES = [
    Case("template-of-none", (steps, steps_backward, X, randn(4)), True),
    Case("filled-in-place", (recurrent, recurrent_backward, X, randn(4), randn(4, 4)), True, (DIFFERENCES,)),
    Case(
        "filled-in-place-wrong",
        (recurrent, recurrent_backward_of_the_last_step, X, randn(4), randn(4, 4)),
        False,
        ("wrong",),
    ),
    Case("softmax-in-place", (softmax_in_place, softmax_backward, X), True),
    Case("arrays", (affine, affine_backward, X.numpy(), W.numpy(), B.numpy()), True, (DIFFERENCES,)),
    Case("arrays-wrong", (affine, affine_backward_over_columns, X.numpy(), W.numpy(), B.numpy()), False, ("dout.sum",)),
    Case("undefined-name", (tanh_layer, tanh_layer_with_a_name_of_forward, X, W), False, ("NameError: name 'h'",)),
    Case("equal-sizes", (scaled_by_mean, scaled_by_mean_of_the_other_size, randn(4, 4)), False, ("x.shape[0]",)),
    Case("lists-of-gradients", (LISTS.forward, LISTS.backward, X), True, silent=("not judged",)),
    Case("row-vectors", (ROWS.forward, ROWS.backward, randn(4)), True),
    Case("unreduced", (function(with_bias, with_bias_unreduced), X, randn(4)), True, ("autograd sums it",)),
    Case("saved-number", (function(scale, scale_backward), X, 2.0), False, ("can only save variables",)),
    Case("undefined-upstream", (function(two, two_backward), X), False, ("output 1 of 2 alone is used",)),
    Case("undefined-upstream-expected", (function(two, two_backward_that_expects_none), X), True),
    Case("filled-views", (function(filled_views, filled_views_backward), X.T), True, (DIFFERENCES,)),
    Case("single", (function(single_square, single_square_backward), X), True, ("below 2% is not seen",)),
    Case(
        "single-by-reference",
        (function(single_square, single_square_backward_of_three), X),
        False,
        ("101/100 times", "uses `2.02 * x`; it should be `2.0 * x`"),
        {"reference": lambda x: x**2},
    ),
    Case("straight-through", (function(rounded, straight_through), X), False, ("on purpose",)),
    Case(
        "straight-through-by-reference",
        (function(rounded, straight_through), X),
        True,
        ("the reference computes other values",),
        {"reference": lambda x: x * 1},
    ),
    Case("complex-inside", (function(power, power_backward_of_the_whole_spectrum), randn(2, 6)), False, ("wrong",)),
    Case(
        "zero-upstream",
        (function(norm, norm_backward_divided_by_the_upstream), X),
        False,
        ("gradient is zero",),
    ),
    Case(
        "must-not-need-a-gradient",
        (function(gated, gated_backward), X, (X > 0).float()),
        True,
        ("dmask",),
    ),
    Case(
        "needs-input-grad",
        (function(sum_and_difference, sum_and_difference_by_the_first), X, X + 1),
        False,
        ("b alone",),
    ),
    Case("detached-inside", (function(detached, detached_backward), X), True, ("autograd sees another gradient",)),
    Case(
        "input-changed", (function(squared, squared_backward_in_place_of_the_input), X), False, ("changes x in place",)
    ),
    Case("upstream-changed", (function(squared, squared_backward_in_place_of_the_upstream), X), False, ("in place",)),
    Case("output-changed", (softmax_in_place, softmax_backward_in_place, X), False, ("changes the output in place",)),
    Case("classmethods", (OfClasses, X), False, ("return x * g", "scale")),
    Case("operator", (cube, randn(4), 2.0), False, ("return 3 * x * g * ctx.k, None",)),
    Case("rtol", (function(cubed, cubed_backward_coarse), X, X + 1), True, options={"rtol": 0.01}),
    Case("no-rtol", (function(cubed, cubed_backward_coarse), X, X + 1), False, ("wrong",)),
    Case("twice", (function(cubed, cubed_backward), X, X + 1), True, options={"double_backward": True}),
    Case(
        "once",
        (function(cubed, cubed_backward_once), X, X + 1),
        False,
        ("once_differentiable",),
        {"double_backward": True},
    ),
    Case(
        "detached-for-twice",
        (function(cubed, cubed_backward_detached), X, X + 1),
        False,
        ("the gradient of the gradients by x",),
        {"double_backward": True},
    ),
]


@pytest.mark.one_in(8)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_it_is_judged_as_training_calls_it(case):
    report = check(*case.subject, **case.options)
    text = str(report)
    assert bool(report) is report.right is case.right, text
    assert [part for part in case.says if part not in text] == [], text
    assert [part for part in case.silent if part in text] == [], text
    assert "itself failed" not in text


def test_a_wrong_gradient_in_a_list_is_found():
    layer = Lists(W, 3)
    report = check(layer.forward, layer.backward, X)
    assert {row.name: row.text for row in report.blamed} == {
        "self.params[0]": "self.grads[0][...] = self.x.T @ dout * self.factor"
    }


def test_a_gradient_that_goes_nowhere_is_named():
    layer = Unjudged(W, 1)
    report = check(layer.forward, layer.backward, X)
    assert [u.gradient for u in report.unjudged] == ["dself.params[0]"]
    assert not check(layer.forward, layer.backward, X, strict=True)


def test_a_reference_of_another_shape_is_refused():
    with pytest.raises(CheckError, match="the reference returns something else"):
        check(function(cubed, cubed_backward), X, X, reference=lambda x, w: (x * w).sum())


PROGRAM = """
import torch
from torch.autograd import Function, gradcheck


class Tanh(Function):
    @staticmethod
    def forward(ctx, x, k):
        y = torch.tanh(k * x)
        ctx.save_for_backward(y)
        ctx.k = k
        return y

    @staticmethod
    def backward(ctx, g):
        (y,) = ctx.saved_tensors
        return g * (1 - y**2) * ctx.k, None


if __name__ == "__main__":
    x = torch.randn(4, dtype=torch.double, requires_grad=True)
    print(gradcheck(CALL))
"""


@pytest.mark.parametrize("call", ["Tanh.apply, (x, 2.0)", "lambda x: Tanh.apply(x, 2.0), (x,)"])
def test_a_file_is_checked_through_its_gradcheck(call, tmp_path, capsys):
    path = tmp_path / "tanh.py"
    path.write_text(textwrap.dedent(PROGRAM.replace("CALL", call)))
    assert main(["check", str(path)]) == 0
    path.write_text(path.read_text().replace("1 - y**2", "1 - y"))
    assert main(["check", str(path)]) == 1
    assert "y**2" in capsys.readouterr().out


def test_arrays_are_left_as_they_were():
    arrays = [t.numpy().copy() for t in (X, W, B)]
    before = [array.copy() for array in arrays]
    assert check(affine, affine_backward, *arrays)
    assert all(np.array_equal(a, b) for a, b in zip(arrays, before, strict=True))
