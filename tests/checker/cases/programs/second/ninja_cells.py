"""A batch-normed character model in one learner's cells: other names, a print and an assert after many lines."""

import torch
import torch.nn.functional as F  # noqa: F401

# In [1]: data
words = ["emma", "olivia", "ava", "isabella", "sophia", "mia"]
stoi = {ch: i for i, ch in enumerate("." + "".join(sorted(set("".join(words)))))}
xs, ys = [], []
for word in words:
    ctx = [0, 0]
    for ch in word + ".":
        xs.append(ctx)
        ys.append(stoi[ch])
        ctx = [*ctx[1:], stoi[ch]]
xs, ys = torch.tensor(xs), torch.tensor(ys)
batch_size, emb_dim, hidden = 10, 3, 6
vocab = len(stoi)

# In [2]: weights
gen = torch.Generator().manual_seed(2024)
table = torch.randn(vocab, emb_dim, generator=gen)
weight1 = torch.randn(2 * emb_dim, hidden, generator=gen) * 0.5
bias1 = torch.randn(hidden, generator=gen) * 0.1
weight2 = torch.randn(hidden, vocab, generator=gen) * 0.4
bias2 = torch.randn(vocab, generator=gen) * 0.1
gamma = torch.rand(1, hidden, generator=gen) + 0.5
beta = torch.randn(1, hidden, generator=gen) * 0.1
params = [table, weight1, bias1, weight2, bias2, gamma, beta]
for p in params:
    p.requires_grad_(True)
print(sum(p.numel() for p in params))

# In [3]: forward
pick = torch.randint(0, len(xs), (batch_size,), generator=gen)
xb, yb = xs[pick], ys[pick]
vectors = table[xb]
flat = vectors.reshape(batch_size, -1)
pre = flat @ weight1 + bias1
mu = pre.mean(dim=0, keepdim=True)
centred = pre - mu
squared = centred * centred
variance = squared.sum(dim=0, keepdim=True) / (batch_size - 1)
inv_std = (variance + 1e-5).rsqrt()
normed = centred * inv_std
scaled = gamma * normed + beta
hid = scaled.tanh()
logits = hid @ weight2 + bias2
biggest = logits.max(dim=1, keepdim=True).values
shifted = logits - biggest
exps = torch.exp(shifted)
total = exps.sum(dim=1, keepdim=True)
inv_total = 1.0 / total
softmaxed = exps * inv_total
logsoftmax = torch.log(softmaxed)
loss = -logsoftmax[torch.arange(batch_size), yb].mean()
print(f"loss {loss.item():.4f}")

# In [4]: backward
d_logsoftmax = torch.zeros((batch_size, vocab))
d_logsoftmax[torch.arange(batch_size), yb] = -1.0 / batch_size
d_softmaxed = d_logsoftmax / softmaxed
assert d_softmaxed.shape == softmaxed.shape
d_inv_total = (d_softmaxed * exps).sum(dim=1, keepdim=True)
d_exps = d_softmaxed * inv_total
d_total = -d_inv_total / (total * total)
d_exps = d_exps + d_total.expand(-1, vocab)
d_shifted = d_exps * exps
d_biggest = d_shifted.sum(dim=1, keepdim=True).neg()
d_logits = d_shifted.clone()
d_logits[torch.arange(batch_size), logits.argmax(dim=1)] += d_biggest.squeeze(1)
print("logits done", d_logits.shape)
d_hid = torch.mm(d_logits, weight2.t())
d_weight2 = torch.mm(hid.t(), d_logits)
d_bias2 = d_logits.sum(dim=0)
d_scaled = d_hid * (1 - hid.pow(2))
d_gamma = (d_scaled * normed).sum(dim=0, keepdim=True)
d_beta = d_scaled.sum(dim=0, keepdim=True)
d_normed = d_scaled * gamma
d_inv_std = (d_normed * centred).sum(dim=0, keepdim=True)
d_centred = d_normed * inv_std
d_variance = d_inv_std * -0.5 * inv_std**3
d_squared = d_variance.repeat(batch_size, 1) / (batch_size - 1)
d_centred += d_squared * centred * 2
d_mu = -d_centred.sum(dim=0, keepdim=True)
d_pre = d_centred + d_mu / batch_size
d_flat = torch.mm(d_pre, weight1.t())
d_weight1 = torch.mm(flat.t(), d_pre)
d_bias1 = d_pre.sum(dim=0)
d_vectors = d_flat.reshape(vectors.shape)
d_table = torch.zeros_like(table)
for row in range(batch_size):
    for pos in range(xb.shape[1]):
        d_table[xb[row, pos]] += d_vectors[row, pos]
print("all done")
