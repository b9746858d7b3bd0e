"""Programs with loops: what is printed for them runs where it is to be put, and has the gradients of autograd."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from handgrad.derive.verify.running import copied
from handgrad.forward.deriving import Derived, Target, Wish, derive_target

BEGIN = """
import torch
import torch.nn.functional as F
torch.manual_seed(0)
T, B, D, H, V = 6, 4, 5, 7, 9
x = torch.randn(T, B, D)
Y = torch.randint(0, V, (T, B))
Wx = (torch.randn(D, H) * 0.5).requires_grad_()
Wh = (torch.randn(H, H) * 0.5).requires_grad_()
b = torch.randn(H, requires_grad=True)
Wy = torch.randn(H, V, requires_grad=True)
"""

PROGRAMS = {
    "a character-level net in dicts": """
xs, hs, ps = {}, {-1: torch.zeros(1, H)}, {}
letters, following, loss = [0, 3, 1, 4], [3, 1, 4, 2], 0
for t in range(len(letters)):
    xs[t] = torch.zeros(1, D)
    xs[t][0, letters[t]] = 1
    hs[t] = torch.tanh(xs[t] @ Wx + hs[t - 1] @ Wh + b)
    ps[t] = torch.softmax(hs[t] @ Wy, 1)
    loss += -torch.log(ps[t][0, following[t]])
""",
    "states that are not kept": """
h = torch.zeros(B, H)
loss = 0.0
for t in range(T):
    h = torch.tanh(x[t] @ Wx + h @ Wh + b)
    logits = h @ Wy
    loss = loss + F.cross_entropy(logits, Y[t])
loss = loss / T
""",
    "gates, kept in lists": """
U = torch.randn(H, 4 * H, requires_grad=True)
h, c = torch.zeros(B, H), torch.zeros(B, H)
hs = []
for t in range(T):
    i, f, g, o = (x[t] @ Wx @ U + h @ Wh @ U).chunk(4, dim=1)
    i, f, o = torch.sigmoid(i), torch.sigmoid(f), torch.sigmoid(o)
    c = f * c + i * torch.tanh(g)
    h = o * torch.tanh(c)
    hs.append(h)
out = torch.stack(hs, 1)
loss = out.pow(2).mean()
""",
    "Euler's method": """
y = b
for _ in range(20):
    y = y + 0.05 * torch.tanh(Wh @ y)
loss = (y**2).sum()
""",
    "from the end, into a tensor": """
returns = torch.zeros(T, B)
value = torch.zeros(B)
for t in reversed(range(T)):
    value = x[t] @ Wx[:, 0] + 0.9 * b[0] * value
    returns[t] = value
loss = (returns**2).mean()
""",
    "windows": """
out = torch.zeros(D - 1, H - 2)
for i in range(D - 1):
    for j in range(H - 2):
        patch = Wx[i:i + 2, j:j + 3]
        out[i, j] = (patch * Wh[:2, :3]).sum() + b[0]
loss = (out**2).mean()
""",
    "a list that is read three times": """
hs, h = [], torch.zeros(B, H)
for t in range(T):
    h = torch.tanh(x[t] @ Wx + h @ Wh)
    hs.append(h)
last = hs[-1]
loss = torch.stack(hs).pow(2).mean() + last.sum() + torch.cat(hs, 1).pow(3).mean() + torch.stack(hs[1:]).mean()
""",
    "two layers, each with its state": """
W = [torch.randn(H, H, requires_grad=True) for _ in range(2)]
h = [torch.zeros(B, H) for _ in range(2)]
loss = 0
for t in range(T):
    below = x[t] @ Wx
    for k in range(2):
        h[k] = torch.tanh(below @ W[k] + h[k] @ Wh)
        below = h[k]
    loss = loss + F.cross_entropy(below @ Wy, Y[t])
""",
    "a score that is summed": """
score = b[0]
for t in range(1, T):
    score = score + Wx[t - 1, Y[t - 1, 0] % H] - Wh[Y[t, 0] % H, 0]
loss = torch.tanh(score)
""",
    "what a round found, in a loop in a loop": """
R = torch.zeros(D + 1, H + 1)
for i in range(1, D + 1):
    for j in range(1, H + 1):
        s = torch.exp(-R[i - 1, j - 1].clone()) + torch.exp(-R[i - 1, j].clone())
        R[i, j] = Wx[i - 1, j - 1] - torch.log(s)
loss = R[D, H] * b[0]
""",
    "heads": """
heads = []
for i in range(2):
    q, k = x @ Wx[:, 3 * i:3 * i + 3], x @ Wh[:D, 3 * i:3 * i + 3]
    heads.append(F.softmax(q @ k.transpose(1, 2) * 3**-0.5, dim=-1) @ k)
loss = torch.cat(heads, -1).pow(2).mean()
""",
}  # fmt: skip


def derived(folder: Path, source: str) -> Derived:
    """What is derived for a program."""
    path = folder / "program.py"
    path.write_text(source)
    return derive_target(Target(path), Wish())


@pytest.mark.one_in(4)
@pytest.mark.parametrize("name", PROGRAMS)
def test_the_lines_have_the_gradients_where_they_are_put(tmp_path, name):
    source = BEGIN + PROGRAMS[name]
    found = derived(tmp_path, source)
    assert "for " in found.derivation.source
    exec(f"{source}loss.backward()\n", program := {})
    below = program
    if found.derivation.written.recomputed:
        below = {name: copied(value) for name, value in found.forward.lines.before.items()}
    with torch.no_grad():
        exec(found.derivation.source, below)
    for leaf in ("Wx", "Wh", "b", "Wy", "U"):
        if getattr(program.get(leaf), "grad", None) is not None:
            np.testing.assert_allclose(below[f"d{leaf}"], program[leaf].grad, rtol=2e-4, atol=2e-5, err_msg=leaf)


def test_a_loop_that_keeps_its_states_is_undone_below_it(tmp_path):
    found = derived(tmp_path, BEGIN + PROGRAMS["a character-level net in dicts"])
    assert not found.derivation.written.recomputed
    assert found.derivation.source.startswith("dh = torch.zeros_like(hs[0])\n")
    assert "\nfor t in reversed(range(len(letters))):\n" in found.derivation.source
    assert "    dWh += hs[t - 1].T @ da2\n" in found.derivation.source


def test_a_loop_that_keeps_nothing_is_shown_with_what_it_has_to_keep(tmp_path):
    source = derived(tmp_path, BEGIN + PROGRAMS["states that are not kept"]).derivation.source
    assert "hs = [h]\n" in source
    assert "    h = torch.tanh(x[t] @ Wx + h @ Wh + b)\n    hs.append(h)\n" in source
    assert "    da = (1 - hs[t + 1]**2) * dh\n" in source
    assert "    dh = da @ Wh.T\n" in source
    assert not re.search(r"\b(h2|h_prev|loss_prev)\b", source)


def test_parts_that_are_cheap_are_taken_again(tmp_path):
    source = derived(tmp_path, BEGIN + PROGRAMS["windows"]).derivation.source
    assert "        patch = Wx[i:i + 2, j:j + 3]\n" in source


def test_what_the_program_calls_otherwise_has_its_name_there(tmp_path):
    """What is written into a tensor of the program's is read from that."""
    source = derived(tmp_path, BEGIN + "z = torch.zeros(T, B)\nfor t in range(T):\n    z[t] = x[t] @ Wx[:, 0]\n"
                     "loss = (z**2).sum()\n").derivation.source  # fmt: skip
    assert "dz = 2 * z" in source
    assert "z2" not in source


LAYERS = """
Ws = [torch.randn(k, k + 1, requires_grad=True) for k in range(5, 9)]
bs = [torch.zeros(k + 1, requires_grad=True) for k in range(5, 9)]
h = x[0]
for W, b in zip(Ws, bs):
    h = torch.tanh(h @ W + b)
loss = h.sum()
"""


def test_the_gradients_of_a_list_of_parameters_are_a_list(tmp_path):
    source = derived(tmp_path, BEGIN + LAYERS).derivation.source
    assert "\nfor t in reversed(range(len(Ws))):\n" in source
    assert "    dWs[t] += hs[t].T @ da\n" in source
    assert "dWs_0" not in source
