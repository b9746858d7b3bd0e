"""A constant, a dimension, an einsum pattern that should be another."""

import ast
from collections.abc import Iterator
from typing import Any

from handgrad.checker.explain.edits.core import Context, Proposal, rule
from handgrad.checker.read.trees import called, method, name, number

USUAL = (0, 1, 2, 3, 4, 0.5, 1.5, 0.25, 0.125)


@rule(ast.Name)
def a_dimension_of_one(node: Any, ctx: Context) -> Iterator[Proposal]:
    """`where` in an index where `where.squeeze(1)` was meant."""
    shape = ctx.integers[node.id].shape if ctx.in_index and node.id in ctx.integers else ()
    ones = [dim for dim, size in enumerate(shape) if size == 1 < len(shape)]
    yield from (("wrong-index", 0.8, method(node, "squeeze", number(dim))) for dim in ones)


@rule(ast.Call)
def a_kept_dimension(node: Any, ctx: Context) -> Iterator[Proposal]:
    """`x.max(1)` in an index where `x.max(1, keepdim=True)` was written."""
    fewer = [word for word in node.keywords if word.arg not in ("keepdim", "keepdims")]
    if len(fewer) < len(node.keywords):
        yield "wrong-index" if ctx.in_index else "shape", 0.8, ast.Call(node.func, node.args, fewer)


@rule(ast.Constant)
def another_constant(node: Any, ctx: Context) -> Iterator[Proposal]:
    """`**-0.5` where `**-1.5` was meant; a dimension, an index, an epsilon."""
    value = node.value
    if isinstance(value, bool):
        kind = {"unbiased": "bessel", "accumulate": "overwrite"}.get(ctx.role, "wrong-constant")
        if ctx.role not in ("keepdim", "keepdims"):
            yield kind, 0.8, ast.Constant(not value)
        return
    if isinstance(value, str):
        yield from _einsum(value)
        return
    if not isinstance(value, int | float):
        return
    if ctx.role == "dim":
        kind = "transpose" if called(ctx.parent) in ("transpose", "permute", "swapaxes") else "wrong-dim"
        for dim in (0, 1, 2, 3, -1, -2, -3):
            if dim != value:
                yield kind, 0.97, number(dim)
        return
    kind = "wrong-index" if ctx.in_index else "wrong-constant"
    if ctx.in_index and isinstance(ctx.parent, ast.Subscript) and ast.unparse(ctx.parent.value).endswith(".shape"):
        for dim in (0, 1, 2, 3, -1):
            if dim != value:
                yield "wrong-dim", 0.95, number(dim)
        return
    if not ctx.in_index:
        leads = ctx.role in ("exponent", "argument") or (node.lineno, node.col_offset) == ctx.first
        yield (
            "wrong-constant" if ctx.role in ("exponent", "argument") else "sign",
            0.8 if leads else 1.0,
            number(-value),
        )
    if 0 < abs(value) <= 1e-2 and ctx.role in ("operand", "argument", "eps"):
        kind = "epsilon"
    candidates = [
        value + 1,
        value - 1,
        2 * value,
        value / 2,
        value + 0.5,
        value - 0.5,
        -value - 1,
        *USUAL,
        *(-u for u in USUAL),
    ]
    if value:
        candidates.append(1 / value)
    whole = isinstance(value, int)
    for other in dict.fromkeys([*candidates, *ctx.constants]):
        if other != value and (not ctx.in_index or other == int(other)) and not (ctx.role == "exponent" and other == 1):
            is_fraction = other in ctx.constants and value != int(value) and other != int(other)
            cost = 1.25 if other in (0, 1) and ctx.role == "factor" else 1.0 if abs(other) < 5 else 1.2
            cost += 0.3 if value == 1 and ctx.role == "operand" and other not in (0, 2) else 0.0
            cost += 0.8 if not is_fraction and _hides_a_size(value, other, ctx) else 0.0
            yield (
                kind,
                cost,
                number(int(other) if ctx.in_index or (whole and other == int(other)) else float(other)),
            )
    if ctx.in_index:
        for other in [*sorted(ctx.locals - set(ctx.tensors)), *ctx.integers]:
            yield "wrong-index", 1.1, name(other)
    else:
        for n in ctx.sizes:
            yield kind, 1.7, name(n)


def _hides_a_size(value: float, other: float, ctx: Context) -> bool:
    """Whether a size by which something is divided would stand in the new number: `0.125` for `1 / n`."""
    shapes = [ctx.shape, *(ctx.values[n].shape for n in ctx.gradients if n in ctx.tensors)]
    sizes = {*ctx.sizes.values(), *(size for shape in shapes for size in shape)}
    ratios = [abs(a / b) for a, b in ((1, other), (value, other), (other, value)) if a and b]
    return any(ratio > 2 and ratio in sizes for ratio in ratios)


def _einsum(text: str) -> Iterator[Proposal]:
    if "->" not in text:
        return
    inputs, output = text.replace(" ", "").split("->")
    letters = sorted(set(inputs) - {",", "."})
    parts = inputs.split(",")
    for i in range(len(output)):
        for j in range(i):
            swapped = list(output)
            swapped[i], swapped[j] = swapped[j], swapped[i]
            yield "transpose", 1.0, ast.Constant(f"{inputs}->{''.join(swapped)}")
    for i, part in enumerate(parts):
        for a in range(len(part)):
            for b in range(a):
                swapped = list(part)
                swapped[a], swapped[b] = swapped[b], swapped[a]
                new = ",".join([*parts[:i], "".join(swapped), *parts[i + 1 :]])
                yield "transpose", 1.1, ast.Constant(f"{new}->{output}")
    for i in range(len(output)):
        for letter in letters:
            if letter not in output:
                yield "wrong-dim", 0.98, ast.Constant(f"{inputs}->{output[:i]}{letter}{output[i + 1 :]}")
        yield "missing-sum", 1.3, ast.Constant(f"{inputs}->{output[:i]}{output[i + 1 :]}")
    for i in range(len(inputs)):
        if inputs[i].isalpha():
            for letter in letters:
                if letter != inputs[i]:
                    yield "wrong-index", 1.4, ast.Constant(f"{inputs[:i]}{letter}{inputs[i + 1 :]}->{output}")
    for letter in letters:
        if letter not in output:
            for i in range(len(output) + 1):
                yield "extra-sum", 1.4, ast.Constant(f"{inputs}->{output[:i]}{letter}{output[i:]}")
