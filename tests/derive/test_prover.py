"""One program, many formulas: what one formula says of sizes holds for itself alone."""

import itertools

import pytest
import torch

from handgrad.derive.prove import Prover
from handgrad.derive.read.statements import read_program

FORWARD = """
emb = C[Xb]
embcat = emb.view(emb.shape[0], -1)
hprebn = embcat @ W1 + b1
bnmean = hprebn.mean(0, keepdim=True)
bnvar = hprebn.var(0, keepdim=True, unbiased=True)
bnvar_inv = (bnvar + 1e-5)**-0.5
bnraw = (hprebn - bnmean) * bnvar_inv
hpreact = bngain * bnraw + bnbias
h = torch.tanh(hpreact)
logits = h @ W2 + b2
loss = F.cross_entropy(logits, Yb)
"""

RIGHT = {
    "W2": "h.T @ dlogits",
    "logits": "dlogits = F.softmax(logits, 1)\ndlogits[range(n), Yb] -= 1\ndlogits /= n",
    "hprebn": "bngain*bnvar_inv/n * (n*dhpreact - dhpreact.sum(0) - n/(n-1)*bnraw*(dhpreact*bnraw).sum(0))",
    "bngain": "t = bnraw * dhpreact\nt.sum(0, keepdim=True)",
    "W1": "dW1 = dhprebn.T\ndW1 = dW1 @ embcat\ndW1.T",
}


@pytest.fixture
def prover() -> Prover:
    g = torch.Generator().manual_seed(2)
    sizes = {
        "C": (19, 5),
        "W1": (15, 23),
        "b1": (23,),
        "bngain": (1, 23),
        "bnbias": (1, 23),
        "W2": (23, 19),
        "b2": (19,),
    }
    floats = {name: torch.randn(size, generator=g) for name, size in sizes.items()}
    drawn = {"Xb": torch.randint(0, 19, (16, 3), generator=g), "Yb": torch.randint(0, 19, (16,), generator=g)}
    before = {"torch": torch, "F": torch.nn.functional, "n": 16, **floats, **drawn}
    return Prover(read_program(FORWARD, before, inputs=list(sizes), output="loss"))


@pytest.mark.parametrize("order", [*itertools.permutations(RIGHT)][::29], ids=" ".join)
def test_right_formulas_are_proven_in_any_order(order, prover):
    assert {name: prover.prove(RIGHT[name], name).verdict for name in order} == dict.fromkeys(order, "proven")


def test_a_temporary_that_changes_is_read_anew(prover):
    lines = "dh = dlogits @ W2.T\nt = dh * h\ndh = dh * 2\nu = dh * h\ndh / 2 + (u - 2 * t)"
    assert prover.prove(lines, "h").verdict == "proven"
    assert prover.prove(lines.replace("2 * t", "t"), "h").verdict == "different"


def test_what_is_equal_in_numbers_alone_is_drawn_anew(prover):
    found = prover.prove("dlogits.sum(0) * 16 / n", "b2")
    assert (found.verdict, found.difference) == ("equal", "")
