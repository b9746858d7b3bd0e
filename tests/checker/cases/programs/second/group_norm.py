"""Group norm over an image, followed by a swish; gradients are called grad_ and stand in float64."""

import torch

torch.set_default_dtype(torch.float64)
torch.manual_seed(0)
N, C, H, W, G = 2, 6, 3, 2, 3
eps = 1e-5
x = torch.randn(N, C, H, W, requires_grad=True)
scale = torch.randn(1, C, 1, 1, requires_grad=True)
shift = torch.randn(1, C, 1, 1, requires_grad=True)
target = torch.randn(N, C, H, W)

# forward pass
grouped = x.view(N, G, C // G, H, W)
mean = grouped.mean(dim=(2, 3, 4), keepdim=True)
centered = grouped - mean
var = centered.pow(2).mean(dim=(2, 3, 4), keepdim=True)
std = torch.sqrt(var + eps)
normalized = centered / std
restored = normalized.view(N, C, H, W)
affine = restored * scale + shift
sig = torch.sigmoid(affine)
out = affine * sig
diff = out - target
loss = 0.5 * diff.pow(2).sum() / N

# backward pass
grad_diff = diff / N
grad_out = grad_diff.clone()
grad_sig = grad_out * affine
grad_affine = grad_out * sig
grad_affine += grad_sig * sig * (1 - sig)
grad_scale = (grad_affine * restored).sum(dim=(0, 2, 3), keepdim=True)
grad_shift = grad_affine.sum(dim=(0, 2, 3), keepdim=True)
grad_restored = grad_affine * scale
grad_normalized = grad_restored.view(N, G, C // G, H, W)
grad_centered = grad_normalized / std
grad_std = -(grad_normalized * centered).sum(dim=(2, 3, 4), keepdim=True) / std**2
grad_var = grad_std / (2 * std)
m = C // G * H * W
grad_centered += grad_var * 2 * centered / m
grad_mean = -grad_centered.sum(dim=(2, 3, 4), keepdim=True)
grad_grouped = grad_centered + grad_mean / m
grad_x = grad_grouped.reshape(N, C, H, W)
