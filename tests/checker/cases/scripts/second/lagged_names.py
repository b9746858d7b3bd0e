"""A learner's notebook: stubs above, results renamed, gradients in a list, names d1 and delta that are none."""

import torch
import torch.nn.functional as F

torch.manual_seed(29)
d_in, d_hid, d_out = 4, 5, 3
d1, d2, delta, decay = 0.1, 0.2, 1e-3, 0.99
data = torch.randn(10, d_in)
dataset_size = data.shape[0]
digit = torch.randint(0, d_out, (dataset_size,))
W1 = torch.randn(d_in, d_hid, requires_grad=True)
W2 = torch.randn(d_hid, d_out, requires_grad=True)

z1 = data @ W1
a1 = F.leaky_relu(z1, d1)
z2 = a1 @ W2
log_p = F.log_softmax(z2, dim=1)
loss = F.nll_loss(log_p, digit) + delta * W2.pow(2).sum()

dW1, dW2, da1, dz1, dz2 = [None] * 5
dz2 = torch.exp(log_p)
dz2[torch.arange(dataset_size), digit] -= 1
dz2 = dz2 / dataset_size
dW2 = a1.T @ dz2 + 2 * delta * W2
da1 = dz2 @ W2.T
dz1 = da1.clone()
dz1[z1 < 0] *= d1
dW1 = data.T @ dz1
all_grads = [dW1, dW2]
print([tuple(grad.shape) for grad in all_grads], d2, decay)
