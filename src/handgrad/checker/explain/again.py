"""An edit that mended one gradient, made in the same line where another call of its function has run it."""

import ast
from collections.abc import Iterable, Iterator

from handgrad.checker.explain.trials import Change
from handgrad.checker.read.spelling import DOT, bare, number_of
from handgrad.checker.read.trees import Edit, expression, simple_statements
from handgrad.checker.run.trace import Step


def elsewhere(repairs: Iterable[Change], steps: Iterable[Step]) -> Iterator[Change]:
    """The edits of these repairs in other steps that stand for the same line of the program."""
    steps = list(steps)
    for edit, step in repairs:
        for other in steps:
            for simple in simple_statements(other.statement.node) if other is not step else ():
                same_line = simple.lineno == edit.statement.lineno
                if same_line and other.statement.place.file == step.statement.place.file:
                    yield from _made_in(edit, simple, other)


def _made_in(edit: Edit, simple: ast.stmt, step: Step) -> Iterator[Change]:
    nodes, others = list(ast.walk(edit.statement)), list(ast.walk(simple))
    if [type(n) for n in nodes] != [type(n) for n in others] or edit.old not in nodes:
        return
    pairs = zip(nodes, others, strict=True)
    names = {n.id: o.id for n, o in pairs if isinstance(n, ast.Name) and isinstance(o, ast.Name)}
    if any(bare(name) != bare(other) for name, other in names.items()) or isinstance(edit.new, ast.stmt):
        return
    number = number_of(step.statement.call)
    new = expression(ast.unparse(ast.fix_missing_locations(edit.new)))
    for part in ast.walk(new):
        if isinstance(part, ast.Name) and number_of(part.id) is not None:
            part.id = names.get(part.id) or (bare(part.id) if number is None else f"{bare(part.id)}{DOT}{number}")
    yield Edit(edit.kind, edit.cost, others[nodes.index(edit.old)], new, simple), step
