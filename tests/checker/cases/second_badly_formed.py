"""More files that cannot be checked, or only in part."""

from .badly_formed import NOT_WRITTEN, broken
from .schema import BadlyFormed

DW, DB, DE, DY, LOSS = (
    "dW = x.T @ dy",
    "db = dy.sum(0)",
    "de = 2 * e / e.numel()",
    "dy = de.clone()",
    "loss = (e**2).mean()",
)
GRADIENTS = f"{DE}\n{DY}\n{DW}\n{DB}\n"

BADLY_FORMED = (
    broken(
        "stub-raises", ("NotImplementedError",), 2, (DW, "raise NotImplementedError('your code here')\ndW = x.T @ dy")
    ),
    broken(
        "stub-function",
        NOT_WRITTEN,
        1,
        (DW, "def weight_gradient(x, up):\n    pass\n\n\ndW = weight_gradient(x, dy)"),
        blamed=("W",),
    ),
    broken(
        "stub-not-implemented",
        ("NotImplemented", "tensor", "not written"),
        1,
        (DW, "dW = NotImplemented"),
        blamed=("W",),
    ),
    broken("stub-empty-tensor", ("shape",), 1, (DW, "dW = torch.tensor([])"), blamed=("W",)),
    broken("stub-zeros", ("wrong",), 1, (DW, "dW = torch.zeros_like(W)  # TODO"), blamed=("W",)),
    broken("gradient-is-a-tuple", ("tuple", "tensor"), 1, (DB, "db = (dy.sum(0),)"), blamed=("b",)),
    broken("gradient-trailing-comma", ("tuple", "tensor"), 1, (DW, "dW = x.T @ dy,"), blamed=("W",)),
    broken("gradient-is-a-method", ("method", "tensor"), 1, (DB, "db = dy.sum"), blamed=("b",)),
    broken(
        "gradient-is-a-parameter", ("wrong",), 1, (DB, "db = torch.nn.Parameter(dy.mean(0).detach())"), blamed=("b",)
    ),
    broken("gradient-is-sparse", (), (0, 1, 2), (DB, "db = dy.sum(0).to_sparse()")),
    broken("gradient-is-numpy-float", ("float", "tensor"), 1, (DB, "db = dy.detach().numpy().sum()"), blamed=("b",)),
    broken("gradient-infinite", ("zeros",), 1, (DB, "db = dy.sum(0) / torch.zeros(2)"), blamed=("b",)),
    broken("detached", (), 0, (DY, "dy = de.detach().clone()"), (DW, "dW = x.T.detach() @ dy")),
    broken("markdown-fence", ("syntax", "Syntax", "line 1"), (1, 2), ("import torch\n", "```python\nimport torch\n")),
    broken("tabs-and-spaces", ("Tab", "tab", "indent", "line"), 2, (DW, "if True:\n\tdW = x.T @ dy\n        db = 0")),
    broken("prompt-marks", ("syntax", "Syntax", "line 1"), 2, ("import torch\n", ">>> import torch\n")),
    broken(
        "smart-quotes",
        ("syntax", "Syntax", "invalid character", "line 1"),
        (1, 2),
        ("import torch\n", "import torch\nprint(\u201chello\u201d)\n"),
    ),
    broken("print-statement", ("syntax", "Syntax", "parentheses"), (1, 2), (DB, "db = dy.sum(0)\nprint db")),
    broken("return-outside", (), (0, 1, 2), (DB, "db = dy.sum(0)\nreturn db")),
    broken(
        "await-at-the-top",
        (),
        (0, 1, 2),
        ("import torch\n", "import asyncio\n\nimport torch\n\nawait asyncio.sleep(0)\n"),
    ),
    broken(
        "parameter-of-integers",
        ("RuntimeError", "floating"),
        2,
        (
            "W = torch.randn(3, 2, generator=g, requires_grad=True)",
            "W = torch.ones(3, 2, dtype=torch.long, requires_grad=True)",
        ),
    ),
    broken(
        "device-that-is-not-there",
        ("RuntimeError", "AssertionError", "CUDA", "cuda"),
        2,
        ("x = torch.randn(5, 3, generator=g)", "x = torch.randn(5, 3, generator=g).to('cuda')"),
    ),
    broken(
        "data-from-the-net",
        ("URLError", "--data"),
        (0, 2),
        (
            "import torch\n",
            "import urllib.request\n\nimport torch\n\nurllib.request.urlopen('http://127.0.0.1:9/names.txt')\n",
        ),
    ),
    broken(
        "loss-is-complex", ("complex", "loss", "scalar"), (1, 2), (LOSS, "loss = (e.to(torch.complex64) ** 2).mean()")
    ),
    broken("loss-is-integer", ("loss", "requires_grad", "float"), 2, (LOSS, "loss = (e**2).mean().long()")),
    broken("loss-in-a-list", ("loss", "scalar", "list"), 2, (LOSS, "loss = [(e**2).mean()]")),
    broken("loss-deleted", (), (0, 2), (LOSS, "loss = (e**2).mean()\nprint(loss.item())\ndel loss")),
    broken("loss-rebound-to-a-number", (), (0, 2), (LOSS, "loss = (e**2).mean()\nloss = loss.item()")),
    broken(
        "forward-under-no-grad",
        (),
        (0, 2),
        (
            "y = x @ W + b\ne = y - t\nloss = (e**2).mean()",
            "with torch.no_grad():\n    y = x @ W + b\n    e = y - t\n    loss = (e**2).mean()",
        ),
    ),
    broken("grad-switched-off", (), (0, 2), ("import torch\n", "import torch\n\ntorch.set_grad_enabled(False)\n")),
    broken(
        "inference-mode",
        (),
        (0, 2),
        (
            "y = x @ W + b\ne = y - t\nloss = (e**2).mean()",
            "with torch.inference_mode():\n    y = x @ W + b\n    e = y - t\n    loss = (e**2).mean()",
        ),
    ),
    broken(
        "gradients-before-the-loss",
        (),
        0,
        (LOSS, "de = 2 * e / e.numel()\ndW = x.T @ de\nloss = (e**2).mean()"),
        ("\n" + GRADIENTS, ""),
    ),
    broken("swallowed-exception", (), (0, 1), (DW, "try:\n    dW = x @ dy\nexcept RuntimeError:\n    dW = x.T @ dy")),
    broken(
        "raises-in-the-middle", ("ValueError", "line 15"), (0, 1, 2), (DW, "raise ValueError('not yet')\ndW = x.T @ dy")
    ),
    broken("name-of-a-builtin-reused", (), 0, (DW, "len = range = print = None\ndW = x.T @ dy")),
    broken("module-reloaded-as-a-name", (), 0, (DW, "F = 3\ndW = x.T @ dy")),
    broken(
        "system-exit-in-a-gradient",
        ("exit", "ended itself"),
        (0, 1, 2),
        (DW, "import sys\nsys.exit('stop here')\ndW = x.T @ dy"),
    ),
    broken(
        "warnings-as-errors",
        (),
        0,
        ("import torch\n", "import warnings\n\nimport torch\n\nwarnings.simplefilter('error')\n"),
    ),
    broken(
        "threads-left-running",
        (),
        0,
        (DB, "db = dy.sum(0)\nimport threading\nthreading.Thread(target=threading.Event().wait, args=(0.2,)).start()"),
    ),
    broken("writes-to-stdout-raw", (), 0, (DE, "import os\nos.write(1, b'raw\\n')\nde = 2 * e / e.numel()")),
    broken("closes-stdout", (), 0, (DE, "import sys\nsys.stdout = None\nde = 2 * e / e.numel()")),
    broken("changes-folder", (), 0, (DE, "import os\nos.chdir('/')\nde = 2 * e / e.numel()")),
    broken("deep-expression", (), 0, (DE, "depth = " + "+".join(["1"] * 500) + "\nde = 2 * e / e.numel()")),
    BadlyFormed("null-bytes", "import torch\x00\n", ("null", "syntax", "Python"), (2,)),
    BadlyFormed("latin-1-declared", "# -*- coding: latin-1 -*-\nname = 'caf\u00e9'\n", ("loss",), (2,)),
    BadlyFormed(
        "json-by-mistake",
        '{"cells": [], "nbformat": 4, "nbformat_minor": 5, "metadata": {}}',
        ("loss", "notebook"),
        (2,),
    ),
)
