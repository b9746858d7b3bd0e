"""Run a program's lines from any values."""

import ast
import contextlib
import copy
import io
import itertools
import random
import sys
import types
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from handgrad.derive.read.calls import is_array
from handgrad.derive.read.program import Line, Loop, Program
from handgrad.derive.read.running import float64
from handgrad.derive.read.steps import names_made, names_used

FILE = "<forward>"


@dataclass(frozen=True)
class Step:
    """A line of the program, in the names of single assignment.

    `reads` and `makes` are the names that it reads and makes, `expressions` finds an expression by its place in the
    text, `literals` are the whole numbers that are written in it, and `places` where one is an index: a name, a
    dimension, the index.
    """

    code: types.CodeType
    reads: frozenset[str]
    makes: tuple[str, ...]
    expressions: Mapping[tuple[int, int, int, int], ast.expr]
    literals: frozenset[int]
    places: tuple[tuple[str, int, int], ...]


@dataclass(frozen=True)
class Failure(BaseException):
    """Where a run ended: the step, how far into it, and the expression that could not be evaluated."""

    step: int
    depth: tuple[int, ...]
    node: ast.expr | None
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

    def __init__(self, program: Program):
        """See the class."""
        self.program = program
        self.steps = [_step(line) for line in program.lines]
        made: set[str] = set()
        self.first_read: dict[str, int] = {}
        for k, step in enumerate(self.steps):
            for name in step.reads - made:
                if name in program.before:
                    self.first_read.setdefault(name, k)
            made.update(step.makes)

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
        for k in range(begin, len(self.steps)):
            try:
                if before is not None:
                    before(k)
                exec(self.steps[k].code, values)
            except Failure as failure:
                return failure
            except Exception as error:  # whatever the user's lines raise ends the run
                depth, node = _place(error, self.steps[k])
                return Failure(k, depth, node, error)
        return None


@contextlib.contextmanager
def quietly(seed: int = 0) -> Iterator[None]:
    """What is computed here prints nothing, warns of nothing, draws from seeded generators and leaves no trace."""
    torch = sys.modules.get("torch")
    states = random.getstate(), np.random.get_state()  # noqa: NPY002
    before = (torch.get_rng_state(), torch.get_num_threads()) if torch else None
    with (
        contextlib.redirect_stdout(io.StringIO()),
        warnings.catch_warnings(action="ignore"),
        np.errstate(all="ignore"),
        float64(),
    ):
        reseed(seed)
        if torch:
            torch.set_num_threads(1)
        try:
            yield
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])  # noqa: NPY002
            if torch and before:
                torch.set_rng_state(before[0])
                torch.set_num_threads(before[1])


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
    tree = ast.parse(line.source)
    expressions = {
        (n.lineno, n.end_lineno or 0, n.col_offset, n.end_col_offset or 0): n
        for n in ast.walk(tree)
        if isinstance(n, ast.expr)
    }
    makes = tuple(names_made([line]))
    reads = frozenset(names_used([line])) - set(makes)
    numbers = (n.value for n in ast.walk(tree) if isinstance(n, ast.Constant))
    literals = frozenset(n for n in numbers if type(n) is int and n > 1)
    places = tuple(_places(tree))
    return Step(compile(tree, FILE, "exec"), reads, makes, expressions, literals, places)


def _places(tree: ast.AST) -> Iterator[tuple[str, int, int]]:
    """Where a number is written as an index: in `x[:, 2]`, and in `setitem(x, at[:, 2], y)`."""
    for node in ast.walk(tree):
        name, index = None, None
        if isinstance(node, ast.Subscript):
            name, index = node.value, node.slice
        elif isinstance(node, ast.Call) and len(node.args) == 3 and isinstance(node.args[1], ast.Subscript):
            name, index = node.args[0], node.args[1].slice
        if isinstance(name, ast.Name) and index is not None:
            parts = index.elts if isinstance(index, ast.Tuple) else [index]
            for axis, part in enumerate(itertools.takewhile(_is_plain, parts)):
                if isinstance(part, ast.Constant) and type(part.value) is int:
                    yield name.id, axis, part.value


def _is_plain(index: ast.expr) -> bool:
    return isinstance(index, ast.Slice) or (isinstance(index, ast.Constant) and type(index.value) is int)


def _place(error: BaseException, step: Step) -> tuple[tuple[int, ...], ast.expr | None]:
    """How far into a step its error came, and at which expression."""
    depth: list[int] = []
    node = None
    trace = error.__traceback__
    while trace is not None:
        frame = trace.tb_frame
        if frame.f_code.co_filename == FILE and not depth:
            line, last, start, end = list(frame.f_code.co_positions())[trace.tb_lasti // 2]
            node = step.expressions.get((line or 0, last or 0, start or 0, end or 0))
            depth.append(trace.tb_lasti)
        elif depth and len(depth) < 8 and frame.f_code.co_name != "__torch_function__":
            depth += [trace.tb_lineno, trace.tb_lasti]
        trace = trace.tb_next
    return tuple(depth), node
