"""Recurrent cells and scans, one step and over time."""

from .schema import Case

GRU = dict(x="n e", h="n h", Wi="e 3*h", Wh="h 3*h", bi="3*h", bh="3*h")

CASES = (
    Case("rnn-step", "h1 = torch.tanh(x @ Wxh + h0 @ Whh + bh)", dict(x="n e", h0="n h", Wxh="e h", Whh="h h", bh="h"),
         {}, "h1", "Elman (1990)", {"h0": "(dh1 * (1 - h1**2)) @ Whh.T", "Whh": "h0.T @ (dh1 * (1 - h1**2))"}),
    Case("rnn-over-time", """
h = h0
for i in range(t):
    h = torch.tanh(x[:, i] @ Wx + h @ Wh + b)
loss = (h @ Wo).pow(2).mean()
""", dict(x="n t e", h0="n h", Wx="e h", Wh="h h", b="h", Wo="h d"), dict(t="size: t"), "loss", "Elman (1990)",
         sizes=dict(t=4)),
    Case("rnn-all-steps", """
hs = []
h = h0
for i in range(x.shape[0]):
    h = torch.tanh(x[i] @ Wx + h @ Wh)
    hs.append(h)
H = torch.stack(hs)
logits = H @ Wy
loss = F.cross_entropy(logits.view(-1, logits.shape[-1]), Y.view(-1))
""", dict(x="t n e", h0="n h", Wx="e h", Wh="h h", Wy="h v"), dict(Y="index v: t n"), "loss",
         "Karpathy, makemore (2022)",
         sizes=dict(t=4)),
    Case("gru-torch", """
gi = x @ Wi + bi
gh = h @ Wh + bh
ir, iz, in_ = gi.chunk(3, 1)
hr, hz, hn = gh.chunk(3, 1)
r = torch.sigmoid(ir + hr)
z = torch.sigmoid(iz + hz)
c = torch.tanh(in_ + r * hn)
h1 = c + z * (h - c)
""", GRU, {}, "h1", "PyTorch's documentation of GRUCell"),
    Case("gru-concatenated", """
xh = torch.cat([x, h], dim=1)
z = F.sigmoid(xh @ Wz + bz)
r = F.sigmoid(xh @ Wr + br)
xrh = torch.cat([x, r * h], dim=1)
hbar = F.tanh(xrh @ Wh + bh)
h1 = (1 - z) * h + z * hbar
""", dict(x="n e", h="n h", Wz="e+h h", Wr="e+h h", Wh="e+h h", bz="h", br="h", bh="h"), {}, "h1",
         "Karpathy, makemore (2022)"),
    Case("lstm-over-time", """
h, c = h0, c0
for i in range(t):
    gates = x[i] @ W + h @ U + b
    i_, f, g, o = gates.chunk(4, dim=1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i_) * torch.tanh(g)
    h = torch.sigmoid(o) * torch.tanh(c)
loss = (h * target).sum()
""", dict(x="t n e", h0="n h", c0="n h", W="e 4*h", U="h 4*h", b="4*h"), dict(t="size: t", target="n h"), "loss",
         "Hochreiter and Schmidhuber (1997)", sizes=dict(t=3)),
    Case("lstm-peephole", """
i = torch.sigmoid(x @ Wi + h @ Ui + c * pi + bi)
f = torch.sigmoid(x @ Wf + h @ Uf + c * pf + bf)
cn = f * c + i * torch.tanh(x @ Wc + h @ Uc)
o = torch.sigmoid(x @ Wo + h @ Uo + cn * po)
hn = o * torch.tanh(cn)
""", dict(x="n e", h="n h", c="n h", Wi="e h", Wf="e h", Wc="e h", Wo="e h", Ui="h h", Uf="h h", Uc="h h", Uo="h h",
          pi="h", pf="h", po="h", bi="h", bf="h"), {}, "hn", "Gers and Schmidhuber (2000)"),
    Case("min-gru", """
z = torch.sigmoid(x @ Wz)
ht = x @ Wh
h1 = (1 - z) * h0 + z * ht
""", dict(x="n e", h0="n h", Wz="e h", Wh="e h"), {}, "h1", "Feng et al., Were RNNs All We Needed? (2024)"),
    Case("min-gru-log-scan", """
k = x @ Wz
log_z = -F.softplus(-k)
log_coeffs = -F.softplus(k)
log_h = torch.log(F.softplus(x @ Wh) + 1e-6)
a_star = torch.cumsum(log_coeffs, dim=1)
h = torch.exp(a_star + torch.logcumsumexp(log_z + log_h - a_star, dim=1))
""", dict(x="n t e", Wz="e h", Wh="e h"), {}, "h", "Feng et al., Were RNNs All We Needed? (2024)"),
    Case("sru", """
u = x @ W
f = torch.sigmoid(x @ Wf + vf * c0 + bf)
r = torch.sigmoid(x @ Wr + vr * c0 + br)
c1 = f * c0 + (1 - f) * u
h1 = r * c1 + (1 - r) * x
""", dict(x="n h", c0="n h", W="h h", Wf="h h", Wr="h h", vf="h", vr="h", bf="h", br="h"), {}, "h1",
         "Lei et al., Simple Recurrent Units (2018)"),
    Case("rwkv-step", """
decay = torch.exp(-torch.exp(w))
num1 = decay * num0 + torch.exp(k0) * v0
den1 = decay * den0 + torch.exp(k0)
bonus = torch.exp(u + k1)
wkv = (num1 + bonus * v1) / (den1 + bonus)
y = torch.sigmoid(r) * wkv
""", dict(num0="n h", den0="positive: n h", w="h", u="h", k0="n h", v0="n h", k1="n h", v1="n h", r="n h"), {}, "y",
         "Peng et al., RWKV (2023), eq. 14"),
    Case("s4d-scan", """
A = -torch.exp(log_A)
dA = torch.exp(dt[:, None] * A)
state = torch.zeros_like(A)
ys = []
for i in range(u.shape[0]):
    state = dA * state + dt[:, None] * B * u[i][:, None]
    ys.append((state * C).sum(1) + D * u[i])
y = torch.stack(ys)
""", dict(u="t h", log_A="h d", dt="positive: h", B="h d", C="h d", D="h"), {}, "y",
         "Gu et al., On the Parameterization of Diagonal State Space Models (2022)", sizes=dict(t=4, h=5)),
    Case("mamba-step", """
dt = F.softplus(x @ Wdt + bdt)
B = x @ WB
C = x @ WC
dA = torch.exp(torch.einsum("nh,hd->nhd", dt, -torch.exp(A_log)))
dB = torch.einsum("nh,nd->nhd", dt, B)
s1 = s0 * dA + x[..., None] * dB
y = torch.einsum("nhd,nd->nh", s1, C) + D * x
out = y * F.silu(z)
""", dict(x="n h", z="n h", s0="n h d", Wdt="h h", bdt="h", WB="h d", WC="h d", A_log="h d", D="h"), {}, "out",
         "Gu and Dao, Mamba (2023)"),
    Case("delta-rule", """
S = S0
ys = []
for i in range(t):
    pred = S @ k[i]
    S = S + beta[i] * torch.outer(v[i] - pred, k[i])
    ys.append(S @ q[i])
y = torch.stack(ys, 0)
""", dict(S0="e d", q="t d", k="t d", v="t e", beta="unit: t"), dict(t="size: t"), "y",
         "Schlag, Irie and Schmidhuber, Linear Transformers Are Secretly Fast Weight Programmers (2021)",
         sizes=dict(t=4)),
    Case("exponential-average", """
out = []
m = torch.zeros(x.shape[1])
for row in x:
    m = decay * m + (1 - decay) * row
    out.append(m)
y = torch.stack(out)
""", dict(x="t d", decay="unit:"), {}, "y", "Ma et al., Mega (2022)", sizes=dict(t=5)),
    Case("bag-of-words-causal", """
wei = torch.zeros(t, t).masked_fill(tril == 0, float("-inf"))
att = F.softmax(wei, dim=-1)
y = att @ x
""", dict(x="n t e"), dict(t="size: t", tril="causal: t t"), "y", "Karpathy, makemore (2022)", {"x": "att.T @ dy"}),
    Case("fast-grnn", """
pre = x @ W + h @ U
z = torch.sigmoid(pre + bz)
ht = torch.tanh(pre + bh)
h1 = (torch.sigmoid(zeta) * (1 - z) + torch.sigmoid(nu)) * ht + z * h
""", dict(x="n e", h="n h", W="e h", U="h h", bz="h", bh="h", zeta="normal:", nu="normal:"), {}, "h1",
         "Kusupati et al., FastGRNN (2018)"),
    Case("neural-turing-addressing", """
sim = F.cosine_similarity(M, k.unsqueeze(1), dim=-1)
wc = F.softmax(F.softplus(beta).unsqueeze(1) * sim, dim=1)
g = torch.sigmoid(gate).unsqueeze(1)
wg = g * wc + (1 - g) * w0
shifted = s[:, 0:1] * torch.roll(wg, 1, dims=1) + s[:, 1:2] * wg + s[:, 2:3] * torch.roll(wg, -1, 1)
ws = shifted ** (1 + F.softplus(gamma).unsqueeze(1))
w1 = ws / (ws.sum(1, keepdim=True) + 1e-8)
r = torch.bmm(w1.unsqueeze(1), M).squeeze(1)
""", dict(M="n m d", k="n d", beta="n", gate="n", gamma="n"),
         dict(w0="probabilities: n m", s="probabilities: n 3"), "r", "Graves, Wayne and Danihelka (2014)"),
    Case("mixture-of-experts-soft", """
gates = F.softmax(x @ Wg, dim=-1)
hid = torch.relu(torch.einsum("ne,keh->nkh", x, W1))
outs = torch.einsum("nkh,khd->nkd", hid, W2)
y = (gates.unsqueeze(-1) * outs).sum(dim=1)
""", dict(x="n e", Wg="e k", W1="k e h", W2="k h d"), {}, "y", "Jacobs et al., Adaptive Mixtures (1991)"),
    Case("mixture-of-experts-top-k", """
logits = x @ Wg
top, idx = logits.topk(2, dim=-1)
w = F.softmax(top, dim=-1)
outs = torch.einsum("ne,ked->nkd", x, W)
picked = outs.gather(1, idx.unsqueeze(-1).expand(-1, -1, outs.size(-1)))
y = (w.unsqueeze(-1) * picked).sum(1)
""", dict(x="n e", Wg="e k", W="k e d"), {}, "y", "Shazeer et al. (2017); Jiang et al., Mixtral (2024)"),
    Case("load-balancing", """
p = F.softmax(x @ Wg, dim=-1)
chosen = F.one_hot(p.argmax(-1), p.shape[-1]).double()
f = chosen.mean(0)
loss = p.shape[-1] * (f * p.mean(0)).sum()
""", dict(x="n e", Wg="e k"), {}, "loss", "Fedus, Zoph and Shazeer, Switch Transformers (2022)"),
    Case("hopfield", """
for i in range(3):
    xi = torch.softmax(beta * xi @ X.T, dim=-1) @ X
loss = (xi - target).pow(2).sum()
""", dict(xi="n d", X="m d"), dict(beta=0.7, target="n d"), "loss",
         "Ramsauer et al., Hopfield Networks is All You Need (2021)"),
    Case("neural-ode-rk4", """
k1 = torch.tanh(y @ W) @ V
k2 = torch.tanh((y + dt / 2 * k1) @ W) @ V
k3 = torch.tanh((y + dt / 2 * k2) @ W) @ V
k4 = torch.tanh((y + dt * k3) @ W) @ V
y1 = y + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
""", dict(y="n e", W="e h", V="h e"), dict(dt=0.1), "y1", "Chen et al., Neural Ordinary Differential Equations (2018)"),
)  # fmt: skip
