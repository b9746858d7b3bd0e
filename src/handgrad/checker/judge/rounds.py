"""Gradients that a loop computes anew in every round, so that the last one is not that of the variable as a whole."""

import ast

from torch import Tensor

from handgrad.checker.read.names import uses
from handgrad.checker.read.trees import simple_statements
from handgrad.checker.run.trace import Region, Step


def without_rounds(region: Region) -> Region:
    """The region with the names that stand for another gradient in every round of a loop as temporaries of the others.

    Such is `dz` in `for i in reversed(range(n)): dz = dh * (1 - hs[i]**2); dWs[i] += ...`, and the gradient of a
    variable that has a value for every round of a loop of the forward pass.
    """
    by_round = {n for step in region.steps if not step.backward for n in _bound_in_loop(step)}
    for step in region.steps:
        for name in [name for name in step.gradients if name in _bound_in_loop(step)]:
            begun = any(name in earlier.binds for earlier in region.steps if earlier.index < step.index)
            if step.gradients[name] in by_round or (not begun and _is_of_a_round(step, name)):
                written = [other for other in region.steps if name in other.gradients]
                region = region.without({name}, [other for other in written if _belongs(other, name, step)])
    return region


def _belongs(step: Step, name: str, loop: Step) -> bool:
    """Whether a statement only begins what the loop goes on with, such as zeros, or works with what it left."""
    if step.index < loop.index:
        value = step.after.get(name)
        return not (isinstance(value, Tensor) and bool(value.any()))
    return step is loop or name in step.reads


def _lines(step: Step) -> list[ast.stmt]:
    node = step.statement.node
    return [s for s in simple_statements(node) if s is not node] if isinstance(node, ast.For | ast.While) else []


def _bound_in_loop(step: Step) -> set[str]:
    return set().union(*(uses(line).binds for line in _lines(step)))


def _is_of_a_round(step: Step, name: str) -> bool:
    """Whether what the name is given depends on the counters, and not on what it was in the round before."""
    wanted, lines = {name}, [line for line in _lines(step) if not isinstance(line, ast.For)]
    found: set[str] = set()
    while wanted != found:
        found = set(wanted)
        for line in lines:
            if (uses(line).binds | uses(line).changes) & found:
                wanted |= uses(line).reads - ({name} if uses(line).changes & {name} else set())
        wanted.add(name)
    reads_itself = any(name in uses(line).reads & uses(line).binds for line in lines)
    return not reads_itself and bool(wanted & uses(step.statement.node).counters)
