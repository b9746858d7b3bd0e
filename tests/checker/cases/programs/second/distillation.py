"""Distillation: a KL divergence to a teacher at a temperature, and smoothed labels besides."""

import torch
import torch.nn.functional as F

torch.manual_seed(3)
batch, features, classes = 6, 4, 5
temp, alpha, smoothing = 2.5, 0.7, 0.1
inputs = torch.randn(batch, features)
labels = torch.randint(0, classes, (batch,))
teacher = torch.randn(batch, classes) * 2

W = torch.randn(features, classes, requires_grad=True)
b = torch.zeros(classes, requires_grad=True)

# ---- forward
logits = inputs @ W + b
soft = logits / temp
log_q = F.log_softmax(soft, dim=-1)
p_teacher = F.softmax(teacher / temp, dim=-1)
kl = (p_teacher * (p_teacher.log() - log_q)).sum(-1)
kl_mean = kl.mean() * temp**2
log_probs = F.log_softmax(logits, dim=-1)
smooth_targets = torch.full_like(log_probs, smoothing / classes)
smooth_targets[torch.arange(batch), labels] += 1 - smoothing
ce = -(smooth_targets * log_probs).sum(-1).mean()
loss = alpha * kl_mean + (1 - alpha) * ce

# ---- backward
d_kl_mean = alpha
d_ce = 1 - alpha
d_kl = torch.full((batch,), d_kl_mean * temp**2 / batch)
d_log_q = -p_teacher * d_kl.unsqueeze(1)
d_soft = d_log_q - log_q.exp() * d_log_q.sum(-1, keepdim=True)
d_log_probs = -smooth_targets * d_ce / batch
d_logits = d_soft / temp
d_logits += d_log_probs - log_probs.exp() * d_log_probs.sum(-1, keepdim=True)
d_W = inputs.T @ d_logits
d_b = d_logits.sum(0)
