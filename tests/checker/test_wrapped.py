"""Programs whose passes stand inside a function, and what is called there: they are entered, or it is said that not."""

import textwrap

import pytest

START = """\
import sys

import torch

g = torch.Generator().manual_seed(1)
x = torch.randn(5, 3, generator=g)
W = torch.randn(3, 2, generator=g, requires_grad=True)
"""

BODY = """\
y = x @ W
loss = (y**2).mean()
dy = 2 * y / y.numel()
dW = x.T @ dy
"""

NESTED = """\
y = x @ W
loss = (y**2).mean()
dy = None
def back():
    nonlocal dy
    dy = 2 * y / y.numel()
    return x.T @ dy
dW = back()
"""

TRAIN = """\
for step in range(steps):
    y = x @ W
    loss = (y**2).mean()
    dy = 2 * y / y.numel()
    dW = x.T @ dy
    with torch.no_grad():
        W -= rate * dW
"""

EARLY = """\
y = x @ W
if target is None:
    return y
loss = ((y - target) ** 2).mean()
dy = 2 * (y - target) / y.numel()
dW = x.T @ dy
return loss
"""


def function(body: str, head: str = "def main():", end: str = "return 0\n") -> str:
    return f"{head}\n{textwrap.indent(body + end, '    ')}\n"


def method(body: str, call: str, parameters: str = "self") -> str:
    return "class Trainer:\n" + textwrap.indent(function(body, f"def train({parameters}):"), "    ") + call


FORMS = {
    "plain": function(BODY) + "main()\n",
    "guard": function(BODY) + 'if __name__ == "__main__":\n    main()\n',
    "exit": function(BODY) + 'if __name__ == "__main__":\n    sys.exit(main())\n',
    "raise": function(BODY) + "raise SystemExit(main())\n",
    "assign": function(BODY) + "rc = main()\nsys.exit(rc)\n",
    "print": function(BODY) + "print(main())\n",
    "assert": function(BODY) + "assert main() == 0\n",
    "try": function(BODY) + "try:\n    main()\nexcept KeyboardInterrupt:\n    sys.exit(1)\n",
    "arguments": function(BODY, "def main(argv):") + "main(sys.argv[1:])\n",
    "defaults": function(BODY, "def main(argv=()):") + "if main():\n    print(1)\nelse:\n    main()\n",
    "nonlocal": function(NESTED) + "sys.exit(main())\n",
    "main-in-main": function(BODY, "def run(rate=0.1):") + function("run()\n") + "main()\n",
    "train": function(TRAIN, "def train(x, W, steps=5, rate=0.1):", "return W\n") + "W = train(x, W, rate=0.2)\n",
    "method": method(BODY, "Trainer().train()\n"),
    "method-with-arguments": method(TRAIN, "t = Trainer()\nt.train(x, W, 3)\n", "self, x, W, steps, rate=0.1"),
    "no-grad": "@torch.no_grad()\n" + function(BODY) + "main()\n",
    "early-return": function(EARLY, "def passes(x, W, target=None):", "")
    + "print(passes(x, W))\nloss = passes(x, W, torch.ones(5, 2))\n",
}


@pytest.mark.parametrize("form", FORMS)
def test_the_passes_are_found_and_judged(form, check_text):
    text = START + FORMS[form]
    report = check_text(text)
    assert report.right
    assert not report.notes
    assert {(row.name, row.verdict in ("exact", "close")) for row in report.variables} == {("y", True), ("W", True)}
    wrong = text.replace("x.T @ dy", "-x.T @ dy")
    lines = {number for number, line in enumerate(wrong.split("\n"), 1) if "-x.T @ dy" in line}
    report = check_text(wrong)
    assert [(row.line, row.diagnosis[0].kind) for row in report.blamed] == [(*lines, "sign")]


def test_what_a_program_leaves_out_by_ending_itself_is_told(check_text):
    text = START + BODY + "sys.exit()\n"
    assert not check_text(text).notes
    note, left = check_text(text + "dW = x.T @ dy\n").notes
    assert note == f"line {text.count(chr(10))}: the program ended itself (exit: 0); what comes later was not run."
    assert left.endswith("this line was not run, so dW is not judged.")


LAYERS = """\
class Linear:
    def __init__(self, w):
        self.w = w
    def forward(self, x):
        self.x = x
        return x @ self.w
    def backward(self, dout):
        self.dw = 3 * self.x.T @ dout
        return dout @ self.w.T

layer = Linear(W)
y = layer.forward(x)
loss = (y**2).mean()
dy = 2 * y / y.numel()
"""


def test_gradients_stored_where_nobody_looks_are_told(check_text):
    note = "line 22: backward() is not looked into here, so what backward() stores is not judged."
    assert note in check_text(START + LAYERS + "both = [one.backward(dy) for one in [layer]]\n").notes
    report = check_text(START + LAYERS + "dx = layer.backward(dy)\n")
    assert [(row.name, row.line) for row in report.blamed] == [("layer.w", 15)]
    assert not report.notes


def test_a_gradient_in_a_list_that_belongs_to_nothing_is_told(check_text):
    text = START + BODY + "others = torch.ones(7), torch.ones(7)\ngrads = [x.T @ dy, dy.sum() * others[0]]\n"
    report = check_text(text)
    assert report.right
    assert [note for note in report.notes if "not judged" in note]
