import torch
import torch.nn.functional as F


def ln_fwd(x, g):
    mu = x.mean(-1, keepdim=True)
    rs = ((x - mu).pow(2).mean(-1, keepdim=True) + 1e-5).rsqrt()
    xh = (x - mu) * rs
    return xh * g, (xh, rs, g)


def ln_bwd(dy, cache):
    xh, rs, g = cache
    dg = (dy * xh).sum((0, 1))
    dxh = dy * g
    dx = rs * (dxh - dxh.mean(-1, keepdim=True) - xh * (dxh * xh).mean(-1, keepdim=True))
    return dx, dg


def mlp_fwd(x, W1, W2):
    h = x @ W1
    a = F.silu(h)
    return a @ W2, (x, h, a, W1, W2)


def mlp_bwd(dy, cache):
    x, h, a, W1, W2 = cache
    dW2 = a.flatten(0, 1).T @ dy.flatten(0, 1)
    s = h.sigmoid()
    dh = dy @ W2.T * (s * (1 + h * (1 - s)))
    dW1 = x.flatten(0, 1).T @ dh.flatten(0, 1)
    return dh @ W1.T, dW1, dW2


def block_fwd(x, p):
    n, c1 = ln_fwd(x, p["g"])
    m, c2 = mlp_fwd(n, p["W1"], p["W2"])
    return x + m, (c1, c2)


def block_bwd(dy, cache):
    c1, c2 = cache
    dn, dW1, dW2 = mlp_bwd(dy, c2)
    dx, dg = ln_bwd(dn, c1)
    return dx + dy, {"g": dg, "W1": dW1, "W2": dW2}


torch.manual_seed(76)
B, T, D = 2, 3, 4
p = {"g": torch.rand(D) + 0.5, "W1": torch.randn(D, 6), "W2": torch.randn(6, D)}
x, y = torch.randn(B, T, D), torch.randn(B, T, D)
out, cache = block_fwd(x, p)
loss = F.mse_loss(out, y)
dout = 2 * (out - y) / out.numel()
dx, grads = block_bwd(dout, cache)
