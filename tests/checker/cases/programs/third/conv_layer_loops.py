import torch
import torch.nn.functional as F


def conv_forward_naive(x, w, b, conv_param):
    stride, pad = conv_param["stride"], conv_param["pad"]
    N, C, H, W = x.shape
    K, _, HH, WW = w.shape
    xp = F.pad(x, (pad, pad, pad, pad))
    Ho, Wo = 1 + (H + 2 * pad - HH) // stride, 1 + (W + 2 * pad - WW) // stride
    out = torch.zeros(N, K, Ho, Wo)
    for i in range(Ho):
        for j in range(Wo):
            patch = xp[:, :, i * stride : i * stride + HH, j * stride : j * stride + WW]
            out[:, :, i, j] = torch.einsum("nchw,kchw->nk", patch, w) + b
    return out, (x, w, b, conv_param, xp)


def conv_backward_naive(dout, cache):
    x, w, b, conv_param, xp = cache
    stride, pad = conv_param["stride"], conv_param["pad"]
    _, _, HH, WW = w.shape
    dxp, dw = torch.zeros_like(xp), torch.zeros_like(w)
    db = dout.sum((0, 2, 3))
    for i in range(dout.shape[2]):
        for j in range(dout.shape[3]):
            rows, cols = slice(i * stride, i * stride + HH), slice(j * stride, j * stride + WW)
            dw += torch.einsum("nk,nchw->kchw", dout[:, :, i, j], xp[:, :, rows, cols])
            dxp[:, :, rows, cols] += torch.einsum("nk,kchw->nchw", dout[:, :, i, j], w)
    dx = dxp[:, :, pad:-pad, pad:-pad]
    return dx, dw, db


torch.manual_seed(30)
x, w, b = torch.randn(2, 2, 5, 5), torch.randn(3, 2, 3, 3), torch.randn(3)
out, cache = conv_forward_naive(x, w, b, {"stride": 2, "pad": 1})
flat = out.reshape(2, -1)
loss = (flat**2).sum(1).mean()
dflat = 2 * flat / 2
dout = dflat.reshape(out.shape)
dx, dw, db = conv_backward_naive(dout, cache)
