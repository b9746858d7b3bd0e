"""Read forward lines into a program: run them once in float64, and give every value a name of its own."""

import ast
from collections.abc import Mapping, Sequence
from typing import Any

from handgrad.derive.read.calls import is_array
from handgrad.derive.read.program import Line, Program
from handgrad.errors import DeriveError


def read_program(
    source: str, before: Mapping[str, Any], *, inputs: Sequence[str] | None = None, output: str | None = None
) -> Program:
    """Run forward lines and read them into single assignment.

    Args:
        source: the lines, without indentation.
        before: what every name in them is before they run; float tensors and arrays are taken in float64.
        inputs: the names to differentiate by; where it is left out, those that require gradients, and where none
            does, every float tensor that the lines read.
        output: the name whose gradient the backward pass starts from; where it is left out, that of the last line.

    Raises:
        DeriveError: a line is no assignment that can be read, or raises.
    """
    values = {name: in_float64(value) for name, value in before.items()}
    start = dict(values)
    lines: list[Line] = []
    for node in ast.parse(source).body:
        text = ast.get_source_segment(source, node) or ast.unparse(node)
        if not isinstance(node, ast.Assign) or len(node.targets) != 1:
            raise DeriveError("this line cannot be read yet", where=f"line {node.lineno}: {text}")
        exec(compile(ast.Module([node], []), "<forward>", "exec"), values)
        target = node.targets[0]
        names = [t.id for t in (target.elts if isinstance(target, ast.Tuple) else [target]) if isinstance(t, ast.Name)]
        lines.append(Line(tuple(names), node.value, text, node.lineno))
    values.pop("__builtins__", None)
    made = {name for line in lines for name in line.targets}
    read = {n.id for line in lines for n in ast.walk(line.value) if isinstance(n, ast.Name)}
    if inputs is None:
        floats = [name for name, value in start.items() if name in read - made and is_float(value)]
        wanting = [name for name in floats if getattr(before[name], "requires_grad", False)]
        inputs = wanting or floats
    library = "numpy" if any(type(values[n]).__module__ == "numpy" for n in inputs) else "torch"
    last = output or lines[-1].targets[-1]
    return Program(tuple(lines), tuple(inputs), last, values, start, library=library)


def is_float(value: Any) -> bool:
    """Whether the value is a tensor or an array of floats."""
    if not is_array(value):
        return False
    return value.is_floating_point() if hasattr(value, "is_floating_point") else value.dtype.kind == "f"


def in_float64(value: Any) -> Any:
    """A float tensor or array in float64 and outside every graph; anything else as it is."""
    if not is_float(value):
        return value
    return value.detach().double() if hasattr(value, "detach") else value.astype("float64")
