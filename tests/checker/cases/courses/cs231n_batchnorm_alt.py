"""After the assignments of Stanford's CS231n, written anew."""

import numpy as np

def batchnorm_forward(x, gamma, beta, eps=1e-5):
    mean = x.mean(axis=0)
    var = x.var(axis=0)
    std = np.sqrt(var + eps)
    xhat = (x - mean) / std
    out = gamma * xhat + beta
    return out, (xhat, gamma, std)

def batchnorm_backward_alt(dout, cache):
    xhat, gamma, std = cache
    N = dout.shape[0]
    dbeta = dout.sum(axis=0)
    dgamma = (dout * xhat).sum(axis=0)
    dxhat = dout * gamma
    dx = (dxhat - dxhat.mean(axis=0) - xhat * (dxhat * xhat).mean(axis=0)) / std
    return dx, dgamma, dbeta

np.random.seed(231)
x = 5 * np.random.randn(6, 4) + 12
gamma, beta = np.random.randn(4), np.random.randn(4)
out, cache = batchnorm_forward(x, gamma, beta)
dout = np.random.randn(6, 4)
loss = np.sum(out * dout)
dx, dgamma, dbeta = batchnorm_backward_alt(dout, cache)
