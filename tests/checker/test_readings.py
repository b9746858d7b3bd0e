"""What a gradient's name stands for: a right program in an unusual manner gives no alarm, a wrong line is its own."""

from dataclasses import dataclass

import pytest

START = """\
import numpy as np
import torch
import torch.nn.functional as F

g = torch.Generator().manual_seed(1)
n = 8
x = torch.randn(n, 5, generator=g)
y = torch.randint(0, 3, (n,), generator=g)
W1 = torch.randn(5, 6, generator=g, requires_grad=True)
b1 = torch.randn(6, generator=g, requires_grad=True)
W2 = torch.randn(6, 3, generator=g, requires_grad=True)
b2 = torch.randn(3, generator=g, requires_grad=True)
"""
TANH = """\
hpre = x @ W1 + b1
h = torch.tanh(hpre)
"""
LOSS = """\
logits = h @ W2 + b2
loss = F.cross_entropy(logits, y)
"""
LOGITS = """\
dlogits = F.softmax(logits, 1)
dlogits[range(n), y] -= 1
dlogits /= n
"""
TOP = f"""\
{LOGITS}dW2 = h.T @ dlogits
db2 = dlogits.sum(0)
"""
SLOPE = """\
dh = dlogits @ W2.T
dhpre = (1 - h**2) * dh
"""
FIRST = """\
dW1 = x.T @ dhpre
db1 = dhpre.sum(0)
"""
RELU = SLOPE.replace("(1 - h**2) * dh", "(h > 0) * dh")
REUSED = FIRST.replace("dhpre", "dh")

LAYERS = """\
class Linear:
    def __init__(self, w):
        self.w = w

    def forward(self, x):
        self.x = x
        return x @ self.w

    def backward(self, d):
        self.dw = self.x.T @ d
        return d @ self.w.T


class Tanh:
    def forward(self, x):
        self.out = torch.tanh(x)
        return self.out

    def backward(self, d):
        return d * (1 - self.out**2)


layers = [Linear(W1), Tanh(), Linear(W2)]
out = x
for layer in layers:
    out = layer.forward(out)
loss = F.cross_entropy(out, y)
d = (F.softmax(out, 1) - F.one_hot(y, 3)) / n
for layer in reversed(layers):
    d = layer.backward(d)
"""

IN_NUMPY = """\
hn, W2n, xn, yn = h.detach().numpy(), W2.detach().numpy(), x.numpy(), y.numpy()
e = np.exp(logits.detach().numpy())
dlogits = e / e.sum(1, keepdims=True)
dlogits[np.arange(n), yn] -= 1
dlogits /= n
dW2 = hn.T @ dlogits
db2 = dlogits.sum(0)
dh = dlogits @ W2n.T
dhpre = (1 - hn**2) * dh
dW1 = xn.T @ dhpre
db1 = dhpre.sum(axis=0)
"""

OWN_FUNCTION = """\
class Tanh(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        out = torch.tanh(x)
        ctx.save_for_backward(out)
        return out

    @staticmethod
    def backward(ctx, g):
        (out,) = ctx.saved_tensors
        return g * (1 - out)


tanh = Tanh.apply
hpre = x @ W1 + b1
h = tanh(hpre)
"""
ROUNDED = OWN_FUNCTION.replace("out = torch.tanh(x)", "out = torch.round(x)").replace("g * (1 - out)", "g")

ACCUMULATED = """\
dW1 = torch.zeros_like(W1)
for xb, yb in zip(x.split(4), y.split(4)):
    hpre = xb @ W1 + b1
    h = torch.tanh(hpre)
    logits = h @ W2 + b2
    loss = F.cross_entropy(logits, yb, reduction="sum") / n
    dlogits = (F.softmax(logits, 1) - F.one_hot(yb, 3)) / n
    dhpre = (1 - h**2) * (dlogits @ W2.T)
    dW1 += xb.T @ dhpre
W1 = W1 - 0.1 * dW1
"""

DEEP = """\
W3 = torch.randn(6, 6, generator=g)
first = x
x = torch.relu(x @ W1)
x1 = x
x = torch.relu(x @ W3)
x2 = x
x = x @ W2 + b2
loss = F.cross_entropy(x, y)
dx = F.softmax(x, 1)
dx[range(n), y] -= 1
dx /= n
dW2 = x2.T @ dx
db2 = dx.sum(0)
dx = dx @ W2.T
dx = dx * (x2 > 0)
dW3 = x1.T @ dx
dx = dx @ W3.T
dx = dx * (x1 > 0)
dW1 = first.T @ dx
"""

PROGRAMS = {
    "relu-in-place": TANH.replace("torch.tanh(hpre)", "F.relu(hpre, inplace=True)") + LOSS + TOP + RELU + FIRST,
    "method-in-place": TANH.replace("torch.tanh(hpre)", "hpre.relu_()") + LOSS + TOP + RELU + FIRST,
    "alias-in-place": TANH.replace("torch.tanh(hpre)", "hpre\nh.tanh_()") + LOSS + TOP + SLOPE + FIRST,
    "no-name-after": TANH.replace("h = torch.tanh(hpre)", "F.relu_(hpre)\nh = hpre * 1") + LOSS + TOP + RELU + FIRST,
    "saved-before": "h = x @ W1\nsizes = h.square().mean(0).sqrt()\nh /= sizes\n"
    + LOSS
    + TOP
    + "dh = dlogits @ W2.T\ndpre = (dh - h * (dh * h).mean(0)) / sizes\ndW1 = x.T @ dpre\n",
    "rebound": TANH + LOSS + TOP + "dh = dlogits @ W2.T\ndh = dh * (1 - h**2)\n" + REUSED,
    "in-place": TANH + LOSS + TOP + "dh = dlogits @ W2.T\ndh *= 1 - h**2\n" + REUSED,
    "in-place-and-renamed": TANH + LOSS + TOP + "dh = dlogits @ W2.T\ndh *= 1 - h**2\ndhpre = dh\n" + FIRST,
    "masked": TANH.replace("tanh", "relu") + LOSS + TOP + "dh = dlogits @ W2.T\ndh[hpre <= 0] = 0\n" + REUSED,
    "both-names-again": "h = x @ W1 + b1\nh = torch.tanh(h)\n" + LOSS + TOP + SLOPE.replace("dhpre", "dh") + REUSED,
    "earlier-value": "h = x @ W1 + b1\nh = torch.tanh(h)\n"
    + LOSS
    + TOP
    + "dh = (1 - h**2) * (dlogits @ W2.T)\n"
    + REUSED,
    "deep": DEEP,
    "partial": TANH
    + "u = 2 * h\nlogits = (h + u.sin()) @ W2 + b2\nloss = F.cross_entropy(logits, y)\n"
    + LOGITS
    + "dh = dlogits @ W2.T\ndu = dh * u.cos()\ndhpre = (1 - h**2) * (dh + 2 * du)\n"
    + FIRST,
    "numpy": TANH + LOSS + IN_NUMPY,
    "numpy-in-single": TANH + LOSS + IN_NUMPY.replace("(1 - hn**2) * dh", "((1 - hn**2) * dh).astype(np.float32)"),
    "numpy-and-back": TANH
    + LOSS
    + IN_NUMPY.replace("dh = ", "dlogits = torch.from_numpy(dlogits)\ndh = ")
    .replace("dlogits @ W2n.T\ndhpre = (1 - hn**2)", "dlogits @ W2.detach().T\ndhpre = (1 - h.detach() ** 2)")
    .replace("xn.T @ dhpre", "x.T @ dhpre"),
    "numpy-input": "xn = np.linspace(-2, 2, 40, dtype=np.float32).reshape(n, 5)\nx = torch.from_numpy(xn)\n"
    + TANH
    + LOSS
    + TOP
    + SLOPE
    + "dW1 = torch.from_numpy(xn).T @ dhpre\n",
    "autograd": TANH + LOSS + "dW1, db1, dW2, db2 = torch.autograd.grad(loss, [W1, b1, W2, b2])\n",
    "autograd-for-one": TANH
    + LOSS
    + TOP
    + "dh = dlogits @ W2.T\n(dhpre,) = torch.autograd.grad(h, hpre, dh, retain_graph=True)\n"
    + FIRST,
    "total": TANH + LOSS + "reg = 0.5 * (W1**2).sum()\ntotal = loss + reg\n" + TOP + SLOPE + "dW1 = x.T @ dhpre + W1\n",
    "sum-of-a-list": TANH
    + LOSS
    + "total = sum([loss, (b1**2).sum()])\n"
    + TOP
    + SLOPE
    + "db1 = dhpre.sum(0) + 2 * b1\n",
    "added-in-place": TANH + LOSS + "loss += (b1**2).sum()\n" + TOP + SLOPE + "db1 = dhpre.sum(0) + 2 * b1\n",
    "perplexity": "mean = torch.zeros(())\n"
    + TANH
    + LOSS
    + "perplexity = loss.exp()\nmean = 0.9 * mean + 0.1 * loss\n"
    + TOP
    + SLOPE,
    "no-grad-within": "with torch.no_grad():\n    c = torch.sigmoid(x @ W1)\n"
    + "hpre = c * (x @ W1)\nh = torch.tanh(hpre)\n"
    + LOSS
    + TOP
    + SLOPE
    + "dW1 = x.T @ (c * dhpre)\n",
    "one-name-for-two-losses": "D = torch.randn(5, 1, generator=g)\ns = torch.tanh(x) @ D\n"
    "loss_d = F.softplus(s).mean()\nloss_g = F.softplus(-s).mean()\n"
    "ds = torch.sigmoid(s) / n\ndD = torch.tanh(x).T @ ds\n"
    "ds = -torch.sigmoid(-s) / n\ndx = (1 - torch.tanh(x) ** 2) * (ds @ D.T)\n",
    "own-function": OWN_FUNCTION + LOSS + TOP + SLOPE + FIRST,
    "straight-through": ROUNDED + LOSS + TOP + "dh = dlogits @ W2.T\ndhpre = dh\n" + FIRST,
    "layers": LAYERS,
    "accumulated": ACCUMULATED,
    "accumulated-in-a-dict": ACCUMULATED.replace("dW1 =", "grads = {}\ngrads['W1'] =", 1)
    .replace("dW1 +=", "grads['W1'] +=")
    .replace("* dW1", "* grads['W1']"),
}


@pytest.mark.one_in(4)
@pytest.mark.parametrize("id", PROGRAMS)
def test_a_right_program_gives_no_alarm(id, check_text):
    report = check_text(START + PROGRAMS[id])
    assert report.right, str(report)
    rows = [row for row in report.variables if row.verdict != "missing"]
    assert rows
    assert {row.verdict for row in rows} <= {"exact", "close"}, str(report)
    assert all(row.approximate for row in rows), str(report)


@dataclass(frozen=True)
class Wrong:
    program: str
    right: str
    wrong: str
    fixed: bool = True
    """Whether the line as it should be is shown too."""


WRONG = (
    Wrong("relu-in-place", "dhpre = (h > 0) * dh", "dhpre = (h < 0) * dh"),
    Wrong("alias-in-place", "dhpre = (1 - h**2) * dh", "dhpre = (1 - h) * dh"),
    Wrong("rebound", "dh = dlogits @ W2.T", "dh = dlogits @ W2.T * 2"),
    Wrong("rebound", "dh = dh * (1 - h**2)", "dh = dh * (1 - h)"),
    Wrong("in-place", "dh *= 1 - h**2", "dh *= 1 - h"),
    Wrong("in-place", "db1 = dh.sum(0)", "db1 = dh.mean(0)"),
    Wrong("in-place", "dlogits /= n", "dlogits *= n"),
    Wrong("earlier-value", "dh = (1 - h**2)", "dh = (1 - h)"),
    Wrong("deep", "dx = dx * (x1 > 0)", "dx = dx * (x2 > 0)"),
    Wrong("deep", "dx = dx @ W3.T", "dx = dx @ W3"),
    Wrong("deep", "dx /= n", "dx *= n"),
    Wrong("deep", "db2 = dx.sum(0)", "db2 = dx.mean(0)"),
    Wrong("numpy", "dhpre = (1 - hn**2) * dh", "dhpre = (1 - hn) * dh"),
    Wrong("numpy", "dlogits /= n", "dlogits *= n"),
    Wrong("numpy", "db1 = dhpre.sum(axis=0)", "db1 = dhpre.sum(axis=1)"),
    Wrong("numpy", "dW2 = hn.T @ dlogits", "dW2 = dlogits.T @ hn"),
    Wrong("autograd-for-one", "(h, hpre, dh,", "(h, hpre, 2 * dh,", fixed=False),
    Wrong("total", "dlogits /= n", "dlogits *= n"),
    Wrong("total", "dW1 = x.T @ dhpre + W1", "dW1 = x.T @ dhpre - W1"),
    Wrong("own-function", "dhpre = (1 - h**2) * dh", "dhpre = (1 + h**2) * dh"),
    Wrong("straight-through", "dhpre = dh", "dhpre = 2 * dh"),
    Wrong("layers", "F.one_hot(y, 3)) / n", "F.one_hot(y, 3))"),
    Wrong("layers", "d * (1 - self.out**2)", "d * (1 - self.out)"),
    Wrong("accumulated", "dW1 += xb.T @ dhpre", "dW1 += xb.T @ dhpre * 2"),
)


@pytest.mark.one_in(4)
@pytest.mark.parametrize("wrong", WRONG, ids=lambda w: f"{w.program}: {w.wrong}")
def test_the_wrong_line_is_named_and_no_other(wrong, check_text):
    text = START + PROGRAMS[wrong.program]
    assert text.count(wrong.right) == 1
    report = check_text(text.replace(wrong.right, wrong.wrong))
    assert {row.line for row in report.blamed} == {text[: text.index(wrong.right)].count("\n") + 1}, str(report)
    assert not report.hazards
    assert not wrong.fixed or any(d.fix for row in report.blamed for d in row.diagnosis), str(report)


def test_what_is_not_reset_after_an_update_is_wrong(check_text):
    text = START + PROGRAMS["accumulated"].replace("W1 = W1 -", "    W1 = W1 -")
    (row,) = check_text(text).blamed
    assert (row.name, row.diagnosis[0].kind) == ("W1", "extra-term")


NOTES = {
    "total": "total is taken to be the loss, not loss (--loss NAME).",
    "own-function": "the backward of Tanh is not the derivative of its forward; gradients are judged by its forward",
    "partial": "dh is not the gradient of h; lines that use it are judged with it.",
}


@pytest.mark.one_in(4)
@pytest.mark.parametrize("id", PROGRAMS)
def test_what_was_taken_for_granted_is_said_and_nothing_else(id, check_text):
    notes = check_text(START + PROGRAMS[id]).notes
    expected = {**NOTES, "sum-of-a-list": NOTES["total"]}.get(id)
    assert len(notes) == (expected is not None)
    assert not notes or notes[0].startswith(expected)


def test_the_loss_alone_is_it_where_the_gradients_say_so(check_text):
    text = START + PROGRAMS["total"].replace("x.T @ dhpre + W1", "x.T @ dhpre")
    report = check_text(text)
    assert report.right
    assert report.notes == ["loss is taken to be the loss, not total (--loss NAME)."]
    assert [row.name for row in check_text(text, loss="total").blamed] == ["W1"]


def test_strict_asks_for_no_gradient_that_a_name_stood_for_in_between(check_text):
    assert check_text(START + PROGRAMS["in-place"], strict=True).right


def test_what_differs_from_run_to_run_is_not_called_close(check_text):
    drawn = "factors = iter([3.0] + [1.0] * 10**6)\n"
    text = START + drawn + TANH + LOSS + TOP + SLOPE + "dW1 = x.T @ dhpre * next(factors)\n"
    report = check_text(text)
    (row,) = [row for row in report.variables if row.name == "W1"]
    assert (row.verdict, row.cause) == ("wrong", "inherited")
    (note,) = report.notes
    assert note.startswith(f"dW1 (line {row.line}) is wrong")
