"""Activations, gates, and the layers around them."""

from .schema import Case

CASES = (
    Case("relu", "y = F.relu(x)", dict(x="n h"), {}, "y", "Nair and Hinton (2010)", {"x": "dy * (x > 0)"}),
    Case("gelu-called", "y = F.gelu(x @ W1 + b1) @ W2", dict(x="n e", W1="e h", b1="h", W2="h e"), {}, "y",
         "Hendrycks and Gimpel, Gaussian Error Linear Units (2016)"),
    Case("gelu-approximate", 'y = F.gelu(x, approximate="tanh")', dict(x="n h"), {}, "y",
         "Radford et al., GPT-2 (2019)"),
    Case("gelu-new", "y = 0.5 * x * (1.0 + torch.tanh(math_c * (x + 0.044715 * torch.pow(x, 3.0))))", dict(x="n h"),
         dict(math_c=0.7978845608028654), "y", "Karpathy, minGPT (2020)"),
    Case("silu", "y = x * torch.sigmoid(x)", dict(x="n h"), {}, "y", "Elfwing, Uchibe and Doya (2018)",
         {"x": "dy * torch.sigmoid(x) * (1 + x * (1 - torch.sigmoid(x)))"}),
    Case("swish-beta", "y = x * (beta * x).sigmoid()", dict(x="n h", beta="normal:"), {}, "y",
         "Ramachandran, Zoph and Le, Searching for Activation Functions (2017)"),
    Case("swiglu-block", "y = (F.silu(x @ w1) * (x @ w3)) @ w2", dict(x="n e", w1="e h", w3="e h", w2="h e"), {}, "y",
         "Shazeer, GLU Variants Improve Transformer (2020)"),
    Case("geglu", """
a, b = (x @ W).chunk(2, dim=-1)
y = F.gelu(a) * b
""", dict(x="n t e", W="e 2*h"), {}, "y", "Shazeer, GLU Variants Improve Transformer (2020)"),
    Case("glu", "y = F.glu(x @ W + b, dim=-1)", dict(x="n e", W="e 2*h", b="2*h"), {}, "y", "Dauphin et al. (2017)"),
    Case("mish", "y = x * torch.tanh(F.softplus(x))", dict(x="n h"), {}, "y", "Misra (2019)"),
    Case("mish-called", "y = F.mish(x)", dict(x="n h"), {}, "y", "Misra (2019)"),
    Case("hard-swish", "y = x * F.relu6(x + 3) / 6", dict(x="n h"), {}, "y", "Howard et al., MobileNetV3 (2019)"),
    Case("hard-swish-called", "y = F.hardswish(3 * x) + F.hardsigmoid(2 * x) + F.hardtanh(x)", dict(x="n h"), {}, "y",
         "Howard et al., MobileNetV3 (2019)"),
    Case("softplus", "y = torch.log1p(torch.exp(x))", dict(x="n h"), {}, "y", "Dugas et al. (2001)",
         {"x": "dy * torch.sigmoid(x)"}),
    Case("softplus-stable", "y = torch.clamp(x, min=0) + torch.log1p(torch.exp(-x.abs()))", dict(x="n h"), {}, "y",
         "TensorFlow's documentation of softplus"),
    Case("squared-relu", "y = torch.relu(x @ W).square() @ V", dict(x="n e", W="e h", V="h d"), {}, "y",
         "So et al., Primer (2021)"),
    Case("prelu", "y = torch.where(x > 0, x, a * x)", dict(x="n h", a="h"), {}, "y", "He et al. (2015)",
         {"x": "dy * torch.where(x > 0, 1.0, a)", "a": "(dy * x * (x <= 0)).sum(0)"}),
    Case("prelu-two-relus", "y = F.relu(x) - a * F.relu(-x)", dict(x="n h", a="normal:"), {}, "y", "He et al. (2015)"),
    Case("elu-selu", "y = F.elu(x, alpha=0.8) + F.selu(2 * x) + F.celu(3 * x, 2.0)", dict(x="n h"), {}, "y",
         "Clevert, Unterthiner and Hochreiter (2016); Klambauer et al. (2017)"),
    Case("leaky-relu-as-maximum", "y = torch.maximum(x, 0.01 * x)", dict(x="n h"), {}, "y", "Maas et al. (2013)"),
    Case("maxout", "y = (x @ W + b).view(n, h, k).max(dim=2)[0]", dict(x="n e", W="e h*k", b="h*k"),
         dict(n="size: n", h="size: h", k="size: k"), "y", "Goodfellow et al., Maxout Networks (2013)"),
    Case("highway", """
H = torch.tanh(x @ WH + bH)
T = torch.sigmoid(x @ WT + bT)
y = H * T + x * (1 - T)
""", dict(x="n h", WH="h h", bH="h", WT="h h", bT="h"), {}, "y", "Srivastava, Greff and Schmidhuber (2015)"),
    Case("squeeze-excite", """
s = x.mean(dim=(2, 3))
z = torch.relu(s @ W1 + b1)
g = torch.sigmoid(z @ W2 + b2)
y = x * g[:, :, None, None]
""", dict(x="n c s m", W1="c e", b1="e", W2="e c", b2="c"), {}, "y", "Hu, Shen and Sun, Squeeze-and-Excitation (2018)"),
    Case("film", """
gamma, beta = torch.split(cond @ W, [h, h], dim=-1)
y = (1 + gamma).unsqueeze(1) * x + beta.unsqueeze(1)
""", dict(x="n t h", cond="n e", W="e 2*h"), dict(h="size: h"), "y", "Perez et al., FiLM (2018)"),
    Case("snake", "y = x + torch.sin(a * x) ** 2 / a", dict(x="n h", a="positive: h"), {}, "y",
         "Liu, Hartwig and Ueda, Neural Networks Fail to Learn Periodic Functions (2020)"),
    Case("dropout-given-mask", "y = torch.relu(x @ W) * mask / (1 - p)", dict(x="n e", W="e h"),
         dict(mask="bits: n h", p=0.2), "y", "Srivastava et al., Dropout (2014)"),
    Case("residual-block", """
h1 = F.relu(x @ W1 + b1)
h2 = h1 @ W2 + b2
y = F.relu(x + h2)
""", dict(x="n h", W1="h m", b1="m", W2="m h", b2="h"), {}, "y", "He et al., Deep Residual Learning (2016)"),
    Case("dense-block", """
a = torch.relu(x @ W1)
b = torch.relu(torch.cat([x, a], dim=1) @ W2)
y = torch.cat((x, a, b), -1) @ W3
""", dict(x="n e", W1="e h", W2="e+h d", W3="e+h+d v"), {}, "y", "Huang et al., Densely Connected Networks (2017)"),
    Case("gumbel-softmax", "y = F.softmax((logits + gumbel) / tau, dim=-1)", dict(logits="n v"),
         dict(gumbel="n v", tau=0.7), "y", "Jang, Gu and Poole (2017)",
         {"logits": "y * (dy - (y * dy).sum(-1, keepdim=True)) / tau"}),
    Case("straight-through", """
soft = torch.sigmoid(x)
hard = (soft > 0.5).double()
y = (hard - soft.detach() + soft) @ W
""", dict(x="n e", W="e h"), {}, "y", "Bengio, Leonard and Courville (2013)"),
    Case("kan-spline", """
basis = torch.exp(-((x[:, :, None] - grid) / 0.5) ** 2)
y = torch.einsum("nek,hek->nh", basis, C) + F.silu(x) @ Wb
""", dict(x="n e", C="h e k", Wb="e h"), dict(grid="rising: k"), "y", "Li, FastKAN (2024)"),
)  # fmt: skip
