import torch
import torch.nn.functional as F


def init(g):
    return [torch.randn(6, 8, generator=g), torch.randn(8, generator=g), torch.randn(8, 3, generator=g)]


def loss_and_grads(params, x, y):
    W1, b1, W2 = params
    z = x @ W1 + b1
    h = F.relu(z)
    logits = h @ W2
    logp = F.log_softmax(logits, dim=-1)
    loss = F.nll_loss(logp, y)
    dlogits = (logp.exp() - F.one_hot(y, 3).to(x.dtype)) / len(y)
    dW2 = h.T @ dlogits
    dz = dlogits @ W2.T * (z > 0)
    return loss, [x.T @ dz, dz.sum(0), dW2]


g = torch.Generator().manual_seed(6)
x = torch.randn(16, 6, generator=g)
y = torch.randint(3, (16,), generator=g)
params = init(g)
lr = 1e-2
for epoch in range(3):
    for start in range(0, 16, 4):
        loss, grads = loss_and_grads(params, x[start : start + 4], y[start : start + 4])
        params = [p - lr * dp for p, dp in zip(params, grads)]
    print(epoch, round(loss.item(), 4))
