"""What looks like a gradient and is not judged: nothing unseen is called right."""

import ast
import re
from collections.abc import Iterator
from typing import Any

import torch

from handgrad.checker.judge import mappings
from handgrad.checker.judge.interpretation import Interpretation
from handgrad.checker.read.names import in_order, uses, variables_of
from handgrad.checker.read.source import Source
from handgrad.checker.read.spelling import (
    bare,
    is_dict_of_gradients,
    is_difference_quotient,
    number_of,
    seems_a_gradient,
)
from handgrad.checker.read.words import Words
from handgrad.checker.report import Unjudged
from handgrad.checker.run.given import GIVEN
from handgrad.checker.run.trace import Region, Step, Trace, updates
from handgrad.checker.run.values import holds_float, is_array, is_float


def in_region(trace: Trace, region: Region, found: Interpretation) -> Iterator[Unjudged]:
    """The gradients of one region that are neither judged nor part of what makes a judged one."""
    made = {(step, chain.name) for chain in found.chains for step in chain.steps}
    used = [step for j in found.judgements for step in (*j.plan.steps, *j.chain.steps)]
    left = mappings.unjudged(found.judge, {chain.name for chain in found.chains})
    finished = {(chain.last, chain.name) for chain in found.replaced}
    values = [step.after.get(name) for step, name in made | finished]
    replaced = {(step.index, chain.name) for chain in found.replaced for step in chain.steps}
    replaced |= {(step.index, name) for step in found.region.steps for name in step.turns}
    given = set().union(*(step.reads for step in region.steps if GIVEN in step.binds))
    begun = {(chain.last, chain.name): paths for chain, paths in found.unfinished}
    truth = found.judge.truth
    reaching = {n for loss in truth.losses(truth.forward) for v in truth.forward.ancestors(loss) for n in v.names}
    for step in region.steps:
        for name in in_order(step.writes, step.statement.node):
            if paths := begun.get((step, name)):
                reason = f"the path through {' and '.join(map(trace.shown, paths))} is not written yet"
                yield Unjudged(trace.shown(name), step.statement.place, reason)
                continue
            if (name in given and not step.gradients) or name in step.statement.names.counters:
                continue
            if (step.index, name) in replaced or (step, name) in made:
                continue
            if any(name in s.reads for s in used if s.index >= step.index):
                continue
            value = step.after.get(name)
            stub = value is None and any(c.name == name and c.last.index > step.index for c in found.chains)
            if stub or any(_is_one(value, known) for known in values):
                continue
            if name in step.gradients or name in left or _seems(name, trace.shown(name), step):
                yield Unjudged(trace.shown(name), step.statement.place, _reason(name, step, trace, reaching))


def _is_one(value: Any, judged: Any) -> bool:
    """Whether this is a judged gradient under another name, such as that inside of the function that returns it."""
    if value is judged or not (is_float(value) and is_float(judged)):
        return value is judged and value is not None
    alike = value.dim() > 0 and value.shape == judged.shape and value.layout is judged.layout is torch.strided
    return alike and torch.equal(value, judged)


def in_time(trace: Trace, regions: list[Region]) -> Iterator[Unjudged]:
    """The gradients of the regions for which no time was left."""
    for step in (step for region in regions for step in region.steps):
        for name in step.gradients:
            yield Unjudged(trace.shown(name), step.statement.place, "judging was stopped before")


def _seems(name: str, shown: str, step: Step) -> bool:
    """Whether a name that is the gradient of nothing known looks like one by its spelling and its value."""
    if not _is_spelled_like_one(shown) or step.statement.only_moves or number_of(name) is not None:
        return False
    value: Any = step.after.get(name)
    whole = (is_float(value) and value.dim() > 0) or (is_array(value) and value.ndim > 0)
    computed = step.tainted or not (step.plain or step.constant)
    asks = any(isinstance(n, ast.Attribute) and n.attr == "grad" for n in ast.walk(step.statement.node))
    return computed and not asks and (whole or (isinstance(value, list | tuple) and holds_float(value)))


def _is_spelled_like_one(shown: str) -> bool:
    """Whether a name, an attribute or an entry is: `dW2`, `self.dW2`, `W.grad`, `grads["W2"]`."""
    if entry := re.fullmatch(r"(.+)\[.+\]", shown):
        return is_dict_of_gradients(entry[1])
    last = shown.rpartition(".")[2]
    return seems_a_gradient(last) or (last == "grad" and last != shown)


def _reason(name: str, step: Step, trace: Trace, reaching: set[str]) -> str:
    if step.error is not None:
        return f"this line raises {step.error.message}"
    if is_difference_quotient(step.statement.node):
        return "this is a difference quotient"
    if updated := next((variable for variable in variables_of(bare(name)) if updates(step, variable)), None):
        return f"this loop updates {updated}, and computes no loss"
    if name not in step.gradients:
        variable = next(iter(variables_of(bare(name))), name)
        return f"no {variable} is known in the forward pass" if variable != name else "no variable is known for it"
    if step.gradients[name] in reaching:
        return "what it is the gradient of is not clear"
    return f"no loss depends on {trace.shown(step.gradients[name])}"


def not_run(source: Source, trace: Trace) -> Iterator[Unjudged]:
    """The lines that are spelled like gradients and were never run."""
    words = Words(source)
    ran = {
        (step.statement.place.cell, line) for region in trace.regions for step in region.steps for line in _lines(step)
    }
    mentioned = set(_mentioned(source))
    for statement in source.statements:
        for node, functions in _simple(statement.node, ()):
            place = statement.place.at(node.lineno)
            if (place.cell, place.line) in ran or not words.spells_gradient(node):
                continue
            unused = next((name for name in functions if name not in mentioned), None)
            if functions and unused is None:
                continue
            names = [n for n in in_order(uses(node).binds | uses(node).changes, node) if seems_a_gradient(n)]
            for name in names:
                yield Unjudged(name, place, f"{unused}() is never called" if unused else "this line was not run")


def _lines(step: Step) -> Iterator[int]:
    """The lines that ran with a statement: of a function that is defined, its first."""
    waiting: list[ast.AST] = [step.statement.node]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.stmt):
            yield node.lineno
        if not isinstance(node, ast.FunctionDef):
            waiting += ast.iter_child_nodes(node)
    yield step.statement.place.line


def _mentioned(source: Source) -> Iterator[str]:
    """All names and attributes that are read somewhere."""
    for statement in source.statements:
        for node in ast.walk(statement.node):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                yield node.id
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
                yield node.attr


def _simple(node: ast.stmt, functions: tuple[str, ...]) -> Iterator[tuple[ast.stmt, tuple[str, ...]]]:
    """The assignments in a statement, each with the functions and classes around it."""
    inside = (*functions, node.name) if isinstance(node, ast.FunctionDef | ast.ClassDef) else functions
    if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign):
        yield node, functions
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt):
            yield from _simple(child, inside)
        elif isinstance(child, ast.ExceptHandler):
            for part in child.body:
                yield from _simple(part, inside)


def refused(source: Source) -> Iterator[Unjudged]:
    """The lines that Python refuses and that are spelled like gradients."""
    for fault in source.faults:
        found = re.match(r"(\w+)(\[.*\])?\s*[-+*/@]?=", fault.text)
        if found and seems_a_gradient(found[1]):
            yield Unjudged(found[1], fault.place, "Python refuses this line")


def in_functions(trace: Trace) -> Iterator[Unjudged]:
    """The calls of functions that store gradients where only their own lines can be seen to."""
    for place, name in trace.not_entered.items():
        yield Unjudged(f"what {name}() stores", place, f"{name}() is not looked into here")
