"""A repair reads as a person would write it, holds in other sizes, and stands on the one line that is wrong."""

import sys
from pathlib import Path

import pytest
import torch

import handgrad
from handgrad.checker.faces.mend import mended

sys.path.insert(0, str(Path(__file__).parent))
from cases import relatives


@pytest.mark.one_in(9)
@pytest.mark.parametrize(("program", "part", "wrong", "kind", "repair"), relatives.MISTAKES)
def test_a_repair_reads_as_a_person_would_write_it(program, part, wrong, kind, repair, check_text):
    text, line, right = relatives.planted(program, part, wrong)
    report = check_text(text)
    assert not report.hazards
    ((row, found),) = ((row, one) for row in report.blamed for one in row.diagnosis)
    assert (row.line, found.kind, found.fix) == (line, kind, repair or right)
    again = check_text(mended(text, [found]))
    assert again.right
    assert not again.blamed


SLIPS = {
    "a dimension that an index keeps": (
        "m = x.max(1, keepdim=True).values\n"
        "y = x - m\nloss = (y**3).sum()\ndy = 3 * y**2\ndm = -dy.sum(1, keepdim=True)\n"
        "dx = dy.clone()\ndx += F.one_hot(x.max(1, keepdim=True).indices, k) * dm\n",
        [("wrong-index", "dx += F.one_hot(x.max(1).indices, k) * dm")],
    ),
    "a mask that nobody wrote": (
        "y = x**2\nv = 1/(n-1) * y.sum(0, keepdim=True)\nloss = (v * goal[:1]).sum()\ndv = goal[:1].clone()\n"
        "dy = 1/(n-1) * dv\ndx = 2 * x * dy\n",
        [("missing-expansion", "dy = (1/(n-1) * dv).expand_as(y)")],
    ),
    "n over n - 1": (
        "inv = (x.var(0, keepdim=True, unbiased=False) + 1e-5)**-0.5\nraw = (x - x.mean(0, keepdim=True)) * inv\n"
        "loss = (raw * goal).sum()\ndraw = goal.clone()\n"
        "dx = inv / n * (n * draw - draw.sum(0) - (n / (n - 1)) * raw * (draw * raw).sum(0))\n",
        [("bessel", "dx = inv / n * (n * draw - draw.sum(0) - raw * (draw * raw).sum(0))")],
    ),
    "one division that hides another": (
        "p = torch.softmax(x, 1)\nlogp = p.log()\nloss = -logp[range(n), Y].mean()\ndlogp = torch.zeros_like(logp)\n"
        "dlogp[range(n), Y] = -1/n / p[range(n), Y]\ndlogp = dlogp / p\ndp = dlogp / p\n",
        [("extra-factor", "dlogp[range(n), Y] = -1/n"), ("extra-factor", "")],
    ),
    "a size that is a number by chance": (
        "V = torch.randn(k, 4, generator=g)\nz = x @ V\nloss = (z**2).sum() / (2 * n)\ndz = 4.0 / n * z\n",
        [("wrong-constant", "dz = 1.0 / n * z")],
    ),
    "a squeeze": (
        "B = torch.randn(1, 1)\nz = x[:1] * B\nloss = (z**2).sum()\ndz = 2 * z\n"
        "dB = torch.squeeze((dz * x[:1]).sum(1, keepdim=True))\n",
        [("shape", "dB = (dz * x[:1]).sum(1, keepdim=True)")],
    ),
    "a sign beside a size that is written as a number": (
        "p = torch.softmax(x, 1)\nloss = -p.log()[:, 0].mean()\ndp = torch.zeros_like(p)\n"
        "dp[:, 0] = 1.0 / (8 * p[:, 0])\n",
        [("sign", "dp[:, 0] = -1.0 / (8 * p[:, 0])")],
    ),
    "a factor beside a size that is written as a number": (
        "s = (x * goal).sum(1)\nloss = (s**2).mean()\nds = s / 8\n",
        [("scale", "ds = 2 * s / 8")],
    ),
    "a dimension that an index keeps, by name": (
        "m, where = x.max(1, keepdim=True)\ny = x - m\nloss = (y**3).sum()\ndy = 3 * y**2\n"
        "dm = -dy.sum(1, keepdim=True)\ndx = dy.clone()\ndx[range(n), where] += dm.squeeze(1)\n",
        [("wrong-index", "dx[range(n), where.squeeze(1)] += dm.squeeze(1)")],
    ),
    "a number by which nothing is left of the size": (
        "loss = F.cross_entropy(x, Y)\ndx = F.softmax(x, 1)\ndx[range(n), Y] -= n\ndx /= n\n",
        [("scale", "dx[range(n), Y] -= 1")],
    ),
    "an upstream gradient that is left out": (
        "h = torch.sigmoid(x)\ns = h.pow(2).sum(1)\nloss = s.mean()\nds = torch.ones_like(s) / n\ndh = 2 * h\n",
        [("missing-factor", "dh = 2 * h * ds[:, None]")],
    ),
    "a gate of the step in the place of one minus it": (
        "z, h = torch.sigmoid(goal), x\nfor t in range(2):\n    h = h * (1 - z[t])\nloss = (h * goal).sum()\n"
        "dx = goal.clone()\nfor t in range(2):\n    dx = dx * z[t]\n",
        [("wrong-operator", "dx = dx * (1 - z[t])")],
    ),
    "what is made in a loop and forgotten": (
        "s = x.new_zeros(n)\nfor i in range(n):\n    s[i] = ((x[i] * goal[i]) ** 2).sum()\nloss = s.sum()\n"
        "dx = torch.zeros_like(x)\nfor i in range(n):\n    p = x[i] * goal[i]\n    dx[i] = 2 * x[i] * goal[i]\n",
        [("wrong-variable", "dx[i] = 2 * p * goal[i]")],
    ),
    "an index that is counted from the end": (
        "s = x.new_zeros(k)\nfor j in range(k):\n    s[j] = (x[:, j] * goal[:, j]).sum()\nloss = (s**2).sum()\n"
        "ds = 2 * s\ndx = torch.zeros_like(x)\nfor j in range(k):\n    dx[:, j] = ds[j] * goal[:, k - 1 - j]\n",
        [("wrong-index", "dx[:, j] = ds[j] * goal[:, j]")],
    ),
    "a number too many": (
        "z = x * goal\nloss = (z**2).sum()\ndz = 2 * z * 2\n",
        [("scale", "dz = 2 * z")],
    ),
    "results given to each other": (
        "def back(du):\n    return du * goal, du.sum(0)\nu = x * goal + b\nloss = (u**3).sum()\ndu = 3 * u**2\n"
        "db, dx = back(du)\n",
        [("wrong-variable", "dx, db = back(du)")],
    ),
    "a gradient taken for a factor": (
        "s = torch.sigmoid(x)\nloss = (s * goal).sum()\nds = goal.clone()\ndx = (1 - s) * ds\n",
        [("missing-factor", "dx = s * (1 - s) * ds")],
    ),
}


@pytest.mark.one_in(4)
@pytest.mark.parametrize("name", SLIPS)
def test_a_repair_holds_whatever_the_sizes_and_values(name, check_text):
    body, repairs = SLIPS[name]
    text = f"{relatives.HEAD}x = X @ W\n{body}"
    report = check_text(text)
    found = [one for row in report.blamed for one in row.diagnosis]
    assert [(one.kind, one.fix) for one in found] == repairs
    assert check_text(mended(text, found)).right


FUNCTIONS = """
import torch

class ClampMin(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, low):
        return x.clamp(min=low)

    @staticmethod
    def backward(ctx, grad):
        return grad, None

class MeanSquare(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return (x * x).mean()

    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved_tensors
        grad_output = grad_output.expand_as(x).clone()
        grad_output.copy_(x).mul_(2.0).div_(x.numel())
        return grad_output

class RowScale(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, x1, s, s1):
        ctx.save_for_backward(x, x1, s, s1)
        return torch.tanh(x * s + x1 * s1)

    @staticmethod
    def backward(ctx, g):
        x, x1, s, s1 = ctx.saved_tensors
        h = g * (1 - torch.tanh(x * s + x1 * s1) ** 2)
        return h * s, h, (h * x).sum(1, keepdim=True), (h * x1).sum(1, keepdim=True)

class Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, i, a):
        ctx.save_for_backward(i, a)
        ctx.n = len(x)
        return a * x[i]

    @staticmethod
    def backward(ctx, g):
        i, a = ctx.saved_tensors
        dx = torch.zeros(ctx.n)
        dx.index_add_(0, WHERE, WHAT)
        return dx, None, None

def step(x, h, w):
    y = torch.tanh(x + h * w)
    return y, (h, y, w)

def step_backward(dy, cache):
    h, y, w = cache
    da = dy * (1 - y ** 2)
    return da, da * w, da * h

def forward(x, h, w):
    hs, caches = [], []
    for t in range(3):
        h, c = step(x[t], h, w); hs.append(h); caches.append(c)
    return torch.stack(hs), caches

def backward(dh, caches):
    dx, dw, dnext = torch.zeros(3, 4), torch.zeros(4), torch.zeros(4)
    for t in reversed(range(3)):
        dx[t], dnext, dw_t = step_backward(dh[t], caches[t])
        dw += dw_t
    return dx, dnext, dw
"""

BLAMED = [
    ("ClampMin", ((4, 5), 0.5), {}, "return grad, None", "missing-factor", None),
    ("MeanSquare", ((4, 3),), {}, "grad_output.copy_", "wrong-operator",
     "grad_output.mul_(x).mul_(2.0).div_(x.numel())"),
    ("RowScale", ((4, 5), (4, 5), (4, 1), (4, 1)), {}, "return h * s, h", "missing-factor",
     "return h * s, h * s1, (h * x).sum(1, keepdim=True), (h * x1).sum(1, keepdim=True)"),
    ("Gather", ((4,), [0, 1, 1, 3], (4,)), {"WHERE": "i", "WHAT": "g"}, "dx.index_add_", "missing-factor",
     "dx.index_add_(0, i, g * a)"),
    ("Gather", ((4,), [0, 1, 1, 3], (4,)), {"WHERE": "i.clamp(0, 2)", "WHAT": "g * a"}, "dx.index_add_", "wrong-index",
     "dx.index_add_(0, i, g * a)"),
    ("forward", ((3, 4), (4,), (4,)), {}, "dx[t], dnext, dw_t =", "missing-path",
     "dx[t], dnext, dw_t = step_backward(dh[t] + dnext, caches[t])"),
]  # fmt: skip


@pytest.mark.one_in(3)
@pytest.mark.parametrize(("name", "given", "words", "at", "kind", "fix"), BLAMED)
def test_one_slip_in_a_function_is_one_fault_on_its_own_line(name, given, words, at, kind, fix, tmp_path):
    text = FUNCTIONS
    for word, written in words.items():
        text = text.replace(word, written)
    path = tmp_path / "functions.py"
    path.write_text(text)
    names = {"__name__": "functions"}
    exec(compile(text, str(path), "exec"), names)
    generator = torch.Generator().manual_seed(12)
    args = [
        3 * torch.randn(one, generator=generator) if isinstance(one, tuple)
        else torch.tensor(one) if isinstance(one, list) else one
        for one in given
    ]  # fmt: skip
    subject = (names[name], names["backward"]) if name == "forward" else (names[name],)
    report = handgrad.check(*subject, *args)
    ((row, found),) = ((row, one) for row in report.blamed for one in row.diagnosis)
    assert at in text.split("\n")[row.line - 1]
    assert (found.kind, found.fix) == (kind, fix)
    if name == "ClampMin":
        assert found.message.endswith(
            "uses `grad`; it should be `grad * (x > 0.5)`; the forward pass has to keep `x` for it."
        )


LAYERS = """
import torch

class Dense:
    def __init__(self, n, m): self.weights = torch.randn(n, m)
    def forward(self, inputs):
        self.inputs = inputs
        self.output = inputs @ self.weights
    def backward(self, dvalues):
        self.dweights = self.inputs.T @ dvalues
        self.dinputs = dvalues @ self.weights.T

class ReLU:
    def forward(self, inputs): self.inputs = inputs; self.output = inputs.clamp(min=0)
    def backward(self, dvalues):
        self.dinputs = dvalues.clone()
        self.dinputs[dvalues <= 0] = 0

X = torch.randn(5, 4)
dense1, activation1, dense2 = Dense(4, 6), ReLU(), Dense(6, 2)
dense1.forward(X); activation1.forward(dense1.output); dense2.forward(activation1.output)
loss = (dense2.output**2).sum()
dense2.backward(2 * dense2.output); activation1.backward(dense2.dinputs); dense1.backward(activation1.dinputs)
"""


def test_a_repair_names_what_is_in_scope_at_its_line(check_text):
    (row,) = check_text(LAYERS).blamed
    assert [one.fix for one in row.diagnosis] == ["self.dinputs[self.inputs <= 0] = 0"]
    right = LAYERS.replace("[dvalues <=", "[self.inputs <=")
    (row,) = check_text(right.replace("dvalues.clone()", "self.inputs.clone()")).blamed
    assert [one.fix for one in row.diagnosis] == ["self.dinputs = dvalues.clone()"]
