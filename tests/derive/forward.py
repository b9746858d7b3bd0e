"""Forward lines for tests: their inputs in one line of text, and their backward pass against autograd."""

import math

import torch
import torch.nn.functional as F

from handgrad.derive.backward import Backward
from handgrad.derive.lines import lines_backward
from handgrad.derive.read.program import Program
from handgrad.derive.read.statements import read_program

SIZES = (
    {"b": 2, "n": 5, "t": 6, "c": 4, "h": 8, "k": 3, "v": 11, "e": 7},
    {"b": 3, "n": 4, "t": 9, "c": 6, "h": 12, "k": 5, "v": 8, "e": 10},
)
"""What the letters in shapes stand for: when the lines are read, and when what was derived from them is run."""


def inputs(spec: str, sizes: dict[str, int], seed: int = 0) -> dict[str, object]:
    """Tensors by name from a text such as `x:nh y:n+ Y:n<v m:nh? lengths:=3`.

    Letters are sizes, digits too; `+` makes the numbers positive, `%` puts them between 0 and 1, `<v` makes integers
    below v, `?` truth values, `!` positive with zeros and ties; `=` gives a Python expression.
    """
    generator = torch.Generator().manual_seed(seed)
    made: dict[str, object] = {}
    for item in spec.removesuffix(" ~").split():
        name, text = item.split(":", 1)
        text = text.replace("_", " ")
        if text.startswith("="):
            made[name] = eval(text[1:], {"torch": torch, "math": math, **sizes})
            continue
        letters, kind, below = text, "", ""
        for mark in "+%?!<":
            if mark in text:
                letters, below = text.split(mark)
                kind = mark
        shape = [int(c) if c.isdigit() else sizes[c] for c in letters]
        if kind == "<":
            high = int(below) if below.isdigit() else sizes[below]
            made[name] = torch.randint(0, high, shape, generator=generator)
            continue
        value = torch.randn(shape, generator=generator, dtype=torch.float64)
        made[name] = {
            "": lambda v: v + 0.2 * v.sign(),
            "+": lambda v: v.abs() + 0.1,
            "%": lambda v: v.sigmoid(),
            "?": lambda v: v > 0,
            "!": lambda v: v.round(),
        }[kind](value)
    return made


def float_inputs(spec: str) -> set[str]:
    """The names of what is drawn as numbers: what is given as an expression is no input."""
    values = inputs(spec, SIZES[0])
    drawn = {item.split(":")[0] for item in spec.split() if ":=" not in item}
    return {n for n in drawn & values.keys() if isinstance(v := values[n], torch.Tensor) and v.is_floating_point()}


def read(source: str, spec: str, sizes: dict[str, int] = SIZES[0], seed: int = 0) -> Program:
    """Some lines as they are read."""
    before = {"torch": torch, "F": F, "math": math, **inputs(spec, sizes, seed)}
    return read_program(source, before, inputs=sorted(float_inputs(spec)))


def derived(source: str, spec: str) -> Backward:
    """The backward pass of some lines."""
    return lines_backward(read(source, spec))


def after(program: Program, values: dict[str, object]) -> dict[str, object]:
    """Every name when the lines have run."""
    names = {**program.values, **values}
    for line in program.lines:
        exec(line.source, names)
    return names


def differences(source: str, backward: Backward, spec: str, sizes: dict[str, int], seed: int = 1) -> dict[str, float]:
    """By variable, how far its gradient is from autograd's, relative to its largest; nan where it is no gradient."""
    program, values = read(source, spec, sizes, seed), inputs(spec, sizes, seed)
    leaves = {n: v.clone().requires_grad_() if n in backward.gradients else v for n, v in values.items()}
    names = after(program, leaves)
    floats = [n for n in backward.gradients if torch.is_tensor(names.get(n)) and n != program.output]
    out = names[program.output]
    upstream = torch.randn(out.shape, dtype=out.dtype, generator=torch.Generator().manual_seed(seed + 7))
    if backward.upstream is None:
        upstream = torch.ones_like(out)
    right = torch.autograd.grad(out, [names[n] for n in floats], upstream, allow_unused=True)
    run = detached(after(backward.below or read(source, spec), values))
    if backward.upstream is not None:
        run[backward.upstream] = upstream.clone()
    exec(backward.source, run)
    return {n: distance(run[backward.gradients[n]], g) for n, g in zip(floats, right, strict=True)}


def detached(value: object) -> object:
    """The value outside every graph."""
    if isinstance(value, torch.Tensor):
        return value.detach().clone()
    if isinstance(value, dict):
        return {key: detached(part) for key, part in value.items()}
    return type(value)([detached(part) for part in value]) if isinstance(value, tuple | list) else value


def distance(got: object, right: torch.Tensor | None) -> float:
    """The largest difference relative to the largest entry; nan where shape or kind differ."""
    if right is None:
        right = torch.zeros_like(got)
    if not isinstance(got, torch.Tensor) or got.shape != right.shape or got.dtype != right.dtype:
        return math.nan
    if right.numel() == 0:
        return 0.0
    return (
        ((got - right).abs().max() / right.abs().max().clamp(min=1e-300)).item() if not torch.equal(got, right) else 0.0
    )


def check(source: str, spec: str) -> Backward:
    """Derive the backward pass, and assert that it is right at both sets of sizes."""
    backward = derived(source, spec)
    for sizes in SIZES:
        most = 1e-7 if spec.endswith("~") else 1e-10
        wrong = {n: d for n, d in differences(source, backward, spec, sizes).items() if not d < most}
        assert not wrong, f"{wrong}\n{backward.source}"
    floats = float_inputs(spec)
    assert floats <= set(backward.gradients), f"no gradient of {floats - set(backward.gradients)}\n{backward.source}"
    return backward
