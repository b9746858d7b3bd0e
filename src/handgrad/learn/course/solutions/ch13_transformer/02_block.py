"""Attention and feed-forward, each with its norm and its residual: a whole transformer block.

    x --norm--> attention --+--> middle --norm--> feed-forward --+--> y
    '-----------------------'    '-------------------------------'

norm_backward is given; the rest you have written before. Eighteen lines are enough.
"""

import torch


def norm(x):
    """Divide each row by its root mean square."""
    return x * ((x**2).mean(1, keepdim=True) + 1e-5) ** -0.5


def norm_backward(x, dxhat):
    """The gradient of x from that of norm(x)."""
    inv_rms = ((x**2).mean(1, keepdim=True) + 1e-5) ** -0.5
    return inv_rms * dxhat - x * inv_rms**3 * (x * dxhat).mean(1, keepdim=True)


# Setup: sizes, seed and random inputs.
T, D, F = 5, 7, 3
g = torch.Generator().manual_seed(1)
x = torch.randn(T, D, generator=g)  # (T, D)
Wq, Wk, Wv, Wo = torch.randn(4, D, D, generator=g) * 0.5  # (D, D) each
W1 = torch.randn(D, F, generator=g)  # (D, F)
W2 = torch.randn(F, D, generator=g)  # (F, D)
upstream = torch.randn(T, D, generator=g)  # (T, D)

# Forward pass.
future = torch.ones(T, T).triu(1).bool()  # (T, T)
xhat = norm(x)  # (T, D)
q = xhat @ Wq  # (T, D)
k = xhat @ Wk  # (T, D)
v = xhat @ Wv  # (T, D)
att = torch.softmax((q @ k.T * D**-0.5).masked_fill(future, -torch.inf), 1)  # (T, T)
mixed = att @ v  # (T, D)
middle = x + mixed @ Wo  # (T, D)
mhat = norm(middle)  # (T, D)
r = torch.relu(mhat @ W1)  # (T, F)
y = middle + r @ W2  # (T, D)
loss = (y * upstream).sum()

# Backward pass. The gradient of y is given.
dy = upstream

# YOUR CODE HERE
dW2 = r.T @ dy
da = (r > 0) * (dy @ W2.T)
dW1 = mhat.T @ da
dmiddle = dy + norm_backward(middle, da @ W1.T)
dWo = mixed.T @ dmiddle
dmixed = dmiddle @ Wo.T
dv = att.T @ dmixed
datt = dmixed @ v.T
dscores = att * (datt - (att * datt).sum(1, keepdim=True)) * D**-0.5
dq = dscores @ k
dk = dscores.T @ q
dWq = xhat.T @ dq
dWk = xhat.T @ dk
dWv = xhat.T @ dv
dxhat = dq @ Wq.T + dk @ Wk.T + dv @ Wv.T
dx = dmiddle + norm_backward(x, dxhat)
