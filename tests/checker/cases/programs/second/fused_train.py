"""The short backward pass inside a training loop, with a plot of the loss at the end."""

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F

rng = torch.Generator().manual_seed(2147483647)
N, V, E, H, CTX = 60, 9, 4, 8, 3
X = torch.randint(0, V, (N, CTX), generator=rng)
Y = torch.randint(0, V, (N,), generator=rng)

C = torch.randn((V, E), generator=rng)
W1 = torch.randn((CTX * E, H), generator=rng) * (5 / 3) / (CTX * E) ** 0.5
W2 = torch.randn((H, V), generator=rng) * 0.3
b2 = torch.randn(V, generator=rng) * 0.1
gain = torch.ones((1, H)) + torch.randn((1, H), generator=rng) * 0.1
bias = torch.zeros((1, H))
parameters = [C, W1, W2, b2, gain, bias]
for p in parameters:
    p.requires_grad = True

bs = 16
history = []
for step in range(400):
    idx = torch.randint(0, N, (bs,), generator=rng)
    xb, yb = X[idx], Y[idx]

    # forward
    emb = C[xb].view(bs, -1)
    hpre = emb @ W1
    mean = hpre.mean(0, keepdim=True)
    var = hpre.var(0, keepdim=True)
    xhat = (hpre - mean) / torch.sqrt(var + 1e-5)
    hbn = gain * xhat + bias
    h = torch.tanh(hbn)
    logits = h @ W2 + b2
    loss = F.cross_entropy(logits, yb)

    # manual backward
    with torch.no_grad():
        probs = F.softmax(logits, dim=1)
        dlogits = probs.clone()
        dlogits[torch.arange(bs), yb] -= 1.0
        dlogits = dlogits / bs
        dW2 = h.T @ dlogits
        db2 = dlogits.sum(0)
        dh = dlogits @ W2.T
        dhbn = (1.0 - h * h) * dh
        dgain = (dhbn * xhat).sum(0, keepdim=True)
        dbias = dhbn.sum(0, keepdim=True)
        dxhat = dhbn * gain
        istd = 1 / torch.sqrt(var + 1e-5)
        dhpre = istd * (dxhat - dxhat.mean(0) - xhat * (dxhat * xhat).sum(0) / (bs - 1))
        dW1 = emb.T @ dhpre
        demb = dhpre @ W1.T
        dC = torch.zeros_like(C)
        dC.index_add_(0, xb.flatten(), demb.view(-1, E))

        grads = [dC, dW1, dW2, db2, dgain, dbias]
        lr = 0.1 if step < 200 else 0.05
        for p, grad in zip(parameters, grads, strict=True):
            p.data += -lr * grad
    history.append(loss.log10().item())
    if step % 100 == 0:
        print(f"{step:5d} {loss.item():.4f}")

plt.plot(history)
plt.show()
