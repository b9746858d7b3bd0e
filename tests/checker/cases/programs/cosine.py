"""Two towers compared by cosine similarity with a learned temperature, as in contrastive learning."""

import torch
import torch.nn.functional as F

n, d_img, d_txt, dim = 6, 5, 7, 4
g = torch.Generator().manual_seed(20)
images = torch.randn(n, d_img, generator=g)
texts = torch.randn(n, d_txt, generator=g)
Wi = torch.randn(d_img, dim, generator=g, requires_grad=True)
Wt = torch.randn(d_txt, dim, generator=g, requires_grad=True)
log_temp = torch.tensor(0.3, requires_grad=True)
labels = torch.arange(n)

# forward
zi = images @ Wi
zt = texts @ Wt
norm_i = zi.norm(dim=1, keepdim=True)
norm_t = zt.norm(dim=1, keepdim=True)
ui = zi / norm_i
ut = zt / norm_t
sims = ui @ ut.T
temp = log_temp.exp()
logits = sims * temp
loss_i = F.cross_entropy(logits, labels)
loss_t = F.cross_entropy(logits.T, labels)
loss = (loss_i + loss_t) / 2

# backward
dloss_i = torch.tensor(0.5)
dloss_t = torch.tensor(0.5)
eye = torch.eye(n)
dlogits = dloss_i * (logits.softmax(1) - eye) / n + dloss_t * (logits.softmax(0) - eye) / n
dsims = dlogits * temp
dtemp = (dlogits * sims).sum()
dlog_temp = dtemp * temp
dui = dsims @ ut
dut = dsims.T @ ui
dnorm_i = -(dui * zi / norm_i**2).sum(1, keepdim=True)
dnorm_t = -(dut * zt / norm_t**2).sum(1, keepdim=True)
dzi = dui / norm_i + dnorm_i * zi / norm_i
dzt = dut / norm_t + dnorm_t * zt / norm_t
dWi = images.T @ dzi
dWt = texts.T @ dzt
