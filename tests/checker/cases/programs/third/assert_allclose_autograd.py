import torch

torch.manual_seed(8)
x = torch.randn(6, 4)
W = torch.randn(4, 3, requires_grad=True)
b = torch.zeros(3, requires_grad=True)
t = torch.randn(6, 3)

y = torch.sigmoid(x @ W + b)
loss = ((y - t) ** 2).mean()
loss.backward()


def manual():
    with torch.no_grad():
        dy = 2 * (y - t) / y.numel()
        dz = dy * y * (1 - y)
        return x.T @ dz, dz.sum(0)


dW, db = manual()
assert torch.allclose(dW, W.grad, atol=1e-6), (dW - W.grad).abs().max()
assert torch.allclose(db, b.grad, atol=1e-6)
print("all gradients match")
