"""The same kind of net in other people's words: gamma and beta, d_ before each name."""

import torch
import torch.nn.functional as F

batch_size, d_model, n_vocab = 14, 8, 9
torch.manual_seed(1337)
xs = torch.randn(batch_size, 5)
ys = torch.randint(0, n_vocab, (batch_size,))
weight = torch.nn.Parameter(torch.randn(5, d_model) * 0.4)
gamma = torch.nn.Parameter(torch.rand(d_model) + 0.5)
beta = torch.nn.Parameter(torch.randn(d_model) * 0.1)
out_weight = torch.nn.Parameter(torch.randn(d_model, n_vocab) * 0.2)

h_preact = xs @ weight
mu = h_preact.mean(0)
sigma2 = h_preact.var(0, unbiased=False)
x_hat = (h_preact - mu) / torch.sqrt(sigma2 + 1e-5)
bn_out = gamma * x_hat + beta
act = F.relu(bn_out)
logits = act @ out_weight
log_probs = F.log_softmax(logits, dim=1)
loss = F.nll_loss(log_probs, ys)

d_log_probs = torch.zeros_like(log_probs)
d_log_probs[torch.arange(batch_size), ys] = -1 / batch_size
d_logits = d_log_probs - log_probs.exp() * d_log_probs.sum(1, keepdim=True)
d_out_weight = act.t().mm(d_logits)
d_act = d_logits.mm(out_weight.t())
d_bn_out = d_act * (bn_out > 0).float()
d_gamma = (d_bn_out * x_hat).sum(dim=0)
d_beta = d_bn_out.sum(dim=0)
d_x_hat = d_bn_out * gamma
d_h_preact = (d_x_hat - d_x_hat.mean(0) - x_hat * (d_x_hat * x_hat).mean(0)) / torch.sqrt(sigma2 + 1e-5)
d_weight = xs.t().mm(d_h_preact)
