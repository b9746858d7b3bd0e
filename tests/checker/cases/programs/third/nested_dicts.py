import torch
import torch.nn.functional as F

torch.manual_seed(15)
params = {
    "layer1": {"W": torch.randn(3, 5), "b": torch.randn(5)},
    "layer2": {"W": torch.randn(5, 4), "b": torch.randn(4)},
}
grads = {name: {k: torch.zeros_like(v) for k, v in layer.items()} for name, layer in params.items()}
x, y = torch.randn(7, 3), torch.randint(0, 4, (7,))

z1 = x @ params["layer1"]["W"] + params["layer1"]["b"]
h1 = torch.tanh(z1)
z2 = h1 @ params["layer2"]["W"] + params["layer2"]["b"]
loss = F.cross_entropy(z2, y)

dz2 = F.softmax(z2, 1)
dz2[range(7), y] -= 1
dz2 /= 7
grads["layer2"]["W"] += h1.T @ dz2
grads["layer2"]["b"] += dz2.sum(0)
dh1 = dz2 @ params["layer2"]["W"].T
dz1 = dh1 * (1 - h1 * h1)
grads["layer1"]["W"] += x.T @ dz1
grads["layer1"]["b"] += dz1.sum(0)

norm = sum((g**2).sum() for layer in grads.values() for g in layer.values()) ** 0.5
clip = min(1.0, 1.0 / norm.item())
for name, layer in params.items():
    for k in layer:
        layer[k] = layer[k] - 0.1 * clip * grads[name][k]
