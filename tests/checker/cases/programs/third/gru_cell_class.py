import torch


class GRUCell:
    def __init__(self, nx, nh):
        k = nh**-0.5
        self.Wz, self.Wr, self.Wh = (torch.randn(nx + nh, nh) * k for _ in range(3))

    def forward(self, x, h):
        xh = torch.cat((x, h), dim=1)
        z = torch.sigmoid(xh @ self.Wz)
        r = torch.sigmoid(xh @ self.Wr)
        xrh = torch.cat((x, r * h), dim=1)
        c = torch.tanh(xrh @ self.Wh)
        h_next = (1 - z) * h + z * c
        return h_next, (h, xh, z, r, xrh, c)

    def backward(self, dh_next, cache):
        h, xh, z, r, xrh, c = cache
        nx = xh.shape[1] - h.shape[1]
        dz = dh_next * (c - h)
        dc = dh_next * z
        dh = dh_next * (1 - z)
        dc_raw = dc * (1 - c**2)
        dWh = xrh.T @ dc_raw
        dxrh = dc_raw @ self.Wh.T
        dr = dxrh[:, nx:] * h
        dh = dh + dxrh[:, nx:] * r
        dx = dxrh[:, :nx]
        dz_raw = dz * z * (1 - z)
        dr_raw = dr * r * (1 - r)
        dWz = xh.T @ dz_raw
        dWr = xh.T @ dr_raw
        dxh = dz_raw @ self.Wz.T + dr_raw @ self.Wr.T
        return dx + dxh[:, :nx], dh + dxh[:, nx:], dWz, dWr, dWh


torch.manual_seed(17)
cell = GRUCell(3, 4)
x, h0, t = torch.randn(5, 3), torch.randn(5, 4), torch.randn(5, 4)
h1, cache = cell.forward(x, h0)
loss = ((h1 - t) ** 2).mean()
dh1 = 2 * (h1 - t) / h1.numel()
dx, dh0, dWz, dWr, dWh = cell.backward(dh1, cache)
