import torch


class Affine:
    def __init__(self, i, o):
        self.W = torch.randn(i, o) * 0.5
        self.b = torch.zeros(o)

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dout):
        self.dW = self.x.T @ dout
        self.db = dout.sum(0)
        return dout @ self.W.T


class AffineRelu(Affine):
    def forward(self, x):
        z = super().forward(x)
        self.on = z > 0
        return z * self.on

    def backward(self, dout):
        return super().backward(dout * self.on)


class AffineSine(Affine):
    def forward(self, x):
        self.z = super().forward(x)
        return self.z.sin()

    def backward(self, dout):
        dz = dout * self.z.cos()
        return super().backward(dz)


torch.manual_seed(540)
l1, l2, l3 = AffineRelu(3, 6), AffineSine(6, 5), Affine(5, 1)
x, y = torch.randn(10, 3), torch.randn(10, 1)
pred = l3.forward(l2.forward(l1.forward(x)))
loss = (pred - y).abs().mean()
dpred = (pred - y).sign() / len(y)
dx = l1.backward(l2.backward(l3.backward(dpred)))
