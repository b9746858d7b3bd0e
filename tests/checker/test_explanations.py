"""Mistakes of exercises other than the lecture's: each is explained, and its repair makes the program right."""

import pytest

from handgrad.checker.explain.trials import Trials
from handgrad.checker.faces.mend import mended

HEAD = """
import torch
import torch.nn.functional as F
g = torch.Generator().manual_seed(5)
n, d, k = 8, 6, 5
X = torch.randn(n, d, generator=g)
W = torch.randn(d, k, generator=g, requires_grad=True)
A = torch.randn(k, k, generator=g, requires_grad=True)
goal = torch.randn(n, k, generator=g)
Y = torch.randint(0, k, (n,), generator=g)
"""

PROGRAMS = {
    "centred": """
x = X @ W
y = x - x.mean(0)
loss = (y * goal).sum() + (y**3).sum()
dy = goal + 3 * y**2
dx = {}
""",
    "bilinear": """
x = X @ W
q = ((x @ A) * x).sum(1)
loss = (q**2).sum()
dq = 2 * q
dx = {}
""",
    "form": """
x = W[0] * 1.0
q = x @ A @ x
loss = q**2
dq = 2 * q
dx = {}
""",
    "maximum": """
x = X @ W
m = x.max(1, keepdim=True).values
y = x - m
loss = (y**3).sum()
dy = 3 * y**2
dm = -dy.sum(1, keepdim=True)
dx = dy + {} * dm
""",
    "interleaved": """
x = X @ W
r = x.repeat_interleave(3, 0)
w = torch.randn(3 * n, k, generator=g)
loss = (r * w).sum()
dr = w.clone()
dx = {}
""",
    "repeated": """
x = X @ W
r = x.repeat(3, 1)
w = torch.randn(3 * n, k, generator=g)
loss = (r * w).sum()
dr = w.clone()
dx = {}
""",
    "log-softmax": """
x = X @ W
logp = F.log_softmax(x, 1)
loss = -logp[range(n), Y].mean()
dlogp = torch.zeros_like(logp)
dlogp[range(n), Y] = -1.0 / n
dx = {}
""",
    "softmax": """
x = X @ W
p = torch.softmax(x, 1)
loss = (p * goal).sum() + (p**2).sum()
dp = goal + 2 * p
dx = {}
""",
    "cross-entropy": """
x = X @ W
e = x.exp()
p = e / e.sum(1, keepdim=True)
loss = -p[range(n), Y].log().mean()
dx = {}
""",
    "layer norm": """
x = X @ W
mu = x.mean(1, keepdim=True)
var = ((x - mu)**2).mean(1, keepdim=True)
rstd = (var + 1e-5)**-0.5
xhat = (x - mu) * rstd
loss = (xhat * goal).sum() + (xhat**3).sum()
dxhat = goal + 3 * xhat**2
dx = {}
""",
    "mean": """
x = X @ W
loss = ((x - goal)**2).mean(0).sum()
dx = {}
""",
    "relu": """
x = X @ W
r = torch.relu(x)
loss = ((r @ A)**3).sum()
dr = 3 * (r @ A)**2 @ A.T
dx = {}
""",
    "sigmoid": """
x = X @ W
s = torch.sigmoid(x)
loss = (s * goal).sum()
ds = goal.clone()
dx = {}
""",
}

MISTAKES = [
    ("centred", "dy", "missing-term", "dy - dy.mean(0, keepdim=True)"),
    ("centred", "dy - dy.sum(0)", "scale", "dy - dy.mean(0)"),
    ("bilinear", "dq[:, None] * (x @ A)", "missing-term", "@ A.T"),
    ("bilinear", "2 * dq[:, None] * (x @ A)", "missing-term", "@ A.T + "),
    ("form", "dq * (A @ x)", "missing-term", "dx += dq * (x @ A)"),
    ("maximum", "(x == x.min(1, keepdim=True).values)", "wrong-operator", "x.max(1, keepdim=True).values"),
    ("maximum", "torch.ones_like(x)", "missing-factor", "F.one_hot(x.max(1).indices, num_classes=k) * dm"),
    ("interleaved", "dr.reshape(3, n, k).sum(0)", "transpose", "dr.reshape(n, 3, k)"),
    ("interleaved", "dr[::3]", "missing-sum", ".sum(1)"),
    ("repeated", "dr.reshape(n, 3, k).sum(1)", "transpose", "dr.reshape(3, n, k)"),
    ("repeated", "dr.reshape(3, n, k).mean(0)", "scale", "sum(0)"),
    ("log-softmax", "dlogp", "missing-term", "dlogp.sum(-1, keepdim=True)"),
    ("log-softmax", "dlogp - logp * dlogp.sum(1, keepdim=True)", "wrong-operator", "logp.exp()"),
    ("softmax", "p * dp", "missing-term", "(p * dp).sum(-1, keepdim=True)"),
    ("softmax", "p * (1 - p) * dp", "missing-term", ".sum(1, keepdim=True)"),
    ("softmax", "p * (dp - dp.sum(1, keepdim=True))", "missing-factor", "(dp * p).sum(1, keepdim=True)"),
    ("cross-entropy", "p / n", "missing-term", "(p - F.one_hot(Y, x.shape[-1])) / n"),
    ("cross-entropy", "p - F.one_hot(Y, k)", "scale", "(p - F.one_hot(Y, k)) / n"),
    (
        "layer norm",
        "rstd * (dxhat - xhat * (dxhat * xhat).mean(1, keepdim=True))",
        "missing-path",
        "- dxhat.mean(1, keepdim=True)",
    ),
    (
        "layer norm",
        "rstd * (dxhat - dxhat.mean(1, keepdim=True))",
        "missing-path",
        "(dxhat * xhat).mean(1, keepdim=True)",
    ),
    ("mean", "2 * (x - goal)", "scale", "/ n"),
    ("relu", "dr", "missing-factor", "dr * (x > 0)"),
    ("relu", "r * dr", "wrong-operator", "(x > 0) * dr"),
    ("sigmoid", "(1 - s) * ds", "missing-factor", "s * (1 - s) * ds"),
]

RECURRENT = """
T, H = 5, 4
seq = torch.randn(T, n, d, generator=g)
Wx = torch.randn(d, H, generator=g, requires_grad=True)
Wh = torch.randn(H, H, generator=g, requires_grad=True)
b = torch.randn(H, generator=g, requires_grad=True)
hs = [torch.zeros(n, H)]
for t in range(T):
    hs.append(torch.tanh(seq[t] @ Wx + hs[t] @ Wh + b))
last = hs[-1]
loss = (last**2).sum()
dlast = 2 * last
dWx, dWh, db = torch.zeros_like(Wx), torch.zeros_like(Wh), torch.zeros_like(b)
dh = dlast.clone()
for t in reversed(range(T)):
    da = dh * (1 - hs[t + 1]**2)
    dWx += seq[t].T @ da
    dWh += hs[t].T @ da
    db += da.sum(0)
    dh = da @ Wh.T
"""

IN_A_LOOP = [
    ("da = dh * (1 - hs[t + 1]**2)", "da = dh * (1 - hs[t]**2)", "wrong-index"),
    ("da = dh * (1 - hs[t + 1]**2)", "da = dh * (1 - hs[t + 1])", "missing-factor"),
    ("da = dh * (1 - hs[t + 1]**2)", "da = dh", "missing-factor"),
    ("dWx += seq[t].T @ da", "dWx += seq[t].T @ dh", "wrong-variable"),
    ("dWh += hs[t].T @ da", "dWh += hs[t + 1].T @ da", "wrong-index"),
    ("db += da.sum(0)", "db -= da.sum(0)", "sign"),
    ("db += da.sum(0)", "db += da.mean(0)", "scale"),
    ("dh = da @ Wh.T", "dh = da @ Wh", "transpose"),
    ("dh = da @ Wh.T", "dh = da @ Wx.T", "wrong-variable"),
    ("dh = da @ Wh.T", "dh = 2 * da @ Wh.T", "scale"),
]

GATES = """
T, H = 4, 3
seq, aim = torch.randn(T, n, d, generator=g), torch.randn(T, n, 2, generator=g)
Wx = torch.randn(d, 3 * H, generator=g) * 0.3
Wh = torch.randn(H, 3 * H, generator=g) * 0.3
Wy = torch.randn(H, 2, generator=g)
hs, cs = {{-1: torch.zeros(n, H)}}, {{-1: torch.zeros(n, H)}}
keep, new, out, ys = {{}}, {{}}, {{}}, {{}}
loss = 0.0
for t in range(T):
    z = seq[t] @ Wx + hs[t - 1] @ Wh
    keep[t], new[t], out[t] = torch.sigmoid(z[:, :H]), torch.tanh(z[:, H : 2 * H]), torch.sigmoid(z[:, 2 * H :])
    cs[t] = keep[t] * cs[t - 1] + new[t]
    hs[t] = out[t] * torch.tanh(cs[t])
    ys[t] = hs[t] @ Wy
    loss = loss + ((ys[t] - aim[t]) ** 2).sum()
dWx, dWh, dWy = torch.zeros_like(Wx), torch.zeros_like(Wh), torch.zeros_like(Wy)
from_h, from_c = torch.zeros(n, H), torch.zeros(n, H)
for t in reversed(range(T)):
    dy = 2 * (ys[t] - aim[t])
    dWy += hs[t].T @ dy
    dh = dy @ Wy.T + from_h
    do = dh * torch.tanh(cs[t])
    dc = dh * out[t] * (1 - torch.tanh(cs[t]) ** 2) + from_c
    dk = dc * cs[t - 1]
    from_c = dc * keep[t]
    dz = torch.cat([dk * keep[t] * (1 - keep[t]), dc * (1 - new[t] ** 2), do * out[t] * (1 - out[t])], 1)
    dWx += seq[t].T @ dz
    dWh += hs[t - 1].T @ dz
    from_h = dz @ Wh.T
"""

IN_GATES = [
    ("dh = dy @ Wy.T + from_h", "dh = dy @ Wy.T", "missing-path"),
    ("** 2) + from_c", "** 2)", "missing-path"),
    ("from_c = dc * keep[t]", "from_c = dc * out[t]", "wrong-variable"),
    ("do = dh * torch.tanh(cs[t])", "do = dh * torch.tanh(hs[t])", "wrong-variable"),
    ("dc * (1 - new[t] ** 2)", "dc * new[t] * (1 - new[t])", "wrong-operator"),
    ("dWx += seq[t].T @ dz", "dWx += seq[t].T @ dz * t", "scale"),
    ("dWy += hs[t].T @ dy", "dWy += hs[t - 1].T @ dy", "wrong-index"),
]

PREPARED = """
x = X @ W
p = torch.softmax(x, 1)
loss = -p[range(n), Y].log().mean()
hot = torch.zeros(n, k)
hot[range(n), Y] = 1.0
tmp = p.clone()
tmp -= hot
dx = tmp / n
"""

IN_PREPARED = [
    ("hot[range(n), Y] = 1.0", "hot[:, Y] = 1.0", "wrong-index"),
    ("tmp = p.clone()", "tmp = x.clone()", "wrong-variable"),
]

TWO_PATHS = """
x = X @ W
y = torch.tanh(x)
u = y * goal
v = y**3
loss = (u**2).sum() + (v * goal).sum()
dv = goal.clone()
du = 2 * u
dy = {}
{}
dx = (1 - y**2) * dy
"""

PAIRS = [
    ("du * y", "dy += dv * 3 * y", {"dy = du * goal", "dy += dv * 3 * y**2"}),
    ("-du * goal", "dy += 2 * dv * y**2", {"dy = du * goal", "dy += 3 * dv * y**2"}),
    ("du / goal - dv * 3 * y**2", "", {"dy = du * goal + dv * 3 * y**2"}),
]


def kinds(report) -> set[str]:
    return {d.kind for row in report.blamed for d in row.diagnosis}


@pytest.mark.one_in(4)
@pytest.mark.parametrize(("program", "wrong", "kind", "repair"), MISTAKES)
def test_a_mistake_of_another_exercise(program, wrong, kind, repair, check_text):
    text = HEAD + PROGRAMS[program].format(wrong)
    report = check_text(text)
    assert [row.name for row in report.blamed] == ["x"]
    assert kinds(report) == {kind}
    assert repair in report.blamed[0].diagnosis[0].fix
    assert check_text(mended(text, report.repairs)).right


@pytest.mark.one_in(3)
@pytest.mark.parametrize(("right", "wrong", "kind"), IN_A_LOOP)
def test_a_mistake_in_a_loop_over_time(right, wrong, kind, check_text):
    assert RECURRENT.count(right) == 1
    text = HEAD + RECURRENT.replace(right, wrong)
    report = check_text(text)
    assert kinds(report) == {kind}
    assert check_text(mended(text, report.repairs)).right


@pytest.mark.slow
@pytest.mark.one_in(9)
@pytest.mark.parametrize(("right", "wrong", "kind"), IN_GATES)
def test_a_mistake_in_a_loop_over_gates_kept_in_dicts(right, wrong, kind, check_text):
    whole = HEAD + GATES.replace("{{", "{").replace("}}", "}")
    assert whole.count(right) == 1
    text = whole.replace(right, wrong)
    report = check_text(text)
    assert {row.line for row in report.blamed} == {whole[: whole.index(right)].count("\n") + 1}
    assert kinds(report) == {kind}
    assert check_text(mended(text, report.repairs)).right


@pytest.mark.slow
def test_the_lines_that_no_right_gradient_depends_on_are_tried_first(check_text, monkeypatch):
    tried, right = [], Trials.right

    def counted(self, *changes):
        tried.append(changes)
        return right(self, *changes)

    monkeypatch.setattr(Trials, "right", counted)
    report = check_text(
        HEAD + GATES.replace("{{", "{").replace("}}", "}").replace("seq[t].T @ dz", "seq[t].T @ dz * t")
    )
    assert kinds(report) == {"scale"}
    assert len(tried) < 150


@pytest.mark.parametrize(("right", "wrong", "kind"), IN_PREPARED)
def test_a_mistake_in_what_a_line_prepares_in_place(right, wrong, kind, check_text):
    assert PREPARED.count(right) == 1
    text = HEAD + PREPARED.replace(right, wrong)
    report = check_text(text)
    assert {row.line for row in report.blamed} == {text[: text.index(wrong)].count("\n") + 1}
    assert kinds(report) == {kind}
    assert check_text(mended(text, report.repairs)).right


@pytest.mark.slow
def test_one_line_that_two_gradients_use_explains_both(check_text):
    text = (
        HEAD
        + """
x = X @ W
mean, rstd = x.mean(1, keepdim=True), (x.var(1, keepdim=True, unbiased=False) + 1e-5) ** -0.5
gain = torch.rand(k, generator=g)
y = (x - mean) * rstd * gain
loss = (y**3).sum()
dy = 3 * y**2
hat = x - mean
dgain = (dy * hat).sum(0)
t = dy * gain
dx = rstd * (t - t.mean(1, keepdim=True) - hat * (t * hat).mean(1, keepdim=True))
"""
    )
    report = check_text(text)
    assert {row.text for row in report.blamed} == {"hat = x - mean"}
    assert check_text(mended(text, report.repairs)).right


def test_a_line_is_added_after_the_loop_and_not_in_it(check_text):
    text = (
        HEAD
        + """
x = X @ W
parts = torch.stack([torch.tanh(x * i) for i in (1.0, 2.0, 3.0)])
y = x * goal
loss = (parts**2).sum() + (y**2).sum()
dy, dparts = 2 * y, 2 * parts
dx = torch.zeros_like(x)
for i in range(3):
    dx += dparts[i] * (1 - parts[i] ** 2) * (i + 1)
"""
    )
    report = check_text(text)
    assert kinds(report) == {"missing-path"}
    again = mended(text, report.repairs)
    assert again.rstrip().split("\n")[-1].startswith("dx += ")
    assert check_text(again).right


def test_a_number_that_broadcasts_to_the_gradient_is_a_warning(check_text):
    text = HEAD + "x = X @ W\ny = x * goal\nloss = y.mean()\ndy = 1 / y.numel()\ndx = dy * goal\n"
    report = check_text(text)
    assert report.right
    assert [(row.name, row.verdict) for row in report.variables[:2]] == [("y", "shape"), ("x", "exact")]
    assert not check_text(text.replace("1 / y.numel()", "2 / y.numel()")).right


@pytest.mark.one_in(9)
@pytest.mark.parametrize(("first", "second", "repairs"), PAIRS)
def test_two_mistakes_in_one_gradient(first, second, repairs, check_text):
    text = HEAD + TWO_PATHS.format(first, second)
    report = check_text(text)
    assert {d.fix for row in report.blamed for d in row.diagnosis if d.fix} == repairs
    assert check_text(mended(text, report.repairs)).right


def test_a_repair_changes_no_other_gradient(check_text):
    """`dx = dy` and then `dx -= ...` would be right for x and change dy."""
    text = HEAD + PROGRAMS["centred"].format("dy") + "dW = X.T @ dx\n"
    report = check_text(text)
    again = check_text(mended(text, report.repairs))
    assert again.right
    assert not again.hazards


@pytest.mark.slow
def test_a_diagnosis_is_the_same_each_time(check_text):
    text = HEAD + TWO_PATHS.format("du * y", "dy += dv * 3 * y")
    assert check_text(text).to_json() == check_text(text).to_json()
