"""After the assignments of deeplearning.ai's first courses, written anew."""

import numpy as np

def sigmoid(x):
    return 1 / (1 + np.exp(-x))

def forward_propagation_with_dropout(X, parameters, keep_prob=0.5):
    np.random.seed(1)
    W1, b1, W2, b2 = (parameters[k] for k in ("W1", "b1", "W2", "b2"))
    Z1 = np.dot(W1, X) + b1
    A1 = np.maximum(0, Z1)
    D1 = np.random.rand(A1.shape[0], A1.shape[1])
    D1 = (D1 < keep_prob).astype(int)
    A1 = A1 * D1
    A1 = A1 / keep_prob
    Z2 = np.dot(W2, A1) + b2
    A2 = sigmoid(Z2)
    cache = (Z1, D1, A1, W1, b1, Z2, A2, W2, b2)
    return A2, cache

def backward_propagation_with_dropout(X, Y, cache, keep_prob):
    m = X.shape[1]
    (Z1, D1, A1, W1, b1, Z2, A2, W2, b2) = cache
    dZ2 = A2 - Y
    dW2 = 1. / m * np.dot(dZ2, A1.T)
    db2 = 1. / m * np.sum(dZ2, axis=1, keepdims=True)
    dA1 = np.dot(W2.T, dZ2)
    dA1 = dA1 * D1
    dA1 = dA1 / keep_prob
    dZ1 = np.multiply(dA1, np.int64(A1 > 0))
    dW1 = 1. / m * np.dot(dZ1, X.T)
    db1 = 1. / m * np.sum(dZ1, axis=1, keepdims=True)
    gradients = {"dZ2": dZ2, "dW2": dW2, "db2": db2, "dA1": dA1, "dZ1": dZ1, "dW1": dW1, "db1": db1}
    return gradients

np.random.seed(1)
X = np.random.randn(3, 5)
Y = np.array([[1, 1, 0, 1, 0]])
parameters = {"W1": np.random.randn(6, 3), "b1": np.random.randn(6, 1), "W2": np.random.randn(1, 6), "b2": np.random.randn(1, 1)}
A2, cache = forward_propagation_with_dropout(X, parameters, keep_prob=0.7)
m = Y.shape[1]
cost = -np.sum(Y * np.log(A2) + (1 - Y) * np.log(1 - A2)) / m
gradients = backward_propagation_with_dropout(X, Y, cache, keep_prob=0.7)
