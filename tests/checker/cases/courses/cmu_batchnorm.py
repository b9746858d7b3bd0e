"""After the mytorch of CMU's 11-785, written anew."""

import numpy as np

class BatchNorm1d:
    def __init__(self, num_features, alpha=0.9):
        self.alpha = alpha
        self.eps = 1e-8
        self.BW = np.random.randn(1, num_features)
        self.Bb = np.random.randn(1, num_features)
        self.dLdBW = np.zeros((1, num_features))
        self.dLdBb = np.zeros((1, num_features))
        self.running_M = np.zeros((1, num_features))
        self.running_V = np.ones((1, num_features))

    def forward(self, Z, eval=False):
        self.Z = Z
        self.N = Z.shape[0]
        self.M = np.mean(Z, axis=0, keepdims=True)
        self.V = np.var(Z, axis=0, keepdims=True)
        if eval == False:
            self.NZ = (self.Z - self.M) / np.sqrt(self.V + self.eps)
            self.BZ = self.BW * self.NZ + self.Bb
            self.running_M = self.alpha * self.running_M + (1 - self.alpha) * self.M
            self.running_V = self.alpha * self.running_V + (1 - self.alpha) * self.V
        return self.BZ

    def backward(self, dLdBZ):
        self.dLdBb = np.sum(dLdBZ, axis=0, keepdims=True)
        self.dLdBW = np.sum(dLdBZ * self.NZ, axis=0, keepdims=True)
        dLdNZ = dLdBZ * self.BW
        dLdV = -0.5 * np.sum(dLdNZ * (self.Z - self.M) * (self.V + self.eps) ** (-3 / 2), axis=0, keepdims=True)
        dLdM = -np.sum(dLdNZ * (self.V + self.eps) ** (-1 / 2), axis=0, keepdims=True) - 2 / self.N * dLdV * np.sum(self.Z - self.M, axis=0, keepdims=True)
        dLdZ = dLdNZ * (self.V + self.eps) ** (-1 / 2) + dLdV * (2 / self.N * (self.Z - self.M)) + dLdM / self.N
        return dLdZ

np.random.seed(1)
Z = np.random.randn(6, 3)
bn = BatchNorm1d(3)
BZ = bn.forward(Z)
dLdBZ = np.random.randn(6, 3)
dLdZ = bn.backward(dLdBZ)
