"""After the assignments of Stanford's CS231n, written anew."""

import numpy as np

def svm_loss_vectorized(W, X, y, reg):
    loss = 0.0
    dW = np.zeros(W.shape)
    num_train = X.shape[0]
    scores = X.dot(W)
    correct = scores[np.arange(num_train), y].reshape(-1, 1)
    margins = np.maximum(0, scores - correct + 1)
    margins[np.arange(num_train), y] = 0
    loss = np.sum(margins) / num_train
    loss += reg * np.sum(W * W)
    mask = np.zeros(margins.shape)
    mask[margins > 0] = 1
    row_sum = np.sum(mask, axis=1)
    mask[np.arange(num_train), y] = -row_sum
    dW = X.T.dot(mask) / num_train
    dW += 2 * reg * W
    return loss, dW

np.random.seed(1)
W = np.random.randn(8, 4) * 0.1
X = np.random.randn(10, 8)
y = np.random.randint(4, size=10)
loss, dW = svm_loss_vectorized(W, X, y, 0.05)
