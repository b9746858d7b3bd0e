import torch
import torch.nn.functional as F


def batchnorm_forward(x, gamma, beta, bn_param):
    mode = bn_param["mode"]
    eps = bn_param.get("eps", 1e-5)
    momentum = bn_param.get("momentum", 0.9)
    N, D = x.shape
    running_mean = bn_param.get("running_mean", torch.zeros(D))
    running_var = bn_param.get("running_var", torch.zeros(D))
    out, cache = None, None
    if mode == "train":
        mu = x.mean(0)
        xc = x - mu
        var = (xc**2).mean(0)
        std = (var + eps).sqrt()
        xn = xc / std
        out = gamma * xn + beta
        cache = (xc, std, xn, gamma)
        running_mean = momentum * running_mean + (1 - momentum) * mu
        running_var = momentum * running_var + (1 - momentum) * var
    elif mode == "test":
        out = gamma * (x - running_mean) / torch.sqrt(running_var + eps) + beta
    else:
        raise ValueError(f"unknown {mode=}")
    bn_param["running_mean"] = running_mean
    bn_param["running_var"] = running_var
    return out, cache


def batchnorm_backward(dout, cache):
    xc, std, xn, gamma = cache
    N = dout.shape[0]
    dbeta = dout.sum(0)
    dgamma = torch.sum(xn * dout, dim=0)
    dxn = gamma * dout
    dxc = dxn / std
    dstd = -torch.sum((dxn * xc) / (std * std), dim=0)
    dvar = 0.5 * dstd / std
    dxc += (2.0 / N) * xc * dvar
    dmu = torch.sum(dxc, dim=0)
    dx = dxc - dmu / N
    return dx, dgamma, dbeta


torch.manual_seed(27)
X, y = torch.randn(8, 4), torch.randint(0, 3, (8,))
W1, W2 = torch.randn(4, 5), torch.randn(5, 3)
gamma, beta = torch.ones(5) * 1.1, torch.zeros(5)
bn_param = {"mode": "train"}
a = X @ W1
bn, bn_cache = batchnorm_forward(a, gamma, beta, bn_param)
h = F.relu(bn)
scores = h @ W2
loss = F.cross_entropy(scores, y)
dscores = F.softmax(scores, dim=1)
dscores[torch.arange(8), y] -= 1
dscores /= 8
dW2 = h.T.mm(dscores)
dh = dscores.mm(W2.T)
dbn = dh * (bn > 0)
da, dgamma, dbeta = batchnorm_backward(dbn, bn_cache)
dW1 = X.T.mm(da)
