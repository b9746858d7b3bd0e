"""Convolutions, pooling, and what is built of them."""

from .schema import Case

CASES = (
    Case("conv2d", "y = F.conv2d(x, w, b)", dict(x="n c s m", w="e c k b", b="e"), {}, "y", "LeCun et al. (1989)",
         {"b": "dy.sum((0, 2, 3))", "x": "F.conv_transpose2d(dy, w)"}, dict(n=2, c=3, s=9, m=11, e=5, k=4, b=2)),
    Case("conv2d-padded-strided", "y = F.relu(F.conv2d(x, w, b, stride=2, padding=1))",
         dict(x="n c s m", w="e c 3 3", b="e"), {}, "y", "He et al., Deep Residual Learning (2016)", sizes=dict(n=2,
         s=8, m=10)),
    Case("conv1d-dilated", "y = F.conv1d(F.pad(x, (4, 0)), w, dilation=2)", dict(x="n c t", w="e c 3"), {}, "y",
         "van den Oord et al., WaveNet (2016)"),
    Case("conv-depthwise", "y = F.conv1d(x, w, groups=x.shape[1], padding=1)", dict(x="n c t", w="c 1 3"), {}, "y",
         "Howard et al., MobileNets (2017)"),
    Case("conv-separable", """
d = F.conv2d(x, wd, padding=1, groups=x.size(1))
y = torch.einsum("nchw,oc->nohw", F.relu(d), wp)
""", dict(x="n c s m", wd="c 1 3 3", wp="e c"), {}, "y", "Chollet, Xception (2017)", sizes=dict(n=2, s=6, m=7)),
    Case("conv-transposed", "y = F.conv_transpose2d(x, w, b, stride=2)", dict(x="n c s k", w="c e 2 2", b="e"), {}, "y",
         "Long, Shelhamer and Darrell (2015)", sizes=dict(n=2, s=5)),
    Case("conv-by-unfold", """
cols = x.unfold(2, k, 1)
y = torch.einsum("nclk,ock->nol", cols, w) + b[:, None]
""", dict(x="n c t", w="e c k", b="e"), dict(k="size: k"), "y", "Chellapilla, Puri and Simard (2006)"),
    Case("conv-by-slices", """
y = x[:, :-2] @ w[0] + x[:, 1:-1] @ w[1] + x[:, 2:] @ w[2] + b
""", dict(x="n t e", w="3 e h", b="h"), {}, "y",
         "Kim, Convolutional Neural Networks for Sentence Classification (2014)"),
    Case("text-cnn", """
emb = E[tok].transpose(1, 2)
c = F.relu(F.conv1d(emb, w, b))
pooled = c.max(dim=2).values
loss = F.cross_entropy(pooled @ U, Y)
""", dict(E="v e", w="h e 3", b="h", U="h k"), dict(tok="index v: n t", Y="index k: n"), "loss",
         "Kim, Convolutional Neural Networks for Sentence Classification (2014)"),
    Case("max-pool-2d", "y = F.max_pool2d(x, 2)", dict(x="n c 8 6"), {}, "y", "LeCun et al. (1998)"),
    Case("max-pool-by-view", """
n_, c_, h_, w_ = x.shape
y = x.view(n_, c_, h_ // 2, 2, w_ // 2, 2).amax(dim=(3, 5))
""", dict(x="n c 2*s 2*k"), {}, "y", "CS231n, notes on convolutional networks"),
    Case("average-pool-2d", "y = F.avg_pool2d(x, kernel_size=2)", dict(x="n c 2*s 2*k"), {}, "y",
         "LeCun et al. (1998)"),
    Case("global-average-pool", "y = x.mean(dim=(-2, -1)) @ W + b", dict(x="n c s m", W="c v", b="v"), {}, "y",
         "Lin, Chen and Yan, Network In Network (2014)", {"b": "dy.sum(0)", "W": "x.mean(dim=(-2, -1)).T @ dy"}),
    Case("adaptive-pool", "y = F.adaptive_avg_pool2d(x, 1).flatten(1)", dict(x="n c s m"), {}, "y",
         "He et al., Deep Residual Learning (2016)"),
    Case("lenet", """
a = torch.tanh(F.conv2d(x, w1, b1))
p = F.avg_pool2d(a, 2)
f = torch.flatten(p, 1)
loss = F.cross_entropy(f @ W + b, Y)
""", dict(w1="e 1 3 3", b1="e", W="e*9 v", b="v"), dict(x="n 1 8 8", Y="index v: n"), "loss", "LeCun et al. (1998)"),
    Case("wavenet-fused", """
emb = C[Xb]
x1 = emb.view(emb.shape[0], -1, 2 * emb.shape[2])
h1 = torch.tanh(x1 @ W1)
x2 = h1.view(h1.shape[0], h1.shape[1] // 2, -1)
h2 = torch.tanh(x2 @ W2)
logits = h2.squeeze(1) @ W3
loss = F.cross_entropy(logits, Yb)
""", dict(C="v e", W1="2*e h", W2="2*h d", W3="d v"), dict(Xb="index v: n 4", Yb="index v: n"), "loss",
         "Karpathy, makemore part 5 (2022)"),
    Case("gated-convolution", """
f = F.conv1d(x, wf, padding=1)
g = F.conv1d(x, wg, padding=1)
y = x + torch.tanh(f) * torch.sigmoid(g)
""", dict(x="n c t", wf="c c 3", wg="c c 3"), {}, "y", "van den Oord et al., WaveNet (2016)"),
    Case("patch-embedding", """
p = x.reshape(n, c, h // k, k, w // k, k).permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)
tok = p @ W + b
z = torch.cat([cls.expand(n, -1, -1), tok], dim=1) + pos
""", dict(W="c*k*k e", b="e", cls="1 1 e", pos="7 e"),
         dict(x="n c h w", n="size: n", c="size: c", h="size: h", w="size: w", k="size: k"), "z",
         "Dosovitskiy et al., An Image is Worth 16x16 Words (2021)", sizes=dict(h=8, w=12, k=4)),
    Case("patch-embedding-by-convolution", """
f = F.conv2d(x, w, b, stride=4)
tok = f.flatten(2).transpose(1, 2)
y = tok.mean(1) @ head
""", dict(x="n c 8 12", w="e c 4 4", b="e", head="e v"), {}, "y", "Dosovitskiy et al. (2021)"),
    Case("mixer-block", """
y = F.layer_norm(x, x.shape[-1:], g1, b1).transpose(1, 2)
x1 = x + (F.gelu(y @ Wt1) @ Wt2).transpose(1, 2)
z = F.layer_norm(x1, (x1.shape[-1],), g2, b2)
out = x1 + F.gelu(z @ Wc1) @ Wc2
""", dict(x="n s c", g1="c", b1="c", g2="c", b2="c", Wt1="s d", Wt2="d s", Wc1="c h", Wc2="h c"), {}, "out",
         "Tolstikhin et al., MLP-Mixer (2021)"),
    Case("convnext-block", """
y = F.conv2d(x, wd, bd, padding=3, groups=x.shape[1])
y = y.permute(0, 2, 3, 1)
y = F.layer_norm(y, (y.shape[-1],), ln_w, ln_b, 1e-6)
y = gamma * (F.gelu(y @ W1 + b1) @ W2 + b2)
out = x + y.permute(0, 3, 1, 2)
""", dict(x="n c s k", wd="c 1 7 7", bd="c", ln_w="c", ln_b="c", W1="c h", b1="h", W2="h c", b2="c", gamma="c"), {},
         "out",
         "Liu et al., A ConvNet for the 2020s (2022)", sizes=dict(n=2, s=8, k=6)),
    Case("upsample-and-skip", """
up = x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
cat = torch.cat([up, skip], dim=1)
y = F.relu(F.conv2d(cat, w, padding=1))
""", dict(x="n c s k", skip="n e 2*s 2*k", w="d c+e 3 3"), {}, "y", "Ronneberger, Fischer and Brox, U-Net (2015)",
         sizes=dict(n=2, s=5, k=4)),
    Case("capsule-squash", """
u = torch.einsum("nie,ijed->nijd", x, W)
c = F.softmax(blog, dim=1)
s = (c[None, :, :, None] * u).sum(1)
s2 = (s**2).sum(-1, keepdim=True)
v = s2 / (1 + s2) * s / torch.sqrt(s2 + 1e-8)
""", dict(x="n s e", W="s k e d", blog="s k"), {}, "v", "Sabour, Frosst and Hinton, Dynamic Routing (2017)"),
    Case("total-variation", """
dh = x[:, :, 1:, :] - x[:, :, :-1, :]
dw = x[:, :, :, 1:] - x[:, :, :, :-1]
loss = dh.abs().mean() + dw.pow(2).mean()
""", dict(x="n c s m"), {}, "loss", "Rudin, Osher and Fatemi (1992)"),
    Case("gram-style", """
f = x.view(n, c, -1)
G = torch.bmm(f, f.transpose(1, 2)) / (c * f.shape[2])
loss = F.mse_loss(G, target)
""", dict(x="n c s m"), dict(n="size: n", c="size: c", target="n c c"), "loss", "Gatys, Ecker and Bethge (2016)"),
    Case("graph-convolution", """
deg = A.sum(1)
An = deg.rsqrt()[:, None] * A * deg.rsqrt()[None, :]
H = torch.relu(An @ X @ W0)
loss = F.cross_entropy((An @ H @ W1)[idx], Y)
""", dict(W0="e h", W1="h k"), dict(A="positive: n n", X="n e", idx="permutation: n", Y="index k: n"), "loss",
         "Kipf and Welling (2017)"),
    Case("graph-attention", """
h = x @ W
e = F.leaky_relu((h @ a1)[:, None] + (h @ a2)[None, :], negative_slope=0.2)
e = e.masked_fill(~adj, float("-inf"))
att = torch.softmax(e, dim=1)
y = F.elu(att @ h)
""", dict(x="n e", W="e h", a1="h", a2="h"), dict(adj="graph: n n"), "y",
         "Velickovic et al., Graph Attention Networks (2018)"),
    Case("message-passing", """
m = torch.relu(x[src] @ Wm)
agg = torch.zeros(x.shape[0], m.shape[1]).index_add(0, dst, m)
y = torch.tanh(x @ Wx + agg)
""", dict(x="n e", Wm="e h", Wx="e h"), dict(src="index n: w", dst="index n: w"), "y", "Gilmer et al. (2017)"),
)  # fmt: skip
