import torch
import torch.nn.functional as F

torch.manual_seed(3)


class BatchNorm1d:
    def __init__(self, dim, eps=1e-5, momentum=0.1):
        self.eps = eps
        self.momentum = momentum
        self.training = True
        self.gamma = torch.rand(dim) + 0.5
        self.beta = torch.randn(dim)
        self.running_mean = torch.zeros(dim)
        self.running_var = torch.ones(dim)

    def __call__(self, x):
        if self.training:
            xmean = x.mean(0, keepdim=True)
            xvar = x.var(0, keepdim=True, unbiased=False)
        else:
            xmean = self.running_mean
            xvar = self.running_var
        self.inv = (xvar + self.eps) ** -0.5
        self.xhat = (x - xmean) * self.inv
        self.out = self.gamma * self.xhat + self.beta
        if self.training:
            self.running_mean.mul_(1 - self.momentum).add_(self.momentum * xmean[0].detach())
            self.running_var.mul_(1 - self.momentum).add_(self.momentum * xvar[0].detach())
        return self.out

    def backward(self, dout):
        N = dout.shape[0]
        self.dgamma = (dout * self.xhat).sum(0)
        self.dbeta = dout.sum(0)
        dxhat = dout * self.gamma
        dx = (self.inv / N) * (N * dxhat - dxhat.sum(0) - self.xhat * (dxhat * self.xhat).sum(0))
        return dx


x = torch.randn(10, 4)
W = torch.randn(4, 5)
V_ = torch.randn(5, 3)
y = torch.randint(0, 3, (10,))
bn = BatchNorm1d(5)
hpre = x @ W
hbn = bn(hpre)
h = torch.relu(hbn)
logits = h @ V_
loss = F.cross_entropy(logits, y)

dlogits = (logits.softmax(1) - F.one_hot(y, 3)) / 10
dV_ = h.T @ dlogits
dh = dlogits @ V_.T
dhbn = dh * (hbn > 0)
dhpre = bn.backward(dhbn)
dW = x.T @ dhpre
bn.training = False
test_out = bn(x @ W)
