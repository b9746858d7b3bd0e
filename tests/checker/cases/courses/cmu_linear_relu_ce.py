"""After the mytorch of CMU's 11-785, written anew."""

import numpy as np

class Linear:
    def __init__(self, in_features, out_features):
        self.W = np.random.randn(out_features, in_features)
        self.b = np.random.randn(out_features, 1)

    def forward(self, A):
        self.A = A
        self.N = A.shape[0]
        self.Ones = np.ones((self.N, 1))
        Z = A @ self.W.T + self.Ones @ self.b.T
        return Z

    def backward(self, dLdZ):
        dLdA = dLdZ @ self.W
        self.dLdW = dLdZ.T @ self.A
        self.dLdb = dLdZ.T @ self.Ones
        return dLdA

class ReLU:
    def forward(self, Z):
        self.A = np.maximum(0, Z)
        return self.A

    def backward(self, dLdA):
        dAdZ = np.where(self.A > 0, 1, 0)
        dLdZ = dLdA * dAdZ
        return dLdZ

class CrossEntropyLoss:
    def forward(self, A, Y):
        self.A = A
        self.Y = Y
        N = A.shape[0]
        C = A.shape[1]
        Ones_C = np.ones((C, 1))
        Ones_N = np.ones((N, 1))
        self.softmax = np.exp(A) / np.sum(np.exp(A), axis=1, keepdims=True)
        crossentropy = (-Y * np.log(self.softmax)) @ Ones_C
        sum_crossentropy = Ones_N.T @ crossentropy
        L = sum_crossentropy / N
        return L

    def backward(self):
        N = self.A.shape[0]
        dLdA = (self.softmax - self.Y) / N
        return dLdA

np.random.seed(11785)
A0 = np.random.randn(4, 2)
Y = np.eye(3)[[0, 2, 1, 0]]
lin1, act, lin2, crit = Linear(2, 5), ReLU(), Linear(5, 3), CrossEntropyLoss()
Z1 = lin1.forward(A0)
A1 = act.forward(Z1)
Z2 = lin2.forward(A1)
L = crit.forward(Z2, Y)
dLdZ2 = crit.backward()
dLdA1 = lin2.backward(dLdZ2)
dLdZ1 = act.backward(dLdA1)
dLdA0 = lin1.backward(dLdZ1)
