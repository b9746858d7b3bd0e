import torch

torch.manual_seed(10)
T, B, D, H = 4, 3, 2, 5
x = torch.randn(T, B, D)
y = torch.randn(B, 1)
Wx, Wh, b = torch.randn(D, H) * 0.5, torch.randn(H, H) * 0.5, torch.zeros(H)
Wo = torch.randn(H, 1)


def rnn_forward(x, Wx, Wh, b):
    h = torch.zeros(x.shape[1], H)
    hs = [h]
    for t in range(len(x)):
        h = torch.tanh(x[t] @ Wx + hs[-1] @ Wh + b)
        hs.append(h)
    return hs


def rnn_backward(dh_last, hs, x, Wh):
    dWx, dWh, db = torch.zeros(D, H), torch.zeros(H, H), torch.zeros(H)
    dh = dh_last
    for t in reversed(range(len(x))):
        dz = dh * (1 - hs[t + 1] ** 2)
        dWx += x[t].T @ dz
        dWh += hs[t].T @ dz
        db += dz.sum(0)
        dh = dz @ Wh.T
    return dWx, dWh, db


hs = rnn_forward(x, Wx, Wh, b)
out = hs[-1] @ Wo
loss = ((out - y) ** 2).mean()
dout = 2 * (out - y) / B
dWo = hs[-1].T @ dout
dWx, dWh, db = rnn_backward(dout @ Wo.T, hs, x, Wh)
for p, dp in [(Wx, dWx), (Wh, dWh), (b, db), (Wo, dWo)]:
    p -= 0.1 * dp.clamp(-5, 5)
