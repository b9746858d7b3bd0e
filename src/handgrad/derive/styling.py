"""From PyTorch text to what is shown: in PyTorch or NumPy, in the program's own words for modules and parameters."""

import ast
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from handgrad.derive import Style
from handgrad.derive.backward import Backward
from handgrad.derive.emit.numpy import to_numpy
from handgrad.derive.emit.source import written
from handgrad.derive.emit.spelling import spelled
from handgrad.derive.read.calls import is_array
from handgrad.derive.read.program import Program
from handgrad.derive.read.steps import names_made
from handgrad.errors import DeriveError

TOLERANCE = 1e-9
IN_THE_PLACE = "# in the place of the forward lines: each value has a name of its own"


def styled(program: Program, lines: Backward, style: Style | None = None) -> Backward:
    """The lines in a style, and in the program's own names for modules.

    Raises:
        DeriveError: something in them has no form in NumPy, or the program is in NumPy and the style is not.
    """
    style = style or ("numpy" if program.library == "numpy" else "torch")
    if style == "torch" and program.library == "numpy":
        raise DeriveError("a program in NumPy is derived in NumPy alone", next_step="Leave out the style.")
    if style == "torch":
        return _changed(lines, lambda source: spelled(source, program.values))
    values = {"np": np, **program.values}
    return _changed(lines, lambda source: spelled(to_numpy(source, program.values), values))


def in_place(program: Program, lines: Backward) -> Backward:
    """The lines with what the user writes for a parameter that has no name, `self.W` or `params["W"]`."""
    if not program.bindings:
        return lines
    nodes = ast.walk(ast.parse("\n".join(lines.recomputed)))
    made = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    bindings = {name: text for name, text in program.bindings.items() if name not in made}
    words = {name: written(ast.parse(text, mode="eval").body) for name, text in bindings.items()}
    return _changed(lines, lambda source: exchanged(source, words))


def standing(program: Program, lines: Backward) -> Backward:
    """The lines with the forward pass before them, where they need values that are gone below the user's own lines."""
    program = lines.below or program
    made = set(names_made(program.lines))
    read = {node.id for node in ast.walk(ast.parse(lines.source)) if isinstance(node, ast.Name)}
    if read & made <= program.kept:
        return lines
    return replace(lines, recomputed=(f"{IN_THE_PLACE}\n{program.source}\n",))


def exchanged(source: str, words: Mapping[str, str]) -> str:
    """The source with other words for names that it reads.

    >>> exchanged("dx = da @ W.T  # W", {"W": 'params["W"]'})
    'dx = da @ params["W"].T  # W'
    """
    lines = source.encode().split(b"\n")
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name) and node.id in words]
    for node in sorted(nodes, key=lambda node: (node.lineno, node.col_offset), reverse=True):
        line = lines[node.lineno - 1]
        lines[node.lineno - 1] = line[: node.col_offset] + words[node.id].encode() + line[node.end_col_offset :]
    return b"\n".join(lines).decode()


def _changed(lines: Backward, change: Callable[[str], str]) -> Backward:
    return replace(
        lines,
        lines=tuple(replace(line, source=change(line.source)) for line in lines.lines),
        recomputed=tuple(map(change, lines.recomputed)),
    )


def compared(program: Program, lines: Backward, in_numpy: Backward) -> None:
    """See that lines in NumPy compute what they do in PyTorch, at the program's own values.

    Raises:
        DeriveError: they do not.
    """
    import torch
    from torch.nn import functional

    values = dict(program.values)
    if lines.upstream is not None:
        values[lines.upstream] = torch.randn(values[program.output].shape, dtype=torch.float64)
    ours = {name: _as_array(value) for name, value in values.items()}
    report = "Please report it, with the forward lines: no wrong line is shown."
    try:
        exec(lines.source, {"torch": torch, "F": functional} | values, made := {})
        exec(in_numpy.source, {"np": np} | ours, found := {})
    except Exception as error:
        raise DeriveError(f"the lines in NumPy do not run: {error}", next_step=report) from error
    for gradient in lines.gradients.values():
        if gradient in made:
            right, given = _as_array(made[gradient]), np.asarray(found.get(gradient))
            if right.shape != given.shape or not np.allclose(right, given, rtol=TOLERANCE, atol=TOLERANCE):
                raise DeriveError(f"the line in NumPy that makes {gradient} is not right", next_step=report)


def _as_array(value: Any) -> Any:
    return value.detach().cpu().numpy() if is_array(value) and hasattr(value, "detach") else value
