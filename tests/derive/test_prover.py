"""Formulas of the lecture's exercises: proven in whatever way they are written, and what is left over of wrong ones."""

import itertools

import pytest
import torch
import torch.nn.functional as F

import handgrad
from handgrad.derive.prove import Proof, Prover
from handgrad.derive.read.statements import read_program
from handgrad.errors import DeriveError

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


g = torch.Generator().manual_seed(3)
n = 32
Xb, Yb = torch.randint(0, 27, (n, 3), generator=g), torch.randint(0, 27, (n,), generator=g)
SIZES = {"C": (27, 10), "W1": (30, 64), "b1": (64,), "W2": (64, 27), "b2": (27,), "bngain": (1, 64), "bnbias": (1, 64)}
LOGITS, HIDDEN = torch.randn(n, 27, generator=g), torch.randn(n, 64, generator=g)
PARAMETERS = {name: torch.randn(size, generator=g) for name, size in SIZES.items()}


def cross_entropy(logits):
    return F.cross_entropy(logits, Yb)


def cross_entropy_in_steps(logits):
    logit_maxes = logits.max(1, keepdim=True).values
    norm_logits = logits - logit_maxes
    counts = norm_logits.exp()
    counts_sum = counts.sum(1, keepdims=True)
    counts_sum_inv = counts_sum**-1
    probs = counts * counts_sum_inv
    logprobs = probs.log()
    return -logprobs[range(n), Yb].mean()


def batch_norm(hprebn, bngain, bnbias):
    bnmean = hprebn.mean(0, keepdim=True)
    bnvar = hprebn.var(0, keepdim=True, unbiased=True)
    bnvar_inv = (bnvar + 1e-5) ** -0.5
    bnraw = (hprebn - bnmean) * bnvar_inv
    hpreact = bngain * bnraw + bnbias
    return hpreact  # noqa: RET504 (its gradient is dhpreact)


def network(C, W1, b1, W2, b2, bngain, bnbias):
    emb = C[Xb]
    embcat = emb.view(emb.shape[0], -1)
    hprebn = embcat @ W1 + b1
    hpreact = batch_norm(hprebn, bngain, bnbias)
    h = torch.tanh(hpreact)
    logits = h @ W2 + b2
    return F.cross_entropy(logits, Yb)


SOFTMAX = "dlogits = F.softmax(logits, 1)\ndlogits[range(n), Yb] -= 1\n"
NORM = "bngain*bnvar_inv/n * (n*dhpreact - dhpreact.sum(0) - n/(n-1)*bnraw*(dhpreact*bnraw).sum(0))"
NORM_2 = "bngain * bnvar_inv * (dhpreact - dhpreact.mean(0) - bnraw * (bnraw * dhpreact).sum(0) / (n - 1))"
OF_THE_VARIANCE = "bngain * bnvar_inv * bnraw * (bnraw * dhpreact).sum(0) / (n - 1)"

EXERCISE_2 = {
    f"{SOFTMAX}dlogits /= n": "proven",
    "(F.softmax(logits, 1) - F.one_hot(Yb, 27)) / n": "proven",
    "(logits.exp() / logits.exp().sum(1, keepdim=True) - F.one_hot(Yb, logits.shape[1])) / len(Yb)": "proven",
    "p = torch.softmax(logits, dim=1)\np[torch.arange(n), Yb] -= 1\np / n": "proven",
    "(F.softmax(logits, 1) - F.one_hot(Yb, 27)) / 32": "equal",
    SOFTMAX: "n times",
    f"{SOFTMAX}dlogits /= -n": "-1 times",
    "F.softmax(logits, 1) / n": "F.one_hot(Yb, logits.shape[1]).type_as(logits) / n",
    "dlogits = F.softmax(logits, 1)\ndlogits[:, Yb] -= 1\ndlogits /= n": "unknown",
    "dlogits = F.softmax(logits, 1)\ndlogits[range(n), Yb] *= 1\ndlogits /= n": "unknown",
}
"""What comes of each formula: a verdict; or, where it is different, the factor or what is too much."""

EXERCISE_3 = {
    NORM: "proven",
    NORM_2: "proven",
    NORM_2.replace("(0)", "(0, keepdim=True)"): "proven",
    "x = hprebn - bnmean\nt = bngain * dhpreact\n(bnvar + 1e-5)**-0.5 * (t - t.sum(0) / n)"
    " - x * (bnvar + 1e-5)**-1.5 * (t * x).sum(0) / (n - 1)": "proven",
    NORM_2.replace("(n - 1)", "31"): "equal",
    NORM.replace("- n/(n-1)*bnraw*(dhpreact*bnraw).sum(0)", ""): OF_THE_VARIANCE,
    NORM.replace("- n/", "+ n/"): f"2 * {OF_THE_VARIANCE}",
    NORM.replace("- dhpreact.sum(0)", ""): "(bngain * bnvar_inv * dhpreact.mean(0)).expand_as(hprebn)",
    NORM.replace("n/(n-1)*", ""): "bngain * bnvar_inv * bnraw * (1 / (n - 1) - 1 / n) * (bnraw * dhpreact).sum(0)",
    NORM.replace(
        "dhpreact*bnraw", "dhpreact*hpreact"
    ): "bngain * bnvar_inv * bnraw * (dhpreact * (bnraw - hpreact)).sum(0) / (n - 1)",
    "2 * dhprebn": "unknown",
}

EXERCISE_4 = {
    ("b2", "dlogits.sum(0)"): "proven",
    ("b2", "dlogits.mean(0)"): "1 / Xb.shape[0] times",
    ("W2", "h.T @ dlogits"): "proven",
    ("W2", "(dlogits.T @ h).T"): "proven",
    ("W2", "dlogits.T @ h"): "unknown",
    ("hpreact", "(1 - h**2) * (dlogits @ W2.T)"): "proven",
    ("hpreact", "(1 - h) * (dlogits @ W2.T)"): "-h * (1 - h) * (dlogits @ W2.T)",
    ("bngain", "(bnraw * dhpreact).sum(0, keepdim=True)"): "proven",
    ("bnbias", "torch.ones_like(dhpreact).T @ dhpreact"): "unknown",
    ("hprebn", NORM): "proven",
    ("W1", "embcat.T @ dhprebn"): "proven",
    ("b1", "dhprebn.sum(0)"): "proven",
    ("emb", "(dhprebn @ W1.T).view(emb.shape)"): "proven",
    ("C", "dC = torch.zeros_like(C)\ndC.index_add_(0, Xb.view(-1), demb.view(-1, 10))"): "proven",
    ("C", "F.one_hot(Xb.view(-1), 27).float().T @ demb.view(-1, 10)"): "proven",
    ("C", "dC = torch.zeros_like(C)\ndC[Xb] = demb"): "unknown",
    ("C", "dC = torch.zeros_like(C)\ndC[Xb] += demb"): "unknown",
}


def outcome(proof: Proof) -> str:
    assert (proof.verdict == "unknown") == bool(proof.reason)
    if proof.verdict != "different":
        return proof.verdict
    return f"{proof.factor} times" if proof.factor else proof.difference


@pytest.mark.parametrize("formula", EXERCISE_2)
@pytest.mark.parametrize("function", [cross_entropy, cross_entropy_in_steps], ids=lambda f: f.__name__)
def test_exercise_2(function, formula):
    found = handgrad.derive.prove(formula, function, LOGITS, gradient_of="logits")
    assert outcome(found) == EXERCISE_2[formula]


@pytest.mark.parametrize("formula", EXERCISE_3)
def test_exercise_3(formula):
    arguments = HIDDEN, PARAMETERS["bngain"], PARAMETERS["bnbias"]
    found = handgrad.derive.prove(formula, batch_norm, *arguments, gradient_of="hprebn")
    assert outcome(found) == EXERCISE_3[formula]


@pytest.mark.parametrize(("variable", "formula"), EXERCISE_4)
def test_exercise_4(variable, formula):
    found = handgrad.derive.prove(formula, network, *PARAMETERS.values(), gradient_of=variable)
    assert outcome(found) == EXERCISE_4[variable, formula]


def test_a_proof_says_what_it_found():
    arguments = HIDDEN, PARAMETERS["bngain"], PARAMETERS["bnbias"]
    wrong = handgrad.derive.prove(NORM.replace("- dhpreact.sum(0)", ""), batch_norm, *arguments, gradient_of="hprebn")
    assert repr(wrong).split("\n") == [
        "different",
        "too much by: (bngain * bnvar_inv * dhpreact.mean(0)).expand_as(hprebn)",
        f"right: {NORM_2}",
        "in numbers only: n is hprebn.shape[0]",
    ]
    short = handgrad.derive.prove("(dhpreact * bnraw).sum(0)", batch_norm, *arguments, gradient_of="bngain")
    assert repr(short).split("\n")[0] == "proven, of another shape"
    assert repr(Proof("equal")) == "equal in numbers, not proven"
    assert repr(Proof("unknown", reason="`x` is odd")) == "unknown: `x` is odd"


def scaled(x):
    total = (0.1 * x).sum()
    return total  # noqa: RET504 (its gradient is dtotal)


@pytest.mark.parametrize(
    ("formula", "verdict"),
    [
        ("0.1 * dtotal * torch.ones_like(x)", "proven"),
        ("torch.tensor(0.1) * torch.ones_like(x)", "equal"),
        ("torch.full_like(x, 0.1 * dtotal)", "proven"),
        ("torch.full(x.shape, float(dtotal) * 0.1)", "unknown"),
    ],
)
def test_numbers_are_taken_in_float64_and_gradients_for_no_numbers(formula, verdict):
    assert handgrad.derive.prove(formula, scaled, torch.randn(3, 2), gradient_of="x").verdict == verdict


def mean_and_inverse(x):
    mean = x.mean(1)
    odd = torch.linalg.inv(x @ x.T).sum(1)
    both = mean + odd
    return both  # noqa: RET504 (its gradient is dboth)


def test_a_path_without_index_notation_is_not_left_out():
    x = torch.randn(3, 3, generator=torch.Generator().manual_seed(0))
    with pytest.raises(DeriveError, match="inv"):
        handgrad.derive.prove("dmean[:, None].expand_as(x) / 3", mean_and_inverse, x, gradient_of="x")
