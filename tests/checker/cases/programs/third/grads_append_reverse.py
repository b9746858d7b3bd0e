import torch

torch.manual_seed(16)
dims = [3, 6, 6, 2]
weights = [torch.randn(i, o) / i**0.5 for i, o in zip(dims, dims[1:])]
x, y = torch.randn(8, 3), torch.randn(8, 2)

acts = [x]
for w in weights[:-1]:
    acts.append(torch.relu(acts[-1] @ w))
pred = acts[-1] @ weights[-1]
loss = torch.mean((pred - y) ** 2)

grads = []
delta = 2 * (pred - y) / pred.numel()
for w, a in zip(reversed(weights), reversed(acts)):
    grads.append(a.T @ delta)
    delta = (delta @ w.T) * (a > 0)
grads.reverse()
weights = [w - 0.1 * g for w, g in zip(weights, grads)]
