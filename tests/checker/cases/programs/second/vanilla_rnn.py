"""A recurrent net unrolled by hand in a loop, the hidden states in one tensor, the gradient of them in another."""

import torch

torch.manual_seed(4)
T, B, I, H = 4, 2, 3, 5  # noqa: E741
xs = torch.randn(T, B, I)
ys = torch.randn(T, B)
Wx = (torch.randn(I, H) * 0.5).requires_grad_()
Wh = (torch.randn(H, H) * 0.5).requires_grad_()
bh = torch.zeros(H, requires_grad=True)
wo = torch.randn(H, requires_grad=True)

hlist = [torch.zeros(B, H)]
for t in range(T):
    hlist.append(torch.tanh(xs[t] @ Wx + hlist[t] @ Wh + bh))
hs = torch.stack(hlist[1:])
outs = hs @ wo
loss = torch.abs(outs - ys).mean()

douts = torch.sign(outs - ys) / (T * B)
dwo = torch.einsum("tbh,tb->h", hs, douts)
dWx = torch.zeros(I, H)
dWh = torch.zeros(H, H)
dbh = torch.zeros(H)
back = torch.zeros(B, H)
for t in range(T)[::-1]:
    dht = douts[t][:, None] * wo + back
    draw = dht * (1 - hlist[t + 1] ** 2)
    dWx = dWx + xs[t].T @ draw
    dWh = dWh + hlist[t].T @ draw
    dbh = dbh + draw.sum(0)
    back = draw @ Wh.T
