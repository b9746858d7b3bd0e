"""Data by NumPy, weights in float64, explicit dtypes here and there."""

import numpy as np
import torch

rng = np.random.default_rng(5)
features = torch.from_numpy(rng.normal(size=(11, 3)))
outcome = torch.tensor((rng.random(11) < 0.4).astype(np.float64))
w = torch.zeros(3, dtype=torch.float64, requires_grad=True)
b = torch.zeros(1, dtype=torch.float64, requires_grad=True)

z = features @ w + b
p = 1 / (1 + torch.exp(-z))
loss = -(outcome * torch.log(p) + (1 - outcome) * torch.log(1 - p)).sum()

dp = (p - outcome) / (p * (1 - p))
dz = dp * p * (1 - p)
dw = features.T.mv(dz)
db = dz.sum().reshape(1)
