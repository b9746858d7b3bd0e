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


@st.composite
def programs(draw: Callable[..., Any], most: int = 5) -> str:
    """The lines of a program that run, each of one operation or two; names are used and assigned again."""
    values = start()
    made: list[str] = []
    lines: list[str] = []
    for number in range(draw(st.integers(1, most))):
        tensors = [
            name for name in values if isinstance(values[name], torch.Tensor) and values[name].is_floating_point()
        ]
        line = draw(st.sampled_from(expressions(values, [*tensors, *made[-2:] * 2, *made[-1:] * 6], draw)))
        target = draw(st.sampled_from([f"z{number}", f"z{number}", *made[-1:]]))
        result = eval(line, values)
        if result.numel() == 0 or result.numel() > 2000:
            continue
        values[target] = result
        made.append(target)
        lines.append(f"{target} = {line}")
    lines.append(f"loss = ({made[-1]} * {made[-1]}).sum()" if made else "loss = (x * y).sum()")
    return "\n".join(lines)


def start() -> dict[str, Any]:
    """What the programs start from."""
    g = torch.Generator().manual_seed(3)
    shapes = {name: [SIZES[s] if s in SIZES else int(s) for s in spec.split()] for name, spec in INPUTS.items()}
    floats = {name: torch.randn(shape, generator=g, dtype=torch.float64) for name, shape in shapes.items()}
    return {"torch": torch, "F": F, **floats, "i": torch.tensor([0, 2, 1, 2]), "j": torch.tensor([1, 0, 1])}


def expressions(values: dict[str, Any], names: list[str], draw: Callable[..., Any]) -> list[str]:
    """Right-hand sides that can be evaluated, around one tensor."""
    a = draw(st.sampled_from(names))
    b = draw(st.sampled_from(names))
    dims = values[a].dim()
    d = draw(st.integers(-dims, dims - 1)) if dims else 0
    forms = draw(st.sampled_from((ELEMENTWISE, TWO, TWO, (*REDUCED, "{a} @ w", "{a} @ {b}"), SAME_SHAPE, RESHAPED)))
    found = [form.format(a=a, b=b, d=d) for form in forms]
    runs = [line for line in found if works(line, values)]
    return runs or [f"torch.tanh({a})"]


def works(line: str, values: dict[str, Any]) -> bool:
    """Whether an expression can be evaluated and is finite."""
    try:
        with warnings.catch_warnings(action="error"):
            result = eval(line, values)
    except (RuntimeError, IndexError, TypeError, Warning):
        return False
    return isinstance(result, torch.Tensor) and bool(torch.isfinite(result).all())


def read(lines: str) -> Program:
    """The program of some lines."""
    return read_program(lines, start(), output="loss")
