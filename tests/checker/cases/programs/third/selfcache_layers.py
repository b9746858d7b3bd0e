import torch


class Layer:
    def __init__(self):
        self.cache = None
        self.grads = {}

    def forward(self, *args):
        raise NotImplementedError

    def __call__(self, *args):
        return self.forward(*args)


class Dense(Layer):
    def __init__(self, i, o):
        super().__init__()
        self.params = {"W": torch.randn(i, o) * 0.5, "b": torch.randn(o) * 0.1}

    def forward(self, x):
        self.cache = x
        return x @ self.params["W"] + self.params["b"]

    def backward(self, dout):
        x = self.cache
        self.grads["W"] = x.T @ dout
        self.grads["b"] = dout.sum(dim=0)
        return dout @ self.params["W"].T


class LeakyReLU(Layer):
    def __init__(self, slope=0.1):
        super().__init__()
        self.slope = slope
        self.params = {}

    def forward(self, x):
        self.cache = x > 0
        return torch.where(self.cache, x, self.slope * x)

    def backward(self, dout):
        return torch.where(self.cache, dout, self.slope * dout)


class MSE(Layer):
    def forward(self, pred, target):
        self.cache = pred - target
        return (self.cache**2).mean()

    def backward(self):
        return 2 * self.cache / self.cache.numel()


torch.manual_seed(4)
net = [Dense(3, 6), LeakyReLU(), Dense(6, 6), LeakyReLU(0.2), Dense(6, 2)]
criterion = MSE()
x, t = torch.randn(7, 3), torch.randn(7, 2)
for epoch in range(20):
    a = x
    for layer in net:
        a = layer(a)
    loss = criterion(a, t)
    d = criterion.backward()
    for layer in net[::-1]:
        d = layer.backward(d)
    for layer in net:
        for k in layer.params:
            layer.params[k] -= 0.05 * layer.grads[k]
    if epoch % 10 == 0:
        print(f"epoch {epoch:3d} loss {loss.item():.4f}")
