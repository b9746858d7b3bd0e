"""The form `lines`: the backward pass of a program, line by line in reverse."""

import ast
from collections import Counter
from collections.abc import Iterator
from typing import Any

from handgrad.derive.backward import Backward, GradientLine
from handgrad.derive.lines.naming import Gradients
from handgrad.derive.lines.running import given, on_one_thread, shape_of
from handgrad.derive.lines.scope import Scope, has_floats
from handgrad.derive.lines.sending import Sending
from handgrad.derive.lines.sizes import Sizes
from handgrad.derive.lines.steps import Step, Term, gradient_of, named
from handgrad.derive.lines.temporaries import settled
from handgrad.derive.lines.terms import parsed, variable
from handgrad.derive.lines.writing import as_lines
from handgrad.derive.read.calls import is_array
from handgrad.derive.read.program import Line, Loop, Program
from handgrad.derive.rules import UncoveredError
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
        return _Pass(program).backward()


class _Pass:
    """The backward pass of one program while it is made."""

    def __init__(self, program: Program):
        self.program = program
        self.scope = Scope(program)
        self.sizes = Sizes(self.scope)
        self.gradients = Gradients(program)
        self.examples: dict[str, Any] = {}
        self.steps: list[tuple[Line | Loop, Step]] = []

    def backward(self) -> Backward:
        """All of it."""
        output = self.scope.names[self.program.output]
        if not is_array(output) or not has_floats(output):
            raise DeriveError(f"`{self.program.output}` is no tensor of floats", next_step="Name another output.")
        upstream = None if shape_of(output) == () else self.gradients.of(self.program.output)
        self.examples[self.program.output] = given(self.scope.value(variable(self.program.output)))
        for line in reversed(self.program.lines):
            if isinstance(line, Loop):
                raise DeriveError("loops have no backward pass yet", where=place(line))
            if terms := {target: self._upstream(target) for target in line.targets if target in self.examples}:
                self._send_back(line, terms)
        return Backward(tuple(self._written()), self.gradients.names, upstream)

    def _send_back(self, line: Line, terms: dict[str, Term]) -> None:
        sending = Sending(self.scope, self.sizes, self.examples)
        try:
            if len(line.targets) == 1 and isinstance(self.scope.names[line.targets[0]], list | tuple):
                sending.send_list(line.value, *(term.source for term in terms.values()))
            elif len(line.targets) == 1:
                (target,) = line.targets
                sending.send(line.value, terms[target], target)
            else:
                sending.send_each(line.value, line.targets, terms)
        except UncoveredError as error:
            raise DeriveError(str(error), where=place(line)) from error
        steps = settled(sending.steps, self.gradients.fresh, self.examples)
        names = {gradient_of(name).id: variable(self.gradients.of(name)) for name in sending.examples}
        self.steps += [(line, step.rebuilt(named(names.get)).rebuilt(self._known)) for step in steps]
        for name, example in sending.examples.items():
            self.examples.setdefault(name, example)

    def _known(self, node: ast.expr) -> ast.expr | None:
        """The variable that a forward line has given the value of a call."""
        name = self.scope.name_of(node)
        return variable(name) if name is not None else None

    def _upstream(self, name: str) -> Term:
        if name == self.program.output and shape_of(self.scope.names[name]) == ():
            return Term(parsed("1.0"), 1)
        return Term(variable(self.gradients.of(name)), self.examples[name])

    def _written(self) -> Iterator[GradientLine]:
        left = Counter(step.name for _, step in self.steps)
        begun: set[str] = set()
        before: list[str] = []
        for line, step in self.steps:
            left[step.name] -= 1
            name = step.name if step.hint else self.gradients.of(step.name)
            changed = {self.gradients.of(other) for other in self.examples if left[other] > 0}
            before += as_lines(step, name, first=step.name not in begun, changed=changed)
            begun.add(step.name)
            if not step.hint:
                yield GradientLine(name, "\n".join(before), line)
                before = []


def place(line: Line | Loop) -> str:
    """Where a line stands, as errors say it."""
    return f"line {line.number}: {line.text}"
