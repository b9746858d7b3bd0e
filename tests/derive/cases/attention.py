"""Variants of attention."""

from .schema import Case

VASWANI = "Vaswani et al., Attention Is All You Need (2017)"
QKV = dict(q="n t d", k="n t d", v="n t d")

CASES = (
    Case(
        "attention-scores", """
scores = q @ k.transpose(-2, -1) / d**0.5
att = F.softmax(scores, dim=-1)
y = att @ v
""",
        QKV, dict(d="size: d"), "y", VASWANI,
        {"scores": "att * (dy @ v.transpose(-2, -1) - (dy * y).sum(-1, keepdim=True))"},
    ),
    Case("attention-called", "y = F.scaled_dot_product_attention(q, k, v)", QKV, {}, "y", VASWANI),
    Case(
        "attention-called-causal", "y = F.scaled_dot_product_attention(q, k, v, is_causal=True)",
        dict(q="n nh t d", k="n nh t d", v="n nh t d"), {}, "y", "Karpathy, nanoGPT (2022)",
    ),
    Case(
        "causal-self-attention", """
B, T, C = x.size()
q, k, v = (x @ Wqkv + bqkv).split(C, dim=2)
k = k.view(B, T, n_head, C // n_head).transpose(1, 2)
q = q.view(B, T, n_head, C // n_head).transpose(1, 2)
v = v.view(B, T, n_head, C // n_head).transpose(1, 2)
att = (q @ k.transpose(-2, -1)) * (1.0 / k.size(-1) ** 0.5)
att = att.masked_fill(bias[:, :, :T, :T] == 0, float("-inf"))
att = F.softmax(att, dim=-1)
y = att @ v
y = y.transpose(1, 2).contiguous().view(B, T, C)
out = y @ Wproj + bproj
""",
        dict(x="b t nh*d", Wqkv="nh*d 3*nh*d", bqkv="3*nh*d", Wproj="nh*d nh*d", bproj="nh*d"),
        dict(n_head="size: nh", bias="causal: 1 1 t+3 t+3"), "out", "Karpathy, nanoGPT (2022)",
        sizes=dict(t=5, nh=2, d=4),
    ),
    Case(
        "makemore-head", """
wei = q @ k.transpose(-2, -1) * k.shape[-1] ** -0.5
wei = wei.masked_fill(tril[:t, :t] == 0, float("-inf"))
wei = F.softmax(wei, dim=-1)
out = wei @ v
""",
        QKV, dict(t="size: t", tril="causal: w w"), "out", "Karpathy, Let's build GPT (2023)",
    ),
    Case(
        "grouped-query", """
q = (x @ Wq).view(n, t, nh, g, hd)
k = (x @ Wk).view(n, t, nh, hd)
v = (x @ Wv).view(n, t, nh, hd)
s = torch.einsum("bthgd,bshd->bhgts", q, k) / hd**0.5
p = s.softmax(-1)
o = torch.einsum("bhgts,bshd->bthgd", p, v).reshape(n, t, -1)
""",
        dict(x="n t e", Wq="e nh*g*hd", Wk="e nh*hd", Wv="e nh*hd"),
        dict(n="size: n", t="size: t", nh="size: nh", g="size: g", hd="size: hd"), "o",
        "Ainslie et al., GQA (2023)", sizes=dict(g=3, hd=4, n=2, t=7),
    ),
    Case(
        "repeated-keys", """
k = k.repeat_interleave(rep, dim=1)
v = v.repeat_interleave(rep, dim=1)
att = torch.softmax(torch.matmul(q, k.transpose(2, 3)) / hd**0.5 + mask, dim=-1)
y = torch.matmul(att, v)
""",
        dict(q="n 4 t hd", k="n 2 t hd", v="n 2 t hd"), dict(rep=2, hd="size: hd", mask="normal: t t"), "y",
        "Touvron et al., Llama 2 (2023)", sizes=dict(hd=6, n=3),
    ),
    Case(
        "multi-query", """
q = (x @ Wq).view(n, t, nh, hd)
k = x @ Wk
v = x @ Wv
s = torch.einsum("nthd,nsd->nhts", q, k) * hd**-0.5
o = torch.einsum("nhts,nsd->nthd", torch.softmax(s, dim=-1), v)
y = o.flatten(2) @ Wo
""",
        dict(x="n t e", Wq="e nh*hd", Wk="e hd", Wv="e hd", Wo="nh*hd e"),
        dict(n="size: n", t="size: t", nh="size: nh", hd="size: hd"), "y", "Shazeer, Fast Transformer Decoding (2019)",
    ),
    Case(
        "alibi", """
dist = torch.arange(t)[None, :] - torch.arange(t)[:, None]
s = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5 + slopes[:, None, None] * dist
s = s.masked_fill(dist > 0, -torch.inf)
y = torch.softmax(s, -1) @ v
""",
        dict(q="n nh t d", k="n nh t d", v="n nh t d"), dict(t="size: t", slopes="positive: nh"), "y",
        "Press, Smith and Lewis, Train Short, Test Long (2022)",
    ),
    Case(
        "rotary-halves", """
x1, x2 = x.chunk(2, dim=-1)
rot = torch.cat((-x2, x1), dim=-1)
y = x * cos + rot * sin
""",
        dict(x="n t 2*d"), dict(cos="t 2*d", sin="t 2*d"), "y", "Su et al., RoFormer (2021)",
    ),
    Case(
        "rotary-pairs", """
xe, xo = x[..., ::2], x[..., 1::2]
ye = xe * cos - xo * sin
yo = xe * sin + xo * cos
y = torch.stack((ye, yo), dim=-1).flatten(-2)
""",
        dict(x="n t 2*d"), dict(cos="t d", sin="t d"), "y", "Su et al., RoFormer (2021)",
    ),
    Case(
        "relative-bias", """
s = q @ k.mT / d**0.5
s = s + table[index].permute(2, 0, 1)
y = F.softmax(s, -1) @ v
""",
        dict(q="n nh t d", k="n nh t d", v="n nh t d", table="2*t-1 nh"), dict(d="size: d", index="index 2*t-1: t t"),
        "y", "Raffel et al., T5 (2020); Liu et al., Swin Transformer (2021)",
    ),
    Case(
        "relative-keys", """
content = torch.einsum("ntd,nsd->nts", q, k)
position = torch.einsum("ntd,tsd->nts", q, R[index])
att = torch.softmax((content + position) / d**0.5, dim=2)
y = torch.einsum("nts,nsd->ntd", att, v)
""",
        dict(**QKV, R="2*t-1 d"), dict(d="size: d", index="index 2*t-1: t t"), "y",
        "Shaw, Uszkoreit and Vaswani (2018)",
    ),
    Case(
        "sliding-window", """
s = (q @ k.transpose(-1, -2)).mul(d**-0.5)
s = torch.where(window == 1, s, torch.tensor(-1e9))
a = s.softmax(dim=-1)
y = torch.bmm(a, v)
""",
        QKV, dict(d="size: d", window="band: t t"), "y", "Beltagy, Peters and Cohan, Longformer (2020)",
    ),
    Case(
        "linear-attention", """
fq = F.elu(q) + 1
fk = F.elu(k) + 1
kv = fk.transpose(1, 2) @ v
z = fk.sum(dim=1)
y = (fq @ kv) / (fq @ z.unsqueeze(-1))
""",
        dict(q="n t d", k="n t d", v="n t e"), {}, "y", "Katharopoulos et al., Transformers are RNNs (2020)",
    ),
    Case(
        "linear-attention-causal", """
fq = torch.exp(q)
fk = torch.exp(k)
kv = torch.cumsum(fk[:, :, :, None] * v[:, :, None, :], dim=1)
z = fk.cumsum(dim=1)
y = torch.einsum("ntd,ntde->nte", fq, kv) / (fq * z).sum(-1, keepdim=True)
""",
        dict(q="n t d", k="n t d", v="n t e"), {}, "y", "Katharopoulos et al., Transformers are RNNs (2020)",
    ),
    Case(
        "cosine-attention", """
qn = q / q.norm(dim=-1, keepdim=True)
kn = k / k.norm(dim=-1, keepdim=True)
s = qn @ kn.transpose(-2, -1) / tau.clamp(min=0.01)
y = F.softmax(s, dim=-1) @ v
""",
        dict(**QKV, tau="positive:"), {}, "y", "Liu et al., Swin Transformer V2 (2022)",
    ),
    Case(
        "additive-attention", """
e = torch.tanh(query.unsqueeze(1) @ Wq + keys @ Wk + b) @ w
a = F.softmax(e, dim=1)
c = torch.einsum("ns,nsd->nd", a, keys)
""",
        dict(query="n e", keys="n s d", Wq="e h", Wk="d h", b="h", w="h"), {}, "c",
        "Bahdanau, Cho and Bengio (2015)",
    ),
    Case(
        "bilinear-attention", """
score = (query @ W).unsqueeze(1).bmm(keys.transpose(1, 2)).squeeze(1)
a = torch.softmax(score, dim=-1)
c = (a.unsqueeze(-1) * keys).sum(1)
out = torch.tanh(torch.cat([c, query], dim=1) @ Wc)
""",
        dict(query="n e", keys="n s d", W="e d", Wc="d+e h"), {}, "out", "Luong, Pham and Manning (2015)",
    ),
    Case(
        "talking-heads", """
s = torch.einsum("nhtd,nhsd->nhts", q, k)
s = torch.einsum("nhts,hg->ngts", s, Pl)
w = torch.softmax(s, dim=-1)
w = torch.einsum("ngts,gh->nhts", w, Pw)
y = torch.einsum("nhts,nhsd->nhtd", w, v)
""",
        dict(q="n nh t d", k="n nh s d", v="n nh s d", Pl="nh c", Pw="c nh"), {}, "y",
        "Shazeer et al., Talking-Heads Attention (2020)", sizes=dict(n=2, t=5),
    ),
    Case(
        "softmax-one", """
s = q @ k.transpose(-2, -1)
m = s.amax(-1, keepdim=True).detach()
e = torch.exp(s - m)
p = e / (torch.exp(-m) + e.sum(-1, keepdim=True))
y = p @ v
""",
        QKV, {}, "y", "Miller, Attention Is Off By One (2023)",
    ),
    Case(
        "attention-sink", """
s = torch.matmul(q, k.transpose(1, 2)) / 4
s = torch.cat([s, sink.expand(s.shape[0], s.shape[1], 1)], dim=-1)
p = F.softmax(s, dim=-1)[..., :-1]
y = p @ v
""",
        dict(**QKV, sink="1 1 1"), {}, "y", "OpenAI, gpt-oss (2025)",
    ),
    Case(
        "differential-attention", """
a1 = torch.softmax(q1 @ k1.transpose(-2, -1) / d**0.5, -1)
a2 = torch.softmax(q2 @ k2.transpose(-2, -1) / d**0.5, -1)
lam = torch.exp((lq1 * lk1).sum()) - torch.exp((lq2 * lk2).sum()) + 0.8
y = (a1 - lam * a2) @ v
""",
        dict(q1="n t d", k1="n t d", q2="n t d", k2="n t d", v="n t e", lq1="d", lk1="d", lq2="d", lk2="d"),
        dict(d="size: d"), "y", "Ye et al., Differential Transformer (2024)",
    ),
    Case(
        "latent-attention", """
c = x @ Wdkv
k = (c @ Wuk).view(n, t, nh, hd)
v = (c @ Wuv).view(n, t, nh, hd)
q = ((x @ Wdq) @ Wuq).view(n, t, nh, hd)
s = torch.einsum("bthd,bshd->bhts", q, k) / hd**0.5
y = torch.einsum("bhts,bshd->bthd", F.softmax(s, dim=-1), v).reshape(n, t, nh * hd) @ Wo
""",
        dict(x="n t e", Wdkv="e d", Wuk="d nh*hd", Wuv="d nh*hd", Wdq="e l", Wuq="l nh*hd", Wo="nh*hd e"),
        dict(n="size: n", t="size: t", nh="size: nh", hd="size: hd"), "y", "DeepSeek-AI, DeepSeek-V2 (2024)",
        sizes=dict(n=2, l=4),
    ),
    Case(
        "cross-attention", """
q = x @ Wq
k, v = (memory @ Wkv).chunk(2, dim=-1)
a = F.softmax(q @ k.mT * q.size(-1) ** -0.5, dim=-1)
y = x + (a @ v) @ Wo
""",
        dict(x="n t e", memory="n s c", Wq="e d", Wkv="c 2*d", Wo="d e"), {}, "y", VASWANI,
    ),
    Case(
        "performer-features", """
fq = torch.exp(q @ w.t() - (q**2).sum(-1, keepdim=True) / 2) / m**0.5
fk = torch.exp(k @ w.t() - (k**2).sum(-1, keepdim=True) / 2) / m**0.5
num = fq @ (fk.mT @ v)
den = fq @ fk.sum(1).unsqueeze(-1)
y = num / den
""",
        QKV, dict(w="m d", m="size: m"), "y", "Choromanski et al., Rethinking Attention with Performers (2021)",
    ),
    Case(
        "logit-soft-cap", """
s = cap * torch.tanh(q @ k.transpose(-2, -1) / cap)
y = F.softmax(s + bias, dim=-1) @ v
""",
        QKV, dict(cap=20.0, bias="normal: t t"), "y", "Gemma Team, Gemma 2 (2024)",
    ),
    Case(
        "padding-mask", """
s = torch.einsum("nhtd,nhsd->nhts", q, k) / d**0.5
s = s.masked_fill(~keep[:, None, None, :], float("-inf"))
y = torch.softmax(s, dim=-1) @ v
""",
        dict(q="n nh t d", k="n nh s d", v="n nh s d"), dict(d="size: d", keep="bools: n s"), "y", VASWANI,
        sizes=dict(n=4),
    ),
    Case(
        "retention", """
s = q @ k.transpose(-1, -2) * decay
y = s @ v
out = y / torch.clamp(s.sum(-1, keepdim=True).abs(), min=1.0)
""",
        QKV, dict(decay="causal: t t"), "out", "Sun et al., Retentive Network (2023)",
    ),
    Case(
        "set-pooling", """
s = torch.einsum("kd,nsd->nks", seeds, x) / d**0.5
a = s.softmax(-1)
pooled = a @ x
y = pooled.flatten(1) @ W
""",
        dict(seeds="k d", x="n s d", W="k*d e"), dict(d="size: d"), "y", "Lee et al., Set Transformer (2019)",
    ),
)  # fmt: skip
