"""Layers as classes with a forward and a backward method, in the manner of a library of one's own."""

import torch
import torch.nn.functional as F


class Linear:
    def __init__(self, fan_in, fan_out, gen):
        self.weight = (torch.randn(fan_in, fan_out, generator=gen) / fan_in**0.5).requires_grad_()
        self.bias = torch.zeros(fan_out, requires_grad=True)

    def forward(self, x):
        self.x = x
        return x @ self.weight + self.bias

    def backward(self, grad):
        self.weight_grad = self.x.T @ grad
        self.bias_grad = grad.sum(0)
        return grad @ self.weight.T


class Tanh:
    def forward(self, x):
        self.out = torch.tanh(x)
        return self.out

    def backward(self, grad):
        return grad * (1 - self.out**2)


class CrossEntropy:
    def forward(self, logits, y):
        self.probs = F.softmax(logits, dim=1)
        self.y = y
        return -torch.log(self.probs[torch.arange(len(y)), y]).mean()

    def backward(self):
        grad = self.probs.clone()
        grad[torch.arange(len(self.y)), self.y] -= 1
        return grad / len(self.y)


gen = torch.Generator().manual_seed(12)
x = torch.randn(6, 4, generator=gen, requires_grad=True)
y = torch.randint(0, 3, (6,), generator=gen)
fc1, act, fc2, criterion = Linear(4, 5, gen), Tanh(), Linear(5, 3, gen), CrossEntropy()

pre = fc1.forward(x)
h = act.forward(pre)
logits = fc2.forward(h)
loss = criterion.forward(logits, y)

dlogits = criterion.backward()
dh = fc2.backward(dlogits)
dpre = act.backward(dh)
dx = fc1.backward(dpre)
W1, W2 = fc1.weight, fc2.weight
