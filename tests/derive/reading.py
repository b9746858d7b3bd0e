"""For tests of reading: a program whose lines have been run again, and its lines as text."""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from handgrad.derive.read.program import Program
from handgrad.derive.read.running import float64, in_float64, quietly
from handgrad.derive.read.statements import read_program
from handgrad.derive.read.steps import names_made

MODULES = {"torch": torch, "F": F, "np": np}


def randn(*shape: int) -> torch.Tensor:
    """A tensor that is the same each time, in float32."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


def read(source: str, **before: Any) -> Program:
    """The program of some lines, whose lines, run again, make the values that it says."""
    given = before.pop("given", None)
    return checked(read_program(source.strip("\n"), {**MODULES, **before}, inputs=given))


def checked(program: Program) -> Program:
    """A program whose lines, run again, make the values that it says, and each name once."""
    for one in {id(p): p for p in (program, program.with_loops())}.values():
        values = dict(one.before)
        with float64(), quietly():
            for line in one.lines:
                exec(line.source, values)
        made = [name for line in one.lines for name in names_made([line])]
        if one is program:
            assert len({*made}) == len(made)
        assert not {*made} & {*one.inputs}
        for name in made:
            same(values[name], one.values[name])
    return program


def same_gradients(source: str, **before: Any) -> Program:
    """The program of some lines, through which autograd finds the same gradients as through the lines themselves."""
    program = read(source, **before)
    found = []
    for text, start, output in (
        (source.strip("\n"), {**MODULES, **before}, program.renamed.get(program.output, program.output)),
        ("\n".join(sources(program)), dict(program.before), program.output),
    ):
        with float64(), torch.enable_grad():
            leaves = {n: program.before[n].clone().requires_grad_() for n in program.inputs}
            values = {n: in_float64(v) for n, v in start.items()} | {n: leaf.clone() for n, leaf in leaves.items()}
            exec(text, values)
            total = (values[output] * torch.linspace(0.5, 1.5, values[output].numel()).view(values[output].shape)).sum()
        found.append(torch.autograd.grad(total, list(leaves.values()), allow_unused=True))
    for name, one, other in zip(program.inputs, *found, strict=True):
        assert (one is None) == (other is None), name
        if one is not None:
            np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12, err_msg=name)
    return program


def same(one: Any, other: Any) -> None:
    """Whether two values are, lists and dicts of arrays too."""
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        one, other = list(one.values()), list(other.values())
    if isinstance(one, list | tuple):
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            same(a, b)
    elif isinstance(one, torch.Tensor | np.ndarray | float):
        np.testing.assert_allclose(np.asarray(one), np.asarray(other), rtol=1e-9, atol=1e-12)


def sources(program: Program) -> list[str]:
    """The lines as source."""
    return [line.source for line in program.lines]
