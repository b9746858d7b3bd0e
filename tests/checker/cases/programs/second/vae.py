"""A variational autoencoder: reparameterised samples, binary cross-entropy from logits, the closed-form KL term."""

import torch
import torch.nn.functional as F

torch.manual_seed(33)
bs, nx, nhid, nz = 4, 6, 5, 2
kl_weight = 0.5
x = torch.where(torch.rand(bs, nx) > 0.5, 1.0, 0.0)
enc = (torch.randn(nx, nhid) * 0.6).requires_grad_()
Wmu = (torch.randn(nhid, nz) * 0.6).requires_grad_()
Wlv = (torch.randn(nhid, nz) * 0.6).requires_grad_()
dec = (torch.randn(nz, nx) * 0.6).requires_grad_()
noise = torch.randn(bs, nz)

hidden = torch.relu(x @ enc)
mean = hidden @ Wmu
logvar = hidden @ Wlv
std = torch.exp(0.5 * logvar)
z = mean + noise * std
logits = z @ dec
recon = F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / bs
kl = -0.5 * (1 + logvar - mean.pow(2) - logvar.exp()).sum() / bs
loss = recon + kl_weight * kl

dlogits = (torch.sigmoid(logits) - x) / bs
dz = dlogits @ dec.T
ddec = z.T @ dlogits
dmean = dz + kl_weight * mean / bs
dstd = dz * noise
dlogvar = 0.5 * std * dstd
dlogvar += kl_weight * 0.5 * (logvar.exp() - 1) / bs
dWmu = hidden.T @ dmean
dWlv = hidden.T @ dlogvar
dhidden = dmean @ Wmu.T + dlogvar @ Wlv.T
denc = x.T @ (dhidden * (hidden > 0))
