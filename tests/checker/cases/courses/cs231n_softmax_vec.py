"""After the assignments of Stanford's CS231n, written anew."""

import numpy as np

def softmax_loss_vectorized(W, X, y, reg):
    num_train = X.shape[0]
    scores = X @ W
    scores -= np.max(scores, axis=1, keepdims=True)
    exp_scores = np.exp(scores)
    probs = exp_scores / np.sum(exp_scores, axis=1, keepdims=True)
    loss = np.sum(-np.log(probs[range(num_train), y])) / num_train
    loss += reg * np.sum(W * W)
    dscores = probs
    dscores[range(num_train), y] -= 1
    dW = X.T @ dscores / num_train + 2 * reg * W
    return loss, dW

np.random.seed(0)
W = np.random.randn(6, 3) * 0.01
X = np.random.randn(5, 6)
y = np.random.randint(3, size=5)
loss, dW = softmax_loss_vectorized(W, X, y, 0.1)
