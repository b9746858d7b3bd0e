import torch
import torch.nn.functional as F

torch.manual_seed(12)
X, Y = torch.randn(32, 5), torch.randint(0, 3, (32,))
params = {"W1": torch.randn(5, 8) * 0.3, "b1": torch.zeros(8), "W2": torch.randn(8, 3) * 0.3, "b2": torch.zeros(3)}
m = {k: torch.zeros_like(v) for k, v in params.items()}
v = {k: torch.zeros_like(p) for k, p in params.items()}
beta1, beta2, eps, lr, wd = 0.9, 0.999, 1e-8, 1e-3, 1e-2
t = 0
for epoch in range(5):
    perm = torch.randperm(len(X))
    for i in range(0, len(X), 8):
        ix = perm[i : i + 8]
        xb, yb = X[ix], Y[ix]
        n = len(xb)
        z1 = xb @ params["W1"] + params["b1"]
        a1 = torch.relu(z1)
        z2 = a1 @ params["W2"] + params["b2"]
        loss = F.cross_entropy(z2, yb)
        grads = {}
        dz2 = F.softmax(z2, dim=1)
        dz2[torch.arange(n), yb] -= 1
        dz2 = dz2 / n
        grads["W2"] = a1.T @ dz2
        grads["b2"] = dz2.sum(0)
        da1 = dz2 @ params["W2"].T
        dz1 = da1 * (z1 > 0).float()
        grads["W1"] = xb.T @ dz1
        grads["b1"] = dz1.sum(0)
        t += 1
        for k in params:
            g = grads[k] + wd * params[k]
            m[k] = beta1 * m[k] + (1 - beta1) * g
            v[k] = beta2 * v[k] + (1 - beta2) * g**2
            mhat = m[k] / (1 - beta1**t)
            vhat = v[k] / (1 - beta2**t)
            params[k] = params[k] - lr * mhat / (vhat.sqrt() + eps)
