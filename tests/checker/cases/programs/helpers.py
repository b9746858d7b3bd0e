"""The layers as functions, each with its backward function, called one after the other."""

import torch


def linear(x, weight, bias):
    return x @ weight + bias


def linear_backward(dout, x, weight):
    grad_x = dout @ weight.T
    grad_weight = x.T @ dout
    grad_bias = dout.sum(0)
    return grad_x, grad_weight, grad_bias


def softplus_backward(dout, x):
    return dout * torch.sigmoid(x)


N, D, M, K = 6, 3, 5, 2
g = torch.Generator().manual_seed(19)
X = torch.randn(N, D, generator=g)
Y = torch.randn(N, K, generator=g)
W1 = torch.randn(D, M, generator=g, requires_grad=True)
b1 = torch.randn(M, generator=g, requires_grad=True)
W2 = torch.randn(M, K, generator=g, requires_grad=True)
b2 = torch.randn(K, generator=g, requires_grad=True)

# forward
z1 = linear(X, W1, b1)
a1 = torch.nn.functional.softplus(z1)
z2 = linear(a1, W2, b2)
loss = torch.nn.functional.mse_loss(z2, Y)

# backward
dz2 = 2 * (z2 - Y) / z2.numel()
da1, dW2, db2 = linear_backward(dz2, a1, W2)
dz1 = softplus_backward(da1, z1)
_, dW1, db1 = linear_backward(dz1, X, W1)
