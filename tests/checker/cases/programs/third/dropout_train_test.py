import torch
import torch.nn.functional as F


def dropout_forward(x, dropout_param):
    p, mode = dropout_param["p"], dropout_param["mode"]
    mask = None
    if mode == "train":
        mask = (torch.rand_like(x) < p) / p
        out = x * mask
    elif mode == "test":
        out = x
    cache = (dropout_param, mask)
    return out, cache


def dropout_backward(dout, cache):
    dropout_param, mask = cache
    mode = dropout_param["mode"]
    dx = None
    if mode == "train":
        dx = dout * mask
    elif mode == "test":
        dx = dout
    return dx


torch.manual_seed(20)
x, y = torch.randn(8, 5), torch.randint(0, 3, (8,))
W1, W2 = torch.randn(5, 10), torch.randn(10, 3)
param = {"mode": "train", "p": 0.7}
z = x @ W1
a = F.relu(z)
h, drop_cache = dropout_forward(a, param)
scores = h @ W2
loss = F.cross_entropy(scores, y)
dscores = (F.softmax(scores, 1) - F.one_hot(y, 3)) / 8
dW2 = h.T @ dscores
dh = dscores @ W2.T
da = dropout_backward(dh, drop_cache)
dz = da * (z > 0)
dW1 = x.T @ dz
param["mode"] = "test"
test_scores = dropout_forward(F.relu(x @ W1), param)[0] @ W2
