"""Distances, kernels, and classical models."""

from .schema import Case

CASES = (
    Case(
        "euclidean-distances", """
sq = (x**2).sum(1)[:, None] + (y**2).sum(1)[None, :] - 2 * x @ y.T
D = torch.sqrt(sq.clamp(min=1e-12))
""",
        dict(x="n e", y="m e"), {}, "D", "Lichman, in many k-means programs",
    ),
    Case("cdist-called", "D = torch.cdist(x, y)", dict(x="n e", y="m e"), {}, "D", "PyTorch's documentation of cdist"),
    Case(
        "pairwise-by-broadcast", "D = ((x[:, None, :] - y[None, :, :]) ** 2).sum(-1)",
        dict(x="n e", y="m e"), {}, "D", "NumPy's documentation of broadcasting",
        {"x": "2 * (x * dD.sum(1, keepdim=True) - dD @ y)"},
    ),
    Case(
        "manhattan", "D = torch.abs(x.unsqueeze(1) - y.unsqueeze(0)).sum(dim=2)",
        dict(x="n e", y="m e"), {}, "D", "Hastie, Tibshirani and Friedman (2009)",
    ),
    Case(
        "mahalanobis", """
d = x - mu
D = torch.einsum("ni,ij,nj->n", d, P, d)
loss = D.sqrt().sum()
""",
        dict(x="n e", mu="e", P="definite: e e"), {}, "loss", "Mahalanobis (1936)",
    ),
    Case(
        "metric-learning", """
z = (a - b) @ L.T
d2 = z.pow(2).sum(-1)
loss = F.softplus(y * (d2 - 1)).mean()
""",
        dict(L="d e"), dict(a="n e", b="n e", y="signs: n"), "loss", "Weinberger and Saul (2009)",
    ),
    Case(
        "rbf-kernel", """
d2 = torch.cdist(x, z) ** 2
K = torch.exp(-gamma * d2)
f = K @ alpha
""",
        dict(x="n e", z="m e", alpha="m", gamma="positive:"), {}, "f", "Scholkopf and Smola (2002)",
    ),
    Case(
        "rbf-kernel-by-hand", """
d2 = (x**2).sum(1, keepdim=True) + (z**2).sum(1) - 2 * (x @ z.T)
K = torch.exp(-d2 / (2 * sigma**2))
f = K @ alpha
""",
        dict(x="n e", z="m e", alpha="m", sigma="positive:"), {}, "f", "Broomhead and Lowe (1988)",
        {"alpha": "K.T @ df"},
    ),
    Case(
        "polynomial-kernel", "K = (x @ z.T + c) ** 3",
        dict(x="n e", z="m e", c="normal:"), {}, "K", "Scholkopf and Smola (2002)",
        {"x": "(3 * dK * (x @ z.T + c)**2) @ z"},
    ),
    Case(
        "mmd", """
kxx = torch.exp(-((x[:, None] - x[None]) ** 2).sum(-1))
kyy = torch.exp(-((y[:, None] - y[None]) ** 2).sum(-1))
kxy = torch.exp(-((x[:, None] - y[None]) ** 2).sum(-1))
loss = kxx.mean() + kyy.mean() - 2 * kxy.mean()
""",
        dict(x="n e", y="m e"), {}, "loss", "Gretton et al., A Kernel Two-Sample Test (2012)",
    ),
    Case(
        "poincare", """
uu = (u**2).sum(-1)
vv = (v**2).sum(-1)
d2 = ((u - v) ** 2).sum(-1)
D = torch.acosh(1 + 2 * d2 / ((1 - uu) * (1 - vv)))
""",
        dict(u="small: n e", v="small: n e"), {}, "D", "Nickel and Kiela, Poincare Embeddings (2017)",
    ),
    Case(
        "logistic-regression", """
z = X @ w + b
p = 1 / (1 + torch.exp(-z))
loss = -(y * torch.log(p) + (1 - y) * torch.log(1 - p)).mean() + lam * (w**2).sum()
""",
        dict(w="e", b="normal:"), dict(X="n e", y="bits: n", lam=0.1), "loss", "Cox (1958)",
        {"w": "X.T @ (p - y) / n + 2 * lam * w", "b": "(p - y).mean()"},
    ),
    Case(
        "softmax-regression", """
logits = X @ W + b
loss = F.nll_loss(F.log_softmax(logits, dim=1), Y) + 0.5 * reg * torch.sum(W * W)
""",
        dict(W="e v", b="v"), dict(X="n e", Y="index v: n", reg=1e-2), "loss", "Bishop (2006), section 4.3.4",
        {"logits": "(F.softmax(logits, 1) - F.one_hot(Y, v)) / n"},
    ),
    Case(
        "ridge", """
r = X @ w - y
loss = r @ r / (2 * n) + lam / 2 * w @ w
""",
        dict(w="e"), dict(X="n e", y="n", n="size: n", lam=0.3), "loss", "Hoerl and Kennard (1970)",
        {"w": "X.T @ r / n + lam * w"},
    ),
    Case(
        "lasso-elastic", "loss = ((X @ w - y) ** 2).mean() + l1 * w.abs().sum() + l2 * torch.norm(w) ** 2",
        dict(w="e"), dict(X="n e", y="n", l1=0.1, l2=0.2), "loss", "Zou and Hastie (2005)",
    ),
    Case(
        "pca-loss", """
Z = X @ W
R = Z @ W.T
loss = ((X - R) ** 2).sum() / n
""",
        dict(W="e d"), dict(X="n e", n="size: n"), "loss", "Baldi and Hornik (1989)", sizes=dict(e=6, d=3),
    ),
    Case(
        "soft-k-means", """
d2 = ((X[:, None] - M[None]) ** 2).sum(2)
r = F.softmax(-beta * d2, dim=1)
loss = (r * d2).sum(1).mean()
""",
        dict(M="k e"), dict(X="n e", beta=2.0), "loss", "MacKay (2003), chapter 22",
    ),
    Case(
        "gaussian-mixture", """
logits = torch.log_softmax(pi, 0) - 0.5 * (((X[:, None] - mu) / torch.exp(s)) ** 2).sum(-1) - s.sum(-1)
loss = -torch.logsumexp(logits, dim=1).sum()
""",
        dict(pi="k", mu="k e", s="k e"), dict(X="n e"), "loss", "Bishop (2006), section 9.2",
    ),
    Case(
        "factorisation-machine", """
xv = X @ V
pair = 0.5 * (xv**2 - (X**2) @ (V**2)).sum(1)
y = w0 + X @ w + pair
loss = ((y - t) ** 2).mean()
""",
        dict(w0="normal:", w="e", V="e k"), dict(X="n e", t="n"), "loss", "Rendle, Factorization Machines (2010)",
    ),
    Case(
        "matrix-factorisation", """
pred = (P[u] * Q[i]).sum(1) + bu[u] + bi[i] + mu
loss = ((r - pred) ** 2).sum() + lam * (P[u].pow(2).sum() + Q[i].pow(2).sum())
""",
        dict(P="m k", Q="w k", bu="m", bi="w", mu="normal:"),
        dict(u="index m: n", i="index w: n", r="n", lam=0.02), "loss", "Koren, Bell and Volinsky (2009)",
    ),
    Case(
        "gaussian-process", """
d2 = (x[:, None] - x[None, :]) ** 2
K = s2 * torch.exp(-0.5 * d2 / l**2) + noise * torch.eye(n)
alpha = torch.linalg.solve(K, y)
loss = 0.5 * y @ alpha + 0.5 * torch.logdet(K)
""",
        dict(s2="positive:", l="positive:", noise="positive:"), dict(x="rising: n", y="n", n="size: n"), "loss",
        "Rasmussen and Williams (2006), eq. 5.8",
    ),
    Case(
        "kernel-ridge", """
K = torch.exp(-gamma * torch.cdist(X, X).square())
r = K @ a - y
loss = 0.5 * r.dot(r) + 0.5 * lam * (a @ K @ a)
""",
        dict(a="n"), dict(X="n e", y="n", lam=0.1, gamma=0.5), "loss", "Saunders, Gammerman and Vovk (1998)",
    ),
    Case(
        "normal-equations", """
A = X.T @ X + lam * torch.eye(X.shape[1])
w = torch.linalg.inv(A) @ (X.T @ y)
loss = ((V @ w - t) ** 2).mean()
""",
        dict(X="n e", y="n", lam="positive:"), dict(V="m e", t="m"), "loss",
        "Bengio, Gradient-Based Optimization of Hyperparameters (2000)",
    ),
    Case(
        "t-sne", """
d2 = ((Y[:, None] - Y[None]) ** 2).sum(-1)
q = 1 / (1 + d2)
q = q * (1 - torch.eye(Y.shape[0]))
Q = q / q.sum()
loss = -(P * torch.log(Q + 1e-12)).sum()
""",
        dict(Y="n 2"), dict(P="probabilities: n n"), "loss", "van der Maaten and Hinton (2008)",
    ),
    Case(
        "stress", """
diff = Y[i] - Y[j]
d = torch.sqrt((diff**2).sum(1))
stress = (((d - delta) ** 2).sum() / (delta**2).sum()).sqrt()
""",
        dict(Y="n e"), dict(i="index n: m", j="index n: m", delta="positive: m"), "stress", "Kruskal (1964)",
    ),
    Case(
        "pendulum-energy", """
T = 0.5 * m * l**2 * omega**2
V = m * g * l * (1 - torch.cos(theta))
E = (T + V).sum()
""",
        dict(theta="n", omega="n", m="positive:", l="positive:"), dict(g=9.81), "E", "Landau and Lifshitz, Mechanics",
        {"theta": "m * g * l * torch.sin(theta)", "omega": "m * l**2 * omega"},
    ),
    Case(
        "double-pendulum", """
c = torch.cos(t1 - t2)
K = m1 * w1**2 / 2 + m2 / 2 * (w1**2 + w2**2 + 2 * w1 * w2 * c)
U = -(m1 + m2) * g * torch.cos(t1) - m2 * g * t2.cos()
L = (K - U).sum()
""",
        dict(t1="n", t2="n", w1="n", w2="n"), dict(m1=1.5, m2=0.7, g=9.81), "L", "Landau and Lifshitz, Mechanics",
    ),
    Case(
        "damped-oscillation", """
x = a * torch.exp(-gamma * ts) * torch.cos(w * ts + phi)
loss = F.mse_loss(x, data)
""",
        dict(a="normal:", gamma="positive:", w="positive:", phi="normal:"), dict(ts="steps: t", data="t"), "loss",
        "Feynman Lectures, volume 1, chapter 24",
    ),
    Case(
        "lennard-jones", """
r = (x[:m] - x[m:]).norm(dim=1)
s6 = (sigma / r) ** 6
U = 4 * eps * (s6**2 - s6).sum()
""",
        dict(x="2*m 3", eps="positive:", sigma="positive:"), dict(m="size: m"), "U", "Lennard-Jones (1924)",
    ),
    Case(
        "gravity", """
d = p[None, :, :] - p[:, None, :]
r2 = (d**2).sum(-1) + soft
U = -0.5 * (m[:, None] * m[None, :] * r2**-0.5).sum()
""",
        dict(p="n 3", m="positive: n"), dict(soft=0.1), "U", "Aarseth (1963)",
    ),
    Case(
        "wave-equation-residual", """
u = torch.sin(k * x[:, None]) @ A
du = torch.cos(k * x[:, None]) @ (k[:, None] * A)
loss = ((du + c * u) ** 2).mean()
""",
        dict(A="d e", k="d", c="normal:"), dict(x="n"), "loss", "Raissi, Perdikaris and Karniadakis (2019)",
    ),
    Case(
        "elo", """
p = 1 / (1 + 10 ** ((R[b] - R[a]) / 400))
loss = -(s * p.log() + (1 - s) * (1 - p).log()).sum()
""",
        dict(R="m"), dict(a="index m: n", b="index m: n", s="bits: n"), "loss", "Elo (1978)",
    ),
    Case(
        "dirichlet-log-likelihood", """
logp = torch.lgamma(alpha.sum()) - torch.lgamma(alpha).sum() + ((alpha - 1) * torch.log(x)).sum(1)
loss = -logp.mean()
""",
        dict(alpha="positive: k"), dict(x="probabilities: n k"), "loss",
        "Minka, Estimating a Dirichlet distribution (2000)",
    ),
)  # fmt: skip
