"""A line with large tensors is explained by trials in small sizes."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from handgrad.checker.explain import rows, settings, trials
from handgrad.checker.faces.mend import mended
from handgrad.checker.run.trace import Region
from handgrad.checker.truth import truth
from handgrad.checker.truth.reduce import RELATIONS, reduced, small_sizes

LARGE = """
import torch
import torch.nn.functional as F

n, width, hidden, classes, heads = 384, 96, 320, 150, 5
g = torch.Generator().manual_seed(1)
X = torch.randn(n, width, generator=g)
Y = torch.randint(0, classes, (n,), generator=g)
W1 = (torch.randn(width, 2 * hidden, generator=g) / 8).requires_grad_()
W2 = (torch.randn(hidden, classes, generator=g) / 20).requires_grad_()

both = X @ W1
gate, pre = both[:, :hidden], both[:, hidden:]
h = torch.sigmoid(gate) * pre
heads_of_h = h.view(n, heads, hidden // heads)
scaled = heads_of_h * (hidden // heads) ** -0.5
logits = scaled.view(n, 320) @ W2
loss = F.cross_entropy(logits, Y)

dlogits = F.softmax(logits, 1)
dlogits[range(n), Y] -= 1
dlogits /= n
dW2 = scaled.view(n, hidden).T @ dlogits
dscaled = (dlogits @ W2.T).view(n, heads, hidden // heads)
dheads_of_h = dscaled * (hidden // heads) ** -0.5
dh = dheads_of_h.reshape(n, 320)
dgate = dh * pre * torch.sigmoid(gate) * (1 - torch.sigmoid(gate))
dpre = dh * torch.sigmoid(gate)
dboth = torch.cat([dgate, dpre], 1)
dW1 = X.T @ dboth
"""

MISTAKES = [
    ("dlogits /= n", "dlogits /= 2 * n", "scale"),
    ("dlogits[range(n), Y] -= 1", "dlogits[range(n), Y] += 1", "sign"),
    ("dheads_of_h = dscaled * (hidden // heads)", "dheads_of_h = dscaled * hidden", "scale"),
    ("* (1 - torch.sigmoid(gate))", "* (1 - torch.sigmoid(gate)) ** 2", "extra-factor"),
    ("dpre = dh * torch.sigmoid(gate)", "dpre = dh * torch.tanh(gate)", "wrong-operator"),
    ("dW1 = X.T @ dboth", "dW1 = dboth.T @ X", "transpose"),
    ("torch.cat([dgate, dpre], 1)", "torch.cat([dpre, dgate], 1)", "wrong-variable"),
]


@pytest.mark.slow
@pytest.mark.one_in(8)
@pytest.mark.parametrize(("right", "wrong", "kind"), MISTAKES)
def test_a_large_line_is_explained_with_little_work(right, wrong, kind, check_text, monkeypatch):
    """Less is computed than by a dozen runs of the line in its own size."""
    work = []
    diagnose = rows.diagnose

    def counted(*judged):
        with settings.Effort() as effort:
            found = diagnose(*judged)
        work.append(effort.elements)
        return found

    with settings.Effort() as own:
        check_text(LARGE)
    monkeypatch.setattr(rows, "diagnose", counted)
    assert LARGE.count(right) == 1
    wrong = LARGE.replace(right, wrong)
    report = check_text(wrong)
    (row,) = report.blamed
    assert {d.kind for d in row.diagnosis} & {kind}
    assert check_text(mended(wrong, report.repairs)).right
    assert work[0] < own.elements / 2


def test_where_no_small_program_shows_the_fault_the_line_itself_is_tried(check_text, monkeypatch):
    monkeypatch.setattr(trials, "small_setting", lambda *_: None)
    report = check_text(LARGE.replace("dW1 = X.T @ dboth", "dW1 = dboth.T @ X"))
    assert [d.kind for d in report.blamed[0].diagnosis] == ["transpose"]


def test_trials_end_when_the_work_is_done(check_text, monkeypatch):
    tried, right = [], trials.Trials.right

    def counted(self, *changes):
        tried.append(changes)
        return right(self, *changes)

    monkeypatch.setattr(trials, "MOST_WORK", 5)
    monkeypatch.setattr(trials.Trials, "right", counted)
    report = check_text(LARGE.replace("dpre = dh * torch.sigmoid(gate)", "dpre = dh * torch.tanh(gate)"))
    assert [row.name for row in report.blamed] == ["pre"]
    assert len(tried) < 30


@given(st.sets(st.integers(1, 10000), max_size=12), st.sampled_from(sorted(RELATIONS)))
def test_different_sizes_stay_different(sizes, relations):
    small = small_sizes(sizes, relations)
    assert small.keys() == sizes
    assert len(set(small.values())) == len(sizes)
    assert all(small[size] <= size for size in sizes)


@given(st.integers(2, 300), st.integers(2, 300))
def test_products_stay_products(a, b):
    small = small_sizes([a, b, a * b], "all")
    assert small[a * b] == small[a] * small[b]


def test_powers_of_two_are_made_small_too():
    """Each is a product of others, but not each such product is one of the program's."""
    small = small_sizes([8, 64, 512, 1024, 2048, 5000], "products")
    assert small[512] == small[8] * small[64]
    assert sum(small.values()) < 100


def test_indices_stay_in_range():
    start = {"E": torch.randn(900, 40), "ix": torch.randint(0, 900, (500,)), "n": 500, "tokens": [3, 899]}
    small = reduced(Region(start), "none").region.start
    assert small["n"] == len(small["ix"]) < 20
    assert small["ix"].max() < len(small["E"])
    assert max(small["tokens"]) < len(small["E"])


def test_what_the_true_values_hide_is_looked_for_in_small_sizes(check_text, monkeypatch):
    """Less is computed, and a line that is wrong in general is found all the same."""
    work = {}
    for large in (float("inf"), 2**16):
        monkeypatch.setattr(truth, "LARGE", large)
        with settings.Effort() as effort:
            assert check_text(LARGE).right
        work[large] = effort.elements
    assert work[2**16] < 2 / 3 * work[float("inf")]
    masked = LARGE.replace(
        "loss = F.cross_entropy(logits, Y)",
        "maxes = logits.max(1, keepdim=True).values\nnorm = logits - maxes\nloss = F.cross_entropy(norm, Y)",
    ).replace("dlogits /= n", "dlogits /= n\ndnorm = dlogits.clone()\ndmaxes = dnorm.sum(1, keepdim=True)")
    assert {row.name: row.verdict for row in check_text(masked).blamed} == {"maxes": "masked"}
    assert check_text(masked.replace("dmaxes = dnorm", "dmaxes = -dnorm")).right
