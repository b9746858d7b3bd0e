"""A dense mixture of experts: a softmax gate over experts, a load-balancing term in the loss."""

import torch

gen = torch.Generator().manual_seed(6)
tokens, dm, experts, dh = 6, 4, 3, 5
x = torch.randn(tokens, dm, generator=gen, requires_grad=True)
Wg = torch.randn(dm, experts, generator=gen, requires_grad=True)
W1 = (torch.randn(experts, dm, dh, generator=gen) * 0.5).requires_grad_()
W2 = (torch.randn(experts, dh, dm, generator=gen) * 0.5).requires_grad_()
y = torch.randn(tokens, dm, generator=gen)
coef = 0.05

scores = x @ Wg
gates = torch.softmax(scores, dim=-1)
pre = torch.einsum("td,edh->eth", x, W1)
hid = torch.nn.functional.softplus(pre)
expert_out = torch.einsum("eth,ehd->etd", hid, W2)
mixed = torch.einsum("te,etd->td", gates, expert_out)
load = gates.mean(0)
balance = experts * (load**2).sum()
task = ((mixed - y) ** 2).sum(-1).mean()
loss = task + coef * balance

dmixed = 2 * (mixed - y) / tokens
dload = coef * experts * 2 * load
dgates = torch.einsum("td,etd->te", dmixed, expert_out)
dgates += dload / tokens
dexpert_out = torch.einsum("te,td->etd", gates, dmixed)
dW2 = torch.einsum("eth,etd->ehd", hid, dexpert_out)
dhid = torch.einsum("etd,ehd->eth", dexpert_out, W2)
dpre = dhid * torch.sigmoid(pre)
dW1 = torch.einsum("td,eth->edh", x, dpre)
dscores = gates * (dgates - (gates * dgates).sum(-1, keepdim=True))
dWg = x.T @ dscores
dx = dscores @ Wg.T + torch.einsum("eth,edh->td", dpre, W1)
