"""One slip at a time in a right Function or pair: it is found on its own line, and told as it is."""

import textwrap
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import torch

from handgrad.checker import Report

LOSS = """
class Loss(torch.autograd.Function):
    @staticmethod
    def forward(ctx, logits, target, smoothing, ignored):
        logp = torch.log_softmax(logits, dim=-1)
        valid, safe = target != ignored, target.clamp(min=0)
        nll = -logp.gather(1, safe[:, None]).squeeze(1)
        loss = (1 - smoothing) * nll - smoothing * logp.mean(-1)
        ctx.save_for_backward(logp, safe, valid)
        ctx.smoothing, ctx.count = smoothing, valid.sum()
        return (loss * valid).sum() / ctx.count

    @staticmethod
    def backward(ctx, g):
        logp, safe, valid = ctx.saved_tensors
        V = logp.shape[1]
        grad = logp.exp()
        grad = grad - ctx.smoothing / V
        grad = grad - (1 - ctx.smoothing) * torch.nn.functional.one_hot(safe, V)
        grad = grad * valid[:, None]
        return grad * g / ctx.count, None, None, None


def call(r):
    return check(Loss, r(5, 7), torch.tensor([1, 2, -100, 6, 0]), 0.1, -100)
"""

SCALED = """
class Scaled(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, w):
        ctx.scale = w.shape[0] ** -0.5
        ctx.save_for_backward(x, w)
        return x @ w * ctx.scale

    @staticmethod
    def backward(ctx, g):
        x, w = ctx.saved_tensors
        return g @ w.T * ctx.scale, x.T @ g * ctx.scale


def call(r):
    return check(Scaled, r(5, 4), r(4, 3))
"""

GATED = """
class Gated(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a, b):
        ctx.save_for_backward(a, b)
        return torch.sigmoid(a) * b

    @staticmethod
    def backward(ctx, g):
        a, b = ctx.saved_tensors
        s = torch.sigmoid(a)
        da, db = g * b * s * (1 - s), g * s
        return da, db


def call(r):
    return check(Gated, r(3, 4), r(3, 4))
"""

CUMSUM = """
class Sums(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, dim):
        ctx.dim = dim
        return x.cumsum(dim)

    @staticmethod
    def backward(ctx, g):
        return g.flip(ctx.dim).cumsum(ctx.dim).flip(ctx.dim), None


def call(r):
    return check(Sums, r(3, 4), 1)
"""

GROUPS = """
def forward(x, gamma, groups):
    N, C, H = x.shape
    g = x.reshape(N, groups, -1)
    inv = (g.var(-1, keepdim=True, unbiased=False) + 1e-5).rsqrt()
    norm = ((g - g.mean(-1, keepdim=True)) * inv).reshape(N, C, H)
    return norm * gamma[:, None], (norm, gamma, inv, groups)


def backward(dout, cache):
    norm, gamma, inv, groups = cache
    N, C, H = dout.shape
    dgamma = (dout * norm).sum((0, 2))
    dnorm = (dout * gamma[:, None]).reshape(N, groups, -1)
    n = norm.reshape(N, groups, -1)
    dx = inv * (dnorm - dnorm.mean(-1, keepdim=True) - n * (dnorm * n).mean(-1, keepdim=True))
    return dx.reshape(N, C, H), dgamma


def call(r):
    return check(forward, backward, r(2, 6, 5), r(6), 3)
"""

SCAN = """
class Scan(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a, x):
        h, hs = torch.zeros_like(x[0]), []
        for t in range(len(x)):
            h = a[t] * h + x[t]
            hs.append(h)
        ctx.save_for_backward(a, torch.stack(hs))
        return torch.stack(hs)

    @staticmethod
    def backward(ctx, g):
        a, hs = ctx.saved_tensors
        da, dx = torch.zeros_like(a), torch.zeros_like(hs)
        dh = torch.zeros_like(hs[0])
        for t in reversed(range(len(hs))):
            dh = dh + g[t]
            dx[t] = dh
            if t > 0:
                da[t] = (dh * hs[t - 1]).sum()
            dh = dh * a[t]
        return da, dx


def call(r):
    return check(Scan, r(4), r(4, 3))
"""

TILES = """
class Tiles(torch.autograd.Function):
    @staticmethod
    def forward(ctx, q, k, v, block):
        ctx.scale, ctx.block = q.shape[1] ** -0.5, block
        s = q @ k.T * ctx.scale
        lse = s.logsumexp(1, keepdim=True)
        o = torch.exp(s - lse) @ v
        ctx.save_for_backward(q, k, v, o, lse)
        return o

    @staticmethod
    def backward(ctx, do):
        q, k, v, o, lse = ctx.saved_tensors
        dq, dk, dv = torch.zeros_like(q), torch.zeros_like(k), torch.zeros_like(v)
        delta = (do * o).sum(1, keepdim=True)
        for start in range(0, len(k), ctx.block):
            tile = slice(start, start + ctx.block)
            p = torch.exp(q @ k[tile].T * ctx.scale - lse)
            dv[tile] += p.T @ do
            ds = p * (do @ v[tile].T - delta) * ctx.scale
            dq += ds @ k[tile]
            dk[tile] += ds.T @ q
        return dq, dk, dv, None


def call(r):
    return check(Tiles, r(6, 4), r(7, 4), r(7, 3), 3)
"""

QUANTISED = """
class Quantised(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, low, high):
        ctx.save_for_backward(x)
        ctx.low, ctx.high = low, high
        return torch.round(x.clamp(low, high) * 8) / 8

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        inside = (x >= ctx.low) & (x <= ctx.high)
        return g * inside, None, None


def clamped(x, low, high):
    return x.clamp(low, high)


def call(r):
    return check(Quantised, r(5, 6), -1.0, 1.0, reference=clamped)
"""

OPERATOR = """
@torch.library.custom_op("slips::logistic", mutates_args=())
def logistic(x: torch.Tensor, k: float) -> torch.Tensor:
    return 1 / (1 + torch.exp(-k * x))


def setup(ctx, inputs, output):
    x, k = inputs
    ctx.save_for_backward(output)
    ctx.k = k


def backward(ctx, grad):
    (y,) = ctx.saved_tensors
    return grad * y * (1 - y) * ctx.k, None


logistic.register_autograd(backward, setup_context=setup)


def call(r):
    return check(logistic, r(3, 4), 2.0)
"""

SINE = """
class Sine(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, w):
        ctx.save_for_backward(x, w)
        return (x * w).sin()

    @staticmethod
    def backward(ctx, g):
        x, w = ctx.saved_tensors
        d = (x * w).cos() * g
        return d * w, d * x


def call(r):
    return check(Sine, r(4, 5), r(4, 5))
"""

SLIPS = [
    (LOSS, "ctx.smoothing / V", "ctx.smoothing", "ctx.smoothing / V"),
    (LOSS, "* valid[:, None]", "* valid[:, None] * 2", "it should be `grad * valid[:, None]`"),
    (LOSS, "g / ctx.count", "g / len(safe)", "it should be `ctx.count`"),
    (SCALED, "g @ w.T * ctx.scale", "g @ w.T", "g @ w.T * ctx.scale"),
    (GATED, "return da, db", "return db, da", "da and db are exchanged"),
    (CUMSUM, "g.flip(ctx.dim).cumsum(ctx.dim).flip(ctx.dim)", "g.cumsum(ctx.dim)", "g.flip(ctx.dim).cumsum"),
    (GROUPS, "sum((0, 2))", "sum(0)", ".sum(0).sum(1)"),
    (SCAN, "dh = dh + g[t]", "dh = g[t]", "overwrite"),
    (SCAN, "dh = dh * a[t]", "dh = dh", "a[t]"),
    (TILES, "(do * o).sum(1, keepdim=True)", "(do * o).sum()", "extra-sum"),
    (TILES, "- delta) * ctx.scale", "- delta)", "* ctx.scale"),
    (QUANTISED, "(x >= ctx.low) & (x <= ctx.high)", "x >= ctx.low", "(x > ctx.low) & (x < ctx.high)"),
    (QUANTISED, "return g * inside", "return g", "(x > ctx.low) & (x < ctx.high)"),
    (OPERATOR, "(1 - y) * ctx.k, None", "(1 - y), None", "(1 - y) * ctx.k"),
    (OPERATOR, "* ctx.k, None", "* ctx.k", "is 1; expected 2"),
    (SINE, "(x * w).cos() * g", "g.mul_((x * w).cos())", "changes the upstream gradient in place"),
    (SINE, "(x * w).cos() * g", "x.mul_(w).cos() * g", "changes x in place"),
    (SINE, "return (x * w).sin()", "return x.mul_(w).sin_()", "ctx.mark_dirty(x)"),
]


@pytest.fixture
def check_slip(tmp_path: Path) -> Callable[[str], Report]:
    def run(text: str) -> Report:
        path = tmp_path / "slip.py"
        path.write_text("import torch\n\nfrom handgrad.checker import check\n" + textwrap.dedent(text))
        module = ModuleType("slip")
        exec(compile(path.read_text(), str(path), "exec"), module.__dict__)
        generator = torch.Generator().manual_seed(11)
        return module.call(lambda *size: torch.randn(*size, generator=generator))

    return run


@pytest.mark.one_in(6)
@pytest.mark.parametrize("text", dict.fromkeys(text for text, *_ in SLIPS), ids=lambda t: t.split("\n")[1])
def test_the_right_one_is_right(text, check_slip):
    report = check_slip(text)
    assert report.right, str(report)
    assert not report.unjudged


@pytest.mark.one_in(9)
@pytest.mark.parametrize(("text", "right", "wrong", "says"), SLIPS, ids=lambda v: v if len(v) < 40 else "…")
def test_the_slip_is_told_on_its_line(text, right, wrong, says, check_slip):
    assert text.count(right) == 1
    line = text[: text.index(right)].count("\n") + 4
    report = check_slip(text.replace(right, wrong))
    said = str(report)
    assert not report.right
    assert says in said
    assert f"line {line}: " in said
    assert [n for n in range(1, 60) if f"\nline {n}: " in said] == [line], said
