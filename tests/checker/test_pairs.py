"""A pair of functions, or one function for several inputs: the wrong lines inside `backward` are named, each alone."""

import textwrap
from collections.abc import Callable
from types import ModuleType

import pytest
import torch

from handgrad.checker import Report, check

LAYER_NORM = """
def forward(x, gamma, beta, eps=1e-5):
    mean = x.mean(-1, keepdim=True)
    xc = x - mean
    var = (xc**2).mean(-1, keepdim=True)
    inv_std = (var + eps) ** -0.5
    xhat = xc * inv_std
    out = xhat * gamma + beta
    return out, (xc, var, inv_std, xhat, gamma, eps)


def backward(dout, cache):
    xc, var, inv_std, xhat, gamma, eps = cache
    d = xc.shape[-1]
    dbeta = dout.sum((0, 1))
    dgamma = (dout * xhat).sum((0, 1))
    dxhat = dout * gamma
    dinv_std = (dxhat * xc).sum(-1, keepdim=True)
    dvar = -0.5 * (var + eps) ** -1.5 * dinv_std
    dxc = dxhat * inv_std + 2 * xc / d * dvar
    dx = dxc - dxc.mean(-1, keepdim=True)
    return dx, dgamma, dbeta
"""

SOFTMAX = """
def forward(z, temperature):
    scaled = z / temperature
    top = scaled.max(1, keepdim=True).values
    e = (scaled - top).exp()
    total = e.sum(1, keepdim=True)
    p = e / total
    return p, (z, temperature, p)


def backward(dp, cache):
    z, temperature, p = cache
    inner = (dp * p).sum(1, keepdim=True)
    dscaled = p * (dp - inner)
    dz = dscaled / temperature
    dtemperature = -(dscaled * z).sum() / temperature**2
    return dz, dtemperature
"""

PROGRAMS = {
    "layer norm": (LAYER_NORM, lambda r: (r(3, 4, 6), r(6), r(6))),
    "softmax": (SOFTMAX, lambda r: (r(5, 7), r(()).abs() + 0.5)),
}

MISTAKES = [
    ("layer norm", {"var": ("-0.5 * (var", "0.5 * (var")}),
    ("layer norm", {"var": ("** -1.5", "** -0.5")}),
    ("layer norm", {"x": ("dx = dxc - dxc.mean(-1, keepdim=True)", "dx = dxc - dxc.sum(-1, keepdim=True)")}),
    ("layer norm", {"inv_std": ("(dxhat * xc).sum", "(dxhat * xhat).sum")}),
    ("layer norm", {"beta": ("dbeta = dout.sum((0, 1))", "dbeta = dout.sum(0)")}),
    ("layer norm", {"xhat": ("dout * gamma", "dout / gamma"), "xc": ("2 * xc / d", "xc / d")}),
    ("layer norm", {"gamma": ("(dout * xhat)", "(dout * xc)"), "x": ("dxc - dxc.mean", "dxc + dxc.mean")}),
    ("softmax", {"scaled": ("(dp - inner)", "(dp + inner)")}),
    ("softmax", {"z": ("dscaled / temperature\n", "dscaled * temperature\n")}),
    ("softmax", {"temperature": ("temperature**2", "temperature")}),
    ("softmax", {"scaled": ("p * (dp - inner)", "p * dp - inner"), "temperature": ("-(dscaled", "(dscaled")}),
    ("softmax", {"scaled": ("(dp * p).sum(1,", "(dp * p).sum(0,"), "z": ("dscaled / temp", "-dscaled / temp")}),
]


@pytest.fixture
def check_pair(tmp_path) -> Callable[..., Report]:
    """Check `forward` and `backward` of a text, with inputs drawn by `make`."""

    def run(text: str, make) -> Report:
        path = tmp_path / "pair.py"
        path.write_text(textwrap.dedent(text))
        module = ModuleType("pair")
        exec(compile(path.read_text(), str(path), "exec"), module.__dict__)
        generator = torch.Generator().manual_seed(11)
        return check(module.forward, module.backward, *make(lambda *s: torch.randn(*s, generator=generator)))

    return run


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_right_pair_gives_no_alarm(name, check_pair):
    check_pair(*PROGRAMS[name]).raise_if_wrong()


@pytest.mark.one_in(4)
@pytest.mark.parametrize(("name", "edits"), MISTAKES, ids=lambda v: v if isinstance(v, str) else "+".join(v))
def test_each_wrong_line_is_blamed_and_no_other(name, edits, check_pair):
    text, make = PROGRAMS[name]
    lines = {}
    for variable, (right, wrong) in edits.items():
        assert text.count(right) == 1
        lines[variable] = text[: text.index(right)].count("\n") + 1
        text = text.replace(right, wrong)
    report = check_pair(text, make)
    assert {row.name: row.line for row in report.blamed} == lines
    assert all(row.diagnosis[0].kind != "unknown" for row in report.blamed)
