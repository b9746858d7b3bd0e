"""A training loop that would take long, with hand-written gradients and a manual update."""

import torch
import torch.nn.functional as F

g = torch.Generator().manual_seed(2147483647)
data = torch.randn(400, 6, generator=g)
label = (data[:, 0] > 0).long() + (data[:, 1] > 0).long()
W1 = torch.randn(6, 32, generator=g) * 0.3
b1 = torch.zeros(32)
W2 = torch.randn(32, 3, generator=g) * 0.3
b2 = torch.zeros(3)
params = [W1, b1, W2, b2]
for p in params:
    p.requires_grad = True

for step in range(10_000):
    ix = torch.randint(0, 400, (25,), generator=g)
    xb, yb = data[ix], label[ix]
    hpre = xb @ W1 + b1
    h = torch.tanh(hpre)
    logits = h @ W2 + b2
    loss = F.cross_entropy(logits, yb)

    with torch.no_grad():
        dlogits = F.softmax(logits, dim=1)
        dlogits[range(25), yb] -= 1
        dlogits /= 25
        dW2, db2 = h.T @ dlogits, dlogits.sum(0)
        dh = dlogits @ W2.T
        dhpre = dh * (1 - h * h)
        dW1, db1 = xb.T @ dhpre, dhpre.sum(0)
        for p, dp in zip(params, [dW1, db1, dW2, db2], strict=True):
            p -= 0.1 * dp
    if step % 1000 == 0:
        print(step, loss.item())
