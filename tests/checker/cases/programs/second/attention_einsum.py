"""Causal attention of several heads by einsum, dropout on the weights with its mask kept, and the output projection."""

import math

import torch

torch.manual_seed(1337)
B, T, C, nh = 2, 4, 6, 2
hs = C // nh
x = torch.randn(B, T, C, requires_grad=True)
Wq = (torch.randn(C, nh, hs) * 0.4).requires_grad_()
Wk = (torch.randn(C, nh, hs) * 0.4).requires_grad_()
Wv = (torch.randn(C, nh, hs) * 0.4).requires_grad_()
Wproj = (torch.randn(nh, hs, C) * 0.4).requires_grad_()
drop = (torch.rand(B, nh, T, T) > 0.2).to(x.dtype) / 0.8
readout = torch.randn(B, T, C)
future = torch.triu(torch.ones(T, T), diagonal=1).bool()

q = torch.einsum("btc,chd->bhtd", x, Wq)
k = torch.einsum("btc,chd->bhtd", x, Wk)
v = torch.einsum("btc,chd->bhtd", x, Wv)
scores = torch.einsum("bhtd,bhsd->bhts", q, k) / math.sqrt(hs)
masked = scores.masked_fill(future, float("-inf"))
att = torch.softmax(masked, dim=-1)
att_drop = att * drop
heads = torch.einsum("bhts,bhsd->bhtd", att_drop, v)
y = torch.einsum("bhtd,hdc->btc", heads, Wproj)
res = x + y
loss = (res * readout).mean()

dres = readout / readout.numel()
dy = dres
dWproj = torch.einsum("bhtd,btc->hdc", heads, dy)
dheads = torch.einsum("btc,hdc->bhtd", dy, Wproj)
dv = torch.einsum("bhts,bhtd->bhsd", att_drop, dheads)
datt_drop = torch.einsum("bhtd,bhsd->bhts", dheads, v)
datt = datt_drop * drop
dmasked = att * (datt - (datt * att).sum(dim=-1, keepdim=True))
dscores = dmasked.masked_fill(future, 0.0)
dq = torch.einsum("bhts,bhsd->bhtd", dscores, k) / math.sqrt(hs)
dk = torch.einsum("bhts,bhtd->bhsd", dscores, q) / math.sqrt(hs)
dWq = torch.einsum("btc,bhtd->chd", x, dq)
dWk = torch.einsum("btc,bhtd->chd", x, dk)
dWv = torch.einsum("btc,bhtd->chd", x, dv)
dx = dres.clone()
dx += torch.einsum("bhtd,chd->btc", dq, Wq)
dx += torch.einsum("bhtd,chd->btc", dk, Wk)
dx += torch.einsum("bhtd,chd->btc", dv, Wv)
