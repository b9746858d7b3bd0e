"""Layer norm, linear and softmax loss as pairs of functions that pass a cache, as in a course's homework."""

import torch


def layernorm_forward(x, gamma, beta, eps=1e-5):
    mu = x.mean(-1, keepdim=True)
    xc = x - mu
    var = (xc**2).mean(-1, keepdim=True)
    rstd = 1.0 / torch.sqrt(var + eps)
    xhat = xc * rstd
    return xhat * gamma + beta, (xhat, rstd, gamma)


def layernorm_backward(dout, cache):
    xhat, rstd, gamma = cache
    dbeta = dout.sum((0, 1))
    dgamma = (dout * xhat).sum((0, 1))
    dxhat = dout * gamma
    dx = rstd * (dxhat - dxhat.mean(-1, keepdim=True) - xhat * (dxhat * xhat).mean(-1, keepdim=True))
    return dx, dgamma, dbeta


def linear_forward(x, w, b):
    return x @ w + b, (x, w)


def linear_backward(dout, cache):
    x, w = cache
    dx = dout @ w.T
    dw = torch.einsum("btc,btd->cd", x, dout)
    db = dout.sum((0, 1))
    return dx, dw, db


def softmax_loss(scores, y):
    shifted = scores - scores.max(-1, keepdim=True).values
    logp = shifted - shifted.exp().sum(-1, keepdim=True).log()
    loss = -logp.gather(-1, y[..., None]).mean()
    dscores = logp.exp()
    dscores = dscores.scatter_add(-1, y[..., None], -torch.ones(y.shape)[..., None])
    dscores /= y.numel()
    return loss, dscores


torch.manual_seed(231)
B, T, D, K = 2, 3, 5, 4
inputs = torch.randn(B, T, D, requires_grad=True)
y = torch.randint(0, K, (B, T))
gamma = (torch.rand(D) + 0.5).requires_grad_()
beta = torch.randn(D, requires_grad=True)
weight = torch.randn(D, K, requires_grad=True)
bias = torch.randn(K, requires_grad=True)

normed, norm_cache = layernorm_forward(inputs, gamma, beta)
scores, linear_cache = linear_forward(normed, weight, bias)
loss, dscores = softmax_loss(scores, y)
dnormed, dweight, dbias = linear_backward(dscores, linear_cache)
dinputs, dgamma, dbeta = layernorm_backward(dnormed, norm_cache)
print("dweight", dweight.norm().item())
