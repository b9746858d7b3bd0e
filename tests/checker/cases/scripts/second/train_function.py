"""Everything inside a function that trains, called once."""

import torch
import torch.nn.functional as F


def train(steps=3, lr=0.1):
    torch.manual_seed(1)
    X = torch.randn(20, 4)
    Y = (X.sum(1) > 0).long()
    W = torch.randn(4, 2, requires_grad=True)
    b = torch.zeros(2, requires_grad=True)
    for _ in range(steps):
        logits = X @ W + b
        loss = F.cross_entropy(logits, Y)
        dlogits = F.softmax(logits, 1)
        dlogits[torch.arange(20), Y] -= 1
        dlogits /= 20
        dW = X.t() @ dlogits
        db = dlogits.sum(0)
        W.data -= lr * dW
        b.data -= lr * db
    return loss.item()


torch.manual_seed(1)
inputs = torch.randn(20, 4)
target = (inputs.sum(1) > 0).long()
weight = torch.randn(4, 2, requires_grad=True)
scores = inputs @ weight
loss = F.cross_entropy(scores, target)
dscores = (F.softmax(scores, 1) - F.one_hot(target, 2)) / 20
dweight = inputs.t() @ dscores
print(train())
