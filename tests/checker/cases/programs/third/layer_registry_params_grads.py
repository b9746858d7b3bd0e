import torch
import torch.nn.functional as F


class Module:
    def __init__(self):
        self.params, self.grads = {}, {}

    def zero_grad(self):
        for k, v in self.params.items():
            self.grads[k] = torch.zeros_like(v)


class Linear(Module):
    def __init__(self, nin, nout):
        super().__init__()
        self.params["W"] = torch.randn(nin, nout) * (2 / nin) ** 0.5
        self.params["b"] = torch.zeros(nout)
        self.zero_grad()

    def forward(self, x):
        self.x = x
        return torch.addmm(self.params["b"], x, self.params["W"])

    def backward(self, dy):
        self.grads["W"] += self.x.T.mm(dy)
        self.grads["b"] += dy.sum(0)
        return dy.mm(self.params["W"].T)


class ELU(Module):
    def forward(self, x):
        self.y = F.elu(x)
        return self.y

    def backward(self, dy):
        return dy * torch.where(self.y > 0, torch.ones_like(self.y), self.y + 1)


class Net(Module):
    def __init__(self, *layers):
        super().__init__()
        self.layers = list(layers)

    def forward(self, x):
        for l in self.layers:
            x = l.forward(x)
        return x

    def backward(self, d):
        for l in self.layers[::-1]:
            d = l.backward(d)
        return d


torch.manual_seed(37)
net = Net(Linear(4, 6), ELU(), Linear(6, 6), ELU(), Linear(6, 3))
X, y = torch.randn(12, 4), torch.randint(0, 3, (12,))
for epoch in range(4):
    for l in net.layers:
        l.zero_grad()
    total = 0.0
    for xb, yb in zip(X.split(6), y.split(6)):
        logits = net.forward(xb)
        loss = F.cross_entropy(logits, yb, reduction="sum") / len(X)
        total += loss.item()
        d = (F.softmax(logits, 1) - F.one_hot(yb, 3)) / len(X)
        net.backward(d)
    for l in net.layers:
        for k in l.params:
            l.params[k] -= 0.2 * l.grads[k]
