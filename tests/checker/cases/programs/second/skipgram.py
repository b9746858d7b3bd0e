"""Skip-gram with negative samples: two tables, log-sigmoid scores, gathers undone by index_add and by index_put."""

import torch
import torch.nn.functional as F

torch.manual_seed(55)
V, D, B, K = 8, 4, 5, 3
center = torch.tensor([1, 2, 2, 5, 1])
context = torch.tensor([0, 3, 2, 7, 0])
neg = torch.randint(0, V, (B, K))
emb_in = torch.randn(V, D, requires_grad=True)
emb_out = torch.randn(V, D, requires_grad=True)

vc = emb_in[center]
uo = emb_out[context]
un = emb_out[neg]
pos_score = (vc * uo).sum(1)
neg_score = torch.bmm(un, vc.unsqueeze(2)).squeeze(2)
pos_loss = -F.logsigmoid(pos_score)
neg_loss = -F.logsigmoid(-neg_score).sum(1)
loss = (pos_loss + neg_loss).mean()

d_pos_loss = torch.ones(B) / B
d_neg_loss = torch.ones(B) / B
d_pos_score = d_pos_loss * (torch.sigmoid(pos_score) - 1)
d_neg_score = d_neg_loss[:, None] * torch.sigmoid(neg_score)
d_vc = d_pos_score[:, None] * uo
d_vc += torch.bmm(d_neg_score.unsqueeze(1), un).squeeze(1)
d_uo = d_pos_score[:, None] * vc
d_un = d_neg_score[:, :, None] * vc[:, None, :]
d_emb_in = torch.zeros_like(emb_in)
d_emb_in.index_put_((center,), d_vc, accumulate=True)
d_emb_out = torch.zeros_like(emb_out)
d_emb_out.index_add_(0, context, d_uo)
d_emb_out.index_add_(0, neg.flatten(), d_un.reshape(-1, D))
