import torch

torch.manual_seed(5)
sizes = [4, 7, 5, 3]
Ws = [torch.randn(a, b) * 0.5 for a, b in zip(sizes[:-1], sizes[1:])]
bs = [torch.randn(b) * 0.1 for b in sizes[1:]]


def forward(x):
    activations, zs = [x], []
    for i, (W, b) in enumerate(zip(Ws, bs)):
        z = activations[-1] @ W + b
        zs.append(z)
        activations.append(torch.tanh(z) if i < len(Ws) - 1 else z)
    return activations, zs


def backward(activations, zs, y):
    n = y.shape[0]
    dWs, dbs = [], []
    dz = 2 * (activations[-1] - y) / n
    for i in reversed(range(len(Ws))):
        dW = activations[i].T @ dz
        db = dz.sum(0)
        dWs.insert(0, dW)
        dbs.insert(0, db)
        if i > 0:
            da = dz @ Ws[i].T
            dz = da * (1 - activations[i] ** 2)
    return dWs, dbs


X = torch.randn(9, 4)
Y = torch.randn(9, 3)
for step in range(50):
    activations, zs = forward(X)
    loss = ((activations[-1] - Y) ** 2).sum() / 9
    dWs, dbs = backward(activations, zs, Y)
    for i in range(len(Ws)):
        Ws[i] -= 0.01 * dWs[i]
        bs[i] -= 0.01 * dbs[i]
