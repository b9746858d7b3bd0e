import torch


class MaxPool:
    def __init__(self, k):
        self.k = k

    def forward(self, x):
        N, C, H, W = x.shape
        k = self.k
        blocks = x.reshape(N, C, H // k, k, W // k, k).permute(0, 1, 2, 4, 3, 5).reshape(N, C, H // k, W // k, k * k)
        out, self.argmax = blocks.max(-1)
        self.shape = x.shape
        return out

    def backward(self, dout):
        N, C, H, W = self.shape
        k = self.k
        dblocks = torch.zeros(*dout.shape, k * k)
        dblocks.scatter_(-1, self.argmax.unsqueeze(-1), dout.unsqueeze(-1))
        return dblocks.reshape(N, C, H // k, W // k, k, k).permute(0, 1, 2, 4, 3, 5).reshape(self.shape)


torch.manual_seed(31)
pool = MaxPool(2)
img = torch.randn(2, 1, 4, 4)
scale = torch.rand(2, 1, 1, 1) + 0.5
scaled = img * scale
pooled = pool.forward(scaled)
loss = torch.logsumexp(pooled.flatten(), 0)
dpooled = torch.softmax(pooled.flatten(), 0).view_as(pooled)
dscaled = pool.backward(dpooled)
dscale = (dscaled * img).sum((1, 2, 3), keepdim=True)
dimg = dscaled * scale
