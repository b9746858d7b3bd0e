"""What is read of forward lines and functions: lines in single assignment that make the same values again."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from handgrad.derive.read.program import Program
from handgrad.derive.read.statements import read_function, read_program
from handgrad.derive.read.steps import names_made
from handgrad.errors import DeriveError

EPS = 1e-5


def randn(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


def sources(program: Program) -> list[str]:
    return [line.source for line in program.lines]


def again(program: Program) -> None:
    """Run the lines once more: they make what the user's own code made."""
    values = dict(program.before)
    for line in program.lines:
        exec(line.source, values)
    for name in program.outputs:
        np.testing.assert_allclose(np.asarray(values[name]), np.asarray(program.values[name]))


def norm(x, eps=EPS):
    ms = (x**2).mean(1, keepdim=True)
    return x * (ms + eps) ** -0.5


def residual(x, W, b):
    x = x + norm(x) @ W
    h = torch.tanh(norm(x) @ W + b)
    return (h**2).sum(), h


class Head(nn.Module):
    def __init__(self, n, h):
        super().__init__()
        self.key, self.value = nn.Linear(n, h, bias=False), nn.Linear(n, h)
        self.register_buffer("tril", torch.tril(torch.ones(8, 8)))

    def forward(self, x):
        _, T, C = x.shape
        wei = self.key(x) @ x.transpose(-2, -1) * C**-0.5
        wei = F.softmax(wei.masked_fill(self.tril[:T, :T] == 0, float("-inf")), dim=-1)
        return wei @ self.value(x)


class Block(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.heads = nn.ModuleList([Head(n, n), Head(n, n)])
        self.proj, self.ln = nn.Linear(2 * n, n), nn.LayerNorm(n)
        self.mlp = nn.Sequential(nn.Linear(n, 4 * n), nn.GELU(), nn.Linear(4 * n, n), nn.Dropout(0.0))

    def forward(self, x):
        x = x + self.proj(torch.cat([h(x) for h in self.heads], dim=-1))
        return x + self.mlp(self.ln(x))


def over_time(x, h, Wx, Wh):
    hs = []
    for t in range(x.shape[1]):
        h = torch.tanh(x[:, t] @ Wx + h @ Wh)
        hs.append(h)
    return torch.stack(hs, 1)


def recurrence(x, leak=0.9):
    h = x.clone()
    for t in range(1, len(x)):
        h[t] += leak * h[t - 1]
    return h


def params(x, p):
    for i in range(2):
        x = torch.relu(x @ p[f"W{i}"] + p[f"b{i}"])
    cache = {"x": x}
    return cache["x"].sum()


class Layer:
    def __init__(self):
        self.W = randn(3, 3)

    def __call__(self, x):
        self.out = x @ self.W
        return self.out


class Net:
    def __init__(self):
        self.layers = [Layer(), Layer()]

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


def in_numpy(x, w):
    m = x.max(axis=1, keepdims=True)
    e = np.exp(x - m)
    p = e / e.sum(axis=1, keepdims=True)
    return np.dot(p, w)


def early(x, scale=None):
    if scale is None:
        return x.sum()
    y = x * scale
    return y.sum()


P = {"W0": randn(3, 3), "b0": randn(3), "W1": randn(3, 3), "b1": randn(3)}
FUNCTIONS = {
    "residual": (residual, randn(5, 3), randn(3, 3), randn(3)),
    "module": (Block(6), randn(2, 5, 6)),
    "over time": (over_time, randn(2, 3, 4), randn(2, 5), randn(4, 5), randn(5, 5)),
    "recurrence": (recurrence, randn(4, 2)),
    "params": (params, randn(2, 3), P),
    "method": (Net().forward, randn(2, 3)),
    "numpy": (in_numpy, np.ones((3, 4)), np.ones((4, 2))),
    "lambda": (lambda x: (x**2).sum(), randn(3)),
    "early": (early, randn(3)),
    "late": (early, randn(3), 2.0),
}


@pytest.mark.parametrize("called", FUNCTIONS.values(), ids=list(FUNCTIONS))
def test_the_lines_of_a_function_make_what_it_returned(called):
    function, *arguments = called
    program = read_function(function, *arguments)
    again(program)
    targets = [name for line in program.lines for name in names_made([line])]
    assert len(set(targets)) == len(targets)
    assert not set(targets) & set(program.inputs)


def test_a_name_assigned_again_is_another_and_calls_are_gone_into():
    program = read_function(residual, *FUNCTIONS["residual"][1:])
    assert sources(program) == [
        "ms = (x**2).mean(1, keepdim=True)",
        "x2 = x + x * (ms + 1e-5)**-0.5 @ W",
        "ms2 = (x2**2).mean(1, keepdim=True)",
        "h = torch.tanh(x2 * (ms2 + 1e-5)**-0.5 @ W + b)",
        "out_0 = (h**2).sum()",
    ]
    assert program.inputs == ("x", "W", "b")
    assert program.outputs == ("out_0", "h")
    assert program.renamed == {"x2": "x", "ms2": "ms"}
    assert program.lines[1].text == "x = x + norm(x) @ W"


def test_parameters_in_objects_have_names_and_buffers_are_no_inputs():
    program = read_function(*FUNCTIONS["module"])
    assert program.bindings["heads_0_key_weight"] == "model.heads[0].key.weight"
    assert {"x", "proj_bias", "mlp_0_weight", "ln_weight", "heads_1_value_bias"} <= set(program.inputs)
    assert not any("tril" in name for name in program.inputs)


def test_the_lines_of_a_script():
    source = "n = 3\nmask = torch.rand(n, 2) > 0.5  # drawn once\nh, k = torch.tanh(x), x * mask\nloss = (h * k).sum()"
    program = read_program(source, {"torch": torch, "x": randn(3, 2).requires_grad_(), "y": randn(3)})
    assert program.inputs == ("x",)
    assert program.drawn == ("mask",)
    assert sources(program) == ["n = 3", "h = torch.tanh(x)", "k = x * mask", "loss = (h * k).sum()"]
    assert program.values["h"].dtype == torch.float64


def test_the_output_may_be_chosen():
    program = read_program("y = x * 2\nz = y.sum()", {"x": randn(3)}, output="y")
    assert program.output == "y"
    with pytest.raises(DeriveError, match="no line makes 'q'"):
        read_program("y = x * 2", {"x": randn(3)}, output="q")


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("y = x.view(2, 2, 2)", "line 1: y = x.view(2, 2, 2): this line raises RuntimeError: shape '[2, 2, 2]'"),
        (
            "v = x[0]\nv += 1\ny = x.sum()",
            "line 3: y = x.sum(): 'x' cannot be read here: it shares its memory with 'v'",
        ),
        ("n = 3", "no line computes with a float tensor"),
        ("y = x * 2\ntry:\n    z = y\nfinally:\n    pass", "a statement of this kind ('try')"),
        ("y = q * 2", "the name 'q' is not defined"),
        ("y = x *", "line 1: this is no Python"),
        ("y = torch.ones(3).sum()", "'y' does not depend on a float tensor"),
    ],
)
def test_what_cannot_be_read_is_refused_by_its_line(source, says):
    with pytest.raises(DeriveError) as refused:
        read_program(source, {"x": randn(3, 2), "torch": torch})
    assert says in str(refused.value)


def test_reading_leaves_the_random_generators_where_they_were():
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    read_program("m = torch.rand(3)\ny = x * m", {"torch": torch, "x": randn(3)})
    assert torch.equal(torch.rand(1), expected)
