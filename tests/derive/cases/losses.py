"""Losses, from classification, regression, metric learning, self-supervision, generation and reinforcement."""

from .schema import Case

CASES = (
    Case(
        "focal-loss-binary", """
p = torch.sigmoid(x)
ce = F.binary_cross_entropy_with_logits(x, y, reduction="none")
pt = p * y + (1 - p) * (1 - y)
at = alpha * y + (1 - alpha) * (1 - y)
loss = (at * (1 - pt) ** gamma * ce).mean()
""",
        dict(x="n h"), dict(y="bits: n h", alpha=0.25, gamma=2), "loss", "Lin et al., Focal Loss (2017), eq. 5",
    ),
    Case(
        "dice-loss", """
p = torch.sigmoid(x).flatten(1)
t = y.flatten(1)
inter = (p * t).sum(1)
dice = (2 * inter + smooth) / (p.sum(1) + t.sum(1) + smooth)
loss = 1 - dice.mean()
""",
        dict(x="n h w"), dict(y="bits: n h w", smooth=1.0), "loss", "Milletari, Navab and Ahmadi, V-Net (2016)",
    ),
    Case(
        "tversky-loss", """
p = x.sigmoid().reshape(-1)
tp = (p * y.reshape(-1)).sum()
fp = (p * (1 - y.reshape(-1))).sum()
fn = ((1 - p) * y.reshape(-1)).sum()
tversky = (tp + 1) / (tp + 0.3 * fp + 0.7 * fn + 1)
loss = (1 - tversky) ** 0.75
""",
        dict(x="n w"), dict(y="bits: n w"), "loss", "Abraham and Khan, Focal Tversky Loss (2018)",
    ),
    Case(
        "label-smoothing", """
logp = F.log_softmax(logits, dim=-1)
nll = -logp.gather(1, Y.unsqueeze(1)).squeeze(1)
smooth = -logp.mean(dim=-1)
loss = ((1 - eps) * nll + eps * smooth).mean()
""",
        dict(logits="n v"), dict(Y="index v: n", eps=0.1), "loss", "Szegedy et al., Rethinking the Inception (2016)",
    ),
    Case(
        "cross-entropy-smoothed-ignoring", """
loss = F.cross_entropy(logits.view(-1, logits.size(-1)), Y.view(-1), ignore_index=-1, label_smoothing=0.1)
""",
        dict(logits="n t v"), dict(Y="ignoring v: n t"), "loss", "PyTorch's documentation of cross_entropy",
    ),
    Case(
        "nt-xent", """
z = torch.cat([z1, z2], dim=0)
z = z / z.norm(dim=1, keepdim=True)
sim = z @ z.T / tau
sim = sim.masked_fill(self_mask, float("-inf"))
loss = F.cross_entropy(sim, partner)
""",
        dict(z1="n h", z2="n h"), dict(tau=0.5, self_mask="same: 2*n 2*n", partner="index 2*n: 2*n"), "loss",
        "Chen et al., SimCLR (2020), eq. 1",
    ),
    Case(
        "clip-loss", """
img = F.normalize(I, dim=-1)
txt = F.normalize(T, dim=-1)
logits = t.exp() * img @ txt.T
labels = torch.arange(n)
loss_i = F.cross_entropy(logits, labels)
loss_t = F.cross_entropy(logits.T, labels)
loss = (loss_i + loss_t) / 2
""",
        dict(I="n h", T="n h", t="normal:"), dict(n="size: n"), "loss", "Radford et al., CLIP (2021), figure 3",
    ),
    Case(
        "sigmoid-language-image", """
zi = I / I.norm(dim=1, keepdim=True)
zt = T / T.norm(dim=1, keepdim=True)
logits = zi @ zt.t() * t_prime.exp() + b
labels = 2 * torch.eye(n) - 1
loss = -F.logsigmoid(labels * logits).sum() / n
""",
        dict(I="n h", T="n h", t_prime="normal:", b="normal:"), dict(n="size: n"), "loss",
        "Zhai et al., Sigmoid Loss for Language Image Pre-Training (2023)",
    ),
    Case(
        "triplet-loss", """
ap = (a - p).pow(2).sum(1)
an = (a - q).pow(2).sum(1)
loss = F.relu(ap - an + margin).mean()
""",
        dict(a="n h", p="n h", q="n h"), dict(margin=2.0), "loss", "Schroff et al., FaceNet (2015)",
    ),
    Case(
        "triplet-margin", "loss = F.triplet_margin_loss(a, p, q, margin=3.0)",
        dict(a="n h", p="n h", q="n h"), {}, "loss", "Balntas et al., Learning Local Feature Descriptors (2016)",
    ),
    Case(
        "contrastive-pairs", """
d = torch.sqrt(((x1 - x2) ** 2).sum(1) + 1e-9)
loss = (y * d**2 + (1 - y) * torch.clamp(margin - d, min=0) ** 2).mean() / 2
""",
        dict(x1="n e", x2="n e"), dict(y="bits: n", margin=4.0), "loss", "Hadsell, Chopra and LeCun (2006)",
    ),
    Case(
        "cosface", """
xn = F.normalize(x)
Wn = F.normalize(W)
cos = F.linear(xn, Wn)
logits = s * (cos - m * F.one_hot(Y, W.shape[0]))
loss = F.cross_entropy(logits, Y)
""",
        dict(x="n h", W="v h"), dict(s=16.0, m=0.35, Y="index v: n"), "loss", "Wang et al., CosFace (2018)",
    ),
    Case(
        "arcface", """
cos = F.linear(F.normalize(x), F.normalize(W))
sin = torch.sqrt(1.0 - cos**2)
phi = cos * cos_m - sin * sin_m
hot = F.one_hot(Y, num_classes=cos.size(1))
logits = s * (hot * phi + (1 - hot) * cos)
loss = F.cross_entropy(logits, Y)
""",
        dict(x="n h", W="v h"), dict(s=8.0, cos_m=0.8775825618903728, sin_m=0.479425538604203, Y="index v: n"), "loss",
        "Deng et al., ArcFace (2019)",
    ),
    Case(
        "huber", """
r = pred - y
quad = 0.5 * r**2
lin = delta * (r.abs() - 0.5 * delta)
loss = torch.where(r.abs() < delta, quad, lin).mean()
""",
        dict(pred="n e"), dict(y="n e", delta=0.7), "loss", "Huber (1964)",
    ),
    Case(
        "smooth-l1", "loss = F.smooth_l1_loss(pred, y, beta=0.5) + F.huber_loss(pred, y, delta=1.5)",
        dict(pred="n e"), dict(y="n e"), "loss", "Girshick, Fast R-CNN (2015)",
    ),
    Case(
        "log-cosh", "loss = torch.log(torch.cosh(pred - y)).mean()",
        dict(pred="n"), dict(y="n"), "loss", "Saleh and Saleh (2022)",
        {"pred": "torch.tanh(pred - y) / n"},
    ),
    Case(
        "quantile-loss", """
err = y.unsqueeze(1) - q
loss = torch.max((taus - 1) * err, taus * err).mean()
""",
        dict(q="n k"), dict(y="n", taus="unit: k"), "loss", "Koenker and Bassett, Regression Quantiles (1978)",
    ),
    Case(
        "quantile-huber", """
u = target[:, None, :] - theta[:, :, None]
huber = torch.where(u.abs() <= 1, 0.5 * u.pow(2), u.abs() - 0.5)
rho = (taus[None, :, None] - (u.detach() < 0).double()).abs() * huber
loss = rho.mean(2).sum(1).mean()
""",
        dict(theta="n k"), dict(target="n s", taus="unit: k"), "loss", "Dabney et al., QR-DQN (2018)",
    ),
    Case(
        "gaussian-kl", """
kl = -0.5 * (1 + logvar - mu.pow(2) - logvar.exp()).sum(1)
loss = kl.mean()
""",
        dict(mu="n d", logvar="n d"), {}, "loss", "Kingma and Welling, Auto-Encoding Variational Bayes (2013)",
        {"mu": "mu / n", "logvar": "(logvar.exp() - 1) / (2 * n)"},
    ),
    Case(
        "gaussian-kl-two", """
var_ratio = (s1 / s2) ** 2
t1 = ((m1 - m2) / s2) ** 2
kl = 0.5 * (var_ratio + t1 - 1 - var_ratio.log())
loss = kl.sum(-1).mean()
""",
        dict(m1="n d", m2="n d", s1="positive: n d", s2="positive: n d"), {}, "loss",
        "Kullback and Leibler (1951)",
    ),
    Case(
        "vae-elbo", """
h = torch.tanh(x @ We + be)
mu = h @ Wm
logvar = h @ Wv
std = torch.exp(0.5 * logvar)
z = mu + noise * std
out = torch.tanh(z @ Wd1) @ Wd2
bce = F.binary_cross_entropy_with_logits(out, x, reduction="sum")
kld = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
loss = bce + kld
""",
        dict(We="w h", be="h", Wm="h d", Wv="h d", Wd1="d m", Wd2="m w"),
        dict(x="unit: n w", noise="n d"), "loss", "Kingma and Welling, Auto-Encoding Variational Bayes (2013)",
    ),
    Case(
        "vector-quantised", """
dist = (z**2).sum(1, keepdim=True) - 2 * z @ E.t() + (E**2).sum(1)
q = E[dist.argmin(1)]
commit = ((q.detach() - z) ** 2).mean()
codebook = ((q - z.detach()) ** 2).mean()
zq = z + (q - z).detach()
loss = (zq @ W).tanh().mean() + codebook + 0.25 * commit
""",
        dict(z="n d", E="k d", W="d e"), {}, "loss", "van den Oord, Vinyals and Kavukcuoglu, VQ-VAE (2017)",
    ),
    Case(
        "gan-discriminator", """
real = torch.relu(x @ W1) @ w2
fake = torch.relu(g @ W1) @ w2
loss = F.softplus(-real).mean() + F.softplus(fake).mean()
""",
        dict(W1="e h", w2="h"), dict(x="n e", g="m e"), "loss", "Goodfellow et al., Generative Adversarial Nets (2014)",
    ),
    Case(
        "gan-generator", """
fake = torch.tanh(z @ G)
d = torch.sigmoid(fake @ w)
loss = -torch.log(d + 1e-8).mean()
""",
        dict(G="d e"), dict(z="n d", w="e"), "loss", "Goodfellow et al., Generative Adversarial Nets (2014)",
    ),
    Case(
        "wgan-critic", """
f_real = F.leaky_relu(x @ W1, 0.2) @ w2
f_fake = F.leaky_relu(g @ W1, 0.2) @ w2
loss = f_fake.mean() - f_real.mean() + 1e-3 * (f_real**2).mean()
""",
        dict(W1="e h", w2="h"), dict(x="n e", g="m e"), "loss", "Arjovsky, Chintala and Bottou, Wasserstein GAN (2017)",
    ),
    Case(
        "hinge-gan", "loss = torch.clamp(1 - real, min=0).mean() + torch.clamp(1 + fake, min=0).mean()",
        dict(real="n", fake="m"), {}, "loss", "Lim and Ye, Geometric GAN (2017)",
    ),
    Case(
        "dpo", """
pi = pi_w - pi_l
ref = ref_w - ref_l
loss = -F.logsigmoid(beta * (pi - ref)).mean()
""",
        dict(pi_w="n", pi_l="n"), dict(ref_w="n", ref_l="n", beta=0.1), "loss",
        "Rafailov et al., Direct Preference Optimization (2023), eq. 7",
        {"pi_w": "-beta * torch.sigmoid(-beta * (pi - ref)) / n"},
    ),
    Case(
        "reward-model", """
r_w = torch.tanh(xw @ W) @ w
r_l = torch.tanh(xl @ W) @ w
loss = -torch.log(torch.sigmoid(r_w - r_l)).mean()
""",
        dict(W="e h", w="h"), dict(xw="n e", xl="n e"), "loss", "Ouyang et al., InstructGPT (2022), eq. 1",
    ),
    Case(
        "ppo-clip", """
logp = F.log_softmax(logits, -1).gather(1, a[:, None])[:, 0]
ratio = torch.exp(logp - old)
surr1 = ratio * adv
surr2 = torch.clamp(ratio, 1 - eps, 1 + eps) * adv
entropy = -(F.softmax(logits, -1) * F.log_softmax(logits, -1)).sum(-1).mean()
loss = -torch.min(surr1, surr2).mean() - 0.01 * entropy
""",
        dict(logits="n k"), dict(a="index k: n", old="n", adv="n", eps=0.2), "loss",
        "Schulman et al., Proximal Policy Optimization (2017), eq. 7",
    ),
    Case(
        "reinforce-baseline", """
logits = states @ W
value = states @ w
adv = returns - value
logp = torch.log_softmax(logits, 1)[torch.arange(n), actions]
policy_loss = -(logp * adv.detach()).mean()
value_loss = adv.pow(2).mean()
loss = policy_loss + 0.5 * value_loss
""",
        dict(W="e k", w="e"), dict(states="n e", n="size: n", actions="index k: n", returns="n"), "loss",
        "Williams (1992)",
    ),
    Case(
        "td-error", """
q = (torch.relu(s0 @ W1) @ W2).gather(1, a.unsqueeze(1)).squeeze(1)
target = r + gamma * done * qn.max(1)[0]
loss = F.mse_loss(q, target)
""",
        dict(W1="e h", W2="h k"),
        dict(s0="n e", a="index k: n", r="n", gamma=0.99, done="bits: n", qn="n k"), "loss", "Mnih et al., DQN (2015)",
    ),
    Case(
        "barlow-twins", """
za = (z1 - z1.mean(0)) / z1.std(0)
zb = (z2 - z2.mean(0)) / z2.std(0)
c = za.T @ zb / n
on = ((torch.diagonal(c) - 1) ** 2).sum()
off = (c**2).sum() - (torch.diagonal(c) ** 2).sum()
loss = on + lam * off
""",
        dict(z1="n d", z2="n d"), dict(n="size: n", lam=0.005), "loss", "Zbontar et al., Barlow Twins (2021)",
    ),
    Case(
        "vicreg", """
inv = F.mse_loss(x, y)
std_x = torch.sqrt(x.var(dim=0) + 1e-4)
std_y = torch.sqrt(y.var(dim=0) + 1e-4)
var = F.relu(1 - std_x).mean() / 2 + F.relu(1 - std_y).mean() / 2
xc = x - x.mean(dim=0)
cov_x = (xc.T @ xc) / (n - 1)
cov = (cov_x.pow(2).sum() - cov_x.diagonal().pow(2).sum()) / x.shape[1]
loss = 25 * inv + 25 * var + cov
""",
        dict(x="n d", y="n d"), dict(n="size: n"), "loss", "Bardes, Ponce and LeCun, VICReg (2022)",
    ),
    Case(
        "simsiam", """
p1 = torch.relu(z1 @ W1) @ W2
p2 = torch.relu(z2 @ W1) @ W2
c1 = F.cosine_similarity(p1, z2.detach(), dim=-1)
c2 = F.cosine_similarity(p2, z1.detach(), dim=-1)
loss = -(c1.mean() + c2.mean()) * 0.5
""",
        dict(z1="n d", z2="n d", W1="d h", W2="h d"), {}, "loss", "Chen and He, SimSiam (2021)",
    ),
    Case(
        "byol", """
p = F.normalize(q @ W, dim=1)
z = F.normalize(target, dim=1)
loss = (2 - 2 * (p * z).sum(dim=1)).mean()
""",
        dict(q="n h", W="h d"), dict(target="n d"), "loss", "Grill et al., Bootstrap Your Own Latent (2020)",
    ),
    Case(
        "sinkhorn", """
K = torch.exp(-C / eps)
u = a / (K @ torch.ones_like(b))
v = b / (K.T @ u)
u = a / (K @ v)
v = b / (K.T @ u)
P = u[:, None] * K * v[None, :]
loss = (P * C).sum()
""",
        dict(C="unit: n m"), dict(a="probabilities: n", b="probabilities: m", eps=0.5), "loss",
        "Cuturi, Sinkhorn Distances (2013)",
    ),
    Case(
        "mixture-density", """
out = torch.tanh(x @ W1) @ W2
logit_pi, mu, log_sigma = out.split(k, dim=1)
log_pi = F.log_softmax(logit_pi, dim=1)
z = (y[:, None] - mu) / log_sigma.exp()
log_prob = -0.5 * z**2 - log_sigma - 0.9189385332046727
loss = -torch.logsumexp(log_pi + log_prob, dim=1).mean()
""",
        dict(W1="e h", W2="h 3*k"), dict(x="n e", y="n", k="size: k"), "loss",
        "Bishop, Mixture Density Networks (1994)",
    ),
    Case(
        "gaussian-nll", """
var = F.softplus(raw) + 1e-6
loss = 0.5 * (torch.log(var) + (y - mu) ** 2 / var).mean()
""",
        dict(mu="n e", raw="n e"), dict(y="n e"), "loss", "Nix and Weigend (1994)",
    ),
    Case(
        "gaussian-nll-called", "loss = F.gaussian_nll_loss(mu, y, var)",
        dict(mu="n e", var="positive: n e"), dict(y="n e"), "loss", "Nix and Weigend (1994)",
    ),
    Case(
        "student-t-nll", """
z = (y - mu) / sigma
nll = torch.log(sigma) + (nu + 1) / 2 * torch.log1p(z**2 / nu)
norm = torch.lgamma(nu / 2) - torch.lgamma((nu + 1) / 2) + 0.5 * torch.log(torch.pi * nu)
loss = (nll + norm).mean()
""",
        dict(mu="n", sigma="positive: n", nu="positive:"), dict(y="n"), "loss", "Lange, Little and Taylor (1989)",
    ),
    Case(
        "poisson-regression", """
eta = X @ beta + b
loss = (torch.exp(eta) - y * eta).mean()
""",
        dict(beta="e", b="normal:"), dict(X="n e", y="counts: n"), "loss", "Nelder and Wedderburn (1972)",
        {"beta": "X.T @ (torch.exp(eta) - y) / n"},
    ),
    Case(
        "cox-partial-likelihood", """
eta = X @ beta
log_risk = torch.logcumsumexp(eta, dim=0)
loss = -((eta - log_risk) * event).sum() / event.sum()
""",
        dict(beta="e"), dict(X="n e", event="bits: n"), "loss", "Cox, Regression Models and Life-Tables (1972)",
    ),
    Case(
        "svm-primal", """
margin = y * (X @ w + b)
loss = 0.5 * w.dot(w) + C * torch.clamp(1 - margin, min=0.0).sum()
""",
        dict(w="e", b="normal:"), dict(X="n e", y="signs: n", C=1.5), "loss", "Cortes and Vapnik (1995)",
    ),
    Case(
        "squared-hinge", "loss = F.relu(1 - y * s).square().mean()",
        dict(s="n"), dict(y="signs: n"), "loss", "Lee and Mangasarian (2001)",
        {"s": "-2 * y * F.relu(1 - y * s) / n"},
    ),
    Case(
        "ranknet", """
diff = s[:, None] - s[None, :]
loss = (F.softplus(-diff) * (rel[:, None] > rel[None, :])).sum() / n
""",
        dict(s="n"), dict(rel="n", n="size: n"), "loss", "Burges et al., Learning to Rank (2005)",
    ),
    Case(
        "listnet", "loss = -(F.softmax(rel, dim=1) * F.log_softmax(s, dim=1)).sum(dim=1).mean()",
        dict(s="n w"), dict(rel="n w"), "loss", "Cao et al., Learning to Rank: From Pairwise to Listwise (2007)",
        {"s": "(F.softmax(s, 1) - F.softmax(rel, 1)) / n"},
    ),
    Case(
        "distillation", """
soft = F.log_softmax(student / T, dim=1)
kd = F.kl_div(soft, F.softmax(teacher / T, dim=1), reduction="batchmean") * T * T
hard = F.cross_entropy(student, Y)
loss = alpha * kd + (1 - alpha) * hard
""",
        dict(student="n v"), dict(teacher="n v", Y="index v: n", T=4.0, alpha=0.7), "loss",
        "Hinton, Vinyals and Dean, Distilling the Knowledge (2015)",
    ),
    Case(
        "contrastive-divergence", """
free0 = -(v0 @ a) - F.softplus(v0 @ W + c).sum(1)
free1 = -(v1 @ a) - F.softplus(v1 @ W + c).sum(1)
loss = (free0 - free1).mean()
""",
        dict(W="w h", a="w", c="h"), dict(v0="bits: n w", v1="bits: n w"), "loss", "Hinton (2002)",
        {"a": "(v1 - v0).mean(0)"},
    ),
    Case(
        "crps-gaussian", """
z = (y - mu) / sigma
pdf = torch.exp(-(z**2) / 2) / (2 * torch.pi) ** 0.5
cdf = 0.5 * (1 + torch.erf(z / 2**0.5))
crps = sigma * (z * (2 * cdf - 1) + 2 * pdf - torch.pi**-0.5)
loss = crps.mean()
""",
        dict(mu="n", sigma="positive: n"), dict(y="n"), "loss", "Gneiting and Raftery (2007)",
    ),
    Case(
        "energy-score", """
d1 = ((x - y[:, None]) ** 2).sum(-1).sqrt().mean(1)
d2 = (((x[:, :, None] - x[:, None]) ** 2).sum(-1) + 1e-12).sqrt().mean((1, 2))
loss = (d1 - 0.5 * d2).mean()
""",
        dict(x="n k e"), dict(y="n e"), "loss", "Gneiting and Raftery (2007)",
    ),
    Case(
        "diffusion-loss", """
xt = sqrt_ab[ts][:, None] * x0 + sqrt_1mab[ts][:, None] * noise
emb = time_emb[ts]
pred = F.silu(xt @ W1 + emb) @ W2
loss = F.mse_loss(pred, noise)
""",
        dict(W1="e h", W2="h e", time_emb="t h"),
        dict(x0="n e", noise="n e", ts="index t: n", sqrt_ab="unit: t", sqrt_1mab="unit: t"), "loss",
        "Ho, Jain and Abbeel, Denoising Diffusion (2020)",
    ),
    Case(
        "score-matching", """
xt = x + sigma * noise
s = torch.tanh(xt @ W1 + b1) @ W2
loss = 0.5 * ((s + noise / sigma) ** 2).sum(-1).mean()
""",
        dict(W1="e h", b1="h", W2="h e"), dict(x="n e", noise="n e", sigma=0.3), "loss",
        "Vincent, A Connection Between Score Matching and Denoising Autoencoders (2011)",
    ),
    Case(
        "word2vec-negative", """
c = V[centre]
pos = (c * U[context]).sum(1)
neg = torch.bmm(U[negative], c.unsqueeze(2)).squeeze(2)
loss = -(F.logsigmoid(pos) + F.logsigmoid(-neg).sum(1)).mean()
""",
        dict(V="v e", U="v e"), dict(centre="index v: n", context="index v: n", negative="index v: n k"), "loss",
        "Mikolov et al., Distributed Representations of Words (2013), eq. 4",
    ),
    Case(
        "glove", """
dot = (W[i] * Wt[j]).sum(-1) + b[i] + bt[j]
loss = (f * (dot - logX) ** 2).sum()
""",
        dict(W="v e", Wt="v e", b="v", bt="v"), dict(i="index v: n", j="index v: n", f="unit: n", logX="n"), "loss",
        "Pennington, Socher and Manning, GloVe (2014), eq. 8",
    ),
    Case(
        "center-loss", """
loss = F.cross_entropy(x @ W.T, Y) + 0.5 * lam * (x - centers[Y]).pow(2).sum(1).mean()
""",
        dict(x="n e", W="v e", centers="v e"), dict(Y="index v: n", lam=0.01), "loss", "Wen et al. (2016)",
    ),
    Case(
        "supervised-contrastive", """
f = F.normalize(z, dim=1)
sim = f @ f.t() / tau
logits = sim - sim.max(dim=1, keepdim=True)[0].detach()
mask = (Y[:, None] == Y[None, :]).double() * (1 - torch.eye(n))
exp = torch.exp(logits) * (1 - torch.eye(n))
log_prob = logits - torch.log(exp.sum(1, keepdim=True))
loss = -((mask * log_prob).sum(1) / (mask.sum(1) + 1e-8)).mean()
""",
        dict(z="n d"), dict(Y="index 3: n", n="size: n", tau=0.5), "loss", "Khosla et al. (2020)",
    ),
)  # fmt: skip
