"""A one-dimensional convolution by unfold, a leaky ReLU, average pooling, and a linear layer."""

import torch
import torch.nn.functional as F  # noqa: F401

torch.manual_seed(5)
B, Cin, L, Cout, K, classes = 3, 2, 9, 4, 3, 3
signal = torch.randn(B, Cin, L, requires_grad=True)
label = torch.randint(classes, (B,))
kernel = (torch.randn(Cout, Cin * K) * 0.5).requires_grad_()
kbias = torch.randn(Cout, requires_grad=True)
head = torch.randn(Cout, classes, requires_grad=True)

Lout = L - K + 1
windows = signal.unfold(2, K, 1)  # B, Cin, Lout, K
cols = windows.permute(0, 2, 1, 3).reshape(B, Lout, Cin * K)
conv = cols @ kernel.t() + kbias
act = torch.where(conv > 0, conv, 0.1 * conv)
pooled = act.mean(dim=1)
logits = pooled @ head
logp = logits - torch.logsumexp(logits, dim=1, keepdim=True)
loss = -logp.gather(1, label[:, None]).mean()

dlogp = torch.zeros_like(logp).scatter_(1, label[:, None], -1.0 / B)
dlogits = dlogp - torch.exp(logp) * dlogp.sum(dim=1, keepdim=True)
dpooled = dlogits @ head.t()
dhead = pooled.t() @ dlogits
dact = dpooled[:, None, :].expand(B, Lout, Cout) / Lout
dconv = dact * torch.where(conv > 0, 1.0, 0.1)
dkbias = dconv.sum((0, 1))
dkernel = dconv.reshape(-1, Cout).t() @ cols.reshape(-1, Cin * K)
dcols = dconv @ kernel
dwindows = dcols.reshape(B, Lout, Cin, K).permute(0, 2, 1, 3)
dsignal = torch.zeros_like(signal)
for j in range(K):
    dsignal[:, :, j : j + Lout] += dwindows[:, :, :, j]
