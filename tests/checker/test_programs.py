"""Programs as they are in the wild: modules, late losses, half finished notebooks; nothing unseen is called right."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass

import pytest

from handgrad import check
from handgrad.checker import CheckError

START = """\
import torch
from torch import nn
g = torch.Generator().manual_seed(0)
x = torch.randn(6, 4, generator=g)
"""
NET = f"""{START}
W = torch.randn(4, 3, generator=g, requires_grad=True)
z = x @ W
h = torch.tanh(z)
loss = (h ** 2).sum()
"""
MODULES = f"""{START}
torch.manual_seed(0)
l1, l2 = nn.Linear(4, 5), nn.Linear(5, 3)
h = torch.tanh(l1(x))
y = l2(h)
loss = (y ** 2).sum()
dy = 2 * y
"""
PAIR = f"""{START}
class Tanh:
    @staticmethod
    def forward(x, w):
        a = x @ w
        y = torch.tanh(a)
        return y, (x, w, y)

    @staticmethod
    def backward(dout, cache):
        x, w, y = cache
        da = dout * (1 - y ** 2)
        return da @ w.T, x.T @ da

x.requires_grad_()
w = torch.randn(4, 3, generator=g, requires_grad=True)
out, cache = Tanh.forward(x, w)
dout = torch.randn(6, 3, generator=g)
dx, dw = Tanh.backward(dout, cache)
"""
LOOP = f"""{START}
W = torch.randn(4, 3, generator=g, requires_grad=True)
for step in range(50):
    z = x @ W
    loss = (z ** 2).mean()
    if step >= 10:
        break
dz = 2 * z / z.numel()
dW = x.T @ dz
"""
MODULE = f"""{START}
torch.manual_seed(0)
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.W = nn.Parameter(torch.randn(4, 3))
        self.out = nn.Linear(3, 2)
    def forward(self, x):
        self.x, self.h = x, torch.tanh(x @ self.W)
        return self.out(self.h)
    def backward(self, dy):
        self.out.weight.grad = dy.T @ self.h
        self.out.bias.grad = dy.sum(0)
        dh = dy @ self.out.weight
        self.W.grad = self.x.T @ (dh * (1 - self.h ** 2))
net = Net()
y = net(x)
loss = (y ** 2).sum()
dy = 2 * y
net.backward(dy)
"""
LISTED = f"""{START}
W, b = torch.randn(4, 3, generator=g, requires_grad=True), torch.zeros(3, requires_grad=True)
y = x @ W + b
loss = (y ** 2).sum()
dy = 2 * y
my_grads = [x.T @ dy, dy.sum(0)]
for p, grad in zip([W, b], my_grads):
    p.data -= 0.1 * grad
"""
BACKWARD = "dh = 2 * h\ndz = (1 - h**2) * dh\ndW = x.T @ dz"
COMPARED = f"""{NET}
def cmp(s, dt, t):
    print(s, torch.allclose(dt, t.grad))
for t in (z, h): t.retain_grad()
loss.backward()
deh = 2 * h
cmp('h', deh, h)
my_z = (1 - h**2) * deh
print((my_z - z.grad).abs().max())
"""


@dataclass(frozen=True)
class Expected:
    """What a program, or a notebook of several cells, is to come to."""

    id: str
    cells: tuple[str, ...]
    right: bool = True
    judged: tuple[str, ...] = ()
    unjudged: tuple[str, ...] = ()
    blamed: tuple[tuple[str, int], ...] = ()
    notes: tuple[str, ...] = ()


PROGRAMS = (
    Expected("an unconditional break", (LOOP.replace("if step >= 10:\n        break", "break"),), judged=("dz", "dW")),
    Expected("gradients after the loop", (LOOP,), judged=("dz", "dW")),
    Expected("wrong ones after the loop", (LOOP.replace("2 * z /", "z /"),), False, ("dz", "dW"), blamed=(("dz", 12),)),
    Expected("continue goes on", (LOOP.replace("range(50)", "[5, 20]").replace("break", "continue"),),
             judged=("dz", "dW")),
    Expected(
        "a forward pass in an if",
        (NET.replace("z = x", "if True:\n  z = x").replace("\nh =", "\n  h =").replace("\nloss", "\n  loss")
         + "  loss.backward()\n" + BACKWARD,),
        judged=("dh", "dz", "dW"),
    ),
    Expected("a backward pass before the loss", (f"{PAIR}loss = (out * dout).sum()\nloss.backward()",),
             judged=("dx", "dw")),
    Expected("out.backward(dout)", (f"{PAIR}out.backward(dout)",), judged=("dx", "dw")),
    Expected("autograd.grad", (f"{PAIR}print(torch.autograd.grad(out, (x, w), dout))",), judged=("dx", "dw")),
    Expected("no loss at all", (PAIR,), judged=("dx", "dw")),
    Expected("a wrong staticmethod", (PAIR.replace("y ** 2)", "y)"),), False, ("dx", "dw", "da"), blamed=(("da", 16),)),
    Expected(
        "names of their own beside modules",
        (f"{MODULES}dW2 = dy.T @ h\ndb2 = dy.sum(0)\ndh = dy @ l2.weight\ndpre = dh * (1 - h**2)\ndW1 = dpre.T @ x",),
        judged=("dW2", "db2", "dW1"),
    ),
    Expected("a wrong one beside modules", (f"{MODULES}db2 = dy.sum(1)",), False, ("db2",), blamed=(("db2", 12),)),
    Expected(
        "gradients stored in .grad",
        (f"{MODULES}l2.weight.grad = dy.T @ h\nl2.bias.grad = 2 * dy.sum(0)",),
        False,
        ("l2.weight.grad", "l2.bias.grad"),
        blamed=(("l2.bias.grad", 13),),
    ),
    Expected(
        "a list of gradients beside model.parameters()",
        (MODULES.replace("l1, l2 =", "model = nn.Sequential(")
         .replace("nn.Linear(5, 3)", "nn.Tanh(), nn.Linear(5, 3))")
         .replace("l1(x)", "model[0](x)").replace("l2(h)", "model[2](h)")
         + "da = (1 - h**2) * (dy @ model[2].weight)\ngrads = [da.T @ x, da.sum(0), dy.T @ h, -dy.sum(0)]\n"
         "for p, grad in zip(model.parameters(), grads): p.grad = grad",),
        False,
        ("grads[0]", "grads[1]", "grads[2]", "grads[3]"),
        blamed=(("grads[3]", 13),),
    ),
    Expected(
        "what has the shape of no parameter", (f"{MODULES}dW9 = dy.T @ dy",), judged=("dy",), unjudged=("dW9",),
    ),
    Expected("a module of its own", (MODULE,), judged=("net.out.weight.grad", "net.out.bias.grad", "net.W.grad")),
    Expected("a module with a mistake", (MODULE.replace("self.h ** 2", "self.h"),), False,
             blamed=(("net.W.grad", 19),)),
    Expected("a list beside a list of names", (LISTED,), judged=("my_grads[0]", "my_grads[1]")),
    Expected("a list that is wrong", (LISTED.replace("dy.sum(0)", "y.sum(0)"),), False, blamed=(("my_grads[1]", 10),)),
    Expected("a list that belongs to nothing", (LISTED.replace("zip([W, b], my_grads)", "[]"),), judged=("dy",),
             unjudged=("my_grads[0]", "my_grads[1]")),
    Expected("names that are compared", (COMPARED,), judged=("deh", "my_z")),
    Expected("a wrong compared name", (COMPARED.replace("2 * h", "h"),), False, ("deh",), blamed=(("deh", 15),)),
    Expected("stubs of a tuple", (f"{NET}dz, dW = None, None",), False, ("dz", "dW"), blamed=(("dz", 10), ("dW", 10))),
    Expected("no words that are gradients", (f"{NET}{BACKWARD}\ndata = dW * 2\ndropout_mask = dW > 0\ndiff = dW - W",)),
    Expected("a function never called", (f"{NET}dh = 2 * h\ndef back():\n    dz = (1 - h) * dh\n",), unjudged=("dz",)),
    Expected("a line never reached", (f"{NET}dh = 2 * h\nif x is None:\n    dz = 3 * dh\n",), unjudged=("dz",)),
    Expected("half of a branch", (f"{START}z = x * 2\na = z ** 2\nb = torch.tanh(z)\ns = a * b\nloss = s.sum()\n"
             "ds = torch.ones_like(s)\nda = ds * b\ndz = da * 2 * z",), judged=("ds", "da"), unjudged=("dz",),
             notes=("the path through b is not written yet, so dz is not judged",)),
    Expected("half of a branch that is used",
             (f"{START}z = x * 2\na = z ** 2\nb = torch.tanh(z)\ns = a * b\nloss = s.sum()\n"
             "ds = torch.ones_like(s)\nda = ds * b\ndz = da * 2 * z\ndx = 2 * dz",), False, blamed=(("dz", 12),)),
    Expected("a multiple that nobody makes up for", (f"{START}z = x * 2\na = z ** 2\nb = z ** 3\nloss = (a * b).sum()\n"
             "da = b.clone()\ndz = da * 2 * z\ndx = 2 * dz",), False, blamed=(("dz", 10),)),
    Expected("a gradient read before it is finished, as it has to be",
             (f"{START}m = x.max(1, keepdim=True).values\ne = (x - m).exp()\nr = x - m\nloss = (r.exp() * r).sum()\n"
              "dr = r.exp() * (r + 1)\ndx = dr.clone()\ndm = -dx.sum(1, keepdim=True)\n"
              "dx += (x == m) * dm",), judged=("dr", "dm", "dx")),
    Expected("indented cells", (NET, "    dh = 2 * h\n    dz = (1 - h) * dh"), False, blamed=(("dz", 2),)),
    Expected("a display of what is not there yet", (NET, "dh", BACKWARD, "dy"), judged=("dh", "dz", "dW"),
             notes=("cell 2, line 1: NameError",)),
    Expected("upstream of a later pass alone", (NET, "dz = (1 - h**2) * dh", NET + BACKWARD),
             judged=("dh", "dz", "dW")),
    Expected("a first try of its own", (NET, "dh = 2 * h\ndz = (1 - h) * dh", "dz = (1 - h**2) * dh\ndW = x.T @ dz"),
             judged=("dh", "dz", "dW"), notes=("cell 2, line 2 is a first try at dz",)),
    Expected("a first try with what follows", (NET, BACKWARD.replace("h**2", "h"), BACKWARD),
             judged=("dh", "dz", "dW")),
    Expected("a first try that raises", (NET, "dh = 2 * h", "dz = (1 - h.T) * dh", "dz = (1 - h**2) * dh"),
             judged=("dh", "dz")),
    Expected("no first try but another pass",
             (NET, BACKWARD.replace("h**2", "h"), NET.partition("g)\n\n")[2] + BACKWARD),
             False, blamed=(("dz", 2),)),
    Expected("a name given anew in each round",
             (f"{START}C = torch.randn(9, 4, generator=g)\nix = torch.tensor([3, 4])\ne = C[ix]\n"
              "loss = (e ** 2).sum()\nde = 2 * e",
              *2 * ("dC = torch.zeros_like(C)\nfor i in range(2):\n    ix = [3, 4][i]\n    dC[ix] += de[i]",)),
             judged=("de", "dC")),
    Expected(".grad that nobody has made",
             (NET, BACKWARD, "def same(a, p):\n    torch.all(a == p.grad)\nsame(dW, W)", "loss2 = 2 * loss"),
             judged=("dh", "dz", "dW"), notes=(".grad is None, since .backward() is called nowhere",)),
    Expected("an in-place change before a later loss",
             (f"{NET}{BACKWARD}\ny = h.clone()\ny[0] = 2.0\nloss2 = (y ** 3).sum()\ndy = 3 * y**2",), judged=("dy",)),
    Expected("a name of the forward pass for something new",
             (f"{NET}t = h\n{BACKWARD}\nt = torch.zeros_like(h)\nt[0] = 1.0\ndh = 2 * h",), judged=("dh",)),
    Expected("a penalty added to what a function returned with its gradient",
             (f"{START}def f(s):\n    loss = (s ** 2).sum()\n    ds = 2 * s\n    return loss, ds\n"
              "p = {'W': torch.randn(4, 3, generator=g)}\ns = x @ p['W']\nloss, ds = f(s)\n"
              "loss += 0.1 * (p['W'] ** 2).sum()\ndW = x.T @ ds + 0.2 * p['W']",), judged=("ds", "dW")),
    Expected("a last line that changes what it is given",
             ("import numpy as np\nC = np.random.randn(5, 3)\nix = np.array([1, 4, 1])\ne = C[ix]\n"
              "loss = (e ** 2).sum()\nde = 2 * e\ndC = np.zeros_like(C)\nnp.add.at(dC, ix, de)",),
             judged=("de", "dC")),
    Expected("a loop of updates without a loss of its own",
             ("import numpy as np\nx, y, w = np.random.randn(9, 2), np.random.randn(9), np.random.randn(2)\n"
              "def cost(w):\n    return np.mean((x @ w - y) ** 2)\n"
              "def gradient(w):\n    dj_dw = 2 * x.T @ (x @ w - y) / 9\n    return dj_dw\n"
              "J = cost(w)\ndj_dw = gradient(w)\nfor i in range(3):\n    dj_dw = gradient(w)\n    w = w - dj_dw",),
             judged=("dj_dw",), unjudged=("dj_dw",), notes=("this loop updates w, and computes no loss",)),
    Expected("a mistake in what two gradients are made with",
             (f"{START}w, b, t = torch.randn(4, generator=g), torch.randn(1, generator=g), torch.ones(6)\n"
              "y = x @ w + b\nloss = ((y - t) ** 2).sum()\ne = t - y\ndw = 2 * x.T @ e\ndb = 2 * e.sum(0, True)",),
             False, blamed=(("dw", 8),)),
    Expected("a mistake in what is called like a gradient and only used for others",
             (f"{START}W, b = torch.randn(4, 3, generator=g), torch.randn(3, generator=g)\n"
              "y = torch.tanh(x @ W + b)\nloss = (y ** 2).sum()\n"
              "dy = 2 * y * (1 - y)\ndW = x.T @ dy\ndb = dy.sum(0)\ndx = dy @ W.T",), False, blamed=(("dW", 8),)),
    Expected("a penalty of half the size",
             (f"{NET}dW = x.T @ ((1 - h**2) * 2 * h)\nloss = loss + 0.1 * (W * W).sum()\ndW += 0.1 * W",), False,
             blamed=(("dW", 12),)),
)  # fmt: skip


@pytest.mark.parametrize("program", PROGRAMS, ids=[program.id for program in PROGRAMS])
def test_a_program_comes_to_what_is_expected(program, tmp_path, check_text):
    cells = program.cells
    report = check_text(cells[0]) if len(cells) == 1 else check(notebook(tmp_path, *cells))
    told = str(report)
    assert report.right == program.right, told
    assert set(program.judged) <= {row.gradient for row in report.variables if row.place}, told
    assert tuple(left.gradient for left in report.unjudged) == program.unjudged, told
    assert program.unjudged == () or not told.split("\n")[-1].startswith(("All", "The"))
    assert tuple((row.gradient, row.line) for row in report.blamed) == program.blamed, told
    assert all(any(note in said for said in report.notes) for note in program.notes), told
    assert all(row.approximate for row in report.variables if row.verdict in ("exact", "close"))


def notebook(folder, *cells, counts=None):
    """A notebook of these cells, saved with these execution counts."""
    numbers = counts or range(1, len(cells) + 1)
    path = folder / "mine.ipynb"
    rows = [{"cell_type": "code", "execution_count": n, "source": c} for n, c in zip(numbers, cells, strict=True)]
    path.write_text(json.dumps({"cells": rows, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    return path


def test_what_is_not_judged_is_counted_and_told(check_text):
    report = check_text(f"{MODULES}dW9 = dy.T @ dy")
    assert str(report).endswith("1 of 2 gradients are right; 1 was not judged: dW9.")
    (left,) = report.to_json()["unjudged"]
    assert (left["gradient"], left["line"]) == ("dW9", 12)
    assert not check_text(f"{MODULES}dW9 = dy.T @ dy", strict=True).right


def test_a_cell_is_called_by_its_own_number(tmp_path):
    wrong = ("dh = 2 * h", "dz = (1 - h) * dh")
    report = check(notebook(tmp_path, NET, *wrong, counts=(3, 8, 12)))
    assert [str(row.place) for row in report.blamed] == ["cell 12, line 1"]
    assert report.to_json()["variables"][1]["cell"] == 12
    report = check(notebook(tmp_path, NET, *wrong, counts=(3, None, 12)))
    assert [str(row.place) for row in report.blamed] == ["cell 3, line 1"]


def test_an_error_has_the_cell_that_called_and_that_of_the_function(tmp_path):
    cells = ("def show(t):\n    # of a few lines\n    print(t.grad.abs())", NET, "k = show(W)", BACKWARD)
    with_error = check(notebook(tmp_path, *cells))
    assert [fault.split(": ")[0] for fault in with_error.faults] == ["cell 3, line 1"]
    assert "(in show(), cell 1, line 3)" in with_error.faults[0]


ODD = {
    "clears the modules": "import sys\nsys.modules.clear()",
    "replaces builtins": "import builtins\nbuiltins.isinstance = lambda *a: False\nbuiltins.len = None",
    "replaces functions of torch": "torch.equal = torch.isfinite = torch.autograd.grad = None\ntorch.Tensor.abs = None",
    "ends with an object": "if z is None:\n    raise SystemExit({'a': object()})",
    "has tensors that refuse": (
        "class T(torch.Tensor):\n    @classmethod\n"
        "    def __torch_function__(cls, func, types, args=(), kwargs=None):\n"
        "        raise RuntimeError('refused')\nodd = torch.zeros(3).as_subclass(T)"
    ),
    "has objects that refuse": "class O:\n    def __getattr__(self, n): raise RuntimeError\n"
    "    def __bool__(self): raise RuntimeError\n"
    "    def __eq__(self, o): raise RuntimeError\nodd = O()",
}  # fmt: skip


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_an_odd_program_is_judged(odd, check_text):
    text = NET.replace("h = ", f"{odd}\nh = ") + BACKWARD
    assert check_text(text).right
    report = check_text(text.replace("2 * h", "3 * h"))
    assert [row.gradient for row in report.blamed] == ["dh"]


def test_a_program_cannot_change_its_own_file(tmp_path, check_text, capfd):
    odd = (
        "import atexit, contextlib, os, pathlib, sys\n"
        "for act in (lambda p: pathlib.Path(p).write_text(''), os.remove, lambda p: os.rename(p, p + 'x')):\n"
        "    with contextlib.suppress(OSError): act(sys.argv[0])\n"
        "atexit.register(os.write, 1, b'later')\n"
    )
    text = odd + NET + BACKWARD
    assert check_text(text).right
    assert (tmp_path / "program.py").read_text() == text
    assert capfd.readouterr().out == ""


def test_nothing_is_right_of_which_nothing_was_judged(check_text):
    with pytest.raises(CheckError):
        check_text(NET + "print(dW2)")


@pytest.mark.slow
def test_a_numpy_program_does_without_what_takes_long_to_load(tmp_path):
    path = tmp_path / "program.py"
    path.write_text("import numpy as np\nx, t = 4.0, 3.0\nloss = np.dot(t, x)\ndt = x\n")
    code = (
        f"import sys, handgrad; assert handgrad.check({str(path)!r}).right; assert 'torch._dynamo' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


SIZES = """import torch
B, K, M, N = 3, 3, 3, 3
x = torch.randn(B, 5)
loss = x.sum() / B
dx = torch.ones_like(x)
"""


@pytest.mark.slow
@pytest.mark.parametrize("text", [PAIR.replace(", generator=g", "") + "dw, dx = -dw, 2 * dx\n", SIZES])
def test_the_report_is_the_same_whatever_the_hash_seed(text, tmp_path):
    path = tmp_path / "program.py"
    path.write_text(text)
    command = [sys.executable, "-m", "handgrad", "check", "--json", path]
    seeds = [{**os.environ, "PYTHONHASHSEED": seed} for seed in ("0", "1", "2")]
    told = {subprocess.run(command, capture_output=True, env=seed).stdout for seed in seeds}
    assert len(told) == 1
    assert b'"dx"' in told.pop()


def test_rows_of_a_tuple_stand_in_its_order(check_text):
    report = check_text(f"{NET}dz, dh, dW = (1 - h**2) * 2 * h, 2 * h, x.T @ ((1 - h**2) * 2 * h)")
    assert [row.gradient for row in report.variables] == ["dz", "dh", "dW"]


@pytest.mark.slow
def test_memory_does_not_grow_with_the_passes(tmp_path):
    text = "import torch\nx = torch.ones(20000, 500)\nW = torch.ones(500, 3)\n"
    passes = (
        "for step in range(3):\n    y = x @ W\n    loss = (y ** 2).mean()\n"
        "    dW = x.T @ (2 * y / y.numel())\n    W -= dW\n"
    )
    peak = (
        "import resource, handgrad; assert handgrad.check('{}').right\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    used = []
    for count in (2, 6):
        path = tmp_path / f"{count}.py"
        path.write_text(text + count * passes)
        ran = subprocess.run([sys.executable, "-c", peak.format(path)], capture_output=True, text=True, check=True)
        used.append(int(ran.stdout))
    assert used[1] < used[0] + 100_000  # kB: far less than one copy of x a pass
