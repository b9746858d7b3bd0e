import torch


class TiedAutoencoder:
    def __init__(self, n_in, n_code):
        self.W = torch.randn(n_in, n_code) * 0.5
        self.b = torch.zeros(n_code)
        self.c = torch.zeros(n_in)

    def encode(self, x):
        return torch.sigmoid(x @ self.W + self.b)

    def decode(self, h):
        return h @ self.W.T + self.c

    def loss(self, x):
        self.x = x
        self.h = self.encode(x)
        self.r = self.decode(self.h)
        return 0.5 * ((self.r - x) ** 2).sum() / len(x)

    def backward(self):
        dr = (self.r - self.x) / len(self.x)
        self.dc = dr.sum(0)
        self.dW = dr.T @ self.h
        dh = dr @ self.W
        da = dh * self.h * (1 - self.h)
        self.db = da.sum(0)
        self.dW += self.x.T @ da


torch.manual_seed(40)
ae = TiedAutoencoder(5, 3)
data = torch.randn(8, 5)
for epoch in range(5):
    loss = ae.loss(data)
    ae.backward()
    for name in ("W", "b", "c"):
        param, grad = getattr(ae, name), getattr(ae, "d" + name)
        param -= 0.1 * grad
