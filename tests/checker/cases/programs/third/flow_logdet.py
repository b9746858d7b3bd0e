import torch

torch.manual_seed(57)


class Coupling:
    def __init__(self, d):
        self.d = d
        self.Ws = torch.randn(d, d) * 0.3
        self.Wt = torch.randn(d, d) * 0.3

    def forward(self, x):
        x1, x2 = x[:, : self.d], x[:, self.d :]
        s = torch.tanh(x1 @ self.Ws)
        t = x1 @ self.Wt
        y2 = x2 * torch.exp(s) + t
        self.cache = (x1, x2, s)
        return torch.cat([y2, x1], 1), s.sum(1)

    def backward(self, dy, dlogdet):
        x1, x2, s = self.cache
        dy2, dx1 = dy[:, : self.d], dy[:, self.d :]
        dx2 = dy2 * s.exp()
        ds = dy2 * x2 * s.exp() + dlogdet[:, None]
        da = ds * (1 - s**2)
        self.dWs = x1.T @ da
        self.dWt = x1.T @ dy2
        dx1 = dx1 + da @ self.Ws.T + dy2 @ self.Wt.T
        return torch.cat([dx1, dx2], 1)


flow = [Coupling(2), Coupling(2)]
x = torch.randn(6, 4)
z, logdet = x, torch.zeros(6)
for c in flow:
    z, ld = c.forward(z)
    logdet = logdet + ld
loss = (0.5 * (z**2).sum(1) - logdet).mean()
dz = z / 6
dlogdet = -torch.ones(6) / 6
for c in reversed(flow):
    dz = c.backward(dz, dlogdet)
dx = dz
