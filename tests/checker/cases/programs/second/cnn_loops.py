"""A small convolutional net in the manner of a first course: loops, padding, a leaky ReLU, max pooling by windows."""

import torch
import torch.nn.functional as F

torch.manual_seed(21)
N, H, W, F_num, HH, stride, pad = 2, 5, 5, 3, 3, 1, 1
img = torch.randn(N, 1, H, W)
y = torch.tensor([1, 0])
filt = (torch.randn(F_num, 1, HH, HH) * 0.4).requires_grad_()
fbias = torch.zeros(F_num, requires_grad=True)
fc = (torch.randn(F_num * 2 * 2, 2) * 0.4).requires_grad_()

img_pad = F.pad(img, (pad, pad, pad, pad))
maps = F.conv2d(img, filt, fbias, stride=stride, padding=pad)
leaky = torch.where(maps > 0, maps, 0.01 * maps)
pool = F.max_pool2d(leaky, 2, 2)
flat = pool.flatten(1)
scores = flat @ fc
loss = F.cross_entropy(scores, y)

dscores = F.softmax(scores, dim=1)
for i in range(N):
    dscores[i, y[i]] -= 1
dscores /= N
dfc = flat.T @ dscores
dflat = dscores @ fc.T
dpool = dflat.view_as(pool)
dleaky = torch.zeros_like(leaky)
for a in range(2):
    for c in range(2):
        window = leaky[:, :, 2 * a : 2 * a + 2, 2 * c : 2 * c + 2]
        peak = window == window.amax(dim=(2, 3), keepdim=True)
        dleaky[:, :, 2 * a : 2 * a + 2, 2 * c : 2 * c + 2] += peak * dpool[:, :, a, c][:, :, None, None]
dmaps = dleaky * torch.where(maps > 0, 1.0, 0.01)
dfbias = dmaps.sum(dim=(0, 2, 3))
dfilt = torch.zeros_like(filt)
for f in range(F_num):
    for a in range(HH):
        for c in range(HH):
            dfilt[f, 0, a, c] = (img_pad[:, 0, a : a + H, c : c + W] * dmaps[:, f]).sum()
