"""Loops over steps are read as loops, whose rounds do the same; others are written out or refused."""

import ast

import numpy as np
import pytest
import torch

from handgrad.derive.read.keeping import keeping, kept
from handgrad.derive.read.program import Carried, Loop, Program, Store
from handgrad.derive.read.running import float64
from handgrad.derive.read.statements import read_function
from handgrad.errors import DeriveError

from .reading import checked, randn, read, same, same_gradients

T, N, D, H = 5, 2, 3, 4
BEFORE = {
    "T": T,
    "N": N,
    "H": H,
    "x": randn(T, N, D),
    "xb": randn(N, T, D),
    "z": randn(T, H),
    "h0": randn(N, H),
    "Wx": randn(D, H),
    "Wh": randn(H, H),
    "b": randn(H),
    "leak": 0.9,
    "y": torch.tensor([[0, 1, 2, 3, 0], [1, 1, 0, 2, 3]]),
}

LOOPS = {
    "a list": """
h = h0
hs = []
for t in range(T):
    h = torch.tanh(x[t] @ Wx + h @ Wh + b)
    hs.append(h)
loss = torch.stack(hs).sum()
""",
    "over a tensor": """
h = torch.zeros(N, H)
hs = [h]
for x_t in x:
    hs.append(torch.tanh(x_t @ Wx + hs[-1] @ Wh))
loss = (torch.stack(hs[1:], 1) ** 2).mean()
""",
    "enumerated": """
hs = {-1: h0}
for t, x_t in enumerate(x):
    hs[t] = torch.tanh(x_t @ Wx + hs[t - 1] @ Wh)
loss = sum(hs[t].sum() for t in range(2)) + hs[T - 1].sum()
""",
    "two together": """
loss = 0
h = h0
for x_t, y_t in zip(x, y.T):
    h = torch.tanh(x_t @ Wx + h @ Wh)
    loss += F.cross_entropy(h, y_t)
loss = loss / T
""",
    "no list": """
h = h0
c = torch.zeros_like(h)
for t in range(xb.shape[1]):
    f = torch.sigmoid(xb[:, t] @ Wx)
    c = f * c + (1 - f) * torch.tanh(h @ Wh)
    h = f * torch.tanh(c)
loss = (h * c).sum()
""",
    "a tensor": """
h = z.clone()
for t in range(1, T):
    h[t] += leak * h[t - 1]
loss = (h * h).sum()
""",
    "a tensor made ahead": """
h = torch.zeros(T + 1, N, H)
h[0] = h0
for t in range(T):
    h[t + 1] = torch.tanh(x[t] @ Wx + h[t] @ Wh)
loss = h[1:].sum()
""",
    "backwards": """
run = torch.ones(H)
out = torch.zeros_like(z)
for t in reversed(range(T)):
    run = run * z[t]
    out[t] = run
loss = (out * out).sum()
""",
    "in steps": """
total = torch.zeros(H)
for t in range(0, T, 2):
    total = total + z[t] * (t + 1)
loss = (total * total).sum()
""",
    "products": """
p = torch.ones(H)
ps = []
for row in z:
    p = p * row
    ps.append(p)
loss = torch.stack(ps).sum()
""",
    "one inside another": """
out = torch.zeros(T, N, H)
for t in range(T):
    for n in range(N):
        out[t, n] = torch.tanh(x[t, n] @ Wx)
loss = (out ** 2).sum()
""",
    "an inner sum": """
loss = 0.0
for t in range(T):
    s = 0
    for j in range(H):
        s = s + z[t, j] ** 2
    loss = loss + torch.sqrt(s)
""",
    "a choice of the first": """
hs = []
for t in range(T):
    before = hs[t - 1] if t > 0 else h0
    hs.append(torch.tanh(x[t] @ Wx + before @ Wh))
loss = torch.stack(hs).sum()
""",
    "states at once": """
h, c = h0, h0 * 0
for t in range(T):
    a = x[t] @ Wx + h @ Wh
    h, c = torch.tanh(a + c), torch.sigmoid(a)
loss = (h + c).sum()
""",
    "a step as a function": """
def step(x_t, h):
    a = x_t @ Wx + h @ Wh
    return torch.tanh(a)
h = h0
hs = []
for t in range(T):
    h = step(x[t], h)
    hs.append(h)
loss = torch.cat(hs).sum()
""",
    "a comprehension": """
hs = [torch.tanh(x_t @ Wx) for x_t in x]
loss = torch.stack(hs).sum() + sum((h @ Wh).mean() for h in hs)
""",
    "a sum": """
loss = sum(F.cross_entropy(x[t] @ Wx, y[:, t]) for t in range(T)) / T
""",
    "outputs of another loop": """
hs, os = [], []
h = h0
for t in range(T):
    h = torch.tanh(x[t] @ Wx + h @ Wh)
    hs.append(h)
for h_t in hs:
    os.append((h_t @ Wh).relu())
loss = torch.stack(os).sum()
""",
}


def loops(program: Program) -> list[Loop]:
    return [line for line in program.with_loops().lines if isinstance(line, Loop)]


@pytest.mark.parametrize("source", LOOPS.values(), ids=list(LOOPS))
def test_loops(source):
    program = (read if "T + 1" in source else same_gradients)(source, **BEFORE)
    assert loops(program)
    assert not any(isinstance(line, Loop) for line in program.lines)
    for loop in loops(program):
        readable = kept(program.with_loops(), loop)
        others = [name for name in loop.rounds[0] if name not in readable and name != loop.variable]
        more, _ = keeping(program.with_loops(), loop, others)
        values = dict(more.before)
        with float64():
            exec(more.source, values)
        for name in {*more.values} - {*program.values}:
            same(values[name], more.values[name])


def test_how_a_loop_reads():
    program = read(LOOPS["a list"], **BEFORE)
    (loop,) = loops(program)
    assert loop.source == (
        "hs = []\nh = h0\nfor t in range(T):\n    h_prev = h\n"
        "    h = torch.tanh(x[t] @ Wx + h_prev @ Wh + b)\n    hs.append(h)"
    )
    assert loop.carried == (Carried("h0", "h_prev", "h"),)
    assert [stored.name for stored in loop.stored] == ["hs"]
    assert ast.unparse(loop.backwards) == "reversed(range(T))"
    assert [values["t"] for values in loop.rounds] == list(range(T))
    assert program.with_loops().renamed == {}
    assert {"h", "hs", "loss"} <= program.with_loops().kept


def test_how_a_loop_over_elements_of_a_tensor_reads():
    (loop,) = loops(read(LOOPS["a tensor"], **BEFORE))
    assert loop.source == "h = h1.clone()\nfor t in range(1, T):\n    h[t] += leak * h[t - 1]"
    assert loop.carried == ()
    (store,) = loop.body
    assert isinstance(store, Store)
    assert (store.container, store.added, store.text) == ("h", True, "h[t] += leak * h[t - 1]")


def test_what_can_be_read_below_a_loop():
    for name, expected in {
        "a list": {"h": "hs[t]", "h_prev": "hs[t - 1] if t > 0 else h0"},
        "over a tensor": {"h": "hs[t + 1]", "h_prev": "hs[t]"},
        "enumerated": {"h": "hs[t]", "h_prev": "hs[t - 1]"},
        "backwards": {"run": "out[t]"},
    }.items():
        program = read(LOOPS[name], **BEFORE).with_loops()
        loop, *_ = loops(program)
        found = {program.renamed.get(k, k): ast.unparse(v) for k, v in kept(program, loop).items()}
        assert found == expected, name


def test_sums_are_known():
    (loop,) = loops(read(LOOPS["two together"], **BEFORE))
    assert [(c.leaving, c.summed) for c in loop.carried if c.leaving.startswith("loss")] == [("loss", True)]


MIN_CHAR_RNN = """
xs, hs, ys, ps = {}, {}, {}, {}
hs[-1] = np.copy(hprev)
loss = 0
for t in range(len(inputs)):
    xs[t] = np.zeros((vocab_size, 1))
    xs[t][inputs[t]] = 1
    hs[t] = np.tanh(np.dot(Wxh, xs[t]) + np.dot(Whh, hs[t-1]) + bh)
    ys[t] = np.dot(Why, hs[t]) + by
    ps[t] = np.exp(ys[t]) / np.sum(np.exp(ys[t]))
    loss += -np.log(ps[t][targets[t], 0])
"""


def test_min_char_rnn():
    shapes = {"Wxh": (H, D), "Whh": (H, H), "Why": (D, H), "bh": (H, 1), "by": (D, 1), "hprev": (H, 1)}
    weights = {name: randn(*shape).numpy() for name, shape in shapes.items()}
    inputs, targets = [0, 2, 1, 0], [2, 1, 0, 1]
    program = read(
        MIN_CHAR_RNN, **weights, inputs=inputs, targets=targets, vocab_size=D, given=["Wxh", "Whh", "Why", "bh", "by"]
    )
    (loop,) = loops(program)
    found = {name: ast.unparse(node) for name, node in kept(program.with_loops(), loop).items()}
    assert found == {"x": "xs[t]", "h": "hs[t]", "h_prev": "hs[t - 1]", "y": "ys[t]", "p": "ps[t]"}
    assert program.library == "numpy"


def test_the_index_that_a_loop_leaves():
    program = read("for t in range(T):\n    a = z[t] * 2\nloss = (a * z[t]).sum()", **BEFORE)
    same_gradients("for t in range(T):\n    a = z[t] * 2\nloss = (a * z[t]).sum()", **BEFORE)
    assert loops(program)


WRITTEN_OUT = {
    "rounds differ": "s = z[0]\nfor t in range(1, T):\n    s = s * z[t] if t % 2 else s + z[t]\nloss = s.sum()",
    "layers": "h = h0\nfor W in [Wh, Wh.T, Wh]:\n    h = torch.tanh(h @ W)\nloss = h.sum()",
    "all so far": "hs = []\nfor t in range(T):\n    hs.append(x[t] @ Wx)\n    q = torch.stack(hs).sum()\nloss = q",
    "two rounds back": "f = [z[0], z[1]]\nfor t in range(2, T):\n    f.append(f[-1] + f[-2] * z[t])\nloss = f[-1]",
    "a break": "s = z[0]\nfor t in range(1, T):\n    if t == 3:\n        break\n    s = s * z[t]\nloss = s.sum()",
    "a continue": "s = z[0]\nfor t in range(1, T):\n    if t == 3:\n        continue\n    s = s * z[t]\nloss = s.sum()",
    "noise": "s = z[0]\nfor t in range(1, T):\n    s = s * z[t] * torch.rand(())\nloss = s.sum()",
}


@pytest.mark.parametrize("source", WRITTEN_OUT.values(), ids=list(WRITTEN_OUT))
def test_what_is_written_out(source):
    program = read(source, **BEFORE)
    assert not loops(program)
    if "range(T" in source or "range(1" in source or "range(2, T" in source:
        assert any("is written out for its" in note for note in program.notes)


def test_many_rounds_are_a_loop_or_refused():
    before = {**BEFORE, "x": randn(60, N, D), "T": 60, "z": randn(60, H)}
    program = read(LOOPS["a list"], **before)
    assert any(isinstance(line, Loop) for line in program.lines)
    with pytest.raises(
        DeriveError, match=r"line 2: for t in range\(1, T\): this loop goes round 59 times.*rounds compute"
    ):
        read(WRITTEN_OUT["rounds differ"], **before)


def gru(x, h, W, U):
    hs = []
    for t in range(x.shape[1]):
        zt, rt = torch.sigmoid(x[:, t] @ W + h @ U).chunk(2, 1)
        h = zt * h + (1 - zt) * torch.tanh(rt * h)
        hs.append(h)
    return torch.stack(hs, 1), h


def test_a_loop_in_a_function():
    program = checked(read_function(gru, randn(N, T, D), randn(N, H), randn(D, 2 * H), randn(H, 2 * H)))
    (loop,) = loops(program)
    assert program.outputs[0] == "out_0"
    assert {program.renamed.get(name, name) for name in loop.rounds[0]} >= {"zt", "rt", "h", "t"}


def test_a_loop_in_a_function_that_is_called():
    def run(x, h):
        for x_t in x:
            h = torch.tanh(x_t @ Wx + h @ Wh)
        return h

    Wx, Wh = BEFORE["Wx"], BEFORE["Wh"]
    program = read("loss = run(x, h0).sum()", **{**BEFORE, "run": run})
    (loop,) = loops(program)
    assert loop.within.endswith("run")
    assert np.allclose(program.values["loss"], run(BEFORE["x"], BEFORE["h0"]).sum(), atol=1e-4)


def test_a_name_for_what_a_round_found_is_that():
    source = """
hprev = h0 * 1
hs = []
for t in range(T):
    xt = x[t]
    ht = torch.tanh(xt @ Wx + hprev @ Wh)
    hprev = ht
    hs.append(ht)
loss = torch.stack(hs).sum() + hprev.sum()
"""
    (loop,) = loops(same_gradients(source, **BEFORE))
    assert loop.carried == (Carried("hprev0", "hprev", "ht"),)


def test_names_for_names_in_rounds_that_differ():
    source = "s = z[0]\nfor t in range(1, T):\n    a = s * z[t] if t % 2 else s + z[t]\n    s = a\nloss = (s * a).sum()"
    assert not loops(same_gradients(source, **BEFORE))


def test_what_stands_beside_a_loop_stays_what_it_is():
    source = """
f = lambda a: a * 2
h = z * 1
v = h[0]
h[0] = 1
s = torch.zeros(H)
for t in range(T):
    s = s + f(h[t])
loss = f(s).sum()
"""
    same_gradients(source, **BEFORE)
    with pytest.raises(DeriveError, match="'v' cannot be read here: it shares its memory"):
        read(f"{source}loss = loss + v.sum()", **BEFORE)


def test_an_element_that_is_read_before_it_is_written():
    source = """
def double(before, buffer, t):
    buffer[t] = 0
    return before * 2
h = z.clone()
s = torch.zeros(H)
for t in range(T):
    s = s + double(h[t] * 1, h, t)
loss = s.sum() + h.sum()
"""
    (loop,) = loops(same_gradients(source, **BEFORE))
    assert loop.stored == ()
