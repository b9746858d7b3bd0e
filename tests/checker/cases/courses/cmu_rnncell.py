"""After the mytorch of CMU's 11-785, written anew."""

import numpy as np

class Tanh:
    def forward(self, Z):
        self.A = np.tanh(Z)
        return self.A
    def backward(self, dLdA, state=None):
        A = self.A if state is None else state
        return dLdA * (1 - A ** 2)

class RNNCell:
    def __init__(self, input_size, hidden_size):
        self.activation = Tanh()
        h, d = hidden_size, input_size
        self.W_ih = np.random.randn(h, d)
        self.W_hh = np.random.randn(h, h)
        self.b_ih = np.random.randn(h)
        self.b_hh = np.random.randn(h)
        self.zero_grad()

    def zero_grad(self):
        self.dW_ih = np.zeros_like(self.W_ih)
        self.dW_hh = np.zeros_like(self.W_hh)
        self.db_ih = np.zeros_like(self.b_ih)
        self.db_hh = np.zeros_like(self.b_hh)

    def forward(self, x, h_prev_t):
        self.x, self.h_prev_t = x, h_prev_t
        h_t = self.activation.forward(x @ self.W_ih.T + self.b_ih + h_prev_t @ self.W_hh.T + self.b_hh)
        self.h_t = h_t
        return h_t

    def backward(self, delta, h_t, h_prev_l, h_prev_t):
        batch_size = delta.shape[0]
        dz = self.activation.backward(delta, h_t)
        self.dW_ih += dz.T @ h_prev_l / batch_size
        self.dW_hh += dz.T @ h_prev_t / batch_size
        self.db_ih += np.sum(dz, axis=0) / batch_size
        self.db_hh += np.sum(dz, axis=0) / batch_size
        dx = dz @ self.W_ih
        dh_prev_t = dz @ self.W_hh
        return dx, dh_prev_t

np.random.seed(0)
cell = RNNCell(3, 4)
x, h0 = np.random.randn(5, 3), np.random.randn(5, 4)
h1 = cell.forward(x, h0)
loss = np.sum(h1 ** 2) / 5
delta = 2 * h1
dx, dh0 = cell.backward(delta, h1, x, h0)
