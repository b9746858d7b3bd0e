"""The form `lines`: what it writes, what it does not change, and what it refuses."""

import ast
import math

import pytest
import torch
from torch.nn import functional as F

from handgrad.derive.backward import Backward
from handgrad.derive.lines import lines_backward
from handgrad.derive.read.statements import read_program
from handgrad.errors import DeriveError

from .cases.first import LECTURE
from .forward import check, derived, inputs, read

LECTURE_SPEC = (
    "n:=32 C:v2 W1:6h b1:h bngain:1h bnbias:1h W2:hv b2:v Xb:=torch.randint(0,v,(32,3)) Yb:=torch.randint(0,v,(32,))"
)

EXERCISE_1 = """
dlogprobs = torch.zeros_like(logprobs)
dlogprobs[range(n), Yb] = -1.0 / n
dprobs = dlogprobs / probs
dcounts = counts_sum_inv * dprobs
dcounts_sum_inv = (counts * dprobs).sum(1, keepdim=True)
dcounts_sum = -counts_sum**-2 * dcounts_sum_inv
dcounts += dcounts_sum
dnorm_logits = counts * dcounts
dlogits = dnorm_logits.clone()
dlogit_maxes = -dnorm_logits.sum(1, keepdim=True)
dlogits += F.one_hot(logits.max(1).indices, num_classes=logits.shape[1]) * dlogit_maxes
dh = dlogits @ W2.T
dW2 = h.T @ dlogits
db2 = dlogits.sum(0)
dhpreact = (1 - h**2) * dh
dbngain = (bnraw * dhpreact).sum(0, keepdim=True)
dbnraw = bngain * dhpreact
dbnbias = dhpreact.sum(0, keepdim=True)
dbndiff = bnvar_inv * dbnraw
dbnvar_inv = (bndiff * dbnraw).sum(0, keepdim=True)
dbnvar = -0.5 * (bnvar + 1e-5)**-1.5 * dbnvar_inv
dbndiff2 = 1 / (n - 1) * dbnvar * torch.ones_like(bndiff2)
dbndiff += 2 * bndiff * dbndiff2
dhprebn = dbndiff.clone()
dbnmeani = -dbndiff.sum(0, keepdim=True)
dhprebn += 1 / n * dbnmeani
dembcat = dhprebn @ W1.T
dW1 = embcat.T @ dhprebn
db1 = dhprebn.sum(0)
demb = dembcat.view(emb.shape)
dC = torch.zeros_like(C)
dC.index_add_(0, Xb.flatten(), demb.flatten(0, 1))
""".strip()


def lecture() -> tuple[Backward, dict[str, torch.Tensor]]:
    """The lecture's backward pass, and all its names in float32 with autograd's gradients."""
    values = inputs(LECTURE_SPEC, {"v": 27, "h": 64})
    program = read_program(LECTURE.strip(), {"torch": torch, "F": F, **values})
    names = {"torch": torch, "F": F}
    for name, value in values.items():
        names[name] = (
            (0.3 * value).float().requires_grad_() if torch.is_tensor(value) and value.is_floating_point() else value
        )
    for line in program.lines:
        exec(line.source, names)
        names[line.targets[0]].retain_grad()
    names["loss"].backward()
    return lines_backward(program), names


def test_the_lecture_reads_as_its_author_wrote_it():
    assert lecture()[0].source == EXERCISE_1


def test_each_line_of_the_lecture_is_exact_but_one():
    """Given autograd's gradient of what it undoes; autograd rounds once where `1 - h**2` rounds twice."""
    backward, names = lecture()
    autograd = {gradient: names[variable].grad for variable, gradient in backward.gradients.items()}
    run = {n: v.detach() if torch.is_tensor(v) else v for n, v in names.items()}
    exact = set()
    for gradient, right in autograd.items():
        given = {**run, **{g: v.clone() for g, v in autograd.items()}}
        for line in backward.lines:
            if line.gradient == gradient:
                exec(line.source, given)
        if torch.equal(given[gradient], right):
            exact.add(gradient)
    assert len(autograd) == 26
    assert set(autograd) - exact <= {"dhpreact"}


def test_the_lecture_is_exact_where_autograd_rounds_as_it_is_written():
    """With the one rounding of autograd's tanh, all 26 are autograd's bit for bit."""
    backward, names = lecture()
    run = {n: v.detach() if torch.is_tensor(v) else v for n, v in names.items()}
    once = "torch.addcmul(torch.ones_like(h), h, h, value=-1) * dh"
    exec(backward.source.replace("(1 - h**2) * dh", once), run)
    exact = [v for v, gradient in backward.gradients.items() if torch.equal(run[gradient], names[v].grad)]
    assert len(exact) >= 20


@pytest.mark.parametrize(
    ("source", "spec", "text"),
    [
        ("y = x @ W + b", "x:nh W:hk b:k", "dx = dy @ W.T\ndW = x.T @ dy\ndb = dy.sum(0)"),
        ("y = x @ W.T", "x:nh W:kh", "dx = dy @ W\ndW = dy.T @ x"),
        (
            "y = g * torch.tanh(x @ W + b)",
            "x:nh W:hk b:k g:k",
            "t = torch.tanh(x @ W + b)\ndg = (t * dy).sum(0)\nda = g * dy * (1 - t**2)\n"
            "dx = da @ W.T\ndW = x.T @ da\ndb = da.sum(0)",
        ),
        ("h = F.relu(x @ W)", "x:nh W:hk", "da = (h > 0) * dh\ndx = da @ W.T\ndW = x.T @ da"),
        ("y = x * x", "x:nh", "dx = 2 * x * dy"),
        ("y = x - x.mean(0)", "x:nh", "dx = dy - dy.sum(0) / x.shape[0]"),
        ("y = 0.5 * x * (1 + t)", "x:nh t:nh", "dx = 0.5 * (1 + t) * dy\ndt = 0.5 * x * dy"),
        ("loss = ((x - y)**2).mean()", "x:nh y:nh", "dx = 2 * (x - y) / x.numel()\ndy = -dx"),
        ("loss = x.sum()", "x:nh", "dx = torch.ones_like(x)"),
        ("loss = -(x**2).sum()", "x:nh", "dx = -2 * x"),
        ("B, T, C = x.shape; y = x.mean((0, 1))", "x:nth", "dx = dy / (B * T) * torch.ones_like(x)"),
        ("n = len(x); loss = x.sum() / n + x.mean()", "x:n", "dx = torch.full_like(x, 2 / n)"),
        ("m = x.mean(0); y = (x - m) / x.var(0, correction=0)", "x:nh", None),
        ("loss = F.cross_entropy(x @ W, Y)", "x:nh W:hv Y:n<v",
         "da = (F.softmax(x @ W, 1) - F.one_hot(Y, num_classes=W.shape[1])) / Y.shape[0]\n"
         "dx = da @ W.T\ndW = x.T @ da"),
        ("y = x.masked_fill(m == 0, -1e9).softmax(-1)", "x:nh m:=torch.ones(n,h).tril()",
         "dx = (y * (dy - (dy * y).sum(-1, keepdim=True))).masked_fill(m == 0, 0)"),
        ("q, k, v = x.split(2, 1); y = q * k + v", "x:n6",
         "dq = k * dy\ndk = q * dy\ndv = dy\ndx = torch.cat([dq, dk, dv], 1)"),
        ("y = x[:, :2] * x[:, 2:4]", "x:nh",
         "dx = torch.zeros_like(x)\ndx[:, :2] = x[:, 2:4] * dy\ndx[:, 2:4] += x[:, :2] * dy"),
        ("v, i = x.topk(3, 1); y = v * 2", "x:nh",
         "dv = 2 * dy\ndx = torch.zeros_like(x)\ndx.scatter_add_(1, i, dv)"),
    ],
)  # fmt: skip
def test_what_a_person_writes(source, spec, text):
    backward = check(source.replace("; ", "\n"), spec)
    assert text is None or backward.source == text


def test_what_a_line_has_named_is_not_computed_again():
    source = "m = x.mean(0, keepdim=True)\nv = x.var(dim=0, keepdim=True, unbiased=False)\ny = (x - m) / v"
    assert "dx += 2 / x.shape[0] * (x - m) * dv" in check(source, "x:nh").source


def test_a_gradient_is_copied_before_it_is_added_to():
    backward = derived("h = torch.tanh(x)\ny = x + h", "x:nh")
    assert backward.source == "dx = dy.clone()\ndh = dy\ndx += (1 - h**2) * dh"
    x = torch.randn(5, 8)
    run = {"torch": torch, "x": x, "h": torch.tanh(x), "dy": torch.ones(5, 8)}
    exec(backward.source, run)
    assert torch.equal(run["dy"], torch.ones(5, 8))


def test_names_do_not_clash():
    """`da` is the gradient of the variable `a`, and `t` a variable."""
    source = "t = x + 1\ny = torch.tanh(x @ W + a) * t.sum()"
    backward = check(source, "x:nh W:hk a:k")
    made = {
        n.id for n in ast.walk(ast.parse(backward.source)) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    }
    assert backward.gradients["a"] == "da"
    assert {"t", "x", "W", "y"}.isdisjoint(made)


def test_a_variable_may_be_called_f():
    source = "y = torch.softmax(x @ F, 1)\nz = torch.nn.functional.pad(y, (1, 0)).prod(1)"
    values = {"torch": torch, "x": torch.randn(5, 4), "F": torch.randn(4, 3)}
    backward = lines_backward(read_program(source, values, inputs=["x", "F"]))
    assert "F.pad(" not in backward.source.replace("functional.pad(", "")


def test_only_what_is_needed():
    source = "a = x * c\nb = c**2\nunused = torch.exp(a)\ny = a + b"
    backward = lines_backward(
        read_program(source, {"torch": torch, "x": torch.randn(3), "c": torch.randn(3)}, inputs=["x"], output="y")
    )
    assert backward.source == "da = dy\ndx = c * da"


@pytest.mark.parametrize(
    ("source", "spec", "said"),
    [
        ("y = torch.fft.fft(x).real * 1.0", "x:nh", "torch.fft"),
        ("y = torch.special.bessel_j0(x)", "x:nh", "torch.special.bessel_j0"),
        ("y = F.interpolate(x, scale_factor=2, mode='linear')", "x:nct", "interpolate"),
        ("y = torch.linalg.norm(x, 2)", "x:nh", "Frobenius"),
        ("y = torch.linalg.qr(x)[0]", "x:nn", "torch.linalg.qr"),
    ],
)
def test_what_is_not_covered_is_refused_by_line_and_call(source, spec, said):
    with pytest.raises(DeriveError, match="line 1: y = ") as raised:
        derived(source, spec)
    assert said in str(raised.value)


def test_an_output_without_gradient_is_refused():
    with pytest.raises(DeriveError):
        lines_backward(read_program("y = x * 2\ni = y.argmax(1)", inputs_of("x:nh"), output="i"))


def inputs_of(spec: str) -> dict[str, object]:
    return {"torch": torch, **inputs(spec, {"n": 5, "h": 8})}


@pytest.mark.parametrize(
    "source",
    [
        "loss = F.cross_entropy(x, Y)",
        "loss = F.log_softmax(x, 1)[range(3), Y].mean()",
        "loss = torch.logsumexp(x, 1).sum()",
        "loss = F.logsigmoid(x).sum()",
        "loss = F.softplus(x).sum()",
        "loss = F.binary_cross_entropy_with_logits(x, z)",
        "loss = torch.logaddexp(x, -x).sum()",
        "loss = torch.logcumsumexp(x, 1).sum()",
        "loss = torch.sigmoid(x).sum()",
        "loss = torch.tanh(x).sum()",
        "loss = F.softmax(x, 1).prod(1).sum()",
        "loss = F.elu(x).sum() + F.mish(x).sum() + F.silu(x).sum() + F.gelu(x).sum()",
        "loss = torch.special.log_ndtr(x / 100).sum()",
        "loss = x.norm(dim=1).sum() + (0 * x).norm() + x.std(1).sum() + (0 * x).std()",
        "loss = F.layer_norm(x, (3,)).sum() + F.normalize(x).sum()",
        "loss = x.prod(1).sum() + x.cumprod(1).sum()",
    ],
)
def test_extreme_inputs(source):
    """In float32, with large logits, rows of equal elements and zeros: finite wherever autograd's gradient is."""
    x = torch.tensor([[1e4, -1e4, 0.0], [700.0, 700.0, 700.0], [-300.0, 0.0, 90.0]])
    values = {"x": x.requires_grad_(), "Y": torch.tensor([1, 0, 2]), "z": torch.tensor([[0.0, 1.0, 0.5]] * 3)}
    names = {"torch": torch, "F": F, "math": math, **values}
    backward = lines_backward(read_program(source, names, inputs=["x"]))
    exec(source, names)
    (right,) = torch.autograd.grad(names["loss"], [x])
    run = {n: v.detach() if torch.is_tensor(v) else v for n, v in names.items()}
    exec(backward.source, run)
    assert torch.equal(run["dx"].isfinite(), right.isfinite()), backward.source
    torch.testing.assert_close(run["dx"], right, rtol=1e-3, atol=1e-6)


def test_each_gradient_line_says_which_line_it_undoes():
    program = read("a = x @ W\ny = torch.tanh(a)", "x:nh W:hk")
    backward = lines_backward(program)
    assert [(line.gradient, line.undoes.text) for line in backward.lines] == [
        ("da", "y = torch.tanh(a)"),
        ("dx", "a = x @ W"),
        ("dW", "a = x @ W"),
    ]
