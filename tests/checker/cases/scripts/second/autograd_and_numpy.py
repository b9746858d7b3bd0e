"""Gradients compared with autograd and with finite differences in the same file."""

import numpy as np
import torch

torch.manual_seed(10)
rng = np.random.default_rng(10)
x = torch.tensor(rng.random((5, 3)), dtype=torch.float64)
y = torch.tensor(rng.random(5), dtype=torch.float64)
w = torch.tensor(rng.random(3), dtype=torch.float64, requires_grad=True)
b = torch.tensor(0.0, dtype=torch.float64, requires_grad=True)


def f(w, b):
    return ((x @ w + b - y) ** 2).mean()


pred = x @ w + b
diff = pred - y
loss = (diff**2).mean()
loss.backward()

ddiff = 2 * diff / len(diff)
dpred = ddiff
dw = x.T @ dpred
db = dpred.sum()
print("w", torch.allclose(dw, w.grad), "b", torch.allclose(db, b.grad))

eps = 1e-6
numeric = torch.zeros_like(w)
for i in range(3):
    step = torch.zeros_like(w)
    step[i] = eps
    numeric[i] = (f(w + step, b) - f(w - step, b)).item() / (2 * eps)
assert (numeric - dw).abs().max() < 1e-6
