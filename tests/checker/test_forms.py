"""Gradients in dicts, in attributes, in functions, in methods and in loops: each line inside is judged as its own."""

from dataclasses import dataclass

import pytest

from handgrad.checker import check
from handgrad.checker.faces.mend import mend

START = """\
import torch
import torch.nn.functional as F

g = torch.Generator().manual_seed(1)
n = 8
x = torch.randn(n, 5, generator=g)
y = torch.randint(0, 3, (n,), generator=g)
W1 = torch.randn(5, 6, generator=g)
b1 = torch.randn(6, generator=g)
W2 = torch.randn(6, 3, generator=g)
b2 = torch.randn(3, generator=g)
"""

NAMES = """\
hpre = x @ W1 + b1
h = torch.tanh(hpre)
logits = h @ W2 + b2
loss = F.cross_entropy(logits, y)
"""

ENTRIES = (
    START
    + NAMES
    + """\
grads = {}
grads["logits"] = F.softmax(logits, 1)
grads["logits"][range(n), y] -= 1
grads["logits"] /= n
grads["W2"] = h.T @ grads["logits"]
grads["b2"] = grads["logits"].sum(0)
grads["h"] = grads["logits"] @ W2.T
grads["hpre"] = (1 - h**2) * grads["h"]
grads["W1"] = x.T @ grads["hpre"]
grads["b1"] = grads["hpre"].sum(0)
"""
)

ALL_ENTRIES = (
    START
    + """\
params = {"W1": W1, "b1": b1, "W2": W2, "b2": b2}
cache = {}
cache["hpre"] = x @ params["W1"] + params["b1"]
cache["h"] = torch.tanh(cache["hpre"])
cache["logits"] = cache["h"] @ params["W2"] + params["b2"]
loss = F.cross_entropy(cache["logits"], y)
d = {k: torch.zeros_like(v) for k, v in params.items()}
dlogits = (F.softmax(cache["logits"], 1) - F.one_hot(y, 3)) / n
d["W2"] += cache["h"].T @ dlogits
d["b2"] += dlogits.sum(0)
dh = dlogits @ params["W2"].T
dhpre = (1 - cache["h"] ** 2) * dh
d["W1"] += x.T @ dhpre
d["b1"] += dhpre.sum(0)
for name in params:
    params[name] -= 0.1 * d[name]
print(sum(float(p.sum()) for p in params.values()))
"""
)

LITERAL = (
    START
    + NAMES
    + """\
dlogits = (F.softmax(logits, 1) - F.one_hot(y, 3)) / n
dhpre = (1 - h**2) * (dlogits @ W2.T)
grads = {
    "W1": x.T @ dhpre,
    "b1": dhpre.sum(0),
    "W2": h.T @ dlogits,
    "b2": dlogits.sum(0),
}
"""
)

GRAD_BY_HAND = (
    START
    + NAMES
    + """\
dlogits = (F.softmax(logits, 1) - F.one_hot(y, 3)) / n
dh = dlogits @ W2.T
dhpre = (1 - h**2) * dh
W2.grad = h.T @ dlogits
b2.grad = dlogits.sum(0)
W1.grad = x.T @ dhpre
b1.grad = dhpre.sum(0)
for p in [W1, b1, W2, b2]:
    p.data -= 0.1 * p.grad
"""
)

FUNCTIONS = (
    START
    + """\
def forward(x, W1, b1, W2, b2):
    \"\"\"Logits, and what the backward half needs.\"\"\"
    hpre = x @ W1 + b1
    h = torch.tanh(hpre)
    logits = h @ W2 + b2
    return logits, (x, h, W2, logits)


def backward(cache, y):
    x, h, W2, logits = cache
    n = x.shape[0]
    dlogits = F.softmax(logits, 1)
    dlogits[range(n), y] -= 1
    dlogits /= n
    dW2 = h.T @ dlogits
    db2 = dlogits.sum(0)
    dh = dlogits @ W2.T
    dhpre = (1 - h**2) * dh
    dW1 = x.T @ dhpre
    db1 = dhpre.sum(0)
    return dW1, db1, dW2, db2


logits, cache = forward(x, W1, b1, W2, b2)
loss = F.cross_entropy(logits, y)
dW1, db1, dW2, db2 = backward(cache, y)
"""
)

FUNCTION_OF_LOSS = (
    FUNCTIONS.replace(
        "    return logits, (x, h, W2, logits)", "    return logits, dict(x=x, h=h, W2=W2, logits=logits)"
    )
    .replace("x, h, W2, logits = cache", 'x, h, W2, logits = cache["x"], cache["h"], cache["W2"], cache["logits"]')
    .replace("    return dW1, db1, dW2, db2", '    return {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2}')
    .replace("dW1, db1, dW2, db2 = backward(cache, y)", "grads = backward(cache, y)")
)

LAYERWISE = (
    START
    + """\
def linear_forward(x, w, b):
    out = x @ w + b
    return out, (x, w)


def linear_backward(dout, cache):
    x, w = cache
    dx = dout @ w.T
    dw = x.T @ dout
    db = dout.sum(0)
    return dx, dw, db


def tanh_forward(z):
    out = torch.tanh(z)
    return out, out


def tanh_backward(dout, cache):
    dx = dout * (1 - cache**2)
    return dx


hpre, cache1 = linear_forward(x, W1, b1)
h, cache2 = tanh_forward(hpre)
logits, cache3 = linear_forward(h, W2, b2)
loss = F.cross_entropy(logits, y)
dlogits = (F.softmax(logits, 1) - F.one_hot(y, 3)) / n
dh, dW2, db2 = linear_backward(dlogits, cache3)
dhpre = tanh_backward(dh, cache2)
dx, dW1, db1 = linear_backward(dhpre, cache1)
"""
)

NETWORK = (
    START
    + """\
class Network:
    def __init__(self, sizes):
        self.W1 = torch.randn(5, sizes, generator=g)
        self.W2 = torch.randn(sizes, 3, generator=g)

    def forward(self, x):
        self.x = x
        self.hpre = x @ self.W1
        self.h = torch.tanh(self.hpre)
        return self.h @ self.W2

    def backward(self, dlogits):
        self.dW2 = self.h.T @ dlogits
        dh = dlogits @ self.W2.T
        dhpre = dh * (1 - self.h**2)
        self.dW1 = self.x.T @ dhpre

    def step(self, rate):
        self.W1 -= rate * self.dW1
        self.W2 -= rate * self.dW2


net = Network(6)
for step in range(1000):
    logits = net.forward(x)
    loss = F.cross_entropy(logits, y)
    dlogits = (F.softmax(logits, 1) - F.one_hot(y, 3)) / n
    net.backward(dlogits)
    net.step(0.1)
"""
)

LAYERS = (
    START
    + """\
class Linear:
    def __init__(self, w, b):
        self.w, self.b = w, b

    def __call__(self, x):
        self.x = x
        self.out = x @ self.w + self.b
        return self.out

    def backward(self, dout):
        self.dw = self.x.T @ dout
        self.db = dout.sum(0)
        return dout @ self.w.T


class Tanh:
    def __call__(self, x):
        self.out = torch.tanh(x)
        return self.out

    def backward(self, dout):
        return dout * (1 - self.out**2)


layers = [Linear(W1, b1), Tanh(), Linear(W2, b2)]
out = x
for layer in layers:
    out = layer(out)
loss = F.cross_entropy(out, y)
dout = F.softmax(out, 1)
dout[range(n), y] -= 1
dout /= n
for layer in reversed(layers):
    dout = layer.backward(dout)
for layer in layers:
    if isinstance(layer, Linear):
        layer.w -= 0.1 * layer.dw
        layer.b -= 0.1 * layer.db
"""
)

RECURRENT = """\
import torch

g = torch.Generator().manual_seed(1)
T, V, H = 4, 5, 6
inputs = torch.randint(0, V, (T,), generator=g).tolist()
targets = torch.randint(0, V, (T,), generator=g).tolist()
Wxh, Whh = torch.randn(H, V, generator=g), torch.randn(H, H, generator=g)
Why, bh, by = torch.randn(V, H, generator=g), torch.randn(H, 1, generator=g), torch.randn(V, 1, generator=g)
xs, hs, ys, ps = {}, {}, {}, {}
hs[-1] = torch.zeros(H, 1)
loss = 0
for t in range(T):
    xs[t] = torch.zeros(V, 1)
    xs[t][inputs[t]] = 1
    hs[t] = torch.tanh(Wxh @ xs[t] + Whh @ hs[t - 1] + bh)
    ys[t] = Why @ hs[t] + by
    ps[t] = torch.exp(ys[t]) / torch.sum(torch.exp(ys[t]))
    loss += -torch.log(ps[t][targets[t], 0])
dWxh, dWhh, dWhy = torch.zeros_like(Wxh), torch.zeros_like(Whh), torch.zeros_like(Why)
dbh, dby = torch.zeros_like(bh), torch.zeros_like(by)
dhnext = torch.zeros_like(hs[0])
for t in reversed(range(T)):
    dy = ps[t].clone()
    dy[targets[t]] -= 1
    dWhy += dy @ hs[t].T
    dby += dy
    dh = Why.T @ dy + dhnext
    dhraw = (1 - hs[t] * hs[t]) * dh
    dbh += dhraw
    dWxh += dhraw @ xs[t].T
    dWhh += dhraw @ hs[t - 1].T
    dhnext = Whh.T @ dhraw
"""

RECURRENT_IN_DICT = RECURRENT.replace(
    "dWxh, dWhh, dWhy = torch.zeros_like(Wxh), torch.zeros_like(Whh), torch.zeros_like(Why)\n"
    "dbh, dby = torch.zeros_like(bh), torch.zeros_like(by)\n",
    "weights = {'Wxh': Wxh, 'Whh': Whh, 'Why': Why, 'bh': bh, 'by': by}\n"
    "grads = {name: torch.zeros_like(value) for name, value in weights.items()}\n",
)
for one in ("dWxh", "dWhh", "dWhy", "dbh", "dby"):
    RECURRENT_IN_DICT = RECURRENT_IN_DICT.replace(f"    {one} +=", f"    grads['{one[1:]}'] +=")

TWO_LAYERS = """\
import torch
import torch.nn.functional as F
g = torch.Generator().manual_seed(1)
class TwoLayerNet:
    def __init__(self, d, h, c):
        self.params = {"W1": torch.randn(d, h, generator=g) * 0.1, "b1": torch.zeros(h)}
        self.params.update(W2=torch.randn(h, c, generator=g) * 0.1, b2=torch.zeros(c))
    def loss(self, X, y, reg=0.1):
        W1, b1 = self.params["W1"], self.params["b1"]
        W2, b2 = self.params["W2"], self.params["b2"]
        N = X.shape[0]
        hidden = (X @ W1 + b1).clamp(min=0)
        scores = hidden @ W2 + b2
        probs = F.softmax(scores, 1)
        loss = -probs[range(N), y].log().mean() + reg * ((W1**2).sum() + (W2**2).sum())
        grads = {}
        dscores = probs.clone()
        dscores[range(N), y] -= 1
        dscores /= N
        grads["W2"] = hidden.T @ dscores
        grads["b2"] = dscores.sum(0)
        dhidden = dscores @ W2.T
        dhidden[hidden <= 0] = 0
        grads["W1"] = X.T @ dhidden
        grads["b1"] = dhidden.sum(0)
        grads["W1"] += 2 * reg * W1
        grads["W2"] += 2 * reg * W2
        return loss, grads
    def train(self, X, y, lr=0.1, num_iters=100):
        history = []
        for it in range(num_iters):
            loss, grads = self.loss(X, y, reg=0.01)
            history.append(loss.item())
            for k in self.params:
                self.params[k] -= lr * grads[k]
        return history
X = torch.randn(10, 4, generator=g); y = torch.randint(0, 3, (10,), generator=g)
net = TwoLayerNet(4, 5, 3)
loss, grads = net.loss(X, y, reg=0.05)
hist = net.train(X, y)
"""

IN_CACHE = """\
import torch
import torch.nn.functional as F
g = torch.Generator().manual_seed(1)
def init():
    return {"W1": torch.randn(4, 5, generator=g), "W2": torch.randn(5, 3, generator=g)}
def softmax(x):
    e = torch.exp(x - x.max(1, keepdim=True).values)
    return e / e.sum(1, keepdim=True)
def forward(params, x):
    cache = {"x": x}
    cache["z1"] = x @ params["W1"]
    cache["a1"] = torch.sigmoid(cache["z1"])
    cache["z2"] = cache["a1"] @ params["W2"]
    cache["a2"] = softmax(cache["z2"])
    return cache["a2"], cache
def compute_loss(a2, y):
    m = y.shape[0]
    return -torch.log(a2[range(m), y]).sum() / m
def backward(params, cache, y):
    m = y.shape[0]
    grads = {}
    dz2 = cache["a2"].clone()
    dz2[range(m), y] -= 1
    dz2 = dz2 / m
    grads["dW2"] = cache["a1"].T @ dz2
    da1 = dz2 @ params["W2"].T
    dz1 = da1 * cache["a1"] * (1 - cache["a1"])
    grads["dW1"] = cache["x"].T @ dz1
    return grads
def update(params, grads, lr):
    for k in params:
        params[k] = params[k] - lr * grads["d" + k]
    return params
X = torch.randn(10, 4, generator=g); y = torch.randint(0, 3, (10,), generator=g)
params = init()
for i in range(1000):
    a2, cache = forward(params, X)
    loss = compute_loss(a2, y)
    grads = backward(params, cache, y)
    params = update(params, grads, 0.1)
    if i % 100 == 0:
        print(i, loss)
"""

SEQUENTIAL = """\
import torch
import torch.nn.functional as F
g = torch.Generator().manual_seed(1)
class Layer:
    def __init__(self):
        self.grads = {}
class Linear(Layer):
    def __init__(self, i, o):
        super().__init__()
        self.params = {"W": torch.randn(i, o, generator=g), "b": torch.randn(o, generator=g)}
    def forward(self, x):
        self.x = x
        return x @ self.params["W"] + self.params["b"]
    def backward(self, grad_out):
        self.grads["W"] = self.x.T @ grad_out
        self.grads["b"] = grad_out.sum(0)
        grad_in = grad_out @ self.params["W"].T
        return grad_in
class ReLU(Layer):
    def forward(self, x):
        self.mask = x > 0
        return x * self.mask
    def backward(self, grad_out):
        return grad_out * self.mask
class Sequential:
    def __init__(self, *layers):
        self.layers = list(layers)
    def forward(self, x):
        for layer in self.layers:
            x = layer.forward(x)
        return x
    def backward(self, grad):
        for layer in reversed(self.layers):
            grad = layer.backward(grad)
        return grad
class CrossEntropy:
    def forward(self, logits, y):
        self.probs = F.softmax(logits, 1)
        self.y = y
        return -self.probs[range(len(y)), y].log().mean()
    def backward(self):
        dlogits = self.probs.clone()
        dlogits[range(len(self.y)), self.y] -= 1
        return dlogits / len(self.y)
X = torch.randn(10, 4, generator=g); y = torch.randint(0, 3, (10,), generator=g)
model = Sequential(Linear(4, 5), ReLU(), Linear(5, 3))
criterion = CrossEntropy()
for epoch in range(100):
    out = model.forward(X)
    loss = criterion.forward(out, y)
    grad = criterion.backward()
    model.backward(grad)
    for layer in model.layers:
        if isinstance(layer, Linear):
            for k in layer.params:
                layer.params[k] -= 0.1 * layer.grads[k]
    print(loss.item())
"""

GRAD_OF_ATTRIBUTES = """\
import torch
g = torch.Generator().manual_seed(1)
x = torch.randn(8, 5, generator=g)
class Affine:
    def __init__(self, i, o):
        self.weight = torch.randn(i, o, generator=g)
        self.bias = torch.randn(o, generator=g)
        self.weight.grad = None
    def __call__(self, x):
        self.inp = x
        return x @ self.weight + self.bias
    def backward(self, grad):
        self.weight.grad = self.inp.T @ grad
        self.bias.grad = grad.sum(0)
        return grad @ self.weight.T
    def parameters(self):
        return [self.weight, self.bias]
l1, l2 = Affine(5, 6), Affine(6, 1)
for it in range(20):
    h = torch.sigmoid(l1(x))
    out = l2(h)
    loss = out.pow(2).mean()
    dout = 2 * out / out.numel()
    dh = l2.backward(dout)
    dz = dh * h * (1 - h)
    l1.backward(dz)
    for p in l1.parameters() + l2.parameters():
        p.data -= 0.1 * p.grad
"""

LISTS = (
    START
    + """\
Ws, bs = [W1, torch.randn(6, 6, generator=g), W2], [b1, torch.randn(6, generator=g), b2]
hs = [x]
for i in range(3):
    z = hs[i] @ Ws[i] + bs[i]
    hs.append(torch.tanh(z) if i < 2 else z)
loss = F.cross_entropy(hs[-1], y)
dWs, dbs = [None] * 3, [None] * 3
d = (F.softmax(hs[-1], 1) - F.one_hot(y, 3)) / n
for i in reversed(range(3)):
    dWs[i] = hs[i].T @ d
    dbs[i] = d.sum(0)
    d = (d @ Ws[i].T) * (1 - hs[i] ** 2)
for i in range(3):
    Ws[i] = Ws[i] - 0.1 * dWs[i]
    bs[i] = bs[i] - 0.1 * dbs[i]
"""
)

APPENDED = """\
import torch

g = torch.Generator().manual_seed(1)
weights = [torch.randn(4, 4, generator=g) for _ in range(3)]
momenta = [torch.zeros_like(w) for w in weights]
x, y = torch.randn(6, 4, generator=g), torch.randn(6, 4, generator=g)
outs = [x]
for w in weights:
    outs.append(torch.relu(outs[-1] @ w))
loss = ((outs[-1] - y) ** 2).mean()
grads = []
delta = 2 * (outs[-1] - y) / y.numel()
for k in (2, 1, 0):
    delta = delta * (outs[k + 1] > 0)
    grads.append(outs[k].T @ delta)
    delta = delta @ weights[k].T
for i, grad in enumerate(reversed(grads)):
    momenta[i] = 0.9 * momenta[i] + grad
    weights[i] -= 0.1 * momenta[i]
"""

COMPUTED_KEYS = """\
import torch
import torch.nn.functional as F

g = torch.Generator().manual_seed(1)
class Net:
    def __init__(self, sizes):
        self.count = len(sizes) - 1
        self.params = {}
        for i in range(self.count):
            self.params[f"W{i}"] = torch.randn(sizes[i], sizes[i + 1], generator=g)
            self.params[f"b{i}"] = torch.randn(sizes[i + 1], generator=g)
    def loss(self, x, y=None, reg=0.1):
        h, seen = x, {}
        for i in range(self.count):
            seen[i] = h
            h = h @ self.params[f"W{i}"] + self.params[f"b{i}"]
            h = F.relu(h) if i < self.count - 1 else h
        if y is None:
            return h
        loss = F.cross_entropy(h, y)
        grads = {}
        d = (F.softmax(h, 1) - F.one_hot(y, 3)) / len(y)
        for i in reversed(range(self.count)):
            loss += 0.5 * reg * (self.params[f"W{i}"] ** 2).sum()
            grads[f"W{i}"] = seen[i].T @ d + reg * self.params[f"W{i}"]
            grads[f"b{i}"] = d.sum(0)
            d = d @ self.params[f"W{i}"].T * (seen[i] > 0)
        return loss, grads
x, y = torch.randn(8, 4, generator=g), torch.randint(0, 3, (8,), generator=g)
net = Net([4, 6, 5, 3])
loss, grads = net.loss(x, y)
print((net.loss(x).argmax(1) == y).float().mean())
"""

NESTED = (
    START
    + """\
params = {"one": {"W": W1, "b": b1}, "two": {"W": W2, "b": b2}}
grads = {"one": {}, "two": {}}
hpre = x @ params["one"]["W"] + params["one"]["b"]
h = torch.tanh(hpre)
logits = h @ params["two"]["W"] + params["two"]["b"]
loss = F.cross_entropy(logits, y)
dlogits = (F.softmax(logits, 1) - F.one_hot(y, 3)) / n
grads["two"]["W"] = h.T @ dlogits
grads["two"]["b"] = dlogits.sum(0)
dh = dlogits @ params["two"]["W"].T
dhpre = (1 - h**2) * dh
grads["one"]["W"] = x.T @ dhpre
grads["one"]["b"] = dhpre.sum(0)
"""
)

SLOTS = (
    START
    + """\
from dataclasses import dataclass

class Linear:
    __slots__ = ("w", "dw", "x")
    def __init__(self, w):
        self.w = w
    def __call__(self, *inputs):
        return self.forward(*inputs)
    def forward(self, x):
        self.x = x
        return x @ self.w
    @torch.no_grad()
    def backward(self, dout):
        self.dw = self.x.T @ dout
        return dout @ self.w.T

class Tanh(Linear):
    __slots__ = ("out",)
    def forward(self, x):
        self.out = torch.tanh(super().forward(x))
        return self.out
    def backward(self, dout):
        dz = dout * (1 - self.out**2)
        return super().backward(dz)

@dataclass
class Grads:
    b: torch.Tensor = None

one, two = Tanh(W1), Linear(W2)
logits = two(one(x)) + b2
loss = F.cross_entropy(logits, y)
dlogits = (F.softmax(logits, 1) - F.one_hot(y, 3)) / n
grads = Grads()
grads.b2 = dlogits.sum(0)
dh = two.backward(dlogits)
dx = one.backward(dh)
"""
)

PROGRAMS = {
    "entries": (ENTRIES, {"logits", "h", "hpre", "W1", "b1", "W2", "b2"}),
    "all-entries": (
        ALL_ENTRIES,
        {"cache['logits']", "cache['h']", "cache['hpre']", "W1", "b1", "W2", "b2"},
    ),
    "literal": (LITERAL, {"logits", "hpre", "W1", "b1", "W2", "b2"}),
    "grad-by-hand": (GRAD_BY_HAND, {"logits", "h", "hpre", "W1", "b1", "W2", "b2"}),
    "functions": (FUNCTIONS, {"logits", "h", "hpre", "W1", "b1", "W2", "b2"}),
    "function-to-dict": (FUNCTION_OF_LOSS, {"logits", "h", "hpre", "W1", "b1", "W2", "b2"}),
    "layerwise": (LAYERWISE, {"logits", "h", "hpre", "x", "W1", "b1", "W2", "b2"}),
    "network": (NETWORK, {"logits", "net.h", "net.hpre", "net.W1", "net.W2"}),
    "layers": (LAYERS, {"out", *(f"layers[{i}].{name}" for i in (0, 2) for name in "xwb")}),
    "two-layers": (TWO_LAYERS, {"scores", "hidden", *(f"net.params['{name}']" for name in ("W1", "b1", "W2", "b2"))}),
    "in-cache": (IN_CACHE, {*(f"cache['{name}']" for name in ("z1", "a1", "z2")), "params['W1']", "params['W2']"}),
    "sequential": (SEQUENTIAL, {"out", "x", *(f"model.layers[{i}].params['{name}']" for i in (0, 2) for name in "Wb")}),
    "grad-of-attributes": (
        GRAD_OF_ATTRIBUTES,
        {"out", "h", "x", *(f"{layer}.{name}" for layer in ("l1", "l2") for name in ("weight", "bias"))},
    ),
    "recurrent": (RECURRENT, {"Wxh", "Whh", "Why", "bh", "by"}),
    "lists": (LISTS, {"W1", "Ws[1]", "W2", "b1", "bs[1]", "b2"}),
    "appended": (APPENDED, {f"weights[{i}]" for i in range(3)}),
    "computed-keys": (COMPUTED_KEYS, {f"net.params['{name}{i}']" for i in range(3) for name in "Wb"}),
    "nested": (
        NESTED,
        {"logits", "h", "hpre", *(f"params['{layer}']['{name}']" for layer in ("one", "two") for name in "Wb")},
    ),
    "slots": (SLOTS, {"logits", "b2", "two.w", "one.w", "x"}),
    "recurrent-in-dict": (RECURRENT_IN_DICT, {"Wxh", "Whh", "Why", "bh", "by"}),
}


@pytest.mark.one_in(5)
@pytest.mark.parametrize("id", PROGRAMS)
def test_every_gradient_of_a_right_program_is_seen_and_right(id, check_text):
    text, names = PROGRAMS[id]
    report = check_text(text)
    assert report.right, str(report)
    assert not report.notes
    rows = [row for row in report.variables if row.verdict != "missing"]
    assert {row.verdict for row in rows} <= {"exact", "close"}, str(report)
    assert {row.name for row in rows} == names


@pytest.mark.one_in(5)
@pytest.mark.parametrize("id", PROGRAMS)
def test_the_same_with_parameters_that_require_gradients(id, check_text):
    text = PROGRAMS[id][0]
    text = text.replace("b2 = torch.randn(3, generator=g)\n", "b2 = torch.randn(3, generator=g)\nW1.requires_grad_()\n")
    report = check_text(text)
    assert not report.blamed, str(report)
    assert not report.hazards


@dataclass(frozen=True)
class Wrong:
    program: str
    right: str
    wrong: str
    blamed: str
    """The variable, where the line is the gradient of one."""


WRONG = (
    Wrong("entries", '(1 - h**2) * grads["h"]', '(1 - h) * grads["h"]', "hpre"),
    Wrong("entries", 'grads["logits"].sum(0)', 'grads["logits"].sum(1)', "b2"),
    Wrong("entries", 'grads["logits"] /= n', 'grads["logits"] /= 2 * n', "logits"),
    Wrong("all-entries", 'd["b1"] += dhpre.sum(0)', 'd["b1"] += dhpre.mean(0)', "b1"),
    Wrong("all-entries", '1 - cache["h"] ** 2', '1 - cache["h"]', "cache['hpre']"),
    Wrong("literal", '"b1": dhpre.sum(0),', '"b1": dhpre.sum(1),', "b1"),
    Wrong("literal", '"W2": h.T @ dlogits,', '"W2": dlogits.T @ h,', "W2"),
    Wrong("grad-by-hand", "W1.grad = x.T @ dhpre", "W1.grad = -x.T @ dhpre", "W1"),
    Wrong("functions", "dhpre = (1 - h**2) * dh", "dhpre = (1 - h) * dh", "hpre"),
    Wrong("functions", "db1 = dhpre.sum(0)", "db1 = dhpre.sum(1)", "b1"),
    Wrong("functions", "dlogits /= n", "dlogits /= n - 1", "logits"),
    Wrong("function-to-dict", "dW1 = x.T @ dhpre", "dW1 = -x.T @ dhpre", "W1"),
    Wrong("layerwise", "dout * (1 - cache**2)", "dout * (1 - cache)", "hpre"),
    Wrong("layerwise", "dw = x.T @ dout", "dw = -x.T @ dout", "W2"),
    Wrong("network", "dhpre = dh * (1 - self.h**2)", "dhpre = dh * (1 + self.h**2)", "net.hpre"),
    Wrong("network", "self.dW1 = self.x.T @ dhpre", "self.dW1 = -self.x.T @ dhpre", "net.W1"),
    Wrong("layers", "return dout * (1 - self.out**2)", "return dout * (1 - self.out)", "out"),
    Wrong("layers", "return dout @ self.w.T", "return -dout @ self.w.T", "layers[2].x"),
    Wrong("layers", "self.db = dout.sum(0)", "self.db = dout.mean(0)", "layers[2].b"),
    Wrong("layers", "dout /= n", "dout /= n - 1", "out"),
    Wrong("two-layers", 'grads["b2"] = dscores.sum(0)', 'grads["b2"] = dscores.sum(1)', "net.params['b2']"),
    Wrong("two-layers", "dscores /= N", "dscores /= N - 1", "scores"),
    Wrong("in-cache", "dz2 = dz2 / m", "dz2 = dz2 * m", "cache['z2']"),
    Wrong("in-cache", 'da1 * cache["a1"] * (1 - cache["a1"])', 'da1 * (1 - cache["a1"])', "cache['z1']"),
    Wrong("sequential", "return grad_out * self.mask", "return -grad_out * self.mask", "x"),
    Wrong("sequential", 'self.grads["b"] = grad_out.sum(0)', 'self.grads["b"] = grad_out.mean(0)', ""),
    Wrong("grad-of-attributes", "self.bias.grad = grad.sum(0)", "self.bias.grad = grad.mean(0)", "l2.bias"),
    Wrong("lists", "dWs[i] = hs[i].T @ d", "dWs[i] = 2 * hs[i].T @ d", ""),
    Wrong("lists", "dbs[i] = d.sum(0)", "dbs[i] = d.mean(0)", ""),
    Wrong("lists", "(1 - hs[i] ** 2)", "(1 - hs[i])", "W1"),
    Wrong("appended", "grads.append(outs[k].T @ delta)", "grads.append(-outs[k].T @ delta)", ""),
    Wrong("computed-keys", "seen[i].T @ d + reg *", "seen[i].T @ d + 2 * reg *", ""),
    Wrong("computed-keys", 'grads[f"b{i}"] = d.sum(0)', 'grads[f"b{i}"] = d.mean(0)', ""),
    Wrong("nested", 'grads["two"]["b"] = dlogits.sum(0)', 'grads["two"]["b"] = dlogits', "params['two']['b']"),
    Wrong("slots", "self.dw = self.x.T @ dout", "self.dw = 2 * self.x.T @ dout", "two.w"),
    Wrong("slots", "dz = dout * (1 - self.out**2)", "dz = dout * (1 - self.out)", ""),
    Wrong("slots", "grads.b2 = dlogits.sum(0)", "grads.b2 = dlogits.sum(1)", "b2"),
    Wrong("recurrent", "(1 - hs[t] * hs[t]) * dh", "(1 + hs[t] * hs[t]) * dh", ""),
    Wrong("recurrent", "dhnext = Whh.T @ dhraw", "dhnext = Whh @ dhraw", ""),
    Wrong("recurrent", "dWhh += dhraw @ hs[t - 1].T", "dWhh += dhraw @ hs[t].T", "Whh"),
    Wrong("recurrent-in-dict", "grads['by'] += dy", "grads['by'] -= dy", "by"),
    Wrong("recurrent-in-dict", "(1 - hs[t] * hs[t]) * dh", "(1 + hs[t] * hs[t]) * dh", ""),
)


@pytest.mark.slow
@pytest.mark.one_in(12)
@pytest.mark.parametrize("wrong", WRONG, ids=lambda w: f"{w.program}: {w.wrong}")
def test_the_inner_line_is_named_and_mended(wrong, tmp_path):
    text, _ = PROGRAMS[wrong.program]
    assert text.count(wrong.right) == 1
    text = text.replace(wrong.right, wrong.wrong)
    path = tmp_path / "mine.py"
    path.write_text(text)
    report = check(path)
    line = text[: text.index(wrong.wrong)].count("\n") + 1
    assert {row.line for row in report.blamed} == {line}, str(report)
    assert wrong.blamed in {row.name for row in report.blamed} | {""}
    assert not report.hazards
    assert "·" not in str(report)
    mend(report, path)
    assert check(path).right, path.read_text()


@pytest.mark.slow
def test_a_line_inside_a_loop_is_told_by_the_gradients_that_are_right(check_text):
    report = check_text(RECURRENT.replace("(1 - hs[t] * hs[t]) * dh", "torch.sqrt(hs[t] ** 2 + 7) * dh"))
    (row,) = report.blamed
    assert RECURRENT.split("\n")[row.line - 1].strip().startswith("dhraw = ")
    assert row.diagnosis[0].message.endswith("it is in line 27, 28 or 32.")
    report = check_text(RECURRENT.replace("dWhh += dhraw @ hs[t - 1].T", "dWhh += torch.sin(dhraw) @ hs[t - 1].T"))
    assert [(row.name, row.line) for row in report.blamed] == [("Whh", 31)]


NO_GRADIENTS = """\
data = {"x": x, "y": y}
data["x"] = data["x"] * 2
stats = {}
stats["h"] = h * 3
config = {"device": 1, "dW": 2}
class Box:
    def __init__(self):
        self.data = h * 2
box = Box()
box.data = h * 5
def dump(h):
    dh = h * 2
    return dh
shown = dump(h)
W1.grad = None
"""


def test_what_only_looks_like_an_entry_of_gradients_gives_no_alarm(check_text):
    report = check_text(ENTRIES.replace("grads = {}\n", NO_GRADIENTS + "grads = {}\n") + NO_GRADIENTS)
    assert not report.blamed, str(report)


def test_an_exception_inside_a_function_is_the_users(check_text):
    report = check_text(FUNCTIONS.replace("dW1 = x.T @ dhpre", "dW1 = x @ dhpre"))
    (row,) = report.blamed
    assert (row.name, FUNCTIONS.split("\n")[row.line - 1].strip()) == ("W1", "dW1 = x.T @ dhpre")
    assert "RuntimeError: mat1 and mat2 shapes" in row.diagnosis[0].message


BESIDE = (
    LAYERWISE.replace("W1 = torch.randn(5, 6, generator=g)", "W1 = torch.randn(5, 6, generator=g, requires_grad=True)")
    + """\


def cmp(name, dt, t):
    exact = torch.all(dt == t.grad).item()
    close = torch.allclose(dt, t.grad)
    print(name, exact, close)


def numerical(f, w, eps=1e-3):
    dw = torch.zeros_like(w)
    for i in range(w.numel()):
        d = torch.zeros_like(w)
        d.view(-1)[i] = eps
        dw.view(-1)[i] = (f(w + d) - f(w - d)) / (2 * eps)
    return dw


loss.backward()
cmp("W1", dW1, W1)
approximate = numerical(lambda w: F.cross_entropy(torch.tanh(x @ w + b1) @ W2 + b2, y), W1)
"""
)


def test_functions_that_only_compare_have_no_gradients_of_their_own(check_text):
    report = check_text(BESIDE)
    assert report.right, str(report)
    assert len([row for row in report.variables if row.name == "W1"]) == 1


def test_strict_asks_for_no_gradient_of_what_only_a_function_knows(check_text):
    softmax = "def softmax(x):\n    e = x.exp()\n    return e / e.sum(1, keepdim=True)\n\n\n"
    text = ALL_ENTRIES.replace("params = {", softmax + "params = {").replace(
        'loss = F.cross_entropy(cache["logits"], y)', 'loss = -softmax(cache["logits"])[range(n), y].log().mean()'
    )
    assert check_text(text, strict=True).right
