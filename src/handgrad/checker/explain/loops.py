"""Which line inside a loop is at fault, where no edit tells: the wrong gradients depend on it and no right one does."""

import ast
from dataclasses import replace

from handgrad.checker.judge.blame import Judgement
from handgrad.checker.place import Place
from handgrad.checker.read.names import uses
from handgrad.checker.read.source import Statement
from handgrad.checker.read.trees import simple_statements
from handgrad.checker.report import Diagnosis
from handgrad.checker.truth.chains import Chain


def suspects(chain: Chain, judged: list[tuple[Chain, Judgement]]) -> list[ast.stmt]:
    """The lines inside the compound statement that makes a gradient which only wrong gradients depend on."""
    lines = [s for s in simple_statements(chain.last.statement.node) if not isinstance(s, ast.For)]
    if len(lines) < 2:
        return []
    found = set(lines)
    for other, judgement in judged:
        if chain.last in other.steps:
            behind = _behind(other.name, lines)
            found = found & behind if judgement.fault else found - behind
    return [line for line in lines if line in found]


def narrowed(found: Diagnosis, chain: Chain, suspected: list[ast.stmt]) -> Diagnosis:
    """The diagnosis at the suspected line, where there are any and nothing else is known."""
    whole = chain.last.statement
    if found.kind != "unknown" or found.place != whole.place or not suspected:
        return found
    numbers = tuple(line.lineno for line in suspected) if len(suspected) > 1 else ()
    lines = [s for s in simple_statements(whole.node) if not isinstance(s, ast.For)]
    return replace(found, lines=numbers, place=_place(whole, _nearest(chain.name, lines, suspected)))


def _behind(name: str, lines: list[ast.stmt]) -> set[ast.stmt]:
    """The lines that a name's value comes from, round after round."""
    wanted, found = {name}, set()
    while True:
        new = {line for line in lines if line not in found and _writes(line) & wanted}
        if not new:
            return found
        found |= new
        wanted |= set().union(*(uses(line).reads for line in new))


def _nearest(name: str, lines: list[ast.stmt], suspects: list[ast.stmt]) -> ast.stmt:
    """The suspect that writes the gradient, or else one that writes what such a line reads."""
    own = [line for line in lines if name in _writes(line)]
    read = set().union(*(uses(line).reads for line in own)) - {name}
    by_nearness = [s for s in suspects if s in own] + [s for s in reversed(suspects) if _writes(s) & read]
    return (by_nearness or suspects[-1:])[0]


def _writes(line: ast.stmt) -> set[str]:
    return uses(line).binds | uses(line).changes


def _place(whole: Statement, line: ast.stmt) -> Place:
    return whole.place.at(line.lineno)
