"""A linear classifier: softmax named as one step, negative log-likelihood, L2 penalty."""

import torch
import torch.nn.functional as F

n, n_in, n_classes = 9, 7, 4
decay = 0.01
g = torch.Generator().manual_seed(3)
x = torch.randn(n, n_in, generator=g)
y = torch.randint(0, n_classes, (n,), generator=g)
W = (torch.randn(n_in, n_classes, generator=g) * 0.5).requires_grad_()
b = (torch.randn(n_classes, generator=g) * 0.5).requires_grad_()

# forward
logits = x @ W + b
probs = F.softmax(logits, dim=1)
picked = probs[torch.arange(n), y]
nll = -picked.log()
data_loss = nll.mean()
penalty = (W**2).sum()
loss = data_loss + decay * penalty

# backward
ddata_loss = torch.ones_like(data_loss)
dpenalty = torch.tensor(decay)
dnll = ddata_loss / n * torch.ones_like(nll)
dpicked = -dnll / picked
dprobs = torch.zeros_like(probs)
dprobs[torch.arange(n), y] = dpicked
dlogits = probs * (dprobs - (dprobs * probs).sum(1, keepdim=True))
dW = x.T @ dlogits + 2 * W * dpenalty
db = dlogits.sum(0)
