"""A focal loss on logits for a rare class, the input features weighted, a positive-class weight."""

import torch

torch.manual_seed(17)
n, f = 9, 4
feats = torch.randn(n, f)
target = (torch.rand(n) < 0.3).float()
w = torch.randn(f, requires_grad=True)
c = torch.zeros(1, requires_grad=True)
alpha, gamma = 0.25, 2.0

z = feats @ w + c
p = torch.sigmoid(z)
pt = target * p + (1 - target) * (1 - p)
at = target * alpha + (1 - target) * (1 - alpha)
logpt = pt.log()
mod = (1 - pt) ** gamma
cost = -at * mod * logpt
loss = cost.sum() / n

dcost = torch.ones_like(cost) / n
dmod = -at * logpt * dcost
dlogpt = -at * mod * dcost
dpt = dlogpt / pt - gamma * (1 - pt) ** (gamma - 1) * dmod
dp = dpt * (2 * target - 1)
dz = dp * p * (1 - p)
dw = feats.T @ dz
dc = dz.sum(0, keepdim=True)
