"""A character-level recurrent net, forward and backward each a loop over time."""

import torch

vocab, hidden, T = 7, 5, 6
g = torch.Generator().manual_seed(11)
inputs = torch.randint(0, vocab, (T,), generator=g).tolist()
targets = torch.randint(0, vocab, (T,), generator=g).tolist()
Wxh = (torch.randn(hidden, vocab, generator=g) * 0.5).requires_grad_()
Whh = (torch.randn(hidden, hidden, generator=g) * 0.5).requires_grad_()
Why = (torch.randn(vocab, hidden, generator=g) * 0.5).requires_grad_()
bh = torch.zeros(hidden, 1, requires_grad=True)
by = torch.zeros(vocab, 1, requires_grad=True)

# forward
xs, hs, ps = {}, {-1: torch.zeros(hidden, 1)}, {}
loss = 0
for t in range(T):
    xs[t] = torch.zeros(vocab, 1)
    xs[t][inputs[t]] = 1
    hs[t] = torch.tanh(Wxh @ xs[t] + Whh @ hs[t - 1] + bh)
    ps[t] = torch.softmax(Why @ hs[t] + by, dim=0)
    loss = loss - torch.log(ps[t][targets[t], 0])

# backward
dWxh, dWhh, dWhy = torch.zeros_like(Wxh), torch.zeros_like(Whh), torch.zeros_like(Why)
dbh, dby = torch.zeros_like(bh), torch.zeros_like(by)
dhnext = torch.zeros(hidden, 1)
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
