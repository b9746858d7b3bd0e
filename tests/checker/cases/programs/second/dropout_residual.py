"""Two residual blocks with dropout whose masks are kept, post-norm by batch statistics, a weight decay in the loss."""

import torch

torch.manual_seed(101)
bsz, width = 7, 5
p_drop, wd = 0.3, 0.01
inp = torch.randn(bsz, width)
tgt = torch.randn(bsz)
A = (torch.randn(width, width) * 0.5).requires_grad_()
B = (torch.randn(width, width) * 0.5).requires_grad_()
out_w = torch.randn(width, requires_grad=True)
g = torch.ones(width, requires_grad=True)

mask1 = (torch.rand(bsz, width) >= p_drop).float() / (1 - p_drop)
mask2 = (torch.rand(bsz, width) >= p_drop).float() / (1 - p_drop)

lin1 = inp @ A
relu1 = torch.relu(lin1)
drop1 = relu1 * mask1
res1 = inp + drop1
lin2 = res1 @ B
tanh2 = torch.tanh(lin2)
drop2 = tanh2 * mask2
res2 = res1 + drop2
mu = res2.mean(0)
sd = ((res2 - mu) ** 2).mean(0).add(1e-5).sqrt()
bn = g * (res2 - mu) / sd
pred = bn @ out_w
err = pred - tgt
data_loss = (err**2).mean()
reg = wd * ((A**2).sum() + (B**2).sum())
loss = data_loss + reg

ddata_loss = 1.0
derr = ddata_loss * 2 * err / bsz
dpred = derr
dout_w = bn.T @ dpred
dbn = torch.outer(dpred, out_w)
xn = (res2 - mu) / sd
dg = (dbn * xn).sum(0)
dxn = dbn * g
dres2 = (dxn - dxn.mean(0) - xn * (dxn * xn).mean(0)) / sd
ddrop2 = dres2
dtanh2 = ddrop2 * mask2
dlin2 = dtanh2 * (1 - tanh2**2)
dB = res1.T @ dlin2 + 2 * wd * B
dres1 = dres2 + dlin2 @ B.T
ddrop1 = dres1
drelu1 = ddrop1 * mask1
dlin1 = drelu1 * (lin1 > 0)
dA = inp.T @ dlin1 + 2 * wd * A
