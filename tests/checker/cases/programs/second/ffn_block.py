"""A pre-norm feed-forward block: a gated SiLU branch and an erf-GELU branch, each added to the stream."""

import math

import torch
import torch.nn.functional as F

torch.manual_seed(42)
n_tok, d_model, d_ff = 5, 4, 6
stream = torch.randn(n_tok, d_model, requires_grad=True)
W_gate = torch.nn.Parameter(torch.randn(d_model, d_ff) / 2)
W_up = torch.nn.Parameter(torch.randn(d_model, d_ff) / 2)
W_down = torch.nn.Parameter(torch.randn(d_ff, d_model) / 2)
W_in = torch.nn.Parameter(torch.randn(d_model, d_ff) / 2)
W_out = torch.nn.Parameter(torch.randn(d_ff, d_model) / 2)
b_in = torch.nn.Parameter(torch.zeros(d_ff))
goal = torch.randn(n_tok, d_model)

# Forward
gate = stream @ W_gate
up = stream @ W_up
s = torch.sigmoid(gate)
act = gate * s
prod = act * up
mid = stream + prod @ W_down
u = mid @ W_in + b_in
cdf = 0.5 * (1.0 + torch.erf(u / math.sqrt(2.0)))
gelu = u * cdf
end = mid + gelu @ W_out
loss = F.mse_loss(end, goal)

# Backward
d_end = 2.0 * (end - goal) / (n_tok * d_model)
d_gelu = d_end @ W_out.T
d_W_out = gelu.T @ d_end
pdf = torch.exp(-0.5 * u * u) / math.sqrt(2.0 * math.pi)
d_cdf = d_gelu * u
d_u = d_gelu * cdf + d_cdf * pdf
d_W_in = mid.T @ d_u
d_b_in = d_u.sum(0)
d_mid = d_end + d_u @ W_in.T
d_prod = d_mid @ W_down.T
d_W_down = prod.T @ d_mid
d_act = d_prod * up
d_up = d_prod * act
d_s = d_act * gate
d_gate = d_act * s + d_s * s * (1 - s)
d_W_gate = stream.T @ d_gate
d_W_up = stream.T @ d_up
d_stream = d_mid + d_gate @ W_gate.T + d_up @ W_up.T
