"""Softmax regression as a class with a method that fits it."""

import numpy as np
class SoftmaxRegression:
    def __init__(self, n_features, n_classes, seed=0):
        rng = np.random.default_rng(seed)
        self.W = rng.normal(0, 0.1, (n_features, n_classes))
        self.b = np.zeros(n_classes)
    def _scores(self, X):
        return X @ self.W + self.b
    def fit(self, X, y, epochs=3, lr=0.5, l2=0.01):
        n = len(X)
        onehot = np.eye(self.b.size)[y]
        for _ in range(epochs):
            logits = self._scores(X)
            logits = logits - logits.max(axis=1, keepdims=True)
            expl = np.exp(logits)
            probs = expl / expl.sum(axis=1, keepdims=True)
            loss = -np.mean(np.sum(onehot * np.log(probs), axis=1)) + l2 * np.sum(self.W ** 2)
            dlogits = (probs - onehot) / n
            dW = X.T @ dlogits + 2 * l2 * self.W
            db = dlogits.sum(axis=0)
            self.W -= lr * dW
            self.b -= lr * db
        return self
rng = np.random.default_rng(5)
X = rng.normal(size=(12, 4))
y = rng.integers(0, 3, 12)
model = SoftmaxRegression(4, 3).fit(X, y)
