import torch
import torch.nn.functional as F

g = torch.Generator().manual_seed(2147483647)


class Linear:
    def __init__(self, fan_in, fan_out, bias=True):
        self.weight = torch.randn((fan_in, fan_out), generator=g) / fan_in**0.5
        self.bias = torch.zeros(fan_out) if bias else None

    def __call__(self, x):
        self.x = x
        self.out = x @ self.weight
        if self.bias is not None:
            self.out = self.out + self.bias
        return self.out

    def backward(self, dout):
        self.dweight = self.x.T @ dout
        if self.bias is not None:
            self.dbias = dout.sum(0)
        return dout @ self.weight.T

    def parameters(self):
        return [self.weight] + ([] if self.bias is None else [self.bias])

    def gradients(self):
        return [self.dweight] + ([] if self.bias is None else [self.dbias])


class Tanh:
    def __call__(self, x):
        self.out = torch.tanh(x)
        return self.out

    def backward(self, dout):
        return (1.0 - self.out**2) * dout

    def parameters(self):
        return []

    gradients = parameters


class Sequential:
    def __init__(self, layers):
        self.layers = layers

    def __call__(self, x):
        for layer in self.layers:
            x = layer(x)
        self.out = x
        return self.out

    def backward(self, dout):
        for layer in reversed(self.layers):
            dout = layer.backward(dout)
        return dout

    def parameters(self):
        return [p for layer in self.layers for p in layer.parameters()]

    def gradients(self):
        return [p for layer in self.layers for p in layer.gradients()]


X = torch.randn(12, 5, generator=g)
Y = torch.randint(0, 4, (12,), generator=g)
model = Sequential([Linear(5, 8, bias=False), Tanh(), Linear(8, 6), Tanh(), Linear(6, 4)])
for i in range(200):
    logits = model(X)
    loss = F.cross_entropy(logits, Y)
    dlogits = F.softmax(logits, 1)
    dlogits[range(12), Y] -= 1
    dlogits /= 12
    model.backward(dlogits)
    lr = 0.1 if i < 100 else 0.01
    for p, grad in zip(model.parameters(), model.gradients()):
        p += -lr * grad
