"""Which scalar is the loss, and where one pass ends and the next begins."""

import pytest

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
