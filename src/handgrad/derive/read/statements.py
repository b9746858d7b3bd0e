"""Read forward lines into a program: run them once in float64, and give every value a name of its own."""

import ast
from collections.abc import Mapping, Sequence
from typing import Any

from handgrad.derive.read import blocks
from handgrad.derive.read.agreeing import check, own_values
from handgrad.derive.read.drawing import replaced
from handgrad.derive.read.finishing import finished
from handgrad.derive.read.functions import read_function
from handgrad.derive.read.program import Line, Program
from handgrad.derive.read.reader import Reader
from handgrad.derive.read.running import float64, in_float64, is_float, quietly
from handgrad.derive.read.sources import text_in
from handgrad.derive.read.steps import names_made
from handgrad.derive.read.terms import Frame, Stale, Term
from handgrad.errors import DeriveError

__all__ = ["in_float64", "is_float", "read_function", "read_program"]


def read_program(
    source: str, before: Mapping[str, Any], *, inputs: Sequence[str] | None = None, output: str | None = None
) -> Program:
    """Run forward lines and read them into single assignment.

    Calls of the user's own functions, lambdas and modules are read into lines of their bodies, loops over lists of
    layers into lines for each; what is written in place makes a value with a name of its own. Where the lines call
    `loss.backward()`, they end there.

    Args:
        source: the lines, without indentation.
        before: what every name in them is before they run; float tensors and arrays are taken in float64.
        inputs: the names to differentiate by; where it is left out, those that require gradients, and where none
            does, every float tensor that the lines read.
        output: the name whose gradient the backward pass starts from; where it is left out, that of the last line.

    Raises:
        DeriveError: a line cannot be read, or raises.

    Example:
        >>> import torch
        >>> program = read_program("x = x * w\\nx = x.tanh()", {"x": torch.ones(3), "w": torch.ones(3)})
        >>> print(program.source, program.inputs, program.renamed)
        x2 = x * w
        x3 = x2.tanh() ('x', 'w') {'x2': 'x', 'x3': 'x'}
    """
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        raise DeriveError(f"this is no Python: {error.msg}", where=f"line {error.lineno}") from error
    reader = Reader(before)
    reader.taken |= {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
    frame = Frame(reader.from_namespace, text_in(source))
    reader.frames.append(frame)
    end: Term | None = None
    body = tree.body
    with quietly(), float64():
        reader.draws.begin()
        try:
            blocks.block(reader, tree.body)
        except blocks.ForwardEnd as stop:
            end = stop.output
            body = body[: next(i for i, node in enumerate(body) if node is frame.statement)]
        if output is not None:
            if output not in frame.scope:
                raise DeriveError(f"no line makes '{output}'", next_step="Name one that the lines make.")
            end = frame.scope[output]
        elif end is None:
            end = _last(reader)
        program = finished(reader, inputs, (end,))
    reads = {n.id for node in body for n in ast.walk(node) if isinstance(n, ast.Name)}
    quiet = replaced(ast.Module(body, []), {i: ast.Constant(None) for i in reader.skipped})
    own = own_values(compile(ast.fix_missing_locations(quiet), "<forward>", "exec"), before, reads)
    if own is not None:
        found = {name: term.value for name, term in frame.scope.items() if not isinstance(term, Stale)}
        check(found, own, reader.values.values())
    return program


def _last(reader: Reader) -> Term:
    """What the last line makes."""
    held = {term.name for term in reader.frames[0].scope.values()}
    for step in reversed(reader.lines):
        for name in reversed(names_made([step])):
            if is_float(reader.values.get(name)) and (isinstance(step, Line) or name in held):
                return Term(ast.Name(name, ast.Load()), reader.values[name])
    raise DeriveError("no line computes with a float tensor", expected="lines such as 'y = x @ w'")
