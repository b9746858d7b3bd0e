import torch
import torch.nn.functional as F


class SGDMomentum:
    def __init__(self, params, lr=0.1, mu=0.9, weight_decay=0.0):
        self.params, self.lr, self.mu, self.wd = params, lr, mu, weight_decay
        self.velocity = [torch.zeros_like(p) for p in params]

    def step(self, grads):
        for p, v, g in zip(self.params, self.velocity, grads):
            v.mul_(self.mu).add_(g + self.wd * p)
            p.sub_(self.lr * v)


torch.manual_seed(19)
X, y = torch.randn(24, 4), torch.randint(0, 2, (24,))
W1, b1, W2, b2 = torch.randn(4, 6), torch.zeros(6), torch.randn(6, 1), torch.zeros(1)
opt = SGDMomentum([W1, b1, W2, b2], lr=0.05, weight_decay=1e-4)
losses = []
for i in range(300):
    batch = torch.randperm(24)[:8]
    xb, yb = X[batch], y[batch].float()[:, None]
    z1 = xb @ W1 + b1
    a1 = z1.sigmoid()
    z2 = a1 @ W2 + b2
    loss = F.binary_cross_entropy_with_logits(z2, yb)
    dz2 = (z2.sigmoid() - yb) / len(yb)
    dW2, db2 = a1.T @ dz2, dz2.sum(0)
    da1 = dz2 @ W2.T
    dz1 = da1 * a1 * (1 - a1)
    dW1, db1 = xb.T @ dz1, dz1.sum(0)
    opt.step([dW1, db1, dW2, db2])
    losses.append(loss.item())
