"""What comes back from a forward line, as an expression, is what autograd computes."""

import ast

import pytest
import torch

from handgrad.derive.lines.returned import returned

VALUES = {
    "x": (4, 3),
    "y": (4, 3),
    "row": (1, 3),
    "column": (4, 1),
    "b": (3,),
    "s": (),
    "W": (3, 5),
    "v": (3,),
    "batch": (2, 4, 3),
}

STATEMENTS = [
    *(("x", f"x {op} y") for op in ("+", "-", "*", "/")),
    *(("row", f"x {op} row") for op in ("+", "-", "*", "/")),
    *(("row", f"row {op} x") for op in ("-", "/")),
    *(("column", "x * column"), ("b", "x + b"), ("b", "batch * b"), ("s", "x * s"), ("s", "x / s")),
    *(("x", "x ** 2"), ("x", "x ** -0.5"), ("x", "(x + y) ** 3"), ("x", "-x * 2"), ("x", "x * x - x")),
    *(("x", "x @ W"), ("W", "x @ W"), ("W", "batch @ W"), ("batch", "batch @ W"), ("x", "batch @ x.T")),
    *(("v", "v @ W"), ("W", "v @ W"), ("x", "x @ v"), ("v", "x @ v"), ("v", "v @ b"), ("x", "torch.mm(x, W)")),
    *(("x", f"torch.{f}(x)") for f in ("exp", "log", "log1p", "tanh", "sigmoid", "sqrt", "rsqrt", "sin", "cos")),
    *(("x", f"F.{f}(x - 1)") for f in ("relu", "softplus", "silu", "logsigmoid")),
    *(("x", "x.abs()"), ("x", "x.square()"), ("x", "x.T"), ("x", "x.transpose(0, 1) * 2"), ("x", "x.reshape(2, 6)")),
    *(("x", "x.sum()"), ("x", "x.sum(0)"), ("x", "x.sum(1, keepdim=True)"), ("batch", "batch.sum((0, 1), True)")),
    *(("x", "x.mean()"), ("x", "x.mean(1)"), ("x", "x - x.mean(0)"), ("x", "x - x.mean(1, keepdim=True)")),
    *(("x", "x.max()"), ("x", "x.max(1).values"), ("x", "x.max(0, keepdim=True)[0]"), ("x", "x.amin(1)")),
    *(("x", "torch.logsumexp(x, 1)"), ("x", "torch.softmax(x, 1)"), ("x", "F.log_softmax(x, dim=-1)")),
    *(("x", "x.norm(dim=1, keepdim=True)"), ("x", "x.norm(dim=1)"), ("x", "x.var(0, keepdim=True)")),
    *(("x", "x[ix]"), ("x", "x[range(4), ix]"), ("x", "x.gather(1, ix[:, None])"), ("x", "x.masked_fill(mask, 0.0)")),
    *(("x", "torch.where(mask, x, y)"), ("y", "torch.where(mask, x, y)"), ("row", "torch.where(mask, x, row)")),
    *(("x", "torch.where(mask, x, 0.1 * x)"), ("x", "torch.where(mask, x, -x / y) * y"), ("x", "x * s.exp()")),
    *(("x", "x[:, 1:]"), ("x", "x[:, :-1] ** 2"), ("x", "x[0]"), ("batch", "batch[:, -1]"), ("x", "x[mask]")),
    *(("x", "torch.cat([y, x], 1)"), ("y", "torch.cat([y, x])"), ("x", "torch.stack([y, x])")),
    *(("x", "x.repeat(3, 1)"), ("x", "x.repeat(2, 3)"), ("x", "x.repeat_interleave(3, 0)")),
    *(("x", "x.repeat_interleave(2, dim=1)"), ("x", "F.cross_entropy(x, ix)"), ("x", "(x.exp() / s + b).log()")),
]


@pytest.fixture(scope="module")
def world() -> dict:
    g = torch.Generator().manual_seed(3)
    world = {name: torch.rand(shape, generator=g, dtype=torch.float64) + 0.5 for name, shape in VALUES.items()}
    world["mask"] = torch.rand(4, 3, generator=g) > 0.5
    return {**world, "ix": torch.tensor([2, 0, 1, 2]), "torch": torch, "F": torch.nn.functional}


@pytest.mark.parametrize(("variable", "statement"), STATEMENTS)
def test_a_formula_is_what_autograd_computes(variable, statement, world):
    x = world[variable].clone().requires_grad_()
    made = eval(statement, world | {variable: x})
    up = torch.rand(made.shape, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    (want,) = torch.autograd.grad((made * up).sum(), x)
    world = world | {"up": up}
    texts = returned(ast.parse(statement, mode="eval").body, variable, "up", world)
    assert texts
    got = sum(eval(text, world) for text in texts)
    assert got.shape == want.shape
    torch.testing.assert_close(got, want)


def test_what_no_rule_knows_has_no_formula():
    values = {"torch": torch, "x": torch.ones(4), "dy": torch.ones(4)}
    assert returned(ast.parse("torch.fft.fft(x).abs()", mode="eval").body, "x", "dy", values) == []
