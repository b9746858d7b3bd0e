"""Many names that begin with d and are no gradients."""

import torch
import torch.nn.functional as F

device = torch.device("cpu")
dtype = torch.float32
dim, depth, delta, decay = 4, 1, 0.5, 0.99
dropout = 0.0
g = torch.Generator().manual_seed(12)
data = torch.randn(30, dim, generator=g, dtype=dtype).to(device)
digits = torch.randint(0, 3, (30,), generator=g)
x, y = data[:20], digits[:20]
dev_x, dev_y = data[20:], digits[20:]
W = torch.randn(dim, 3, generator=g, requires_grad=True)
b = torch.randn(3, generator=g, requires_grad=True)

logits = x @ W + b
loss = F.cross_entropy(logits, y)
dummy, debug, done = loss.item(), False, True

dloss = 1.0
dz = dloss * (F.softmax(logits, 1) - F.one_hot(y, 3)) / len(x)
dW = x.T @ dz
db = dz.sum(0)

dlogits = dev_x @ W + b
dev_loss = F.cross_entropy(dlogits, dev_y)
distance = (dev_loss - loss).abs()
print(dev_loss.item(), distance.item(), dummy, debug, done, depth, delta, decay, dropout)
