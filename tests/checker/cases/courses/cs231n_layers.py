"""After the assignments of Stanford's CS231n, written anew."""

import numpy as np

def affine_forward(x, w, b):
    out = x.reshape(x.shape[0], -1).dot(w) + b
    cache = (x, w, b)
    return out, cache

def affine_backward(dout, cache):
    x, w, b = cache
    dx, dw, db = None, None, None
    dx = dout.dot(w.T).reshape(x.shape)
    dw = x.reshape(x.shape[0], -1).T.dot(dout)
    db = np.sum(dout, axis=0)
    return dx, dw, db

def relu_forward(x):
    out = np.maximum(0, x)
    cache = x
    return out, cache

def relu_backward(dout, cache):
    dx, x = None, cache
    dx = dout * (x > 0)
    return dx

def softmax_loss(x, y):
    shifted_logits = x - np.max(x, axis=1, keepdims=True)
    Z = np.sum(np.exp(shifted_logits), axis=1, keepdims=True)
    log_probs = shifted_logits - np.log(Z)
    probs = np.exp(log_probs)
    N = x.shape[0]
    loss = -np.sum(log_probs[np.arange(N), y]) / N
    dx = probs.copy()
    dx[np.arange(N), y] -= 1
    dx /= N
    return loss, dx

np.random.seed(231)
x = np.random.randn(3, 2, 4)
w1, b1 = np.random.randn(8, 5), np.random.randn(5)
w2, b2 = np.random.randn(5, 3), np.random.randn(3)
y = np.array([0, 2, 1])
a1, cache1 = affine_forward(x, w1, b1)
h1, cache2 = relu_forward(a1)
scores, cache3 = affine_forward(h1, w2, b2)
loss, dscores = softmax_loss(scores, y)
dh1, dw2, db2 = affine_backward(dscores, cache3)
da1 = relu_backward(dh1, cache2)
dx, dw1, db1 = affine_backward(da1, cache1)
