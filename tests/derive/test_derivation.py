"""`handgrad.derive`: what it returns, what it refuses, and that nothing is returned that was not compared."""

import dataclasses
import inspect

import numpy as np
import pytest
import torch
from torch import Tensor

import handgrad
from handgrad.derive.backward import Backward, GradientLine
from handgrad.derive.derivation import derived
from handgrad.derive.quoting import quoted
from handgrad.derive.read.program import Line
from handgrad.derive.read.statements import read_program
from handgrad.errors import DeriveError

EPS = 1e-5


def layer(x: Tensor, W: Tensor, b: Tensor, ix: Tensor | None = None, k: int = 2):
    a = x @ W + b
    h = torch.tanh(a)
    if ix is not None:
        h = h[ix]
    return h * k + EPS, a


def squares(x, w):
    return ((x * w) ** 2).mean()


def in_numpy(x, W):
    a = x @ W
    return np.maximum(a, 0)


class Scale:
    def __init__(self):
        self.gain = torch.rand(3, requires_grad=True)

    def __call__(self, x):
        return x * self.gain

    def forward(self, x):
        return x * self.gain


def arguments(n=4, d=3, m=2, dtype=torch.float32):
    return [torch.randn(shape, dtype=dtype) for shape in ((n, d), (d, m), (m,))]


@pytest.mark.parametrize("form", ["lines", "closed", "shortest"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_backward_is_a_function_of_any_sizes(form, dtype):
    found = handgrad.derive(layer, *arguments(), torch.tensor([0, 2, 2]), form=form)
    given = [t.requires_grad_() for t in arguments(7, 5, 6, dtype)]
    ix = torch.tensor([1, 1, 6, 0])
    out, _ = layer(*given, ix)
    upstream = torch.randn_like(out)
    out.backward(upstream)
    gradients = found.backward(upstream, *(t.detach() for t in given), ix)
    for gradient, parameter in zip(gradients, given, strict=True):
        assert gradient.dtype == dtype
        assert torch.allclose(gradient, parameter.grad, atol=1e-5)


def test_the_source_is_that_function():
    found = handgrad.derive(layer, *arguments())
    names: dict = {"torch": torch, "EPS": EPS}
    exec(found.source, names)
    given = [torch.ones(4, 2), *arguments()]
    for one, other in zip(names["backward"](*given), found.backward(*given), strict=True):
        assert torch.equal(one, other)
    assert inspect.getsource(found.backward).rstrip() == found.source
    assert list(inspect.signature(found.backward).parameters)[1:4] == ["x", "W", "b"]


def test_a_loss_has_no_upstream_gradient():
    found = handgrad.derive(squares, torch.randn(4, 3), torch.randn(3))
    x, w = torch.randn(5, 2, requires_grad=True), torch.randn(2, requires_grad=True)
    squares(x, w).backward()
    dx, dw = found.backward(x.detach(), w.detach())
    assert torch.allclose(dx, x.grad)
    assert torch.allclose(dw, w.grad)


def test_from_another_variable_and_by_some_arguments():
    found = handgrad.derive(layer, *arguments(), of="a", with_respect_to="W")
    assert found.source == "def backward(da, x, W):\n    dW = x.T @ da\n    return dW"
    assert [check.gradient for check in found.check] == ["da", "dW"] or [c.gradient for c in found.check] == ["dW"]


def test_numpy():
    found = handgrad.derive(in_numpy, np.ones((4, 3)), np.random.default_rng(0).normal(size=(3, 2)))
    dx, dW = found.backward(np.ones((5, 2)), np.ones((5, 3)), np.ones((3, 2)))
    assert isinstance(dx, np.ndarray)
    assert (dx.shape, dW.shape) == ((5, 3), (3, 2))
    assert "torch" not in found.source


def test_methods_and_modules_hand_their_parameters_over():
    for forward in (Scale().forward, Scale(), torch.nn.Linear(3, 2)):
        found = handgrad.derive(forward, torch.randn(4, 3))
        assert len(found.program.inputs) >= 2
        assert found.source.startswith("def backward(dout, ")


def test_it_reads_well():
    found = handgrad.derive(layer, *arguments())
    assert repr(found).startswith(found.source)
    remark = repr(found).removeprefix(found.source).splitlines()[2]
    assert remark.startswith("# all ")
    assert "equal autograd's in float64, at its own sizes and 2 others" in remark
    page = found._repr_html_()
    assert "backward" in page
    assert found.summary.replace("'", "&#x27;") in page


def test_it_is_frozen_and_has_what_it_says():
    found = handgrad.derive(layer, *arguments())
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.form = "closed"
    assert found.facts == ()
    assert {line.gradient for line in found.lines} >= {"dx", "dW", "db"}
    assert {check.variable for check in found.check} >= {"x", "W", "b"}
    record = found.to_json()
    assert record["source"] == found.source
    assert {check["gradient"] for check in record["check"]} >= {"dx", "dW", "db"}


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: handgrad.derive(layer, *arguments()[:2]), ("layer", "'b'")),
        (lambda: handgrad.derive(layer, *arguments(), with_respect_to=["V"]), ("'V'", "x, W, b")),
        (lambda: handgrad.derive(layer, *arguments(), of="z"), ("'z'",)),
        (lambda: handgrad.derive(lambda x: x.argmax(), torch.randn(3)), ("no float tensor",)),
        (lambda: handgrad.derive(torch.tanh, torch.randn(3)), ("tanh",)),
        (lambda: handgrad.derive(lambda x: x * 2, torch.arange(3)), ("no float tensor",)),
        (lambda: handgrad.derive(squares, 1.0, 2.0), ("line", "((x * w) ** 2).mean()", "AttributeError")),
    ],
)
def test_what_cannot_be_derived_is_refused(call, says):
    with pytest.raises(DeriveError) as refused:
        call()
    assert [word for word in says if word not in str(refused.value)] == []


WRONG = {
    "a factor": ("dx = 2 * dout * w", "dx: off by"),
    "a shape": ("dx = (dout * w).sum(0)", "dx: shape (3,) where the variable has"),
    "does not run": ("dx = dout @ w @ w", "do not run"),
    "changes a variable": ("dx = x.mul_(2) * 0 + dout * w", "change x of the forward pass"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_line_is_never_returned(name, monkeypatch):
    source, says = WRONG[name]
    wrong = Backward((GradientLine("dx", source),), {"x": "dx"}, "dout")
    monkeypatch.setattr("handgrad.derive.lines.lines_backward", lambda _: wrong)
    with pytest.raises(DeriveError, match="report") as refused:
        handgrad.derive(lambda x, w: x * w, torch.randn(4, 3), torch.randn(4, 3)[0])
    assert says in str(refused.value)


def line(text: str, number: int) -> Line:
    return Line((text.split(" = ")[0],), None, text, number)


def test_quotations_stand_beside_and_above():
    h, z = line("h = torch.tanh(a)", 2), line("z = x @ W + b", 1)
    long = line(f"y = {' + '.join('abcdefghijklmnop' * 3)}", 3)
    rows = (
        GradientLine("da", "da = dy.clone()", long),
        GradientLine("dh", "dh = da * 1.2345", h),
        GradientLine("dx", "dx = dh @ W.T", z),
        GradientLine("dW", "dW = x.T @ dh", z),
        GradientLine("dq", "dq = dx", None),
    )
    assert quoted(Backward(rows, {}, "dy", ("a = b * c",))).split("\n") == [
        "a = b * c",
        f"# {long.text}",
        "da = dy.clone()",
        "dh = da * 1.2345  # h = torch.tanh(a)",
        "dx = dh @ W.T     # z = x @ W + b",
        "dW = x.T @ dh",
        "dq = dx",
    ]


def test_what_it_was_compared_with_is_said():
    before = {"np": np, "x": np.array([0.5, 2.0]), "w": np.array([1.5, -1.0])}
    assert "equal central differences in float64" in derived(read_program("y = np.sin(x) * w", before)).summary
