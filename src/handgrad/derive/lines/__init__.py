"""The form `lines`: the backward pass of a program, line by line in reverse."""

from collections import Counter
from collections.abc import Container, Iterator

from handgrad.derive.backward import Backward, GradientLine
from handgrad.derive.lines.naming import Gradients
from handgrad.derive.lines.running import example_like, shape_of
from handgrad.derive.lines.scope import Scope, has_floats
from handgrad.derive.lines.sending import Sending
from handgrad.derive.lines.sizes import Sizes
from handgrad.derive.lines.steps import Step, Term
from handgrad.derive.lines.temporaries import settled
from handgrad.derive.lines.terms import parsed, variable
from handgrad.derive.lines.writing import as_lines
from handgrad.derive.read.program import Line, Loop, Program
from handgrad.derive.rules import UncoveredError
from handgrad.errors import DeriveError

__all__ = ["lines_backward"]


def lines_backward(program: Program) -> Backward:
    """The backward pass of a program: for each of its lines, from the last to the first, the gradients it sends back.

    Args:
        program: the forward pass.

    Raises:
        DeriveError: no rule covers a call in a line.

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
    scope = Scope(program)
    sizes = Sizes(scope)
    gradients = Gradients(program)
    upstream = None if shape_of(scope.names[program.output]) == () else gradients.of(program.output)
    steps: list[tuple[Line | Loop, Step]] = []
    reached = {program.output}
    for line in reversed(program.lines):
        if reached.isdisjoint(line.targets if isinstance(line, Line) else ()):
            continue
        for step in _sent_back(line, reached, scope, sizes, gradients):
            steps.append((line, step))
            if not step.hint:
                reached.add(step.name)
    return Backward(tuple(_written(steps, gradients)), gradients.names, upstream)


def _sent_back(
    line: Line | Loop, reached: Container[str], scope: Scope, sizes: Sizes, gradients: Gradients
) -> list[Step]:
    """The steps of one line, its temporaries under names of their own."""
    if isinstance(line, Loop):
        raise DeriveError("loops have no backward pass yet", where=place(line))
    terms = {
        target: _upstream(target, scope, gradients)
        for target in line.targets
        if target in reached and has_floats(scope.names[target])
    }
    sending = Sending(scope, sizes)
    try:
        if len(line.targets) == 1 and isinstance(scope.names[line.targets[0]], list | tuple):
            sending.send_list(line.value, *(term.source for term in terms.values()))
        elif len(line.targets) == 1:
            sending.send(line.value, *terms.values(), *line.targets)
        else:
            sending.send_each(line.value, line.targets, terms)
    except UncoveredError as error:
        raise DeriveError(str(error), where=place(line)) from error
    return settled(sending.steps, gradients.fresh)


def _upstream(name: str, scope: Scope, gradients: Gradients) -> Term:
    if name == scope.program.output and shape_of(scope.names[name]) == ():
        return Term(parsed("1.0"), 1)
    value = scope.value(variable(name))
    if isinstance(value, list | tuple):
        return Term(variable(gradients.of(name)), value)
    return Term(variable(gradients.of(name)), example_like(value))


def _written(steps: list[tuple[Line | Loop, Step]], gradients: Gradients) -> Iterator[GradientLine]:
    left = Counter(step.name for _, step in steps)
    begun: set[str] = set()
    before: list[str] = []
    for line, step in steps:
        left[step.name] -= 1
        name = step.name if step.hint else gradients.of(step.name)
        before += as_lines(step, name, first=step.name not in begun, more=left[step.name] > 0)
        begun.add(step.name)
        if not step.hint:
            yield GradientLine(name, "\n".join(before), line)
            before = []


def place(line: Line | Loop) -> str:
    """Where a line stands, as errors say it."""
    return f"line {line.number}: {line.text}"
