"""What is found of a line, in the words in which its user wrote it."""

import ast
import re
from collections.abc import Callable
from dataclasses import replace

from handgrad.checker.place import Place
from handgrad.checker.read.source import Statement, segment
from handgrad.checker.read.spelling import DOT, number_of
from handgrad.checker.read.trees import simple_statements
from handgrad.checker.report import Diagnosis, LeftOver
from handgrad.checker.run.trace import Step, Trace
from handgrad.checker.truth.chains import Chain


def in_the_users_words(trace: Trace, found: Diagnosis, statement: Statement) -> Diagnosis:
    """A diagnosis of a statement as its user would spell it; no fix that cannot be said or put there."""
    adds = found.start > found.end
    fix = None if adds and _is_a_part(statement) else _sayable(trace, found.fix, statement)
    left = _left_sayable(trace, found.left_over, statement)
    return replace(found.spelled(say(trace, statement)), fix=fix, left_over=left)


def say(trace: Trace, statement: Statement) -> Callable[[str], str]:
    """What turns a text of ours into one as the user would write it in this statement."""
    return lambda text: trace.shown(statement.spelled(text))


def _left_sayable(trace: Trace, left: LeftOver | None, statement: Statement) -> LeftOver | None:
    """What is left over as the user would spell it, as far as that can be done."""
    if left is None:
        return None
    formula, path, times = (_sayable(trace, text, statement) for text in (left.formula, left.path, left.times))
    sayable = formula is not None and path is not None and times is not None
    return replace(left, formula=formula, path=path, times=times) if sayable else None


def _sayable(trace: Trace, text: str | None, statement: Statement) -> str | None:
    """A text as the user would spell it; None where it has local names of other calls."""
    if text is None:
        return None
    local, spelled = _locals(statement.spelled(ast.unparse(statement.node))), statement.spelled(text)
    return trace.shown(spelled) if _locals(spelled) <= local | {number_of(statement.call)} else None


def statement_at(trace: Trace, chain: Chain, place: Place | None) -> Statement:
    """The statement at a place, or the line of a compound one."""
    statements = [step.statement for step in [*reversed(chain.steps), *chain.region.steps]]
    for whole in statements:
        if whole.place == place and not whole.only_moves:
            return whole
    functions = (s.statement for region in trace.regions for s in region.steps if _is_function(s))
    if place is None:
        return chain.last.statement
    laid_out = sorted(statements, key=lambda one: isinstance(one.node, ast.FunctionDef))
    for whole in [*laid_out, *functions]:
        for line in simple_statements(whole.node) if whole.place.unit == place.unit else ():
            if line.lineno == place.line and not isinstance(line, ast.For):
                return replace(whole, node=line, text=segment(whole.code, line), place=place)
    return chain.last.statement


def _is_function(step: Step) -> bool:
    return isinstance(step.statement.node, ast.FunctionDef)


def _locals(text: str) -> set[int | None]:
    """The calls whose local names a text uses."""
    return {number_of(name) for name in re.findall(rf"[\w{DOT}]+", text)} - {None}


def _is_a_part(statement: Statement) -> bool:
    """Whether the user's text of it is no statement that another can follow."""
    return statement.role == "argument" or any(head.endswith(" = ") for head, _ in statement.spelling)
