"""Files that cannot be checked, or only in part: each must end in a sentence, never in a traceback of the checker's."""

from .schema import BadlyFormed, CaseError, changed

BASE = """\
import torch

g = torch.Generator().manual_seed(1)
x = torch.randn(5, 3, generator=g)
t = torch.randn(5, 2, generator=g)
W = torch.randn(3, 2, generator=g, requires_grad=True)
b = torch.randn(2, generator=g, requires_grad=True)

y = x @ W + b
e = y - t
loss = (e**2).mean()

de = 2 * e / e.numel()
dy = de.clone()
dW = x.T @ dy
db = dy.sum(0)
"""


def broken(
    id: str,
    expect: tuple[str, ...],
    exit_codes: int | tuple[int, ...],
    *replacements: tuple[str, str],
    blamed: tuple[str, ...] = (),
    endless: bool = False,
) -> BadlyFormed:
    """The small script with each (old, new) replaced."""
    source = BASE
    for old, new in replacements:
        if source.count(old) != 1:
            raise CaseError(f"{id}: expected {old!r} once in the small script, found it {source.count(old)} times")
        source = source.replace(old, new)
    codes = exit_codes if isinstance(exit_codes, tuple) else (exit_codes,)
    return BadlyFormed(id, source, expect, codes, blamed, endless)


NOT_WRITTEN = ("not written", "None", "missing")

BADLY_FORMED = (
    broken("stub-none", NOT_WRITTEN, 1, ("dW = x.T @ dy", "dW = None"), blamed=("W",)),
    broken("stub-none-in-the-middle", NOT_WRITTEN, 1, ("dy = de.clone()", "dy = None"), blamed=("y",)),
    broken(
        "stub-none-with-a-mistake-after-it",
        NOT_WRITTEN,
        1,
        ("dy = de.clone()", "dy = None"),
        ("db = dy.sum(0)", "db = dy.sum(1)"),
        blamed=("y", "b"),
    ),
    broken(
        "stub-ellipsis", ("not written", "...", "Ellipsis", "missing"), 1, ("dW = x.T @ dy", "dW = ..."), blamed=("W",)
    ),
    broken(
        "stubs-all",
        NOT_WRITTEN,
        1,
        ("de = 2 * e / e.numel()\ndy = de.clone()\ndW = x.T @ dy\ndb = dy.sum(0)\n", "de = dy = dW = db = None\n"),
        blamed=("e", "y", "W", "b"),
    ),
    broken(
        "stub-pass-in-a-loop",
        NOT_WRITTEN,
        1,
        ("dW = x.T @ dy", "dW = None\nfor k in range(5):\n    pass"),
        blamed=("W",),
    ),
    broken("some-not-there", ("missing", "not there", "no line"), 0, ("db = dy.sum(0)\n", "")),
    BadlyFormed(
        "stub-in-the-lecture",
        changed("lecture_chunked", ("dhprebn = dbndiff.clone()", "dhprebn = None")),
        NOT_WRITTEN,
        (1,),
        ("hprebn",),
    ),
    broken("syntax-error", ("syntax", "line 14", "never closed", "("), 2, ("dy = de.clone()", "dy = de.clone(")),
    broken("indentation-error", ("indent", "line 15"), 2, ("dW = x.T @ dy", "  dW = x.T @ dy")),
    BadlyFormed("empty-file", "", ("loss", "empty"), (2,)),
    BadlyFormed("comments-only", "# nothing yet\n", ("loss", "empty"), (2,)),
    BadlyFormed("not-python", "\x89PNG\r\n\x1a\n", ("syntax", "Python", "line 1", "character"), (2,)),
    broken(
        "exception-in-the-forward-pass", ("RuntimeError", "line 9", "shapes"), 2, ("y = x @ W + b", "y = W @ x + b")
    ),
    broken(
        "exception-before-the-forward-pass",
        ("FileNotFoundError", "words.txt", "--data"),
        2,
        ("import torch\n", "import torch\n\nwords = open('words.txt').read()\n"),
    ),
    broken(
        "missing-import",
        ("ModuleNotFoundError", "no_such_module"),
        2,
        ("import torch\n", "import torch\nimport no_such_module\n"),
    ),
    broken(
        "exception-in-a-gradient-line",
        ("RuntimeError", "line 15", "shapes"),
        1,
        ("dW = x.T @ dy", "dW = x @ dy"),
        blamed=("W",),
    ),
    broken(
        "exception-and-a-mistake-after-it",
        ("RuntimeError", "line 15", "shapes"),
        1,
        ("dW = x.T @ dy", "dW = x @ dy"),
        ("db = dy.sum(0)", "db = dy.mean(0)"),
        blamed=("W", "b"),
    ),
    broken("name-error", ("NameError", "dyy", "line 15"), 1, ("dW = x.T @ dy", "dW = x.T @ dyy"), blamed=("W",)),
    broken(
        "division-by-zero",
        ("ZeroDivisionError", "line 13"),
        1,
        ("de = 2 * e / e.numel()", "de = 2 / 0 * e"),
        blamed=("e",),
    ),
    broken(
        "failed-assert",
        ("AssertionError", "line 16"),
        (0, 2),
        ("db = dy.sum(0)\n", "assert dW.shape == (2, 3)\ndb = dy.sum(0)\n"),
    ),
    broken("exception-after-everything", (), 0, ("db = dy.sum(0)\n", "db = dy.sum(0)\n{}['x']\n")),
    broken("exit-called", (), 0, ("db = dy.sum(0)\n", "db = dy.sum(0)\nexit(3)\n")),
    broken(
        "exit-called-first",
        ("exit", "SystemExit", "loss"),
        2,
        ("import torch\n", "import torch\nraise SystemExit(0)\n"),
    ),
    broken("keyboard-input", ("input", "EOF"), 2, ("import torch\n", "import torch\nname = input('name: ')\n")),
    broken(
        "endless-loop-first",
        ("--timeout", "time"),
        2,
        ("import torch\n", "import torch\nwhile True:\n    pass\n"),
        endless=True,
    ),
    broken(
        "endless-loop-in-a-gradient",
        ("--timeout", "time"),
        (1, 2),
        ("dW = x.T @ dy", "dW = torch.zeros_like(W)\nwhile True:\n    dW += x.T @ dy"),
        endless=True,
    ),
    broken(
        "endless-loop-after",
        (),
        0,
        ("db = dy.sum(0)\n", "db = dy.sum(0)\nwhile True:\n    pass\n"),
        endless=True,
    ),
    broken(
        "long-sleep",
        ("--timeout", "time"),
        2,
        ("import torch\n", "import time\n\nimport torch\n\ntime.sleep(10_000)\n"),
        endless=True,
    ),
    broken(
        "endless-recursion",
        ("RecursionError",),
        2,
        ("import torch\n", "import torch\n\n\ndef f():\n    return f()\n\n\nf()\n"),
    ),
    broken("no-loss", ("loss", "--loss"), 2, ("loss = (e**2).mean()\n", "")),
    broken("loss-printed-only", ("loss", "--loss"), 2, ("loss = (e**2).mean()\n", "print((e**2).mean())\n")),
    broken("loss-called-cost", (), 0, ("loss = (e**2).mean()\n", "cost = (e**2).mean()\n")),
    broken(
        "loss-is-a-number", ("loss", "scalar", "tensor"), 2, ("loss = (e**2).mean()", "loss = (e**2).mean().item()")
    ),
    broken("loss-is-a-vector", ("scalar", "loss"), 2, ("loss = (e**2).mean()", "loss = (e**2).mean(0)")),
    broken("loss-detached", ("requires_grad", "loss"), 2, ("loss = (e**2).mean()", "loss = (e**2).mean().detach()")),
    broken(
        "two-losses",
        ("loss", "last", "both", "two"),
        (0, 2),
        ("loss = (e**2).mean()\n", "loss = e.abs().mean()\nloss = (e**2).mean()\n"),
    ),
    broken(
        "two-losses-by-name",
        ("loss",),
        (0, 2),
        ("loss = (e**2).mean()\n", "loss = (e**2).mean()\nloss_l1 = e.abs().mean()\n"),
    ),
    broken(
        "no-gradients-by-name",
        ("dNAME", "no line", "gradient"),
        2,
        ("de = 2 * e / e.numel()\ndy = de.clone()\ndW = x.T @ dy\ndb = dy.sum(0)\n", "print(loss)\n"),
    ),
    broken(
        "only-unrelated-d-names",
        ("dNAME", "no line", "gradient"),
        2,
        (
            "de = 2 * e / e.numel()\ndy = de.clone()\ndW = x.T @ dy\ndb = dy.sum(0)\n",
            "data = x\ndevice = x.device\ndropout = 0.1\n",
        ),
    ),
    broken(
        "no-parameter",
        (),
        0,
        ("W = torch.randn(3, 2, generator=g, requires_grad=True)", "W = torch.randn(3, 2, generator=g)"),
        ("b = torch.randn(2, generator=g, requires_grad=True)", "b = torch.randn(2, generator=g)"),
    ),
    broken("gradient-is-a-list", ("list", "tensor"), 1, ("db = dy.sum(0)", "db = dy.sum(0).tolist()"), blamed=("b",)),
    broken("gradient-is-an-int", ("int", "tensor"), 1, ("db = dy.sum(0)", "db = 0"), blamed=("b",)),
    broken("gradient-is-a-string", ("str", "tensor"), 1, ("db = dy.sum(0)", "db = 'todo'"), blamed=("b",)),
    broken("gradient-is-an-array", (), 0, ("db = dy.sum(0)", "db = dy.detach().sum(0).numpy()")),
    broken(
        "gradient-is-a-function",
        ("function", "tensor"),
        1,
        ("db = dy.sum(0)", "def db(up):\n    return up.sum(0)"),
        blamed=("b",),
    ),
    broken("gradient-of-integers", ("int64", "dtype"), 1, ("db = dy.sum(0)", "db = dy.sum(0).long()"), blamed=("b",)),
    broken("gradient-of-booleans", ("bool", "dtype"), 1, ("db = dy.sum(0)", "db = dy.sum(0) > 0"), blamed=("b",)),
    broken("gradient-complex", ("complex", "dtype"), 1, ("db = dy.sum(0)", "db = dy.sum(0) * 1j"), blamed=("b",)),
    broken("gradient-empty", ("shape",), 1, ("db = dy.sum(0)", "db = torch.empty(0)"), blamed=("b",)),
    broken(
        "gradient-nan",
        ("nan", "NaN", "not a number"),
        1,
        ("db = dy.sum(0)", "db = dy.sum(0) * float('nan')"),
        blamed=("b",),
    ),
    broken("gradient-deleted", (), 0, ("db = dy.sum(0)\n", "db = dy.sum(0)\ndel db\n")),
    broken("backward-before", (), 0, ("de = 2 * e / e.numel()", "loss.backward()\nde = 2 * e / e.numel()")),
    broken(
        "backward-after",
        (),
        0,
        ("db = dy.sum(0)\n", "db = dy.sum(0)\nloss.backward()\nprint((dW - W.grad).abs().max())\n"),
    ),
    broken(
        "backward-twice",
        (),
        0,
        ("db = dy.sum(0)\n", "db = dy.sum(0)\nloss.backward()\nloss.backward()\n"),
    ),
    broken(
        "backward-twice-before",
        ("RuntimeError", "second time", "retain_graph"),
        (0, 2),
        ("de = 2 * e / e.numel()", "loss.backward()\nloss.backward()\nde = 2 * e / e.numel()"),
    ),
    broken(
        "gradients-taken-from-autograd",
        (),
        0,
        ("de = 2 * e / e.numel()", "loss.backward()\nde = 2 * e / e.numel()"),
        ("dW = x.T @ dy", "dW = W.grad"),
    ),
    broken(
        "grad-not-retained",
        ("None", "retain_grad", "not written", "missing"),
        1,
        ("de = 2 * e / e.numel()", "loss.backward()\nde = 2 * e / e.numel()"),
        ("dy = de.clone()", "dy = y.grad"),
        blamed=("y",),
    ),
    broken(
        "forward-in-place-on-an-intermediate",
        (),
        0,
        ("e = y - t", "y.mul_(2)\ne = y - t"),
        ("dW = x.T @ dy\ndb = dy.sum(0)", "dW = x.T @ dy * 2\ndb = 2 * dy.sum(0)"),
    ),
    broken(
        "forward-in-place-relu",
        (),
        0,
        ("e = y - t\n", "y.relu_()\ne = y - t\n"),
        ("dW = x.T @ dy\ndb = dy.sum(0)", "dpre = dy * (y > 0)\ndW = x.T @ dpre\ndb = dpre.sum(0)"),
    ),
    broken(
        "forward-in-place-on-a-parameter",
        ("RuntimeError", "in-place", "line 9"),
        2,
        ("y = x @ W + b", "W *= 2\ny = x @ W + b"),
    ),
    broken(
        "forward-in-place-on-saved-values",
        ("a factor is missing", "wrong"),
        1,
        ("e = y - t\nloss = (e**2).mean()", "e = y.exp()\ne += 1\nloss = (e**2).mean()"),
        blamed=("y",),
    ),
    broken("forward-nan", ("nan", "NaN", "not a number"), (1, 2), ("e = y - t", "e = (y - t - 100).sqrt()")),
    broken("forward-infinity", ("inf", "infinity", "Inf"), (1, 2), ("e = y - t", "e = (y - t) * 1e38 * 1e38")),
    broken(
        "forward-nan-in-one-element",
        ("nan", "NaN", "not a number"),
        (1, 2),
        ("t = torch.randn(5, 2, generator=g)", "t = torch.randn(5, 2, generator=g)\nt[0, 0] = float('nan')"),
    ),
    broken(
        "no-rows",
        ("nan", "NaN", "empty", "no elements"),
        (1, 2),
        ("x = torch.randn(5, 3, generator=g)", "x = torch.randn(0, 3, generator=g)"),
        ("t = torch.randn(5, 2, generator=g)", "t = torch.randn(0, 2, generator=g)"),
    ),
    broken("windows-line-ends", (), 0, ("import torch\n", "import torch\r\n")),
    broken("byte-order-mark", (), 0, ("import torch\n", "\ufeffimport torch\n")),
    broken("no-newline-at-the-end", (), 0, ("db = dy.sum(0)\n", "db = dy.sum(0)")),
    broken("prints-a-lot", (), 0, ("de = 2 * e / e.numel()", "print('x' * 1_000_000)\nde = 2 * e / e.numel()")),
    broken(
        "plots",
        (),
        0,
        ("import torch\n", "import matplotlib.pyplot as plt\nimport torch\n"),
        ("db = dy.sum(0)\n", "db = dy.sum(0)\nplt.plot([1, 2])\nplt.show()\n"),
    ),
    broken("a-name-of-torch-reused", (), 0, ("db = dy.sum(0)\n", "db = dy.sum(0)\nsum = torch = None\n")),
)
