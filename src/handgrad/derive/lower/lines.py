"""Lower a program line by line, and check each line against the numbers that it came to."""

import ast
import re
from dataclasses import replace
from typing import Any

import torch

from handgrad.derive.expr import Base, Delta, Expr, Factor, Number, term
from handgrad.derive.indices import Affine, Axis, Form, Gathered, Index, Merged, fresh, symbol
from handgrad.derive.lower import (
    arithmetic,
    convolution,
    definitions,
    indexing,
    losses,
    masks,
    norms,
    products,
    reductions,
    shapes,
)
from handgrad.derive.lower.containers import LITERALS, taken_apart
from handgrad.derive.lower.graph import Definition, Graph, Indexed, UnsupportedError, is_hidden
from handgrad.derive.lower.lowering import Lowering, refusal
from handgrad.derive.lower.sizes import is_size
from handgrad.derive.lower.values import value
from handgrad.derive.read.calls import is_array
from handgrad.derive.read.program import Line, Program
from handgrad.derive.read.statements import is_float
from handgrad.derive.read.steps import names_made, names_used

FAMILIES = (arithmetic, convolution, definitions, indexing, losses, masks, norms, products, reductions, shapes)
"""The modules whose rules are registered."""


def lower(program: Program) -> Graph:
    """All lines of a program as definitions in index notation.

    A line that has none leaves its names unknown, with the error that using them raises: what comes after can still
    be derived.
    """
    graph = Graph(program)
    for name in program.inputs:
        give(graph, name, program.before[name] if name in program.before else program.values[name], "input")
    low = Lowering(graph)
    for k, line in enumerate(program.lines):
        graph.line = k
        if not isinstance(line, Line):
            error = refusal(f"a loop of {len(line.rounds)} rounds has no index notation", line.text, line.number)
            for name in names_made([line]):
                _unknown(graph, name, error)
            continue
        _lower_line(low, line)
        low.forget()
    settle(graph)
    return graph


def give(graph: Graph, name: str, array: Any, kind: str) -> None:
    """Define a tensor of which nothing is known but its values."""
    tensor = torch.as_tensor(array)
    axes = tuple(fresh(symbol(n)) if n > 1 else None for n in tensor.shape)
    graph.define(name, Definition(axes, (), kind, user=True, line=graph.line, text=name))
    graph.values[name] = tensor.double()
    graph.say_sizes(name, axes)


def _unknown(graph: Graph, name: str, error: Any) -> None:
    graph.errors[name] = error
    made = graph.program.values.get(name)
    if is_float(made):
        give(graph, name, made, "unknown")


def _lower_line(low: Lowering, line: Line) -> None:
    graph, values = low.graph, low.graph.program.values
    if graph.containers:
        line = replace(line, value=taken_apart(line.value, graph.containers))
    if isinstance(line.value, LITERALS) and len(line.targets) == 1 and not is_array(values.get(line.targets[0])):
        graph.containers[line.targets[0]] = line.value
        return
    targets = [(name, values.get(name)) for name in line.targets]
    lost = [n for n in names_used([line]) if n in graph.errors and n not in graph.definitions]
    if lost:
        for name in line.targets:
            _unknown(graph, name, graph.errors[lost[0]])
        return
    if not any(is_float(v) for _, v in targets):
        _note_numbers(low, line)
        return
    if not low.varies(line.value) and not _worth_knowing(line.value):
        for name, made in targets:
            if is_array(made):
                graph.constant(name, torch.as_tensor(made), user=True)
        return
    try:
        lowered = low.lower(line.value)
        parts = lowered if isinstance(lowered, list) else [lowered]
        if len(parts) != len(targets):
            raise UnsupportedError("the line takes a tensor apart")
        for (name, made), part in zip(targets, parts, strict=True):
            if is_float(made):
                _assign(low, name, part, torch.as_tensor(made))
    except (UnsupportedError, ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as reason:
        what = str(reason) if isinstance(reason, UnsupportedError) else f"index notation fails here ({reason})"
        error = refusal(what, line.text, line.number)
        for name, _ in targets:
            _unknown(graph, name, error)


def _worth_knowing(node: ast.expr) -> bool:
    """Whether what a constant is made of may tell more than its values: a softmax sums to one."""
    return any(isinstance(n, ast.Attribute | ast.Name) and "softmax" in ast.unparse(n) for n in ast.walk(node))


def _assign(low: Lowering, name: str, made: Indexed, right: torch.Tensor) -> None:
    graph = low.graph
    if len(made.axes) != right.dim() or not torch.allclose(value(graph, made), right.double(), equal_nan=True):
        raise UnsupportedError("the rule for this line gives other numbers than the line")
    single = made.expr.single()
    if single is not None and single.indices == made.axes and _adoptable(graph, single.name):
        found = graph.definitions[single.name]
        if found.expr is not None:
            _note_relu(low, name, Indexed(found.expr, found.axes))
        adopt(graph, single.name, name)
    else:
        graph.define(name, Definition(made.axes, (made.expr,), user=True, line=graph.line, text=name))
        _note_relu(low, name, made)
        graph.numbered.setdefault(graph.key(made, "", (made.expr,), ()), name)
    graph.values[name] = right.double()
    graph.say_sizes(name, graph.definitions[name].axes)


def _note_relu(low: Lowering, name: str, made: Indexed) -> None:
    """Where a relu has a name, its mask is where that is positive."""
    key = low.graph.key(made, "", (made.expr,), ())
    if key in low.relus:
        low.graph.aliases.setdefault(low.relus[key], f"({name} > 0)")


def _adoptable(graph: Graph, name: str) -> bool:
    return is_hidden(name) and graph.definitions[name].line == graph.line and not graph.definitions[name].given


def adopt(graph: Graph, hidden: str, name: str) -> None:
    """Give a hidden definition of this line the name that the line gives it."""
    found = graph.definitions.pop(hidden)
    graph.define(name, replace(found, user=True, text=name))
    renamed = {hidden: name}
    for other, definition in list(graph.definitions.items()):
        if definition.line == graph.line and any(hidden in e.names() for e in definition.arguments):
            arguments = tuple(rename(e, renamed) for e in definition.arguments)
            graph.definitions[other] = replace(definition, arguments=arguments)
    graph.numbered = {k: renamed.get(n, n) for k, n in graph.numbered.items()}
    graph.words.pop(hidden, None)
    for words in (graph.filled, graph.masks):
        if hidden in words:
            words[name] = words.pop(hidden)
    if hidden in graph.values:
        graph.values[name] = graph.values.pop(hidden)


def rename(expr: Expr, names: dict[str, str]) -> Expr:
    """The expression with other names in it."""
    return Expr(
        term(
            bound, [(Factor(names.get(b.name, b.name), b.indices) if isinstance(b, Factor) else b, p) for b, p in fs], c
        )
        for (bound, fs), c in expr
    )


def _note_numbers(low: Lowering, line: Line) -> None:
    """Names that a line gives to sizes: `n = x.shape[0]`, `B, T, C = x.shape`."""
    values = low.graph.program.values
    node = line.value
    if len(line.targets) == 1 and isinstance(values.get(line.targets[0]), int):
        expr = low.size(node)
        single = None if expr is None else expr.single()
        if single is not None:
            _tie(low.graph, line.targets[0], low.graph.sizes.of_factor(single.name))
        return
    owner = None
    if isinstance(node, ast.Attribute) and node.attr == "shape":
        owner = node.value
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "size":
        owner = node.func.value
    if isinstance(owner, ast.Name) and is_array(values.get(owner.id)):
        known = low.graph.definitions
        axes = known[owner.id].axes if owner.id in known else low.table_axes(owner.id)
        for name, index in zip(line.targets, axes, strict=False):
            if isinstance(index, Axis):
                _tie(low.graph, name, index.size)


def _tie(graph: Graph, name: str, size: Any) -> None:
    graph.sizes.unify(graph.named.setdefault(name, size), size)
    graph.sizes.say(size, name)


def settle(graph: Graph) -> None:
    """Once all lines are read, put one symbol for each size wherever it stands, numbers of the program included."""
    _tie_by_number(graph)
    sizes = graph.sizes
    names = {name: sizes.factor(size).name for name, size in graph.named.items() if name in graph.definitions}

    def settled(index: Index) -> Index:
        match index:
            case Axis(size, tag):
                return Axis(sizes.find(size), tag)
            case Gathered(table, parts):
                return Gathered(table, tuple(map(settled, parts)))
            case Merged(parts, old):
                return Merged(tuple(map(settled, parts)), tuple(map(sizes.find, old)))
            case Affine(terms):
                text = re.sub(r"#\d+", lambda m: sizes.factor(sizes.of_factor(m[0])).name, index.text)
                return index._replace(terms=tuple((step, settled(part)) for step, part in terms), text=text)

    def all_settled(form: Form) -> Form:
        return tuple(None if index is None else settled(index) for index in form)

    def one(expr: Expr) -> Expr:
        out = []
        for (bound, factors), c in expr:
            made: list[tuple[Base, Number]] = []
            for base, power in factors:
                if isinstance(base, Factor):
                    name = names.get(base.name, base.name)
                    name = sizes.factor(sizes.of_factor(name)).name if is_size(name) else name
                    made.append((Factor(name, all_settled(base.indices)), power))
                else:
                    made.append((Delta(settled(base.left), settled(base.right)), power))
            out.append(term([Axis(sizes.find(a.size), a.tag) for a in bound], made, c))
        return Expr(out)

    for name, d in list(graph.definitions.items()):
        over = tuple(Axis(sizes.find(a.size), a.tag) for a in d.over)
        axes, arguments = all_settled(d.axes), tuple(map(one, d.arguments))
        graph.definitions[name] = replace(d, axes=axes, over=over, arguments=arguments)
    for name in names:
        graph.definitions.pop(name, None)
    graph.settled = {name for name in graph.named if isinstance(graph.program.values.get(name), int)}
    graph.numbered = {}
    for name, d in graph.definitions.items():
        if d.arguments:
            key = graph.key(Indexed(d.arguments[0], d.axes), d.function, d.arguments, d.over)
            graph.numbered.setdefault(key, name)


def _tie_by_number(graph: Graph) -> None:
    """A whole number of the program that is as large as one axis, and no other, is taken for its size."""
    for name, made in graph.program.values.items():
        if name not in graph.definitions or name in graph.named or isinstance(made, bool) or not isinstance(made, int):
            continue
        found = _summed_over(graph, name, made) or graph.sizes.known(made)
        if len(found) == 1 and made > 1:
            (size,) = found
            said = next(s.text for s in graph.sizes.sayings(size) if s.tensor)
            graph.ties[name] = f"{name} is {said}"
            _tie(graph, name, size)


def _summed_over(graph: Graph, name: str, number: int) -> list[Any]:
    """The sizes of this number of the axes that a line that reads the name sums over."""
    found = []
    for d in graph.definitions.values():
        line = graph.program.lines[d.line] if 0 <= d.line < len(graph.program.lines) else None
        if isinstance(line, Line) and any(isinstance(n, ast.Name) and n.id == name for n in ast.walk(line.value)):
            for argument in d.arguments:
                found += [graph.sizes.find(a.size) for product, _ in argument for a in product.bound]
    return list(dict.fromkeys(size for size in found if size.number == number))
