import math

import torch


class SelfAttention:
    def __init__(self, d, causal=True):
        self.Wq, self.Wk, self.Wv, self.Wo = [torch.randn(d, d) / math.sqrt(d) for _ in range(4)]
        self.causal = causal

    def forward(self, x):
        B, T, D = x.shape
        q, k, v = x @ self.Wq, x @ self.Wk, x @ self.Wv
        s = q @ k.transpose(-2, -1) / math.sqrt(D)
        if self.causal:
            s = s.masked_fill(torch.ones(T, T).triu(1).bool(), float("-inf"))
        a = s.softmax(-1)
        o = a @ v
        self.cache = x, q, k, v, a, o
        return o @ self.Wo

    def backward(self, dy):
        x, q, k, v, a, o = self.cache
        D = x.shape[-1]
        self.dWo = torch.einsum("btd,bte->de", o, dy)
        do = dy @ self.Wo.T
        da = do @ v.transpose(-2, -1)
        dv = a.transpose(-2, -1) @ do
        ds = a * (da - (da * a).sum(-1, keepdim=True))
        ds = ds / math.sqrt(D)
        dq = ds @ k
        dk = ds.transpose(-2, -1) @ q
        self.dWq = torch.einsum("btd,bte->de", x, dq)
        self.dWk = torch.einsum("btd,bte->de", x, dk)
        self.dWv = torch.einsum("btd,bte->de", x, dv)
        return dq @ self.Wq.T + dk @ self.Wk.T + dv @ self.Wv.T


torch.manual_seed(32)
attn = SelfAttention(4)
x, t = torch.randn(2, 3, 4), torch.randn(2, 3, 4)
y = attn.forward(x)
loss = (y - t).pow(2).sum() / 2
dx = attn.backward(y - t)
