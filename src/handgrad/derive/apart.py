"""Lines that have no index notation, undone apart: lines of their own make what they send back, which has a name."""

import re
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from handgrad.derive.backward import GradientLine
from handgrad.derive.derivative import form_of
from handgrad.derive.expr import Expr, element
from handgrad.derive.lines import lines_backward
from handgrad.derive.lower.containers import taken_apart
from handgrad.derive.lower.graph import Definition, Graph, fitting
from handgrad.derive.read.program import Line
from handgrad.derive.read.steps import names_used
from handgrad.derive.sweep import UPSTREAM, gradient_name, reaches
from handgrad.errors import DeriveError


@dataclass(frozen=True)
class Apart:
    """A line that is undone apart: what the part of each variable's gradient that comes through it is called.

    `source` makes the parts from the gradient of the line's target.
    """

    parts: Mapping[str, str]
    source: str

    def sent(self, graph: Graph) -> Mapping[str, Expr]:
        """What comes back to each variable, over the indices of its form."""
        return {name: element(part, form_of(graph, name)) for name, part in self.parts.items()}


def undone_apart(graph: Graph, end: str, inputs: Iterable[str], others: Container[str] = ()) -> dict[str, Apart]:
    """The lines without index notation that inputs go into, and those that make `others`, by what they make.

    Raises:
        DeriveError: there is one that cannot be undone by itself, as one that makes several tensors.
    """
    found = {}
    made = {name for name, _ in graph.program.makers()}
    for name in graph.errors.keys() - made:
        if reaches(graph, name, end) and any(reaches(graph, given, name) for given in inputs):
            raise graph.errors[name]
    for name, line in graph.program.makers():
        if (name in graph.errors or name in others) and any(reaches(graph, given, name) for given in inputs):
            found[name] = _undone(graph, line, name, end, [*inputs])
    return found


def _undone(graph: Graph, line: Line, name: str, end: str, inputs: list[str]) -> Apart:
    line = replace(line, value=taken_apart(line.value, graph.containers))
    known = [n for n in sorted(names_used([line])) if n in graph.definitions]
    read = [n for n in known if n in inputs or any(reaches(graph, given, n) for given in inputs)]
    scalar = not graph.definitions[name].axes and name != end
    if scalar or sum(other in graph.definitions for other in line.targets) > 1:
        raise graph.errors.get(name) or DeriveError(
            "it makes a single number", where=f"line {line.number}: {line.text}"
        )
    program = graph.program
    alone = replace(program, lines=(line,), inputs=tuple(read), output=name, outputs=(name,), looped=None)
    written = lines_backward(alone)
    parts = {}
    names = {written.upstream: gradient_name(graph, name)} if written.upstream else {}
    for variable, gradient in written.gradients.items():
        if variable in read:
            part = fitting(graph, f"{gradient_name(graph, variable)}_{name}")
            graph.define(part, _tensor(graph, variable, part))
            parts[variable] = names[gradient] = part
    return Apart(parts, renamed(written.source, names))


def _tensor(graph: Graph, like: str, text: str) -> Definition:
    axes = graph.definitions[like].axes
    return Definition(axes, (), "constant", user=True, line=UPSTREAM, text=text)


def renamed(source: str, names: Mapping[str, str]) -> str:
    """The source with other names in it."""
    pattern = "|".join(map(re.escape, names))
    return re.sub(rf"(?<![\w.])({pattern})(?!\w)", lambda found: names[found[1]], source) if names else source


def with_parts(
    graph: Graph, end: str, lines: Iterable[GradientLine], apart: Mapping[str, Apart]
) -> Iterator[GradientLine]:
    """The lines, with those that undo a line apart below the gradient of what it makes."""
    undone = {gradient_name(graph, name): one for name, one in apart.items()}
    if end in apart:
        yield GradientLine(gradient_name(graph, end), apart[end].source)
    for line in lines:
        yield line
        if line.gradient in undone:
            yield GradientLine(line.gradient, undone[line.gradient].source)


def settled(
    graph: Graph, lines: Iterable[GradientLine], apart: Mapping[str, Apart], known: Mapping[str, Expr]
) -> list[GradientLine]:
    """The lines with the gradient's own name for each part that is all of one; `known` are all gradients."""
    sent = [item for one in apart.values() for item in zip(one.parts.values(), one.sent(graph).items(), strict=True)]
    names = {part: gradient_name(graph, name) for part, (name, expr) in sent if known[name] == expr}
    needless = {f"{gradient} = {part}" for part, gradient in names.items()}
    return [replace(line, source=renamed(line.source, names)) for line in lines if line.source not in needless]
