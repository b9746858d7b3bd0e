"""Which of the statements that ran are the forward pass: those that make its end from the parameters."""

import ast
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from torch import Tensor

from handgrad.checker.read.source import Statement
from handgrad.checker.run.values import held_in, holds_float
from handgrad.forward.goal import is_float
from handgrad.forward.ran import Ran
from handgrad.forward.reading import values_read


@dataclass(frozen=True)
class Origin:
    """From which leaves a value comes; whether it is one."""

    leaves: frozenset[str]
    is_leaf: bool = False


Origins = list[dict[str, Origin]]
"""For each statement, the origin of each name that it writes."""


@dataclass(frozen=True)
class Slice:
    """The statements of a forward pass, what names were before it, and by which of these to differentiate.

    `containers` are the lists, dicts and objects that the statements read parameters from: those require gradients.
    `notes` say what was chosen of several.
    """

    statements: tuple[Statement, ...]
    before: Mapping[str, Any]
    inputs: tuple[str, ...]
    output: str
    containers: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def from_parameters(ran: Sequence[Ran]) -> Origins:
    """Origins where the leaves are the tensors that require gradients, and what comes of them out of sight."""

    def is_leaf(one: Ran, name: str, through: Set[str]) -> bool:
        if through and _is_other_name(one):
            return False
        out_of_sight = not through and getattr(one.after[name], "requires_grad", False)
        return one.is_parameter(name) or out_of_sight

    return _origins(ran, is_leaf)


def _is_other_name(one: Ran) -> bool:
    """Whether a statement only gives another name to what has one."""
    node = one.statement.node
    return isinstance(node, ast.Assign) and isinstance(node.value, ast.Name)


def from_floats(ran: Sequence[Ran]) -> Origins:
    """Origins where the leaves are all floats that are not computed from others; one scaled or shifted is still one."""

    def is_leaf(one: Ran, name: str, through: Set[str]) -> bool:
        if not (is_float(one.held[name]) or holds_float(one.held[name])):
            return False
        return one.enters or name in one.fetches or through <= {name}

    return _origins(ran, is_leaf)


def from_names(ran: Sequence[Ran], names: Set[str]) -> Origins:
    """Origins where the leaves are these names, wherever they are made."""
    return _origins(ran, lambda _, name, __: name in names)


def _origins(ran: Sequence[Ran], is_leaf: Callable[[Ran, str, Set[str]], bool]) -> Origins:
    known: dict[str, frozenset[str]] = {}
    found: Origins = []
    for one in ran:
        through = frozenset().union(*(known.get(name, ()) for name in one.reads))
        if one.draws and not any(known.get(name) for name in _values(one)):
            through = frozenset()
        new = {}
        for name in one.writes:
            kept = known.get(name, frozenset()) if name in one.changes else frozenset()
            leaf = is_leaf(one, name, through) or (one.enters and bool(through))
            new[name] = Origin(frozenset({name}) if leaf else through | kept, leaf)
        known.update({name: origin.leaves for name, origin in new.items()})
        found.append(new)
    return found


def _values(one: Ran) -> Set[str]:
    """The names whose values a statement takes, in the functions that it calls too."""
    written = {n.id for n in ast.walk(one.statement.node) if isinstance(n, ast.Name)}
    return values_read(one.statement.node) | one.reads - written


def all_leaves(origins: Origins) -> frozenset[str]:
    """All the leaves."""
    return frozenset().union(*(origin.leaves for new in origins for origin in new.values()))


@dataclass(frozen=True)
class Run:
    """The statements that ran, up to the one that makes the `output`; `rest` is what other names stand for."""

    ran: Sequence[Ran]
    output: str
    rest: Mapping[str, Any]
    within: Callable[[Statement], bool] = lambda _: True
    """Which statements may be lines of the slice; what others make is given."""


def sliced(run: Run, origins: Origins, leaves: Set[str]) -> Slice:
    """Go back from the last statement, which makes the output, to the leaves by which to differentiate."""
    ran = run.ran
    forced: set[int] = set()
    while True:
        lines, constants, again = _walk(run, origins, leaves, forced)
        if not again:
            break
        forced.add(again.pop())
    reads = set().union(*(ran[i].reads for i in lines))
    made = set().union(*(ran[i].writes for i in lines))
    modules = {name: value for name, value in run.rest.items() if isinstance(value, ModuleType)}
    before = modules | {name: run.rest[name] for name in reads - made if name in run.rest}
    before |= {name: ran[i].after[name] for name, i in constants.items()}
    differentiated = {n for n, i in constants.items() if origins[i][n].leaves & leaves}
    inputs = list(dict.fromkeys(n for i in lines for n in _in_order(ran[i]) if n in differentiated))
    containers = [name for name in inputs if not is_float(before[name])]
    for name in inputs:
        _ask_for_gradients(before[name])
    tensors = tuple(name for name in inputs if name not in containers)
    return Slice(tuple(ran[i].statement for i in lines), before, tensors, run.output, tuple(containers))


def _ask_for_gradients(value: Any) -> None:
    """Let a float tensor, or each in a list, a dict or an object, require a gradient."""
    for tensor in held_in(value):
        if isinstance(tensor, Tensor) and is_float(tensor):
            tensor.requires_grad_()


def _walk(
    run: Run, origins: Origins, leaves: Set[str], forced: Set[int]
) -> tuple[list[int], dict[str, int], list[int]]:
    """The statements of the slice, where each other name that they read was made, and what has to be one more.

    That is a statement without parameters between two of the slice, of which the earlier one reads what it overwrites.
    Lists and dicts that the slice fills are made in it.
    """
    needed, filled, lines = {run.output}, set(), []
    constants: dict[str, int] = {}
    for i in range(len(run.ran) - 1, -1, -1):
        one = run.ran[i]
        written = one.writes & needed
        if not written:
            continue
        computed = any(origins[i][name].leaves & leaves and not origins[i][name].is_leaf for name in written)
        line = i == len(run.ran) - 1 or computed or i in forced or bool(written & filled)
        if line and not one.enters and run.within(one.statement):
            lines.append(i)
            filled = (filled - one.binds) | {name for name in one.changes if not is_float(one.held[name])}
            needed = (needed - one.binds) | one.reads
            continue
        if taken := [constants[name] for name in written if name in constants]:
            return [], {}, taken
        constants |= dict.fromkeys(written, i)
        needed -= written
    return lines[::-1], constants, []


def _in_order(one: Ran) -> list[str]:
    """The names that a statement reads, as they stand in it, and then those that its functions read."""
    nodes = [n for n in ast.walk(one.statement.node) if isinstance(n, ast.Name)]
    written = [n.id for n in sorted(nodes, key=lambda n: (n.lineno, n.col_offset))]
    return [name for name in dict.fromkeys([*written, *sorted(one.reads)]) if name in one.reads]
