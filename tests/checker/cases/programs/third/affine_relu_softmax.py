import torch


def affine_forward(x, w, b):
    out = x.reshape(x.shape[0], -1) @ w + b
    cache = (x, w, b)
    return out, cache


def affine_backward(dout, cache):
    x, w, b = cache
    dx, dw, db = None, None, None
    dx = (dout @ w.T).reshape(x.shape)
    dw = x.reshape(x.shape[0], -1).T @ dout
    db = dout.sum(0)
    return dx, dw, db


def relu_forward(x):
    out = torch.maximum(x, torch.zeros_like(x))
    cache = x
    return out, cache


def relu_backward(dout, cache):
    dx, x = None, cache
    dx = dout * (x > 0)
    return dx


def softmax_loss(x, y):
    shifted = x - x.max(1, keepdim=True).values
    Z = shifted.exp().sum(1, keepdim=True)
    log_probs = shifted - Z.log()
    probs = log_probs.exp()
    N = x.shape[0]
    loss = -log_probs[torch.arange(N), y].sum() / N
    dx = probs.clone()
    dx[torch.arange(N), y] -= 1
    dx /= N
    return loss, dx


torch.manual_seed(231)
X = torch.randn(6, 2, 3)
y = torch.randint(0, 4, (6,))
W1, b1 = torch.randn(6, 5), torch.randn(5)
W2, b2 = torch.randn(5, 4), torch.randn(4)

a1, fc_cache1 = affine_forward(X, W1, b1)
h1, relu_cache = relu_forward(a1)
scores, fc_cache2 = affine_forward(h1, W2, b2)
loss, dscores = softmax_loss(scores, y)
dh1, dW2, db2 = affine_backward(dscores, fc_cache2)
da1 = relu_backward(dh1, relu_cache)
dX, dW1, db1 = affine_backward(da1, fc_cache1)
print(loss.item())
