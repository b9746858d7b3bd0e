"""The form `lines`: the backward pass of a program, line by line in reverse."""

from contextlib import suppress

from handgrad.derive.backward import Backward
from handgrad.derive.lines.block import Block
from handgrad.derive.lines.naming import Gradients
from handgrad.derive.lines.running import given, on_one_thread, shape_of
from handgrad.derive.lines.scope import Scope, has_floats
from handgrad.derive.lines.sizes import Sizes
from handgrad.derive.lines.terms import variable
from handgrad.derive.lines.writing import Writer
from handgrad.derive.read.calls import is_array
from handgrad.derive.read.program import Loop, Program
from handgrad.derive.read.steps import names_made
from handgrad.errors import DeriveError

__all__ = ["lines_backward"]


def lines_backward(program: Program) -> Backward:
    """The backward pass of a program: for each of its lines, from the last to the first, the gradients it sends back.

    Args:
        program: the forward pass.

    Raises:
        DeriveError: no rule covers a call in a line, or the output is no tensor of floats.

    Example:
        >>> import torch
        >>> from handgrad.derive.read.statements import read_program
        >>> before = {"torch": torch, "x": torch.ones(4, 3), "W": torch.ones(3, 2), "b": torch.ones(2)}
        >>> print(lines_backward(read_program("a = x @ W + b\\nh = torch.tanh(a)", before)).source)
        da = (1 - h**2) * dh
        dx = da @ W.T
        dW = x.T @ da
        db = da.sum(0)
    """
    with on_one_thread():
        if program.looped is not None:
            with suppress(DeriveError):
                return _backward(program.with_loops())
        return _backward(program)


def _backward(program: Program) -> Backward:
    output = program.values[program.output]
    if not is_array(output) or not has_floats(output):
        raise DeriveError(f"`{program.output}` is no tensor of floats", next_step="Name another output.")
    scope, gradients = Scope(program), Gradients(program)
    upstream = None if shape_of(output) == () else gradients.of(program.output)
    block = Block(scope, Sizes(scope), gradients, {program.output: given(scope.value(variable(program.output)))})
    block.undo(program.lines)
    writer = Writer(block.gradients, scope.names, program.output if upstream else None)
    rounds = {name for loop in program.lines if isinstance(loop, Loop) for name in _of_rounds(loop)}
    rounds |= {name for name in block.gradients.names if isinstance(program.values.get(name), list | tuple)}
    return Backward(
        tuple(writer.lines(block.steps)),
        {name: gradient for name, gradient in block.gradients.names.items() if name not in rounds},
        upstream,
        below=block.below if any(isinstance(line, Loop) for line in program.lines) else None,
    )


def _of_rounds(loop: Loop) -> set[str]:
    """The names whose gradients are not, below the backward pass, what they were."""
    return {*names_made(loop.body), *(c.entering for c in loop.carried), *(s.name for s in loop.stored)}
