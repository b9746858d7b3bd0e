import torch
import torch.nn.functional as F

torch.manual_seed(55)
T, B, V_, H = 5, 3, 7, 4
idx = torch.randint(0, V_, (B, T + 1))
C, Wh, b, Wo = torch.randn(V_, H), torch.randn(H, H) * 0.4, torch.zeros(H), torch.randn(H, V_)

hs = [torch.zeros(B, H)]
logits = []
for t in range(T):
    hs.append(torch.tanh(C[idx[:, t]] + hs[t] @ Wh + b))
    logits.append(hs[-1] @ Wo)
logits = torch.stack(logits, 1)
loss = F.cross_entropy(logits.view(B * T, V_), idx[:, 1:].reshape(-1))

dlogits = F.softmax(logits, -1)
dlogits -= F.one_hot(idx[:, 1:], V_)
dlogits /= B * T
dC, dWh, db, dWo = (torch.zeros_like(p) for p in (C, Wh, b, Wo))
carry = torch.zeros(B, H)
for t in range(T - 1, -1, -1):
    dh = dlogits[:, t] @ Wo.T + carry
    draw = dh * (1 - hs[t + 1] ** 2)
    dWo += hs[t + 1].T @ dlogits[:, t]
    dWh += hs[t].T @ draw
    db += draw.sum(0)
    dC.index_add_(0, idx[:, t], draw)
    carry = draw @ Wh.T
for p, dp in ((C, dC), (Wh, dWh), (b, db), (Wo, dWo)):
    p.sub_(0.1 * dp)
