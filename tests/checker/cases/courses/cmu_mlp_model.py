"""After the mytorch of CMU's 11-785, written anew."""

import numpy as np

class Linear:
    def __init__(self, i, o):
        self.W = np.random.randn(o, i) * 0.3
        self.b = np.zeros((o, 1))
    def forward(self, A):
        self.A = A
        self.N = A.shape[0]
        self.Ones = np.ones((self.N, 1))
        return A @ self.W.T + self.Ones @ self.b.T
    def backward(self, dLdZ):
        self.dLdW = dLdZ.T @ self.A
        self.dLdb = dLdZ.T @ self.Ones
        return dLdZ @ self.W

class Sigmoid:
    def forward(self, Z):
        self.A = 1 / (1 + np.exp(-Z))
        return self.A
    def backward(self, dLdA):
        return dLdA * (self.A - self.A * self.A)

class MSELoss:
    def forward(self, A, Y):
        self.A, self.Y = A, Y
        self.N, self.C = A.shape
        se = (A - Y) * (A - Y)
        sse = np.ones((self.N, 1)).T @ se @ np.ones((self.C, 1))
        mse = sse / (self.N * self.C)
        return mse[0, 0]
    def backward(self):
        dLdA = 2 * (self.A - self.Y) / (self.N * self.C)
        return dLdA

class MLP1:
    def __init__(self):
        self.layers = [Linear(2, 3), Linear(3, 2)]
        self.f = [Sigmoid(), Sigmoid()]
    def forward(self, A0):
        Z0 = self.layers[0].forward(A0)
        A1 = self.f[0].forward(Z0)
        Z1 = self.layers[1].forward(A1)
        A2 = self.f[1].forward(Z1)
        return A2
    def backward(self, dLdA2):
        dLdZ1 = self.f[1].backward(dLdA2)
        dLdA1 = self.layers[1].backward(dLdZ1)
        dLdZ0 = self.f[0].backward(dLdA1)
        dLdA0 = self.layers[0].backward(dLdZ0)
        return dLdA0

np.random.seed(0)
model = MLP1()
criterion = MSELoss()
A0 = np.random.randn(5, 2)
Y = np.random.rand(5, 2)
A2 = model.forward(A0)
loss = criterion.forward(A2, Y)
dLdA2 = criterion.backward()
dLdA0 = model.backward(dLdA2)
