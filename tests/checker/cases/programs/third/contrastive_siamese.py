import torch
import torch.nn.functional as F


class Encoder:
    def __init__(self, i, o):
        self.W = torch.randn(i, o)
        self.dW = torch.zeros(i, o)

    def forward(self, x):
        z = x @ self.W
        norm = z.norm(dim=1, keepdim=True)
        u = z / norm
        return u, (x, norm, u)

    def backward(self, du, cache):
        x, norm, u = cache
        dz = (du - u * (u * du).sum(1, keepdim=True)) / norm
        self.dW += x.T @ dz
        return dz @ self.W.T


torch.manual_seed(64)
enc = Encoder(4, 3)
xa, xb = torch.randn(5, 4), torch.randn(5, 4)
tau = 0.5
ua, ca = enc.forward(xa)
ub, cb = enc.forward(xb)
sim = ua @ ub.T / tau
target = torch.arange(5)
loss = F.cross_entropy(sim, target)
dsim = (F.softmax(sim, 1) - torch.eye(5)) / 5
dua = dsim @ ub / tau
dub = dsim.T @ ua / tau
dxa = enc.backward(dua, ca)
dxb = enc.backward(dub, cb)
