"""What is derived from NumPy programs, in NumPy, against central differences; and what PyTorch text is in NumPy."""

import numpy as np
import pytest
import torch

from handgrad.derive.emit.numpy import to_numpy
from handgrad.derive.lines import lines_backward
from handgrad.derive.read.program import Program
from handgrad.derive.read.statements import read_program
from handgrad.errors import DeriveError

from .forward import SIZES, inputs
from .numpy_rows import ROWS

STEP = 1e-6


def arrays(spec: str) -> dict[str, object]:
    return {n: v.numpy().copy() if isinstance(v, torch.Tensor) else v for n, v in inputs(spec, SIZES[0]).items()}


def after(program: Program, values: dict[str, object]) -> dict[str, object]:
    """Every name when the lines have run."""
    names = {"np": np, **values}
    for line in program.lines:
        exec(line.source, names)
    return names


def differences(program: Program, values: dict[str, object], name: str, upstream: object) -> np.ndarray:
    """The gradient of an array by central differences."""
    found = np.zeros_like(values[name])
    for place in np.ndindex(found.shape):
        sides = []
        for step in (STEP, -STEP):
            moved = values[name].copy()
            moved[place] += step
            sides.append((after(program, {**values, name: moved})[program.output] * upstream).sum())
        found[place] = (sides[0] - sides[1]) / (2 * STEP)
    return found


@pytest.mark.one_in(3)
@pytest.mark.parametrize("row", ROWS.strip().split("\n"))
def test_line(row):
    source, spec = row.split(" | ")
    values = arrays(spec)
    floats = [n for n, v in values.items() if isinstance(v, np.ndarray) and v.dtype.kind == "f"]
    program = read_program(source.replace("; ", "\n"), {"np": np, **values}, inputs=floats)
    backward = lines_backward(program)
    text = to_numpy(backward.source, program.values)
    assert "torch" not in text
    names = after(program, values)
    shape = np.shape(names[program.output])
    upstream = np.random.default_rng(5).normal(size=shape) if shape else 1.0
    if backward.upstream:
        names[backward.upstream] = upstream
    exec(text, names)
    for name in floats:
        right, given = differences(program, values, name, upstream), names[backward.gradients[name]]
        assert np.shape(given) == right.shape, text
        np.testing.assert_allclose(given, right, rtol=0, atol=2e-6 * max(np.abs(right).max(), 1e-3), err_msg=text)


@pytest.mark.parametrize(
    ("torch_text", "numpy_text"),
    [
        ("dx = dy.sum((0, 1), keepdim=True)", "dx = dy.sum((0, 1), keepdims=True)"),
        ("dx = x.permute(2, 0, 1)", "dx = x.transpose(2, 0, 1)"),
        ("dx = x.transpose(-2, -1)", "dx = x.swapaxes(-2, -1)"),
        ("dx = F.one_hot(y, num_classes=3) * dy", "dx = np.eye(3)[y] * dy"),
        (
            "dx = F.one_hot(x.max(1).indices, num_classes=x.shape[1]) * dy",
            "dx = np.eye(x.shape[1])[x.argmax(1)] * dy",
        ),
        ("dx = x.max(1, keepdim=True).values", "dx = x.max(axis=1, keepdims=True)"),
        ("dC.index_add_(0, X.flatten(), demb.flatten(0, 1))", "np.add.at(dC, X, demb)"),
        ("dx.index_put_((i, j), dy, accumulate=True)", "np.add.at(dx, (i, j), dy)"),
        ("dx = dy.flatten(0, 1).T @ x", "dx = dy.reshape(-1, *dy.shape[2:]).T @ x"),
        ("dx = dy.masked_fill(m == 0, 0)", "dx = np.where(m == 0, 0, dy)"),
        ("dx = dy.clone()", "dx = dy.copy()"),
        ("dx = 2 / math.sqrt(math.pi) * dy", "dx = 2 / np.sqrt(np.pi) * dy"),
        ("dx = torch.full_like(x, 1.0 / x.numel())", "dx = np.full_like(x, 1.0 / x.size)"),
        ("dx = dy.expand_as(x) @ W", "dx = np.broadcast_to(dy, x.shape) @ W"),
        ("dx = x.clamp(min=0)", "dx = np.clip(x, 0, None)"),
        ("dx = torch.tanh(x.flip(1))", "dx = np.tanh(np.flip(x, 1))"),
        (
            "dx = F.softmax(x, 1) - y",
            "e = np.exp(x - x.max(1, keepdims=True))\ndx = e / e.sum(1, keepdims=True) - y",
        ),
        ("for t in range(T):\n    dx[t] += torch.exp(h[t])", "for t in range(T):\n    dx[t] += np.exp(h[t])"),
    ],
)  # fmt: skip
def test_torch_text(torch_text, numpy_text):
    assert to_numpy(torch_text, {}) == numpy_text


def test_keeps_what_is_numpy():
    values = {"np": np, "x": np.ones((2, 3))}
    text = "dx = np.max(x, axis=1, keepdims=True) * x.var(axis=0) + x.max(1) - x.transpose(1, 0).T"
    assert to_numpy(text, values).replace("swapaxes", "transpose") == text


def test_names_are_not_reused():
    assert to_numpy("dx = F.softmax(x, 1) * e", {"e": 1}).startswith("e2 = ")


@pytest.mark.parametrize("text", ["dx = torch.digamma(x)", "dx = F.conv2d(x, w)", "dx = x.erfinv()"])
def test_what_has_no_form_is_refused(text):
    name = text.removeprefix("dx = ").split("(")[0].removeprefix("x")
    with pytest.raises(DeriveError, match="no form in NumPy") as raised:
        to_numpy(text, {})
    assert name in str(raised.value)


def test_a_program_in_pytorch_in_numpy():
    values = {"torch": torch, "x": torch.ones(3, 4)}
    assert to_numpy("dx = 2 * x.var(0, correction=1)", values) == "dx = 2 * x.var(axis=0, ddof=1)"
