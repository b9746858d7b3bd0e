"""Max pooling and average pooling of the same rows, side by side."""

import torch

N, T, D, K = 4, 6, 5, 3
g = torch.Generator().manual_seed(13)
X = torch.randn(N, T, 2, generator=g)
y = torch.randint(0, K, (N,), generator=g)
W0 = torch.randn(2, D, generator=g, requires_grad=True)
W1 = torch.randn(2 * D, K, generator=g, requires_grad=True)

# forward
x = X @ W0
peak, where = x.max(dim=1)
avg = x.mean(dim=1)
both = torch.cat([peak, avg], dim=1)
logits = both @ W1
lse = torch.logsumexp(logits, dim=1)
right = logits.gather(1, y[:, None]).squeeze(1)
loss = (lse - right).mean()

# backward
dlse = torch.full((N,), 1 / N)
dright = -torch.full((N,), 1 / N)
dlogits = dlse[:, None] * (logits - lse[:, None]).exp()
dlogits.scatter_add_(1, y[:, None], dright[:, None])
dboth = dlogits @ W1.T
dW1 = both.T @ dlogits
dpeak = dboth[:, :D]
davg = dboth[:, D:]
dx = davg.unsqueeze(1).repeat(1, T, 1) / T
dx.scatter_add_(1, where.unsqueeze(1), dpeak.unsqueeze(1))
dW0 = X.reshape(-1, 2).T @ dx.reshape(-1, D)
