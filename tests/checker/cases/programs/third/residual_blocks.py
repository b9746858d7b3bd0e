import torch


class Block:
    def __init__(self, d):
        self.W1 = torch.randn(d, 2 * d) * 0.3
        self.W2 = torch.randn(2 * d, d) * 0.3

    def forward(self, x):
        h = x @ self.W1
        a = torch.tanh(h)
        out = x + a @ self.W2
        self.cache = (x, a)
        return out

    def backward(self, dout):
        x, a = self.cache
        self.dW2 = a.T @ dout
        dh = dout @ self.W2.T * (1 - a**2)
        self.dW1 = x.T @ dh
        return dout + dh @ self.W1.T


torch.manual_seed(36)
blocks = [Block(3) for _ in range(2)]
x, y = torch.randn(5, 3), torch.randn(5, 3)
for it in range(2):
    out = x
    for block in blocks:
        out = block.forward(out)
    loss = ((out - y) ** 2).mean()
    dout = 2 * (out - y) / out.numel()
    for block in blocks[::-1]:
        dout = block.backward(dout)
    dx = dout
    for block in blocks:
        block.W1 -= 0.1 * block.dW1
        block.W2 -= 0.1 * block.dW2
