"""Step by step first, then in closed form with a new forward pass over the same names."""

import torch
import torch.nn.functional as F

n, n_in, n_mid, n_out = 10, 4, 6, 5
g = torch.Generator().manual_seed(7)
x = torch.randn(n, n_in, generator=g)
y = torch.randint(0, n_out, (n,), generator=g)
W1 = torch.randn(n_in, n_mid, generator=g, requires_grad=True)
gain = torch.randn(1, n_mid, generator=g, requires_grad=True)
W2 = torch.randn(n_mid, n_out, generator=g, requires_grad=True)

# pass 1, step by step
pre = x @ W1
mean = pre.mean(0, keepdim=True)
diff = pre - mean
var = (diff**2).sum(0, keepdim=True) / (n - 1)
inv = (var + 1e-5) ** -0.5
raw = diff * inv
hid = gain * raw
logits = hid @ W2
probs = logits.softmax(1)
loss = -probs[torch.arange(n), y].log().mean()

dprobs = torch.zeros_like(probs)
dprobs[torch.arange(n), y] = -1 / (n * probs[torch.arange(n), y])
dlogits = probs * (dprobs - (probs * dprobs).sum(1, keepdim=True))
dW2 = hid.T @ dlogits
dhid = dlogits @ W2.T
dgain = (raw * dhid).sum(0, keepdim=True)
draw = gain * dhid
ddiff = inv * draw
dinv = (diff * draw).sum(0, keepdim=True)
dvar = -0.5 * (var + 1e-5) ** -1.5 * dinv
ddiff += 2 * diff / (n - 1) * dvar
dmean = -ddiff.sum(0, keepdim=True)
dpre = ddiff + dmean / n
dW1 = x.T @ dpre

# pass 2, in closed form, on another batch
x = torch.randn(n, n_in, generator=g)
y = torch.randint(0, n_out, (n,), generator=g)
pre = x @ W1
inv = (pre.var(0, keepdim=True) + 1e-5) ** -0.5
raw = (pre - pre.mean(0, keepdim=True)) * inv
hid = gain * raw
logits = hid @ W2
loss = F.cross_entropy(logits, y)

dlogits = (logits.softmax(1) - F.one_hot(y, n_out)) / n
dW2 = hid.T @ dlogits
dhid = dlogits @ W2.T
dgain = (raw * dhid).sum(0, keepdim=True)
dpre = gain * inv / n * (n * dhid - dhid.sum(0) - n / (n - 1) * raw * (dhid * raw).sum(0))
dW1 = x.T @ dpre
