"""Loops: their backward pass as a loop from the last round to the first, at other numbers of rounds too."""

import pytest
import torch

from .forward import SIZES, check, derived, inputs

RNN = "x:tnc Wx:ch Wh:hh b:h h0:nh"

LOOPS = {
    "states in a list": ("""
hs = []
h = h0
for t in range(x.shape[0]):
    h = torch.tanh(x[t] @ Wx + h @ Wh + b)
    hs.append(h)
y = torch.stack(hs)
""", RNN),
    "only the last state": ("""
h = h0
for t in range(x.shape[0]):
    h = torch.tanh(x[t] @ Wx + h @ Wh + b)
y = h @ Wh
""", RNN),
    "from zeros, over the elements": ("""
h = x.new_zeros(x.shape[1], Wh.shape[0])
for x_t in x:
    h = torch.tanh(x_t @ Wx + h @ Wh)
loss = (h**2).mean()
""", "x:tnc Wx:ch Wh:hh"),
    "states in a dict": ("""
hs = {-1: h0}
loss = 0
for t in range(x.shape[0]):
    hs[t] = torch.tanh(x[t] @ Wx + hs[t - 1] @ Wh + b)
    loss = loss + (hs[t]**2).sum()
""", RNN),
    "states in a tensor": ("""
H = x.new_zeros(x.shape[1], x.shape[0], Wh.shape[0])
h = h0
for t in range(x.shape[0]):
    h = torch.tanh(x[t] @ Wx + h @ Wh + b)
    H[:, t] = h
y = H * H
""", RNN),
    "two states": ("""
h, c = h0, c0
hs = []
for t in range(x.shape[0]):
    i, f, o, g = (x[t] @ W + h @ U).chunk(4, 1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    h = torch.sigmoid(o) * torch.tanh(c)
    hs.append(h)
y = torch.stack(hs, 1)
""", "x:tnc W:c8 U:28 h0:n2 c0:n2"),
    "gates": ("""
h = h0
for t in range(x.shape[0]):
    z = torch.sigmoid(x[t] @ Wz + h @ Uz)
    r = torch.sigmoid(x[t] @ Wr + h @ Ur)
    n = torch.tanh(x[t] @ Wn + (r * h) @ Un)
    h = (1 - z) * h + z * n
y = h
""", "x:tnc Wz:ch Uz:hh Wr:ch Ur:hh Wn:ch Un:hh h0:nh"),
    "two layers": ("""
hs = []
h = h0
for t in range(x.shape[0]):
    h = torch.tanh(x[t] @ Wx + h @ Wh + b)
    hs.append(h)
g = g0
gs = []
for h_t in hs:
    g = torch.tanh(h_t @ Wh + g @ Wh)
    gs.append(g)
y = torch.cat(gs, 1)
""", RNN + " g0:nh"),
    "from the end": ("""
h = h0
hs = []
for t in reversed(range(x.shape[0])):
    h = torch.tanh(x[t] @ Wx + h @ Wh + b)
    hs.append(h)
y = torch.stack(hs)
""", RNN),
    "a sum": ("""
s = b
for t in range(x.shape[0]):
    s = s + torch.exp(x[t]) @ Wx
y = s * s
""", "x:tnc Wx:ch b:h"),
    "a loss that is a sum": ("""
loss = 0
for t in range(x.shape[0]):
    loss += F.cross_entropy(x[t] @ Wx + b, Y[t])
""", "x:tnc Wx:ch b:h Y:tn<h"),
    "in place": ("""
h = x.clone()
for t in range(1, h.shape[0]):
    h[t] += a * h[t - 1]
loss = (h**3).sum()
""", "x:tn a:"),
    "residual": ("""
h = x
for i in range(layers):
    h = h + torch.tanh(h @ W)
y = h
""", "x:nh W:hh layers:=t"),
    "one weight a round": ("""
h = x
for i in range(W.shape[0]):
    h = torch.relu(h @ W[i])
y = h
""", "x:nh W:thh"),
    "two that change places": ("""
a, b = x, z
for i in range(count):
    a, b = torch.sin(b), a * b
y = a + b
""", "x:n z:n count:=t"),
    "read by index below": ("""
hs = []
h = h0
for t in range(x.shape[0]):
    h = torch.tanh(x[t] @ Wx + h @ Wh + b)
    hs.append(h)
y = hs[-1] * hs[0] + hs[1]
""", RNN),
    "the last round's value": ("""
h = h0
for t in range(x.shape[0]):
    a = x[t] @ Wx
    h = torch.tanh(a + h @ Wh + b)
y = h * a
""", RNN),
    "nested": ("""
out = x.new_zeros(x.shape[0] - w.shape[0] + 1, x.shape[1] - w.shape[1] + 1)
for i in range(out.shape[0]):
    for j in range(out.shape[1]):
        out[i, j] = (x[i:i + w.shape[0], j:j + w.shape[1]] * w).sum() + b
y = torch.relu(out)
""", "x:th w:23 b:"),
    "attention, one query at a time": ("""
ys = []
for t in range(1, q.shape[0]):
    p = F.softmax(k[:t + 1] @ q[t], 0)
    ys.append(p @ v[:t + 1])
y = torch.stack(ys)
""", "q:th k:th v:th"),
    "a mask": ("""
h = h0
for t in range(x.shape[0]):
    new = torch.tanh(x[t] @ Wx + h @ Wh + b)
    h = torch.where(m[t][:, None], new, h)
y = h
""", RNN + " m:tn?"),
}  # fmt: skip


@pytest.mark.parametrize("name", LOOPS)
def test_loop(name):
    source, spec = LOOPS[name]
    backward = check(source.strip(), spec)
    assert "for " in backward.source


def test_a_person_writes_it_so():
    source, spec = LOOPS["states in a list"]
    assert (
        check(source.strip(), spec).source
        == """
dhs = dy.unbind(0)
dh = torch.zeros_like(h)
dx = torch.zeros_like(x)
dWx = torch.zeros_like(Wx)
dWh = torch.zeros_like(Wh)
db = torch.zeros_like(b)
for t in reversed(range(x.shape[0])):
    h_prev = hs[t - 1] if t > 0 else h0
    dh += dhs[t]
    da = (1 - hs[t]**2) * dh
    dx[t] += da @ Wx.T
    dWx += x[t].T @ da
    dh = da @ Wh.T
    dWh += h_prev.T @ da
    db += da.sum(0)
dh0 = dh
""".strip()
    )


def test_what_rounds_did_not_keep_is_kept_by_running_the_loop_again():
    source, spec = LOOPS["only the last state"]
    backward = check(source.strip(), spec)
    assert backward.below is not None
    assert backward.below.source.startswith("hs = [h0]\n")
    assert "    dWh += hs[t].T @ da\n" in backward.source


def test_elements_that_are_written_anew_are_undone_round_by_round():
    """What `h[t]` was before is not there below the loop."""
    source = "h = x * 1\nfor t in range(1, 4):\n    h[t] = torch.sin(h[t]) * h[t - 1]\ny = h * z"
    assert "for " not in check(source, "x:tn z:tn").source


def test_the_upstream_gradient_is_not_changed():
    source, spec = LOOPS["residual"]
    backward = derived(source.strip(), spec)
    assert backward.below is not None
    run = {**backward.below.values, "dy": torch.ones(SIZES[0]["n"], SIZES[0]["h"])}
    assert backward.upstream == "dy"
    exec(backward.source, run)
    assert torch.equal(run["dy"], torch.ones(SIZES[0]["n"], SIZES[0]["h"]))


def test_gradients_that_rounds_make_anew_are_not_listed():
    source, spec = LOOPS["states in a list"]
    assert set(derived(source.strip(), spec).gradients) == {"x", "Wx", "Wh", "b", "h0", "y"}
    assert set(inputs(spec, SIZES[0])) == {"x", "Wx", "Wh", "b", "h0"}
