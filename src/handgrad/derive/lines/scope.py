"""What the names and the parts of forward lines are: their values, and whether a gradient comes to them."""

import ast
from typing import Any

from handgrad.derive.read.calls import Call, call_of, evaluated, is_array
from handgrad.derive.read.program import Line, Program
from handgrad.derive.rules.elementwise import GRADIENT_FREE

SEVERAL = frozenset(["var_mean", "std_mean", "max", "min", "median", "sort", "topk", "split", "chunk", "unbind"])
"""Functions that may return several tensors."""
OUTPUTS = {"values": 0, "indices": 1}


class Scope:
    """A program's names and the parts of its lines, each evaluated once."""

    def __init__(self, program: Program):  # noqa: D107
        self.program = program
        self.names = program.values
        self.makers = dict(program.makers())
        self._values: dict[int, tuple[ast.expr, Any]] = {}
        self._calls: dict[int, tuple[ast.expr, Call | None]] = {}
        self._active = set(program.inputs)
        self.lines = [line for line in program.lines if isinstance(line, Line)]
        for line in self.lines:
            if self.active(line.value):
                self._active.update(line.targets)

    def value(self, node: ast.expr) -> Any:
        """What an expression was when the lines ran, tensors of PyTorch in the place of arrays."""
        if id(node) not in self._values:
            self._values[id(node)] = node, as_tensors(evaluated(node, self.names))
        return self._values[id(node)][1]

    def call(self, node: ast.expr) -> Call | None:
        """The call that an expression is, if it is one that is known."""
        if id(node) not in self._calls:
            self._calls[id(node)] = node, call_of(node, self.names)
        return self._calls[id(node)][1]

    def projected(self, node: ast.expr) -> tuple[ast.expr, int | None]:
        """The call with several outputs that an expression takes one of, and which; otherwise the expression."""
        match node:
            case ast.Attribute(call, attr) if attr in OUTPUTS and self._several(call):
                return self._made(call), OUTPUTS[attr]
            case ast.Subscript(call, index) if self._several(call) and isinstance(self.value(index), int):
                return self._made(call), self.value(index)
        return node, None

    def _several(self, node: ast.expr) -> bool:
        call = self.call(self._made(node))
        return call is not None and call.name in SEVERAL and isinstance(self.value(node), tuple | list)

    def _made(self, node: ast.expr) -> ast.expr:
        """What a name was given; another expression as it is."""
        line = self.makers.get(node.id) if isinstance(node, ast.Name) else None
        return line.value if line and len(line.targets) == 1 else node

    def active(self, node: ast.expr) -> bool:
        """Whether an input is reached through an expression."""
        if isinstance(node, ast.Name):
            return node.id in self._active and has_floats(self.value(node))
        if not any(isinstance(n, ast.Name) and n.id in self._active for n in ast.walk(node)):
            return False
        if isinstance(node, ast.Tuple | ast.List):
            return any(self.active(element) for element in node.elts)
        if not has_floats(self.value(node)):
            return False
        call = self.call(self.projected(node)[0])
        if call is None:
            return any(self.active(part) for part in ast.iter_child_nodes(node) if isinstance(part, ast.expr))
        return call.name not in GRADIENT_FREE and any(self.active(part) for part in call.arguments.values())


def as_tensors(value: Any) -> Any:
    """The value with tensors in the place of NumPy's arrays and numbers."""
    if type(value) in (list, tuple):
        return type(value)(as_tensors(element) for element in value)
    if is_array(value) and type(value).__module__ == "numpy":
        import torch

        return torch.as_tensor(value)
    return value


def has_floats(value: Any) -> bool:
    """Whether the value is a tensor of floats, or has one in it."""
    if isinstance(value, tuple | list):
        return any(has_floats(element) for element in value)
    return is_array(value) and value.is_floating_point()
