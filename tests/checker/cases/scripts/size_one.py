"""One row, one feature, one class too many: every tensor has a dimension of size one."""

import torch
import torch.nn.functional as F

torch.manual_seed(9)
x = torch.randn(1, 1)
y = torch.tensor([1])
W = torch.randn(1, 2, requires_grad=True)
b = torch.randn(1, 2, requires_grad=True)
s = torch.randn(1, 1, requires_grad=True)

scaled = s * x
logits = scaled @ W + b
loss = F.cross_entropy(logits, y)

dlogits = F.softmax(logits, 1)
dlogits[0, 1] -= 1
dW = scaled.T @ dlogits
db = dlogits.sum(0, keepdim=True)
dscaled = dlogits @ W.T
ds = dscaled * x
