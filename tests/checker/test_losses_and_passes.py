"""Which scalar is the loss, and where one pass ends and the next begins."""

import pytest

from handgrad.checker import CheckError

START = """\
import torch

g = torch.Generator().manual_seed(1)
x = torch.randn(5, 3, generator=g)
W = torch.randn(3, 2, generator=g, requires_grad=True)
y = x @ W
"""
GRADIENTS = "dy = 2 * y / y.numel()\ndW = x.T @ dy\n"


@pytest.mark.parametrize(
    "losses",
    [
        "mse = (y**2).mean()\n",
        "fourth = (y**4).mean()\nmse = (y**2).mean()\nmse.backward()\n",
        "mse = (y**2).mean()\nfourth = (y**4).mean()\nmse.backward()\n",
        "loss_before = (y**4).mean()\nmse = (y**2).mean()\nmse.backward()\n",
        "loss_before = (y**4).mean()\nmse = (y**2).mean()\ndmse = torch.ones(())\n",
        "objective = (y**2).mean()\nmse = (y**4).mean()\n",
    ],
)
def test_the_loss_is_found_without_its_name(losses, check_text):
    report = check_text(START + losses + GRADIENTS)
    assert report.right
    assert {row.verdict for row in report.variables} <= {"exact", "close"}
    assert not report.notes
    assert [row.name for row in check_text(START + losses + GRADIENTS.replace("2 *", "3 *")).blamed] == ["y"]


def test_the_scalar_that_was_taken_is_named(check_text):
    scalars = "penalty = y.abs().mean()\nmse = (y**2).mean()\nfourth = (y**4).mean()\n"
    report = check_text(START + scalars + GRADIENTS)
    assert report.right
    assert report.notes == ["mse is taken to be the loss, not fourth, penalty (--loss NAME)."]
    named = check_text(START + scalars + GRADIENTS, loss="fourth")
    assert ([row.name for row in named.blamed], named.notes) == (["y"], [])


PASS = "y = x @ W\nloss = (y**2).mean()\n" + GRADIENTS


@pytest.mark.parametrize(
    "update",
    [
        "with torch.no_grad():\n    W -= 0.1 * dW\n",
        "W.data -= 0.1 * dW\n",
        "W.data.add_(dW, alpha=-0.1)\nprint(loss)\n",
        "W = (W - 0.1 * dW).detach().requires_grad_()\n",
        "W = W - 0.1 * dW\n",
        "for p, dp in zip([W], [dW]):\n    p.data += -0.1 * dp\nW.grad = None\n",
        "W.grad = dW\ntorch.optim.SGD([W], lr=0.1).step()\n",
    ],
)
def test_a_pass_after_an_update_is_judged_with_the_new_parameters(update, check_text):
    text = START + PASS + update + PASS + update + PASS
    report = check_text(text)
    assert report.right, str(report)
    rows = [(row.name, row.verdict in ("exact", "close")) for row in report.variables if row.gradient != "W.grad"]
    assert rows == [("y", True), ("W", True)] * 3
    assert not report.hazards
    for place in range(3):
        parts = text.split("dW = x.T @ dy")
        wrong = "dW = x.T @ dy".join(parts[: place + 1]) + "dW = x.T @ y" + "dW = x.T @ dy".join(parts[place + 1 :])
        blamed = [(row.name, row.line) for row in check_text(wrong).blamed]
        assert blamed == [("W", "dW = x.T @ dy".join(parts[: place + 1]).count("\n") + 1)]


SCALED_LATER = """\
import torch

g = torch.Generator().manual_seed(1)
X, Y = torch.randn(3, 10, generator=g), torch.rand(1, 10, generator=g).round()
W1, b1 = torch.randn(4, 3, generator=g), torch.randn(4, 1, generator=g)
W2, b2 = torch.randn(1, 4, generator=g), torch.randn(1, 1, generator=g)
m = X.shape[1]
Z1 = W1 @ X + b1
A1 = torch.tanh(Z1)
Z2 = W2 @ A1 + b2
A2 = torch.sigmoid(Z2)
cost = -(Y * torch.log(A2) + (1 - Y) * torch.log(1 - A2)).sum() / m
dZ2 = A2 - Y
dW2 = 1 / m * dZ2 @ A1.T
db2 = 1 / m * dZ2.sum(1, keepdim=True)
dZ1 = W2.T @ dZ2 * (1 - A1**2)
dW1 = 1 / m * dZ1 @ X.T
db1 = 1 / m * dZ1.sum(1, keepdim=True)
"""


def test_a_multiple_that_later_lines_make_up_for_is_right(check_text):
    report = check_text(SCALED_LATER)
    assert report.right
    assert {row.name for row in report.variables if row.verdict == "close"} == {"W1", "b1", "W2", "b2"}
    assert any(note.startswith("dZ2 is 10 times the gradient of Z2") for note in report.notes)


def test_a_line_that_does_not_make_up_for_a_multiple_is_at_fault(check_text):
    report = check_text(SCALED_LATER.replace("db2 = 1 / m * ", "db2 = "))
    assert {row.name for row in report.blamed} == {"b2"}


@pytest.mark.parametrize(
    ("right", "wrong"),
    [("dZ2 @ A1.T", "dZ2 @ W1.T"), ("dZ1 @ X.T", "dZ1 @ dZ1.T"), ("* dZ1.sum(1,", "* dZ1.mean(1,")],
)
def test_a_multiple_stays_right_where_another_line_is_wrong(right, wrong, check_text):
    assert SCALED_LATER.count(right) == 1
    text = SCALED_LATER.replace(right, wrong)
    line = next(i for i, (a, b) in enumerate(zip(text.split("\n"), SCALED_LATER.split("\n"), strict=True), 1) if a != b)
    assert {row.line for row in check_text(text).blamed} == {line}


TRAINED = """\
import torch

g = torch.Generator().manual_seed(2)
X, Y = torch.randn(9, 4, generator=g), torch.randn(9, 2, generator=g)
W, b = torch.randn(4, 2, generator=g), torch.randn(2, generator=g)
for step in range(3):
    y = X @ W + b
    loss = ((y - Y) ** 2).sum()
    dy = 2 * (y - Y)
    dW = X.T @ dy
    db = dy.sum(0)
    {}
    W = W - 0.01 * dW
    b = b - 0.01 * db
"""

FOR_THE_UPDATE = {
    "norm": """
    norm = torch.sqrt((dW**2).sum() + (db**2).sum())
    if norm > 0.5:
        dW = dW * (0.5 / norm)
        db *= 0.5 / norm""",
    "clamp": "dW.clamp_(-0.1, 0.1); db = db.clamp(-0.1, 0.1)",
    "clamp in a loop": "for d in (dW, db): torch.clamp(d, -0.1, 0.1, out=d)",
    "clip": """
    def clip(d): return d.clamp(-0.1, 0.1)
    dW = clip(dW)""",
    "decay": "dW = dW + 0.1 * W",
    "decay in place": "dW += 0.1 * W",
    "decay and clipping": """
    dW += 0.1 * W
    norm = float((dW**2).sum() ** 0.5)
    dW /= norm""",
}


@pytest.mark.parametrize("update", FOR_THE_UPDATE.values(), ids=FOR_THE_UPDATE)
def test_what_is_done_to_a_finished_gradient_for_the_update_is_no_fault(update, check_text):
    text = TRAINED.format(update)
    report = check_text(text)
    assert report.right, str(report)
    assert any("changes dW" in note and "for the update" in note for note in report.notes)
    wrong = text.replace("dW = X.T @ dy", "dW = X.T @ y")
    line = text.split("\n").index("    dW = X.T @ dy") + 1
    if "decay" not in update and "0.1 * W" not in update:
        assert {row.line for row in check_text(wrong).blamed} == {line}


@pytest.mark.parametrize(
    "line", ["dW = dW * 2", "dW += 0.1 * W.sum()", "dW += 0.1 * b", "dW = dW / 9", "dW -= X.T @ y"]
)
def test_what_else_is_done_to_a_gradient_is_a_fault(line, check_text):
    report = check_text(TRAINED.format(line))
    assert {row.name for row in report.blamed} == {"W"}


def test_the_weight_decay_of_the_loss_is_part_of_the_gradient(check_text):
    text = TRAINED.format("dW += 0.1 * W").replace(".sum()\n", ".sum() + 0.05 * (W**2).sum()\n")
    assert check_text(text).right
    assert {row.name for row in check_text(text.replace("0.1 * W", "0.2 * W")).blamed} == {"W"}
    assert {row.name for row in check_text(text.replace("dW += 0.1 * W", "pass")).blamed} == {"W"}


LOOP = """import torch
g = torch.Generator().manual_seed(0)
X, y, W = torch.randn(6, 4, generator=g), torch.tensor([0, 1, 2, 0, 1, 2]), torch.randn(4, 3, generator=g)
W.requires_grad_()
loss = 0.0
dW = torch.zeros(4, 3)
for i in range(6):
    s = X[i] @ W
    s -= s.max().detach()
    p = torch.softmax(s, 0)
    if i == 7:
        continue
    loss = loss - p[y[i]].log() / 6
    ds = p.clone()
    ds[y[i]] -= 1
    dW += torch.outer(X[i], ds) / 6
"""
CHOICE = """import torch
x, W = torch.randn(4, 3), torch.randn(3, 2, requires_grad=True)
flags, scales = [1, 2], []
try:
    if x.nothing > 0:
        z = x
except AttributeError:
    z = 2 * x
if flags.pop() == 2:
    u = z @ W
    y = u * flags.pop()
else:
    y = z @ W
if (k := 3) > 2:
    n = k
q = y**2
loss = q.sum()
dq = torch.ones_like(q) * n / 3
dy = 2 * y * dq
dW = z.T @ dy
"""


@pytest.mark.parametrize(
    ("text", "right", "wrong", "line"),
    [
        (LOOP, "ds[y[i]] -= 1", "ds[y[i]] += 1", 15),
        (LOOP, "ds) / 6", "ds) / 5", 16),
        (CHOICE, "2 * y * dq", "3 * y * dq", 19),
    ],
)
def test_what_computes_loss_and_gradient_together_is_gone_into(text, right, wrong, line, check_text):
    assert check_text(text).right
    report = check_text(text.replace(right, wrong))
    assert {row.line for row in report.blamed} == {line}


def test_what_pytorch_cannot_go_back_through_is_refused(check_text):
    with pytest.raises(CheckError, match="PyTorch cannot go back through this") as caught:
        check_text(LOOP.replace("p = torch.softmax(s, 0)", "p = torch.softmax(s, 0)\n    p /= p.sum()"))
    assert "line 7" in str(caught.value)
