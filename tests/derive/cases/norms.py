"""Normalisations."""

from .schema import Case

CASES = (
    Case(
        "batch-norm-images", """
mean = x.mean(dim=(0, 2, 3), keepdim=True)
var = x.var(dim=(0, 2, 3), keepdim=True, unbiased=False)
xhat = (x - mean) / torch.sqrt(var + eps)
y = gamma.view(1, -1, 1, 1) * xhat + beta.view(1, -1, 1, 1)
""",
        dict(x="n c h w", gamma="c", beta="c"), dict(eps=1e-5), "y", "Ioffe and Szegedy, Batch Normalization (2015)",
        {"beta": "dy.sum((0, 2, 3))"}, dict(h=4),
    ),
    Case(
        "batch-norm-called", "y = F.batch_norm(x, None, None, gamma, beta, training=True)",
        dict(x="n h", gamma="h", beta="h"), {}, "y", "Ioffe and Szegedy, Batch Normalization (2015)",
    ),
    Case(
        "batch-norm-at-test", """
inv = 1 / torch.sqrt(running_var + 1e-5)
y = gamma * (x - running_mean) * inv + beta
""",
        dict(x="n h", gamma="h", beta="h"), dict(running_mean="h", running_var="positive: h"), "y",
        "Ioffe and Szegedy, Batch Normalization (2015)", {"x": "dy * gamma * inv"},
    ),
    Case(
        "layer-norm-called", "y = F.layer_norm(x, (h,), weight, bias, 1e-5)",
        dict(x="n t h", weight="h", bias="h"), dict(h="size: h"), "y", "Radford et al., GPT-2 (2019)",
    ),
    Case(
        "group-norm", """
N, C, H, W = x.shape
g = x.view(N, G, C // G, H, W)
mean = g.mean(dim=(2, 3, 4), keepdim=True)
var = g.var(dim=(2, 3, 4), keepdim=True, unbiased=False)
g = (g - mean) / torch.sqrt(var + 1e-5)
y = g.view(N, C, H, W) * gamma[None, :, None, None] + beta[None, :, None, None]
""",
        dict(x="n 2*c k b", gamma="2*c", beta="2*c"), dict(G="size: nh"), "y", "Wu and He, Group Normalization (2018)",
        sizes=dict(c=5),
    ),
    Case(
        "group-norm-called", "y = F.group_norm(x, G, weight=gamma, bias=beta)",
        dict(x="n 2*c k", gamma="2*c", beta="2*c"), dict(G="size: nh"), "y", "Wu and He, Group Normalization (2018)",
        sizes=dict(c=5),
    ),
    Case(
        "instance-norm", """
mu = x.mean((2, 3), keepdim=True)
sigma = ((x - mu) ** 2).mean((2, 3), keepdim=True).add(1e-5).sqrt()
y = (x - mu) / sigma
""",
        dict(x="n c k w"), {}, "y", "Ulyanov, Vedaldi and Lempitsky, Instance Normalization (2016)",
        sizes=dict(c=3, k=4),
    ),
    Case(
        "adaptive-instance-norm", """
mu = x.mean((2, 3), keepdim=True)
std = x.std((2, 3), keepdim=True)
style = w @ A
scale, shift = style.chunk(2, dim=1)
y = scale[:, :, None, None] * (x - mu) / (std + 1e-8) + shift[:, :, None, None]
""",
        dict(x="n c k m", w="n e", A="e 2*c"), {}, "y", "Huang and Belongie (2017); Karras et al., StyleGAN (2019)",
    ),
    Case(
        "rms-norm-llama", """
norm = x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + eps)
y = norm * weight
""",
        dict(x="n t h", weight="h"), dict(eps=1e-6), "y", "Touvron et al., LLaMA (2023)",
    ),
    Case(
        "rms-norm-called", "y = F.rms_norm(x, (x.shape[-1],), weight, 1e-6)",
        dict(x="n t h", weight="h"), {}, "y", "Zhang and Sennrich, Root Mean Square Layer Normalization (2019)",
    ),
    Case(
        "gemma-norm", """
ms = x.square().mean(-1, keepdim=True)
y = x / (ms + 1e-6).sqrt() * (1 + w)
""",
        dict(x="n h", w="h"), {}, "y", "Gemma Team (2024)",
    ),
    Case(
        "weight-norm", """
w = g[:, None] * v / v.norm(dim=1, keepdim=True)
y = x @ w.t() + b
""",
        dict(x="n e", v="h e", g="h", b="h"), {}, "y", "Salimans and Kingma, Weight Normalization (2016)",
    ),
    Case(
        "weight-standardisation", """
mean = W.mean(dim=1, keepdim=True)
std = W.std(dim=1, keepdim=True) + 1e-5
What = (W - mean) / std
y = F.linear(x, What, b)
""",
        dict(x="n e", W="h e", b="h"), {}, "y", "Qiao et al., Weight Standardization (2019)",
    ),
    Case(
        "spectral-norm", """
sigma = u @ W @ v
y = x @ (W / sigma).T
""",
        dict(x="n e", W="h e"), dict(u="h", v="e"), "y", "Miyato et al., Spectral Normalization (2018)",
    ),
    Case(
        "scale-norm", "y = g * x / torch.clamp(torch.norm(x, dim=-1, keepdim=True), min=1e-5)",
        dict(x="n t h", g="normal:"), {}, "y", "Nguyen and Salazar, Transformers without Tears (2019)",
    ),
    Case(
        "qk-norm", """
q = F.normalize(x @ Wq, dim=-1)
k = F.normalize(x @ Wk, dim=-1)
att = F.softmax(g * q @ k.transpose(-2, -1), dim=-1)
y = att @ (x @ Wv)
""",
        dict(x="n t e", Wq="e d", Wk="e d", Wv="e d", g="normal:"), {}, "y",
        "Henry et al., Query-Key Normalization (2020)",
    ),
    Case(
        "local-response-norm", """
sq = F.pad(x.pow(2), (0, 0, 1, 1))
s = sq[:, :-2] + sq[:, 1:-1] + sq[:, 2:]
y = x / (2.0 + 1e-2 * s) ** 0.75
""",
        dict(x="n w m"), {}, "y", "Krizhevsky, Sutskever and Hinton, AlexNet (2012)",
    ),
    Case(
        "global-response-norm", """
gx = torch.norm(x, p=2, dim=1, keepdim=True)
nx = gx / (gx.mean(dim=-1, keepdim=True) + 1e-6)
y = gamma * (x * nx) + beta + x
""",
        dict(x="n s c", gamma="c", beta="c"), {}, "y", "Woo et al., ConvNeXt V2 (2023)",
    ),
    Case(
        "dynamic-tanh", "y = gamma * torch.tanh(alpha * x) + beta",
        dict(x="n t h", gamma="h", beta="h", alpha="normal:"), {}, "y",
        "Zhu et al., Transformers without Normalization (2025)",
        {"alpha": "(dy * gamma * (1 - torch.tanh(alpha * x)**2) * x).sum()"},
    ),
    Case(
        "pixel-norm", "y = x * torch.rsqrt(torch.mean(x**2, dim=1, keepdim=True) + 1e-8)",
        dict(x="n c k w"), {}, "y", "Karras et al., Progressive Growing of GANs (2018)",
    ),
    Case(
        "whitening", """
xc = x - x.mean(0)
cov = xc.T @ xc / n + 1e-2 * torch.eye(x.shape[1])
y = xc @ torch.linalg.inv(cov)
""",
        dict(x="n e"), dict(n="size: n"), "y", "Huang et al., Decorrelated Batch Normalization (2018)",
    ),
)  # fmt: skip
