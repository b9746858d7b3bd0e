"""Statements that compute the right gradient and spoil something else, each with its repair where that is evident."""

import ast
from typing import Any

import torch
from torch import Tensor

from handgrad.checker.explain.rewrite import Written
from handgrad.checker.read.names import uses
from handgrad.checker.read.source import Statement, around
from handgrad.checker.read.trees import Edit, method, simple_statements
from handgrad.checker.report import Diagnosis, Hazard
from handgrad.checker.run.trace import Region, Step
from handgrad.checker.truth.chains import Chain
from handgrad.checker.truth.passes import Value


def in_place_hazard(region: Region, step: Step, name: str, is_gradient: bool, copying: str) -> Hazard:
    """A statement that changes another variable through shared storage; `copying` is the method that would not."""
    target = next(iter(step.gradients), None)
    repair = _copied_first(region, step, name, copying)
    here = step.statement.place
    elsewhere = repair is not None and repair.place != here
    where = f" in {repair.place}" if repair and elsewhere else ""
    about = (target or "", name, "the gradient" if is_gradient else "the forward value", where, copying)
    fact = "one tensor" if target and (elsewhere or repair is None) else "in place"
    return Hazard("in-place", name, here, fact, about, step.statement.text, repair)


def _copied_first(region: Region, step: Step, name: str, copying: str) -> Diagnosis | None:
    """The repair: a copy where a second name was given to the tensor, or where a method changed it and gave it back."""
    node = step.statement.node
    if isinstance(node, ast.Assign):
        for part in ast.walk(node.value):
            if isinstance(part, ast.Call) and isinstance(part.func, ast.Attribute) and part.func.attr.endswith("_"):
                changed = part.func.value
                if isinstance(changed, ast.Name) and changed.id == name:
                    return _with_copy(step.statement, node, changed, method(changed, copying))
    changed_names = uses(node).changes
    if name in changed_names:
        return None
    for earlier in reversed(region.steps[: region.steps.index(step) + 1]):
        for target in sorted(changed_names & earlier.binds):
            binds = [s for s in simple_statements(earlier.statement.node) if target in uses(s).binds]
            if len(binds) == 1 and isinstance(binds[0], ast.Assign):
                return _copying(earlier.statement, binds[0], target, copying)
            return None
    return None


def _copying(statement: Statement, simple: ast.Assign, name: str, copying: str) -> Diagnosis | None:
    """The assignment of `name`, alone or with others, with a copy in the place of what it is given."""
    targets, value = simple.targets, simple.value
    if len(targets) > 1 and all(isinstance(target, ast.Name) for target in targets):
        copies = ast.Tuple([method(value, copying) for _ in targets], ast.Load())
        apart = ast.Assign([ast.Tuple(targets, ast.Store())], copies)
        return _with_copy(statement, simple, simple, ast.copy_location(apart, simple))
    if isinstance(targets[0], ast.Tuple) and isinstance(value, ast.Tuple):
        for target, given in zip(targets[0].elts, value.elts, strict=False):
            if isinstance(target, ast.Name) and target.id == name:
                return _with_copy(statement, simple, given, method(given, copying))
    return _with_copy(statement, simple, value, method(value, copying)) if isinstance(targets[0], ast.Name) else None


def _with_copy(statement: Statement, simple: ast.Assign, old: ast.AST, new: ast.AST) -> Diagnosis | None:
    """The assignment with the edit, in the user's own spelling."""
    if statement.role == "argument":
        return None
    place = statement.place.at(simple.lineno)
    fix = Written(statement.code, simple, statement.spelled).fix(Edit("in-place", 0.0, old, new, simple))
    end = simple.end_lineno or simple.lineno
    kept = around(statement.code, simple)
    return Diagnosis("in-place", place, fix=fix, start=simple.lineno, end=end, around=kept)


def stale_hazard(chain: Chain, name: str, later: Step) -> Hazard:
    """A line that reads a gradient before it is finished."""
    about = (chain.name, name, str(later.statement.place))
    return Hazard("stale", name, chain.last.statement.place, "stale", about, chain.last.statement.text)


def shadow_hazard(step, name: str, chain: Chain) -> Hazard:
    """A statement that gives a name of the forward pass another meaning."""
    kind, fact = ("in-place", "too early") if name in step.changes else ("shadowed", "shadowed")
    about = (name, chain.name, str(chain.last.statement.place))
    return Hazard(kind, name, step.statement.place, fact, about, step.statement.text)


def is_gradient_of(made: Any, gradients: dict[Value, Tensor], value: Value) -> bool:
    """Whether what a statement made is the gradient of a value, and not zero."""
    right = gradients.get(value)
    if not isinstance(made, Tensor) or right is None or made.shape != right.shape or not bool(right.any()):
        return False
    return torch.allclose(made.detach().to(right.dtype), right, rtol=1e-4)


def forgotten_letter(step: Step, name: str) -> Hazard:
    """`x = dy @ w.T` where `dx` was meant."""
    node, statement = step.statement.node, step.statement
    repair = None
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        target = ast.copy_location(ast.Name(f"d{name}", ast.Store()), node.targets[0])
        repair = _with_copy(statement, node, node.targets[0], target)
    return Hazard("shadowed", name, statement.place, "forgotten letter", (name,), statement.text, repair)
