"""Whole small models: makemore's, the GPTs, LLaMA's block, embeddings and heads."""

from .schema import Case

BIGRAM = "Karpathy, makemore part 1 (2022)"

CASES = (
    Case("bigram", """
xenc = F.one_hot(xs, num_classes=v).double()
logits = xenc @ W
counts = logits.exp()
probs = counts / counts.sum(1, keepdims=True)
loss = -probs[torch.arange(num), ys].log().mean() + 0.01 * (W**2).mean()
""", dict(W="v v"), dict(xs="index v: n", ys="index v: n", num="size: n", v="size: v"), "loss", BIGRAM,
         {"logits": "(probs - F.one_hot(ys, v)) / n"}),
    Case("bigram-table", "loss = F.cross_entropy(W[xs], ys)", dict(W="v v"), dict(xs="index v: n", ys="index v: n"),
         "loss",
         BIGRAM),
    Case("makemore-mlp", """
emb = C[X]
h = torch.tanh(emb.view(-1, emb.shape[1] * emb.shape[2]) @ W1 + b1)
logits = h @ W2 + b2
loss = F.cross_entropy(logits, Y)
""", dict(C="v e", W1="b*e h", b1="h", W2="h v", b2="v"), dict(X="index v: n b", Y="index v: n"), "loss",
         "Karpathy, makemore part 2 (2022)", {"logits": "(F.softmax(logits, 1) - F.one_hot(Y, v)) / n"}),
    Case("makemore-bow", """
B, T = idx.size()
x = wte[idx] + wpe[pos].unsqueeze(0)
att = torch.zeros((B, T, T)).masked_fill(bias[:, :T, :T] == 0, float("-inf"))
att = F.softmax(att, dim=-1)
x = x + att @ x
x = x + torch.tanh(x @ W1 + b1) @ W2
logits = x @ Wh + bh
loss = F.cross_entropy(logits.view(-1, logits.size(-1)), targets.view(-1), ignore_index=-1)
""", dict(wte="v e", wpe="w e", W1="e h", b1="h", W2="h e", Wh="e v", bh="v"),
         dict(idx="index v: n t", pos="positions: t", bias="causal: 1 w w", targets="ignoring v: n t"), "loss",
         "Karpathy, makemore.py (2022)", sizes=dict(n=4)),
    Case("makemore-rnn", """
emb = wte[idx]
hprev = start.expand((n, -1))
hiddens = []
for i in range(t):
    xt = emb[:, i, :]
    xh = torch.cat([xt, hprev], dim=1)
    hprev = F.tanh(xh @ Wxh + bxh)
    hiddens.append(hprev)
hidden = torch.stack(hiddens, 1)
logits = hidden @ Wh + bh
loss = F.cross_entropy(logits.view(-1, logits.size(-1)), targets.view(-1), ignore_index=-1)
""", dict(wte="v e", start="1 h", Wxh="e+h h", bxh="h", Wh="h v", bh="v"),
         dict(idx="index v: n t", n="size: n", t="size: t", targets="ignoring v: n t"), "loss",
         "Karpathy, makemore.py (2022)", sizes=dict(n=4, t=3)),
    Case("makemore-gru", """
hprev = start.expand((n, -1))
hiddens = []
for i in range(t):
    xt = emb[:, i, :]
    xh = torch.cat([xt, hprev], dim=1)
    z = F.sigmoid(xh @ Wz)
    r = F.sigmoid(xh @ Wr)
    xhr = torch.cat([xt, r * hprev], dim=1)
    hbar = F.tanh(xhr @ Wc)
    hprev = (1 - z) * hprev + z * hbar
    hiddens.append(hprev)
out = torch.stack(hiddens, 1) @ Wh
""", dict(emb="n t e", start="1 h", Wz="e+h h", Wr="e+h h", Wc="e+h h", Wh="h v"), dict(n="size: n", t="size: t"),
         "out",
         "Karpathy, makemore.py (2022)", sizes=dict(n=4, t=3, h=6)),
    Case("nanogpt-block", """
B, T, C = x.size()
a = F.layer_norm(x, (C,), ln1_w, ln1_b, 1e-5)
q, k, v = (a @ Wqkv.t() + bqkv).split(C, dim=2)
k = k.view(B, T, nh, C // nh).transpose(1, 2)
q = q.view(B, T, nh, C // nh).transpose(1, 2)
v = v.view(B, T, nh, C // nh).transpose(1, 2)
att = (q @ k.transpose(-2, -1)) * (1.0 / (k.size(-1)) ** 0.5)
att = att.masked_fill(mask[:, :, :T, :T] == 0, float("-inf"))
att = F.softmax(att, dim=-1)
y = (att @ v).transpose(1, 2).contiguous().view(B, T, C)
x = x + F.linear(y, Wproj, bproj)
m = F.layer_norm(x, (C,), ln2_w, ln2_b, 1e-5)
out = x + F.linear(F.gelu(F.linear(m, Wfc, bfc)), Wout, bout)
""", dict(x="b t nh*d", ln1_w="nh*d", ln1_b="nh*d", Wqkv="3*nh*d nh*d", bqkv="3*nh*d", Wproj="nh*d nh*d", bproj="nh*d",
          ln2_w="nh*d", ln2_b="nh*d", Wfc="4*nh*d nh*d", bfc="4*nh*d", Wout="nh*d 4*nh*d", bout="nh*d"),
         dict(nh="size: nh", mask="causal: 1 1 w w"), "out", "Karpathy, nanoGPT (2022)", sizes=dict(t=5, nh=2, d=4)),
    Case("nanogpt-head", """
tok_emb = F.embedding(idx, wte)
pos_emb = wpe[pos]
x = tok_emb + pos_emb
x = F.layer_norm(x, (x.size(-1),), ln_w, ln_b, 1e-5)
logits = x @ wte.T
loss = F.cross_entropy(logits.view(-1, logits.size(-1)), targets.view(-1), ignore_index=-1)
""", dict(wte="v e", wpe="w e", ln_w="e", ln_b="e"),
         dict(idx="index v: n t", pos="positions: t", targets="ignoring v: n t"), "loss", "Karpathy, nanoGPT (2022)"),
    Case("gpt-lecture", """
tok_emb = token_embedding_table[idx]
pos_emb = position_embedding_table[torch.arange(T)]
x = tok_emb + pos_emb
k = x @ key
q = x @ query
wei = q @ k.transpose(-2, -1) * C**-0.5
wei = wei.masked_fill(tril[:T, :T] == 0, float("-inf"))
wei = F.softmax(wei, dim=-1)
out = wei @ (x @ value)
logits = F.relu(out @ W1 + b1) @ W2 + b2
B, T2, V = logits.shape
logits2 = logits.view(B * T2, V)
targets2 = targets.view(B * T2)
loss = F.cross_entropy(logits2, targets2)
""", dict(token_embedding_table="v e", position_embedding_table="w e", key="e d", query="e d", value="e d", W1="d h",
          b1="h", W2="h v", b2="v"),
         dict(idx="index v: n t", targets="index v: n t", T="size: t", C="size: e", tril="causal: w w"), "loss",
         "Karpathy, Let's build GPT (2023)"),
    Case("microgpt-block", """
ms = (x * x).sum(-1, keepdim=True) / n_embd
x0 = x * (ms + 1e-5) ** -0.5
q = x0 @ wq.T
k = x0 @ wk.T
v = x0 @ wv.T
qh = q.view(t, nh, hd).transpose(0, 1)
kh = k.view(t, nh, hd).transpose(0, 1)
vh = v.view(t, nh, hd).transpose(0, 1)
att = (qh @ kh.transpose(1, 2)) / hd**0.5
att = att.masked_fill(future, float("-inf"))
e = (att - att.max(-1, keepdim=True).values).exp()
w = e / e.sum(-1, keepdim=True)
o = (w @ vh).transpose(0, 1).reshape(t, n_embd)
x1 = x + o @ wo.T
x2 = x1 * ((x1 * x1).mean(-1, keepdim=True) + 1e-5) ** -0.5
out = x1 + (x2 @ fc1.T).relu() @ fc2.T
""", dict(x="t nh*hd", wq="nh*hd nh*hd", wk="nh*hd nh*hd", wv="nh*hd nh*hd", wo="nh*hd nh*hd", fc1="4*nh*hd nh*hd",
          fc2="nh*hd 4*nh*hd"),
         dict(n_embd="size: nh*hd", t="size: t", nh="size: nh", hd="size: hd", future="future: t t"), "out",
         "Karpathy, microgpt (2026)", sizes=dict(t=6, nh=2, hd=4)),
    Case("microgpt-loss", """
m = logits.max(-1, keepdim=True).values
e = torch.exp(logits - m)
probs = e / e.sum(-1, keepdim=True)
losses = -torch.log(probs[torch.arange(t), targets])
loss = losses.sum() / t
""", dict(logits="t v"), dict(t="size: t", targets="index v: t"), "loss", "Karpathy, microgpt (2026)",
         {"logits": "(probs - F.one_hot(targets, v)) / t"}),
    Case("llama-block", """
xn = x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5) * g1
q = (xn @ wq).view(n, t, nh, hd)
k = (xn @ wk).view(n, t, nh, hd)
v = (xn @ wv).view(n, t, nh, hd)
q1, q2 = q.chunk(2, -1)
k1, k2 = k.chunk(2, -1)
qr = torch.cat([q1 * cos - q2 * sin, q2 * cos + q1 * sin], -1).transpose(1, 2)
kr = torch.cat([k1 * cos - k2 * sin, k2 * cos + k1 * sin], -1).transpose(1, 2)
scores = torch.matmul(qr, kr.transpose(2, 3)) / hd**0.5 + mask
o = torch.matmul(F.softmax(scores, dim=-1), v.transpose(1, 2)).transpose(1, 2).reshape(n, t, -1)
h = x + o @ wo
hn = h * torch.rsqrt(h.pow(2).mean(-1, keepdim=True) + 1e-5) * g2
out = h + (F.silu(hn @ w1) * (hn @ w3)) @ w2
""", dict(x="n t nh*hd", g1="nh*hd", wq="nh*hd nh*hd", wk="nh*hd nh*hd", wv="nh*hd nh*hd", wo="nh*hd nh*hd", g2="nh*hd",
          w1="nh*hd h", w3="nh*hd h", w2="h nh*hd"),
         dict(n="size: n", t="size: t", nh="size: nh", hd="size: hd", cos="t 1 hd//2", sin="t 1 hd//2", mask="t t"),
         "out",
         "Touvron et al., LLaMA (2023)", sizes=dict(n=2, t=5, hd=6, nh=4)),
    Case("sinusoidal-positions", """
ang = pos[:, None] * freq[None, :]
pe = torch.cat([ang.sin(), ang.cos()], dim=1)
y = (E[tok] * scale + pe) @ W
""", dict(E="v 2*d", W="2*d h"), dict(pos="steps: t", freq="positive: d", tok="index v: n t", scale=4.0), "y",
         "Vaswani et al., Attention Is All You Need (2017)"),
    Case("bert-masked-head", """
h = F.gelu(x @ W + b)
h = F.layer_norm(h, (h.shape[-1],), g, c)
logits = h @ E.t() + bias
logp = F.log_softmax(logits, dim=-1)
picked = logp.gather(-1, labels.unsqueeze(-1)).squeeze(-1)
loss = -(picked * weight).sum() / weight.sum()
""", dict(x="n t e", W="e e", b="e", g="e", c="e", E="v e", bias="v"), dict(labels="index v: n t", weight="bits: n t"),
         "loss", "Devlin et al., BERT (2019)"),
    Case("autoencoder", """
z = torch.relu(x @ W1 + b1)
out = torch.sigmoid(z @ W1.T + b2)
loss = ((out - x) ** 2).sum(1).mean() + 1e-3 * z.abs().sum(1).mean()
""", dict(W1="w h", b1="h", b2="w"), dict(x="unit: n w"), "loss",
         "Vincent et al., Stacked Denoising Autoencoders (2010)"),
    Case("lora", "y = x @ W + (x @ A @ B) * (alpha / r)", dict(x="n e", A="e k", B="k h"),
         dict(W="e h", alpha=16, r="size: k"), "y", "Hu et al., LoRA (2021)", {"B": "(x @ A).T @ dy * alpha / r"}),
    Case("nerf-encoding", """
ang = x[..., None] * freqs
enc = torch.cat([torch.sin(ang), torch.cos(ang)], dim=-1).flatten(1)
y = F.relu(enc @ W1) @ W2
""", dict(x="n 3", W1="6*k h", W2="h 4"), dict(freqs="positive: k"), "y", "Mildenhall et al., NeRF (2020)"),
    Case("volume-rendering", """
alpha = 1 - torch.exp(-F.relu(sigma) * delta)
trans = torch.cumprod(1 - alpha + 1e-10, dim=-1)
trans = torch.cat([torch.ones_like(trans[:, :1]), trans[:, :-1]], dim=-1)
w = alpha * trans
rgb = (w[..., None] * colour.sigmoid()).sum(1)
loss = F.mse_loss(rgb, target)
""", dict(sigma="n s", colour="n s 3"), dict(delta="positive: n s", target="unit: n 3"), "loss",
         "Mildenhall et al., NeRF (2020)"),
    Case("deep-and-cross", """
x1 = x0 * (x0 @ w1)[:, None] + b1 + x0
x2 = x0 * (x1 @ w2)[:, None] + b2 + x1
p = torch.sigmoid(x2 @ w)
loss = F.binary_cross_entropy(p, y)
""", dict(x0="n e", w1="e", b1="e", w2="e", b2="e", w="e"), dict(y="bits: n"), "loss",
         "Wang et al., Deep & Cross Network (2017)"),
    Case("normalising-flow", """
xa, xb = x[:, :d], x[:, d:]
s = torch.tanh(xa @ Ws)
t = xa @ Wt
yb = xb * torch.exp(s) + t
z = torch.cat([xa, yb], dim=1)
logp = -0.5 * (z**2).sum(1) + s.sum(1)
loss = -logp.mean()
""", dict(Ws="d k", Wt="d k"), dict(x="n d+k", d="size: d"), "loss",
         "Dinh, Sohl-Dickstein and Bengio, Real NVP (2017)"),
    Case("transformer-decoder-step", """
q = (x @ Wq).unflatten(-1, (nh, hd))
keys = torch.cat([past_k, (x @ Wk).unflatten(-1, (nh, hd)).unsqueeze(1)], dim=1)
vals = torch.cat([past_v, (x @ Wv).unflatten(-1, (nh, hd)).unsqueeze(1)], dim=1)
a = torch.einsum("bhd,bshd->bhs", q, keys).div(hd**0.5).softmax(-1)
o = torch.einsum("bhs,bshd->bhd", a, vals).flatten(1) @ Wo
""", dict(x="n e", Wq="e nh*hd", Wk="e nh*hd", Wv="e nh*hd", Wo="nh*hd e"),
         dict(past_k="n s nh hd", past_v="n s nh hd", nh="size: nh", hd="size: hd"), "o",
         "Shazeer, Fast Transformer Decoding (2019)",
         sizes=dict(hd=4)),
)  # fmt: skip
