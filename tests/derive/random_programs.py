"""Random forward programs for property tests: operations with broadcasting, reductions, indexing and reuse."""

import warnings
from collections.abc import Callable
from typing import Any

import torch
from hypothesis import strategies as st
from torch.nn import functional as F

from handgrad.derive.read.program import Program
from handgrad.derive.read.statements import read_program

SIZES = {"n": 4, "h": 6, "t": 5, "k": 3}
INPUTS = {"x": "n h", "y": "n h", "w": "h k", "b": "h", "g": "1 h", "c": "n 1", "u": "n t h", "s": ""}
Shape = tuple[int, ...]

ELEMENTWISE = (
    "torch.tanh({a})", "{a}.sigmoid()", "F.relu({a})", "{a}**2", "{a}.abs()", "torch.sin({a})", "({a}**2 + 1).sqrt()",
    "1 / (1 + {a}**2)", "torch.log(1 + {a} * {a})", "F.gelu({a})", "F.silu({a})", "F.softplus({a})", "-{a}",
    "0.5 * {a} + 1", "torch.exp(-{a}**2)", "{a}.clamp(min=-0.5)", "torch.where({a} > 0, {a}, 0.1 * {a})",
    "F.leaky_relu({a}, 0.2)", "torch.erf({a})", "({a}**2 + 1)**-0.5", "F.elu({a})", "{a} * {a}.sigmoid()", "{a}.cos()",
)  # fmt: skip
TWO = (
    "{a} + {b}", "{a} - {b}", "{a} * {b}", "{a} / (1 + {b}**2)", "torch.maximum({a}, {b})", "{a} * torch.tanh({b})",
    "torch.where({b} > 0, {a}, {b})", "({a} + {b}) * {a}", "torch.minimum({a}, {b} + 0.1)", "{a} - 2 * {b} * {a}",
)  # fmt: skip
REDUCED = (
    "{a}.sum({d})", "{a}.sum({d}, keepdim=True)", "{a}.mean({d}, keepdim=True)", "{a}.mean(dim={d})",
    "{a}.max({d}, keepdim=True).values", "{a}.amax({d})", "torch.logsumexp({a}, {d}, keepdim=True)",
    "{a}.var({d}, keepdim=True)", "({a}**2).sum({d}, keepdim=True).sqrt()", "{a}.norm(dim={d})", "{a}.std({d})",
)  # fmt: skip
SAME_SHAPE = (
    "F.softmax({a}, dim={d})", "F.log_softmax({a}, {d})", "{a}.cumsum({d})", "{a} - {a}.mean({d}, keepdim=True)",
    "{a} / {a}.norm(dim={d}, keepdim=True)", "F.layer_norm({a}, ({a}.shape[-1],))", "torch.flip({a}, ({d},))",
    "{a}.exp() / {a}.exp().sum({d}, keepdim=True)", "torch.roll({a}, 1, {d})", "F.normalize({a}, dim={d})",
)  # fmt: skip
RESHAPED = (
    "{a}.transpose({d}, -1)", "{a}.unsqueeze({d})", "{a}.reshape(-1)", "torch.cat([{a}, {a} * 2], dim={d})",
    "torch.stack([{a}, torch.tanh({a})], {d})", "{a}.flatten()", "{a}.chunk(2, {d})[0]", "{a}[:1]", "{a}[..., 1:]",
    "{a}[i]", "{a}.view({a}.shape[0], -1)", "{a}[..., None]", "{a}.index_select({d}, j)", "{a}[:, 0]",
    "{a}[0] + {a}[-1]",
)  # fmt: skip
LOOPS = (
    "{z} = {a}\nfor r in range(3):\n    {z} = torch.tanh({z} * {b} + {a})",
    "hs = []\nfor r in range({b}.shape[0]):\n    hs.append(torch.tanh({b}[r]) * {b}[0])\n{z} = torch.stack(hs)",
    "{z} = 0.1 * {a}\nfor r in range({b}.shape[0]):\n    {z} = {z} + {b}[r] * {a}",
    "{z} = {b}.clone()\nfor r in range(1, {b}.shape[0]):\n    {z}[r] = {z}[r] + 0.5 * {z}[r - 1]",
    "{z} = {a}\nfor row in {b}:\n    {z} = torch.sigmoid({z} + row)",
)
"""Loops that make a name `z` of two others."""


@st.composite
def programs(draw: Callable[..., Any], most: int = 5) -> str:
    """The lines of a program that run, each of one operation or two; names are used and assigned again."""
    values = start()
    made: list[str] = []
    lines: list[str] = []
    for number in range(draw(st.integers(1, most))):
        floats = [
            name for name, value in values.items() if isinstance(value, torch.Tensor) and value.is_floating_point()
        ]
        names = [*floats, *made[-2:] * 2, *made[-1:] * 6]
        target = draw(st.sampled_from([f"z{number}", f"z{number}", *made[-1:]]))
        statements = [s for s in drawn(draw, names, values, target) if works(s, values, target)]
        if statements:
            lines.append(draw(st.sampled_from(statements)))
            exec(lines[-1], values)
            made.append(target)
    lines.append(f"loss = ({made[-1]} * {made[-1]}).sum()" if made else "loss = (x * y).sum()")
    return "\n".join(lines)


def start() -> dict[str, Any]:
    """What the programs start from."""
    g = torch.Generator().manual_seed(3)
    shapes = {name: [SIZES[s] if s in SIZES else int(s) for s in spec.split()] for name, spec in INPUTS.items()}
    floats = {name: torch.randn(shape, generator=g, dtype=torch.float64) for name, shape in shapes.items()}
    return {"torch": torch, "F": F, **floats, "i": torch.tensor([0, 2, 1, 2]), "j": torch.tensor([1, 0, 1])}


def drawn(draw: Callable[..., Any], names: list[str], values: dict[str, Any], target: str) -> list[str]:
    """Statements of one kind that make a target of one tensor or two; not all of them run."""
    a, b = draw(st.sampled_from(names)), draw(st.sampled_from(names))
    dims = values[a].dim()
    d = draw(st.integers(-dims, dims - 1)) if dims else 0
    kinds = (ELEMENTWISE, TWO, TWO, (*REDUCED, "{a} @ w", "{a} @ {b}"), SAME_SHAPE, RESHAPED, LOOPS)
    kind = draw(st.sampled_from(kinds))
    if kind is LOOPS:
        return [form.format(a=a, b=b, z=target) for form in kind if target not in (a, b)]
    return [f"{target} = {form.format(a=a, b=b, d=d)}" for form in kind]


def works(statement: str, values: dict[str, Any], target: str) -> bool:
    """Whether a statement runs and makes a few finite numbers."""
    trial = {name: value.clone() if isinstance(value, torch.Tensor) else value for name, value in values.items()}
    try:
        with warnings.catch_warnings(action="error"):
            exec(statement, trial)
    except (RuntimeError, IndexError, TypeError, Warning):
        return False
    made = trial[target]
    return isinstance(made, torch.Tensor) and 0 < made.numel() <= 2000 and bool(torch.isfinite(made).all())


def read(lines: str) -> Program:
    """The program of some lines."""
    return read_program(lines, start(), output="loss")
