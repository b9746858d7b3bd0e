"""Passes whose gradients have well-known closed forms, with those that a person writes."""

from .schema import Case

LECTURE = """
emb = C[Xb]
embcat = emb.view(emb.shape[0], -1)
hprebn = embcat @ W1 + b1
bnmeani = 1/n*hprebn.sum(0, keepdim=True)
bndiff = hprebn - bnmeani
bndiff2 = bndiff**2
bnvar = 1/(n-1)*(bndiff2).sum(0, keepdim=True)
bnvar_inv = (bnvar + 1e-5)**-0.5
bnraw = bndiff * bnvar_inv
hpreact = bngain * bnraw + bnbias
h = torch.tanh(hpreact)
logits = h @ W2 + b2
logit_maxes = logits.max(1, keepdim=True).values
norm_logits = logits - logit_maxes
counts = norm_logits.exp()
counts_sum = counts.sum(1, keepdims=True)
counts_sum_inv = counts_sum**-1
probs = counts * counts_sum_inv
logprobs = probs.log()
loss = -logprobs[range(n), Yb].mean()
"""
MAKEMORE = "Karpathy, makemore part 4 (2022)"


def _part(first: str, last: str) -> str:
    """The lecture's lines from the one that makes a name to the one that makes another."""
    lines = LECTURE.strip().split("\n")
    names = [line.split(" =")[0] for line in lines]
    return "\n".join(lines[names.index(first) : names.index(last) + 1])


LSTM = """
a = x @ W + h @ U + b
ai, af, ao, ag = a.chunk(4, 1)
i = torch.sigmoid(ai)
f = torch.sigmoid(af)
o = torch.sigmoid(ao)
g = torch.tanh(ag)
cn = f * c + i * g
tc = torch.tanh(cn)
hn = o * tc
"""
HEADS = """
q = (x @ Wq).view(n, t, nh, hd).transpose(1, 2)
k = (x @ Wk).view(n, t, nh, hd).transpose(1, 2)
v = (x @ Wv).view(n, t, nh, hd).transpose(1, 2)
S = q @ k.transpose(-2, -1) * hd**-0.5
P = torch.softmax(S, -1)
O = P @ v
y = O.transpose(1, 2).reshape(n, t, nh * hd) @ Wo
"""
BATCH_NORM = "bngain*bnvar_inv/n * (n*dhpreact - dhpreact.sum(0) - n/(n-1)*bnraw*(dhpreact*bnraw).sum(0))"
SCORES = "P * (dO @ v.transpose(-2, -1) - (dO * O).sum(-1, keepdim=True))"
GATES = ("Wz", "Wr", "Wc")

CASES = (
    Case(
        "lecture", LECTURE,
        dict(C="v e", W1="b*e h", b1="h", bngain="1 h", bnbias="1 h", W2="h v", b2="v"),
        dict(n="size: n", Xb="index v: n b", Yb="index v: n"), "loss", MAKEMORE,
    ),
    Case(
        "cross-entropy-stepwise", _part("logit_maxes", "loss"),
        dict(logits="n v"), dict(n="size: n", Yb="index v: n"), "loss", MAKEMORE,
        {"logits": "(probs - F.one_hot(Yb, v)) / n"},
    ),
    Case(
        "cross-entropy", "loss = F.cross_entropy(logits, Yb)",
        dict(logits="n v"), dict(n="size: n", Yb="index v: n"), "loss", MAKEMORE,
        {"logits": "(F.softmax(logits, 1) - F.one_hot(Yb, v)) / n"},
    ),
    Case(
        "batch-norm-stepwise", _part("bnmeani", "hpreact"),
        dict(hprebn="n h", bngain="1 h", bnbias="1 h"), dict(n="size: n"), "hpreact", MAKEMORE,
        {
            "hprebn": BATCH_NORM,
            "bngain": "(bnraw * dhpreact).sum(0, keepdim=True)",
            "bnbias": "dhpreact.sum(0, keepdim=True)",
        },
    ),
    Case(
        "batch-norm-mean-var", """
bnmean = hprebn.mean(0, keepdim=True)
bnvar = hprebn.var(0, keepdim=True, unbiased=True)
bnvar_inv = (bnvar + 1e-5)**-0.5
bnraw = (hprebn - bnmean) * bnvar_inv
hpreact = bngain * bnraw + bnbias
""",
        dict(hprebn="n h", bngain="1 h", bnbias="1 h"), dict(n="size: n"), "hpreact",
        "Ioffe and Szegedy, Batch Normalization (2015)", {"hprebn": BATCH_NORM},
    ),
    Case(
        "layer-norm", """
mu = x.mean(-1, keepdim=True)
xc = x - mu
var = (xc**2).mean(-1, keepdim=True)
rstd = (var + 1e-5)**-0.5
xhat = xc * rstd
y = g * xhat + b
""",
        dict(x="n t h", g="h", b="h"), {}, "y", "Ba, Kiros and Hinton, Layer Normalization (2016)",
        {
            "x": "rstd * (g*dy - (g*dy).mean(-1, keepdim=True) - xhat * (g*dy*xhat).mean(-1, keepdim=True))",
            "g": "(dy * xhat).sum((0, 1))",
        },
    ),
    Case(
        "layer-norm-moments", """
mu = x.mean(1, keepdim=True)
var = (x**2).mean(1, keepdim=True) - mu**2
rstd = (var + eps)**-0.5
xhat = (x - mu) * rstd
y = g * xhat + b
""",
        dict(x="n h", g="h", b="h"), dict(eps=1e-3), "y", "Ba, Kiros and Hinton, Layer Normalization (2016)",
        {"x": "rstd * (g*dy - (g*dy).mean(1, keepdim=True) - xhat * (g*dy*xhat).mean(1, keepdim=True))"},
    ),
    Case(
        "rms-norm", """
ms = (x**2).mean(1, keepdim=True)
r = (ms + 1e-5)**-0.5
xhat = x * r
y = g * xhat
""",
        dict(x="n h", g="h"), {}, "y", "Zhang and Sennrich, Root Mean Square Layer Normalization (2019)",
        {"x": "r * (g*dy - xhat * (g*dy*xhat).mean(1, keepdim=True))", "g": "(dy * xhat).sum(0)"},
    ),
    Case(
        "softmax-stepwise", """
e = x.exp()
s = e.sum(1, keepdim=True)
p = e / s
""",
        dict(x="n v"), {}, "p", "Bridle (1990)", {"x": "p * (dp - (dp * p).sum(1, keepdim=True))"},
    ),
    Case(
        "softmax", "p = torch.softmax(x, -1)",
        dict(x="n t v"), {}, "p", "Bridle (1990)", {"x": "p * (dp - (dp * p).sum(-1, keepdim=True))"},
    ),
    Case(
        "log-softmax", """
lse = x.logsumexp(1, keepdim=True)
y = x - lse
""",
        dict(x="n v"), {}, "y", "Bridle (1990)", {"x": "dy - y.exp() * dy.sum(1, keepdim=True)"},
    ),
    Case(
        "log-softmax-shifted", """
m = x.max(1, keepdim=True).values
z = x - m
y = z - z.exp().sum(1, keepdim=True).log()
""",
        dict(x="n v"), {}, "y", "Bridle (1990)", {"x": "dy - y.exp() * dy.sum(1, keepdim=True)"},
    ),
    Case(
        "sigmoid-bce", """
p = torch.sigmoid(z)
loss = -(y * p.log() + (1 - y) * (1 - p).log()).mean()
""",
        dict(z="n"), dict(n="size: n", y="unit: n"), "loss", "Cox (1958)", {"z": "(p - y) / n"},
    ),
    Case(
        "sigmoid-written-out", "s = 1 / (1 + torch.exp(-x))",
        dict(x="n h"), {}, "s", "Rumelhart, Hinton and Williams (1986)", {"x": "ds * s * (1 - s)"},
    ),
    Case(
        "mean-squared-error", """
diff = pred - y
loss = (diff**2).mean()
""",
        dict(pred="n h"), dict(y="n h"), "loss", "Legendre (1805)", {"pred": "2 * diff / diff.numel()"},
    ),
    Case(
        "tanh-layer", "h = torch.tanh(x @ W + b)",
        dict(x="n e", W="e h", b="h"), {}, "h", "LeCun et al., Efficient BackProp (1998)",
        {
            "x": "(dh * (1 - h**2)) @ W.T",
            "W": "x.T @ (dh * (1 - h**2))",
            "b": "(dh * (1 - h**2)).sum(0)",
        },
    ),
    Case(
        "gelu-tanh", """
u = 0.7978845608 * (x + 0.044715 * x**3)
t = torch.tanh(u)
y = 0.5 * x * (1 + t)
""",
        dict(x="n h"), {}, "y", "Hendrycks and Gimpel, Gaussian Error Linear Units (2016)",
        {"x": "dy * 0.5 * (1 + t + x * (1 - t**2) * 0.7978845608 * (1 + 0.134145 * x**2))"},
    ),
    Case(
        "gelu-erf", """
c = 0.5 * (1 + torch.erf(x / 2**0.5))
y = x * c
""",
        dict(x="n h"), {}, "y", "Hendrycks and Gimpel, Gaussian Error Linear Units (2016)",
        {"x": "dy * (c + x * torch.exp(-x**2 / 2) / (2 * torch.pi)**0.5)"},
    ),
    Case(
        "swiglu", """
s = torch.sigmoid(a)
y = a * s * b
""",
        dict(a="n h", b="n h"), {}, "y", "Shazeer, GLU Variants Improve Transformer (2020)",
        {"a": "dy * b * s * (1 + a * (1 - s))", "b": "dy * a * s"},
    ),
    Case(
        "attention-head", """
q = x @ Wq
k = x @ Wk
v = x @ Wv
S = q @ k.transpose(-2, -1) * d**-0.5
S2 = S.masked_fill(mask == 0, float('-inf'))
P = torch.softmax(S2, -1)
O = P @ v
""",
        dict(x="n t e", Wq="e d", Wk="e d", Wv="e d"), dict(d="size: d", mask="causal: t t"), "O",
        "Vaswani et al., Attention Is All You Need (2017)",
        {"S": SCORES, "v": "P.transpose(-2, -1) @ dO"},
    ),
    Case(
        "gru-cell", """
z = torch.sigmoid(x @ Wz + h @ Uz)
r = torch.sigmoid(x @ Wr + h @ Ur)
rh = r * h
c = torch.tanh(x @ Wc + rh @ Uc)
hn = (1 - z) * h + z * c
""",
        dict(x="n e", h="n h", **dict.fromkeys(GATES, "e h"), Uz="h h", Ur="h h", Uc="h h"), {}, "hn",
        "Cho et al., RNN Encoder-Decoder (2014)",
        {
            "z": "dhn * (c - h)",
            "Wz": "x.T @ (dhn * (c - h) * z * (1 - z))",
            "rh": "(dhn * z * (1 - c**2)) @ Uc.T",
        },
    ),
    Case(
        "lstm-cell", LSTM,
        dict(x="n e", h="n h", c="n h", W="e 4*h", U="h 4*h", b="4*h"), {}, "hn",
        "Hochreiter and Schmidhuber, Long Short-Term Memory (1997)",
        {
            "cn": "dhn * o * (1 - tc**2)",
            "ai": "dhn * o * (1 - tc**2) * g * i * (1 - i)",
            "ao": "dhn * tc * o * (1 - o)",
            "ag": "dhn * o * (1 - tc**2) * i * (1 - g**2)",
        },
    ),
    Case(
        "embedding-concatenated", """
emb = C[Xb]
cat = emb.view(emb.shape[0], -1)
""",
        dict(C="v e"), dict(Xb="index v: n b"), "cat", "Bengio et al., A Neural Probabilistic Language Model (2003)",
        {"C": "torch.zeros_like(C).index_add_(0, Xb.view(-1), dcat.view(-1, e))"},
    ),
    Case(
        "conv1d", "y = F.conv1d(x, w, b)",
        dict(x="n e t", w="h e k", b="h"), {}, "y", "Waibel et al. (1989)",
        {
            "w": "torch.einsum('not,netk->oek', dy, x.unfold(2, k, 1))",
            "x": "F.conv_transpose1d(dy, w)",
            "b": "dy.sum((0, 2))",
        },
    ),
    Case(
        "max-pool", """
w = x.view(x.shape[0], x.shape[1] // 2, 2)
y = w.max(2).values
""",
        dict(x="n 2*t"), {}, "y", "Weng, Ahuja and Huang (1992)", {"w": "F.one_hot(w.argmax(2), 2) * dy[:, :, None]"},
    ),
    Case(
        "logsumexp-shifted", """
m = x.max(1, keepdim=True).values
e = (x - m).exp()
y = e.sum(1, keepdim=True).log() + m
""",
        dict(x="n v"), {}, "y", "Blanchard, Higham and Higham (2021)", {"x": "dy * e / e.sum(1, keepdim=True)"},
    ),
    Case(
        "cosine-similarity", """
nx = x.norm(dim=1, keepdim=True)
ny = y.norm(dim=1, keepdim=True)
c = (x * y).sum(1, keepdim=True) / (nx * ny)
""",
        dict(x="n h", y="n h"), {}, "c", "Salton and McGill (1983)", {"x": "dc * (y / (nx * ny) - c * x / nx**2)"},
    ),
    Case(
        "l2-normalised", """
r = (x**2).sum(1, keepdim=True).sqrt()
y = x / r
""",
        dict(x="n h"), {}, "y", "Schroff et al., FaceNet (2015)", {"x": "(dy - y * (dy * y).sum(1, keepdim=True)) / r"},
    ),
    Case(
        "hinge-multiclass", """
right = scores[range(n), Y]
margins = F.relu(scores - right[:, None] + 1)
loss = (margins * (1 - F.one_hot(Y, scores.shape[1]).double())).sum() / n
""",
        dict(scores="n v"), dict(n="size: n", Y="index v: n"), "loss", "Weston and Watkins (1999)",
        {
            "margins": "(1 - F.one_hot(Y, v)) / n",
            "scores": "(m - F.one_hot(Y, v) * m.sum(1, keepdim=True)) / n",
        },
    ),
    Case(
        "focal-loss-gamma-2", """
logp = F.log_softmax(z, 1)
lt = logp[range(n), Y]
pt = lt.exp()
loss = -((1 - pt)**2 * lt).mean()
""",
        dict(z="n v"), dict(n="size: n", Y="index v: n"), "loss", "Lin et al., Focal Loss (2017)",
        {"z": "((1 - pt) * (2*pt*lt - (1 - pt)))[:, None] * (F.one_hot(Y, v) - logp.exp()) / n"},
    ),
    Case(
        "soft-label-cross-entropy", """
logp = F.log_softmax(z, 1)
loss = -(q * logp).sum() / n
""",
        dict(z="n v"), dict(n="size: n", q="probabilities: n v"), "loss", "Szegedy et al. (2016)",
        {"z": "(logp.exp() - q) / n"},
    ),
    Case(
        "multi-head-attention", HEADS,
        dict(x="n t e", Wq="e nh*hd", Wk="e nh*hd", Wv="e nh*hd", Wo="nh*hd e"),
        dict(n="size: n", t="size: t", nh="size: nh", hd="size: hd"), "y",
        "Vaswani et al., Attention Is All You Need (2017)",
        {"O": "(dy @ Wo.T).view(n, t, nh, hd).transpose(1, 2)", "S from O": SCORES},
    ),
    Case(
        "info-nce", """
un = u / u.norm(dim=1, keepdim=True)
wn = w / w.norm(dim=1, keepdim=True)
L = un @ wn.T / tau
loss = F.cross_entropy(L, Y)
""",
        dict(u="n h", w="v h"), dict(n="size: n", tau=0.3, Y="index v: n"), "loss",
        "van den Oord, Li and Vinyals, Contrastive Predictive Coding (2018)",
        {"L": "(F.softmax(L, 1) - F.one_hot(Y, v)) / n"},
    ),
)  # fmt: skip
