"""From PyTorch text to what is shown: in PyTorch or NumPy, in the program's own words for modules and parameters."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from handgrad.derive import Style
from handgrad.derive.backward import Backward
from handgrad.derive.emit.numpy import to_numpy
from handgrad.derive.emit.spelling import spelled
from handgrad.derive.read.calls import is_array
from handgrad.derive.read.program import Program
from handgrad.errors import DeriveError

TOLERANCE = 1e-9


def styled(program: Program, lines: Backward, style: Style | None = None) -> Backward:
    """The lines in a style, and in the program's own names for modules.

    Raises:
        DeriveError: something in them has no form in NumPy, or the program is in NumPy and the style is not.
    """
    style = style or ("numpy" if program.library == "numpy" else "torch")
    if style == "torch" and program.library == "numpy":
        raise DeriveError("a program in NumPy is derived in NumPy alone", next_step="Leave out the style.")
    if style == "torch":
        return changed(lines, lambda source: spelled(source, program.values))
    values = {"np": np, **program.values}
    return changed(lines, lambda source: spelled(to_numpy(source, program.values), values))


def with_forward_styled(program: Program, lines: Backward, style: Style | None) -> Backward:
    """The lines with the forward lines before them in the style that they have, and the import that they need.

    Raises:
        DeriveError: something in these has no form in NumPy.
    """
    if style is None or style == program.library:
        return lines
    first = () if any(value is np for value in program.values.values()) else ("import numpy as np\n",)
    if not lines.recomputed:
        return replace(lines, recomputed=first)
    remark, _, forward = lines.recomputed[0].partition("\n")
    text = spelled(to_numpy(forward, program.values), {"np": np, **program.values})
    return replace(lines, recomputed=(*first, f"{remark}\n{text}\n"))


def changed(lines: Backward, change: Callable[[str], str]) -> Backward:
    """The lines with their source changed."""
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

    program = lines.below or program
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
    if isinstance(value, dict):
        return {key: _as_array(part) for key, part in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_as_array(part) for part in value)
    return value.detach().cpu().numpy() if is_array(value) and hasattr(value, "detach") else value
