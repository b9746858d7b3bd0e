"""Run a program's own lines from any values, in a namespace that is like the user's below the forward pass."""

import ast
import contextlib
import copy
import io
import random
import sys
import textwrap
import types
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from handgrad.derive.read.calls import is_array
from handgrad.derive.read.program import Line, Loop, Program

FILE = "<forward>"


@dataclass(frozen=True)
class Step:
    """A statement of the program as its user wrote it, and what it does with names.

    `makes` gives, for each name of single assignment that the statement makes, the user's name for it; `rewrites` the
    user's names that it may write elements of; `expressions` finds an expression, or an
    `x += y`, by its place in the text.
    """

    code: types.CodeType
    reads: frozenset[str]
    makes: Mapping[str, str]
    rewrites: frozenset[str]
    expressions: Mapping[tuple[int, int, int, int], ast.AST]
    literals: frozenset[int]


@dataclass(frozen=True)
class Failure(Exception):
    """Where a run ended: the step, how far into it, and the expression that could not be evaluated."""

    step: int
    depth: tuple[int, ...]
    node: ast.AST | None
    error: BaseException

    @property
    def progress(self) -> tuple[int, ...]:
        """The farther a run got, the greater."""
        return (self.step, *self.depth)


class Forward:
    """The lines of a program, compiled once.

    Args:
        program: the forward pass.

    Example:
        >>> import torch
        >>> from handgrad.derive.read.statements import read_program
        >>> forward = Forward(read_program("y = x * 2", {"x": torch.ones(3)}))
        >>> values = {"x": torch.zeros(4)}
        >>> forward.run(values), values["y"]
        (None, tensor([0., 0., 0., 0.]))
    """

    def __init__(self, program: Program):  # noqa: D107
        self.program = program
        self.steps = [_step(line) for line in program.lines]
        made: set[str] = set()
        self.first_read: dict[str, int] = {}
        for k, step in enumerate(self.steps):
            for name in step.reads - made:
                if name in program.before:
                    self.first_read.setdefault(name, k)
            made |= set(step.makes.values())

    @property
    def given(self) -> list[str]:
        """The names that the lines read and do not make, in the order of their first use."""
        names = [*self.program.before]
        return sorted(self.first_read, key=lambda name: (self.first_read[name], names.index(name)))

    def start(self) -> dict[str, Any]:
        """The program's own values before its lines, copied where the lines can change them."""
        known = dict(self.program.before)
        known.update((name, copied(known[name])) for name in self.given)
        return known

    def run(
        self, values: dict[str, Any], *, begin: int = 0, before: Callable[[int], None] | None = None
    ) -> Failure | None:
        """Run the lines in `values`; None where all of them ran.

        Args:
            values: what each name is; what the lines make is added to it.
            begin: the first step to run.
            before: called before each step with its number.
        """
        rounds = [0]
        values["__round__"] = lambda: rounds.__setitem__(0, rounds[0] + 1)
        for k in range(begin, len(self.steps)):
            rounds[0] = 0
            try:
                if before is not None:
                    before(k)
                exec(self.steps[k].code, values)
            except Failure as failure:
                return failure
            except Exception as error:  # whatever the user's lines raise ends the run
                depth, node = _place(error, self.steps[k])
                return Failure(k, (rounds[0], *depth), node, error)
        return None


@contextlib.contextmanager
def quietly(seed: int = 0) -> Iterator[None]:
    """What is computed here prints nothing, warns of nothing, draws from seeded generators and leaves no trace."""
    torch = sys.modules.get("torch")
    states = random.getstate(), np.random.get_state()  # noqa: NPY002
    before = (torch.get_default_dtype(), torch.get_rng_state(), torch.get_num_threads()) if torch else None
    with (
        contextlib.redirect_stdout(io.StringIO()),
        warnings.catch_warnings(action="ignore"),
        np.errstate(all="ignore"),
    ):
        reseed(seed)
        if torch:
            torch.set_default_dtype(torch.float64)
            torch.set_num_threads(1)
        try:
            yield
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])  # noqa: NPY002
            if torch and before:
                torch.set_default_dtype(before[0])
                torch.set_rng_state(before[1])
                torch.set_num_threads(before[2])


def reseed(seed: int) -> None:
    """Seed what the user's lines may draw from."""
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    if torch := sys.modules.get("torch"):
        torch.default_generator.manual_seed(seed)


def copied(value: Any) -> Any:
    """A copy of a value where lines can change it: arrays, lists and dicts of them, generators of random numbers."""
    if is_array(value):
        return value.detach().clone() if hasattr(value, "detach") else value.copy()
    if hasattr(value, "clone_state"):
        return value.clone_state()
    if type(value) in (list, tuple):
        return type(value)(copied(v) for v in value)
    if type(value) is dict:
        return {key: copied(v) for key, v in value.items()}
    return copy.deepcopy(value) if isinstance(value, np.random.Generator | random.Random) else value


def _step(line: Line | Loop) -> Step:
    tree = ast.parse(line.source if isinstance(line, Line) else textwrap.dedent(line.text))
    expressions = {
        (n.lineno, n.end_lineno or 0, n.col_offset, n.end_col_offset or 0): n
        for n in ast.walk(tree)
        if isinstance(n, ast.expr | ast.AugAssign)
    }
    reads = frozenset(n.id for n in ast.walk(tree) if isinstance(n, ast.Name))
    numbers = (n.value for n in ast.walk(tree) if isinstance(n, ast.Constant))
    literals = frozenset(n for n in numbers if type(n) is int and n > 1)
    makes = {name: name for name in _made(line)}
    rewrites = frozenset(_rewritten(tree))
    for loop in [n for n in ast.walk(tree) if isinstance(n, ast.For)]:
        loop.body.insert(0, ast.parse("__round__()").body[0])
    code = compile(ast.fix_missing_locations(tree), FILE, "exec")
    return Step(code, reads, makes, rewrites, expressions, literals)


def _made(line: Line | Loop) -> Iterator[str]:
    """The names of single assignment that are there when a statement has run."""
    if isinstance(line, Line):
        yield from line.targets
    else:
        yield from line.carried.values()
        yield from line.stored


def _rewritten(tree: ast.Module) -> Iterator[str]:
    """Names of which a statement may change the value in place."""
    for node in ast.walk(tree):
        targets: list[ast.expr] = []
        if isinstance(node, ast.Assign):
            targets = [t for t in node.targets if not isinstance(t, ast.Name)]
        elif isinstance(node, ast.AugAssign):
            targets = [node.target]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr[-1] == "_":
            targets = [node.func.value]
        for target in targets:
            for part in target.elts if isinstance(target, ast.Tuple | ast.List) else (target,):
                while isinstance(part, ast.Subscript | ast.Attribute | ast.Starred):
                    part = part.value
                if isinstance(part, ast.Name) and not (isinstance(target, ast.Tuple) and part in target.elts):
                    yield part.id


def _place(error: BaseException, step: Step) -> tuple[tuple[int, ...], ast.AST | None]:
    """How far into a step its error came, and at which expression."""
    depth: list[int] = []
    node = None
    trace = error.__traceback__
    while trace is not None:
        frame = trace.tb_frame
        if frame.f_code.co_filename == FILE and not depth:
            positions = list(frame.f_code.co_positions())[trace.tb_lasti // 2]
            node = step.expressions.get(positions)  # type: ignore[arg-type]
            depth.append(trace.tb_lasti)
        elif depth and len(depth) < 8:
            depth += [trace.tb_lineno, trace.tb_lasti]
        trace = trace.tb_next
    return tuple(depth), node
