import torch
import torch.nn.functional as F

torch.manual_seed(21)
n, d, k = 10, 4, 3
x = torch.randn(n, d)
y = torch.randint(k, (n,))
W = torch.randn(d, k).requires_grad_()
b = torch.zeros(k).requires_grad_()


@torch.no_grad()
def backward(x, y, logits):
    dlogits = logits.softmax(-1)
    dlogits[range(n), y] -= 1
    dlogits /= n
    return x.T @ dlogits, dlogits.sum(0)


@torch.no_grad()
def update(lr, *pairs):
    for p, dp in pairs:
        p -= lr * dp


for step in range(5):
    logits = x @ W + b
    loss = F.cross_entropy(logits, y)
    dW, db = backward(x, y, logits)
    update(0.5, (W, dW), (b, db))
    print(f"step {step}: {loss:.4f}")
