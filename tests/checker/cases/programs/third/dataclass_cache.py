from dataclasses import dataclass, field

import torch


@dataclass
class LNCache:
    xhat: torch.Tensor
    rstd: torch.Tensor
    gamma: torch.Tensor


@dataclass
class Grads:
    W: torch.Tensor = None
    gamma: torch.Tensor = None
    beta: torch.Tensor = None


def layernorm_forward(x, gamma, beta, eps=1e-5):
    mu = x.mean(-1, keepdim=True)
    var = ((x - mu) ** 2).mean(-1, keepdim=True)
    rstd = (var + eps).rsqrt()
    xhat = (x - mu) * rstd
    return xhat * gamma + beta, LNCache(xhat, rstd, gamma)


def layernorm_backward(dout, c: LNCache):
    dgamma = (dout * c.xhat).sum(0)
    dbeta = dout.sum(0)
    dxhat = dout * c.gamma
    dx = c.rstd * (dxhat - dxhat.mean(-1, keepdim=True) - c.xhat * (dxhat * c.xhat).mean(-1, keepdim=True))
    return dx, dgamma, dbeta


torch.manual_seed(14)
x, W = torch.randn(6, 4), torch.randn(4, 5)
gamma, beta = torch.rand(5) + 0.5, torch.randn(5)
target = torch.randn(6, 5)
u = x @ W
out, cache = layernorm_forward(u, gamma, beta)
loss = (out - target).pow(2).mean()
grads = Grads()
dout = 2 * (out - target) / out.numel()
du, grads.gamma, grads.beta = layernorm_backward(dout, cache)
grads.W = x.T @ du
