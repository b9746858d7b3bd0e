"""Planted mistakes, each with the repair as a person would write it: program, part, what is written, kind, repair."""

HEAD = """\
import torch
import torch.nn.functional as F
g = torch.Generator().manual_seed(3)
n, d, k = 8, 6, 5
X = torch.randn(n, d, generator=g)
W = torch.randn(d, k, generator=g, requires_grad=True)
b = torch.randn(k, generator=g)
A = torch.randn(k, 3, generator=g)
goal = torch.randn(n, k, generator=g)
Y = torch.randint(0, k, (n,), generator=g)
"""

PROGRAMS = {
    "linear": (
        """\
x = X@W + b
loss = (x**3).sum()/n
dx = {}
dW = {}
db = {}
""",
        ("3*x**2/n", "X.T@dx", "dx.sum(0)"),
    ),
    "tanh": (
        """\
x = X @ W
h = torch.tanh(x)
y = h @ A
loss = (y**2).sum()
dy = 2 * y
dh = {}
dx = {}
""",
        ("dy @ A.T", "(1 - h**2) * dh"),
    ),
    "clamp": (
        """\
x = X @ W
low = 0.5
y = x.clamp(min=low)
loss = (y * goal).sum()
dy = goal.clone()
dx = {}
""",
        ("dy * (x > low)",),
    ),
    "norm": (
        """\
x = X @ W
mean = 1/n * x.sum(0, keepdim=True)
diff = x - mean
diff2 = diff**2
var = 1/(n-1) * diff2.sum(0, keepdim=True)
inv = (var + 1e-5)**-0.5
raw = diff * inv
loss = (raw * goal).sum() + (raw**3).sum()
draw = goal + 3*raw**2
dinv = {}
ddiff = {}
dvar = {}
ddiff2 = {}
ddiff += {}
dmean = {}
dx = {}
""",
        (
            "(diff * draw).sum(0, keepdim=True)",
            "inv * draw",
            "-0.5*(var + 1e-5)**-1.5 * dinv",
            "1/(n-1) * torch.ones_like(diff2) * dvar",
            "2*diff * ddiff2",
            "-ddiff.sum(0, keepdim=True)",
            "ddiff + 1/n * torch.ones_like(x) * dmean",
        ),
    ),
    "softmax": (
        """\
x = X @ W
m = x.max(1, keepdim=True).values
e = (x - m).exp()
s = e.sum(1, keepdim=True)
p = e / s
loss = -p[range(n), Y].log().mean()
dp = torch.zeros_like(p)
dp[range(n), Y] = {}
de = {}
ds = {}
de += {}
dm = {}
dx = {}
dx[range(n), {}] += dm.view(-1)
""",
        (
            "-1.0/n / p[range(n), Y]",
            "dp / s",
            "(-e / s**2 * dp).sum(1, keepdim=True)",
            "ds * torch.ones_like(e)",
            "-(e * de).sum(1, keepdim=True)",
            "e * de",
            "x.max(1).indices",
        ),
    ),
    "decay": (
        """\
reg = 1e-3
x = X @ W
loss = (x * goal).sum() + reg * (W * W).sum()
dx = goal.clone()
dW = X.T @ dx + {}
""",
        ("2 * reg * W",),
    ),
    "mean": (
        """\
x = X @ W
y = x.mean(1)
loss = (y**2).sum()
dy = 2 * y
dx = {}
""",
        ("(dy / k)[:, None].expand_as(x)",),
    ),
    "gate": (
        """\
x = X @ W
s = torch.sigmoid(x)
y = s * x
loss = (y * goal).sum()
dy = goal.clone()
ds = {}
dx = {}
dx = {}
""",
        ("dy * x", "dy * s", "dx + ds * s * (1 - s)"),
    ),
    "embedding": (
        """\
C = torch.randn(9, 4, generator=g, requires_grad=True)
emb = C[Y]
loss = (emb**2).sum() + emb.sum()
demb = {}
dC = torch.zeros_like(C)
for i in range(n):
    {}
""",
        ("2 * emb + 1", "dC[Y[i]] += demb[i]"),
    ),
}

SAME = None
"""The repair is the right text."""

MISTAKES = [
    ("linear", 0, "3*x**2", "scale", SAME),
    ("linear", 0, "2*x**2/n", "wrong-constant", SAME),
    ("linear", 0, "3*x/n", "missing-factor", SAME),
    ("linear", 0, "3*x**2/k", "wrong-variable", SAME),
    ("linear", 0, "-3*x**2/n", "sign", SAME),
    ("linear", 1, "dx.T@X", "transpose", SAME),
    ("linear", 1, "X@dx", "transpose", SAME),
    ("linear", 2, "dx", "missing-sum", SAME),
    ("linear", 2, "dx.sum(1)", "wrong-dim", SAME),
    ("linear", 2, "dx.sum(0, keepdim=True)", "shape", SAME),
    ("linear", 2, "dx.mean(0)", "scale", SAME),
    ("linear", 2, "dx.sum()", "extra-sum", SAME),
    ("tanh", 0, "dy @ A", "transpose", SAME),
    ("tanh", 0, "A @ dy.T", "transpose", SAME),
    ("tanh", 1, "(1 - h) * dh", "missing-factor", SAME),
    ("tanh", 1, "(1 - x**2) * dh", "wrong-variable", SAME),
    ("tanh", 1, "1 - h**2 * dh", "wrong-operator", SAME),
    ("tanh", 1, "(1 + h**2) * dh", "sign", SAME),
    ("tanh", 1, "h * (1 - h) * dh", "wrong-operator", SAME),
    ("tanh", 1, "(1 - h**2)", "missing-factor", SAME),
    ("tanh", 1, "(1-h**3)*dh", "wrong-constant", "dx = (1-h**2)*dh"),
    ("tanh", 1, "dh", "missing-factor", "dx = dh * (1 - h**2)"),
    ("clamp", 0, "dy", "missing-factor", SAME),
    ("clamp", 0, "dy * (x < low)", "wrong-operator", SAME),
    ("clamp", 0, "dy * (x > 0)", "wrong-constant", SAME),
    ("norm", 0, "diff * draw", "missing-sum", SAME),
    ("norm", 0, "(diff * draw).sum(0)", "shape", SAME),
    ("norm", 0, "(raw * draw).sum(0, keepdim=True)", "wrong-variable", SAME),
    ("norm", 0, "diff.sum(0, keepdim=True) * draw.sum(0, keepdim=True)", "misplaced-sum", SAME),
    ("norm", 1, "draw", "missing-factor", "ddiff = draw * inv"),
    ("norm", 1, "inv**2 * draw", "extra-factor", SAME),
    ("norm", 2, "-0.5*(var + 1e-5)**-0.5 * dinv", "wrong-constant", SAME),
    ("norm", 2, "-0.5*var**-1.5 * dinv", "epsilon", SAME),
    ("norm", 2, "0.5*(var + 1e-5)**-1.5 * dinv", "sign", SAME),
    ("norm", 3, "1/(n-1) * dvar", "missing-expansion", "ddiff2 = (1/(n-1) * dvar).expand_as(diff2)"),
    ("norm", 3, "1/n * torch.ones_like(diff2) * dvar", "bessel", SAME),
    ("norm", 3, "torch.ones_like(diff2) * dvar", "scale", "ddiff2 = torch.ones_like(diff2) * dvar / (n-1)"),
    ("norm", 4, "2*diff2 * ddiff2", "wrong-variable", SAME),
    ("norm", 4, "diff * ddiff2", "scale", "ddiff += 2 * diff * ddiff2"),
    ("norm", 4, "2*diff * ddiff", "wrong-variable", SAME),
    ("norm", 5, "ddiff.sum(0, keepdim=True)", "sign", SAME),
    ("norm", 5, "-ddiff", "missing-sum", SAME),
    ("norm", 5, "-ddiff.sum(0)", "shape", SAME),
    ("norm", 6, "ddiff + torch.ones_like(x) * dmean", "missing-factor", "dx = ddiff + torch.ones_like(x) * dmean / n"),
    ("norm", 6, "ddiff - 1/n * torch.ones_like(x) * dmean", "sign", SAME),
    ("softmax", 0, "1.0/n / p[range(n), Y]", "sign", SAME),
    ("softmax", 0, "-1.0/n * p[range(n), Y]", "wrong-operator", SAME),
    ("softmax", 0, "-1.0/n", "missing-factor", "dp[range(n), Y] = -1.0/n/p[range(n), Y]"),
    ("softmax", 1, "dp", "missing-factor", SAME),
    ("softmax", 1, "dp * s", "wrong-operator", SAME),
    ("softmax", 2, "(-e / s**2 * dp).sum(0, keepdim=True)", "wrong-dim", SAME),
    ("softmax", 2, "-e / s**2 * dp", "missing-sum", SAME),
    ("softmax", 3, "ds * e", "extra-factor", "de += ds"),
    ("softmax", 5, "de", "missing-factor", "dx = de * e"),
    ("softmax", 5, "e / de", "wrong-operator", SAME),
    ("softmax", 6, "x.max(1, keepdim=True).indices", "wrong-index", SAME),
    ("softmax", 6, "x.min(1).indices", "wrong-operator", SAME),
    ("decay", 0, "reg * W", "missing-factor", SAME),
    ("decay", 0, "2 * W", "missing-factor", "dW = X.T @ dx + 2 * W * reg"),
    ("decay", 0, "2 * reg", "missing-factor", SAME),
    ("mean", 0, "dy[:, None].expand_as(x)", "scale", "dx = dy[:, None].expand_as(x) / k"),
    ("mean", 0, "dy[:, None] / k", "missing-expansion", "dx = (dy[:, None] / k).expand_as(x)"),
    ("gate", 0, "dy * s", "wrong-variable", SAME),
    ("gate", 1, "dy", "missing-factor", SAME),
    ("gate", 2, "dx + ds * (1 - s)", "missing-factor", SAME),
    ("gate", 2, "ds * s * (1 - s)", "overwrite", "dx += ds * s * (1 - s)"),
    ("gate", 2, "dx + ds * s * (1 - s**2)", "extra-factor", SAME),
    ("gate", 2, "dx + ds * x * (1 - s)", "wrong-variable", SAME),
    ("embedding", 1, "dC[Y[i]] = demb[i]", "overwrite", SAME),
    ("embedding", 1, "dC[i] += demb[i]", "wrong-index", SAME),
    ("embedding", 1, "dC[Y[i]] -= demb[i]", "sign", SAME),
    ("embedding", 1, "dC[Y[i]] += emb[i]", "wrong-variable", SAME),
]


def planted(program: str, part: int, wrong: str) -> tuple[str, int, str]:
    """The program with the mistake, the number of its line, and that line as it should be."""
    body, right = PROGRAMS[program]
    good = (HEAD + body.format(*right)).split("\n")
    bad = (HEAD + body.format(*right[:part], wrong, *right[part + 1 :])).split("\n")
    line = next(i for i, pair in enumerate(zip(good, bad, strict=True)) if pair[0] != pair[1])
    return "\n".join(bad), line + 1, good[line].strip()
