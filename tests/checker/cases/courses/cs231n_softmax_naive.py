"""After the assignments of Stanford's CS231n, written anew."""

import numpy as np

def softmax_loss_naive(W, X, y, reg):
    loss = 0.0
    dW = np.zeros_like(W)
    num_classes = W.shape[1]
    num_train = X.shape[0]
    for i in range(num_train):
        scores = X[i].dot(W)
        scores -= np.max(scores)
        p = np.exp(scores)
        p /= p.sum()
        loss -= np.log(p[y[i]])
        for k in range(num_classes):
            dW[:, k] += (p[k] - (k == y[i])) * X[i]
    loss = loss / num_train + reg * np.sum(W * W)
    dW = dW / num_train + 2 * reg * W
    return loss, dW

np.random.seed(0)
W = np.random.randn(6, 3) * 0.01
X = np.random.randn(5, 6)
y = np.random.randint(3, size=5)
loss, grad = softmax_loss_naive(W, X, y, 0.1)
