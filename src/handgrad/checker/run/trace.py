"""What running the user's program once leaves behind: for every statement what it read, wrote and made."""

import ast
import functools
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field, replace
from types import CodeType
from typing import Any

from handgrad.checker.place import Place
from handgrad.checker.read.names import needs
from handgrad.checker.read.source import Statement
from handgrad.checker.run.machine import Machine, UserError
from handgrad.checker.run.randomness import Randomness
from handgrad.checker.run.values import is_array


@dataclass(eq=False)
class Step:
    """One statement as it was run.

    `reads`, `binds` and `changes` hold names; `after` what the written names were afterwards; `gradients` the
    gradient names it wrote, each with its variable; `turns` those that it turns into the gradient of another variable;
    `constant` says that it ran under `torch.no_grad()`, `tainted` that it computes from gradients; `plain` that no
    float tensor goes in, nor a tensor that was computed from one, so that what comes out may be used again.
    """

    index: int
    statement: Statement
    code: CodeType
    reads: set[str] = field(default_factory=set)
    binds: set[str] = field(default_factory=set)
    changes: set[str] = field(default_factory=set)
    after: dict[str, Any] = field(default_factory=dict)
    gradients: dict[str, str] = field(default_factory=dict)
    turns: frozenset[str] = frozenset()
    constant: bool = False
    tainted: bool = False
    plain: bool = False
    error: UserError | None = None
    randomness: Randomness | None = None

    def __eq__(self, other: object) -> bool:
        """Whether both stand for the same statement of the run, whatever it is taken to write."""
        return isinstance(other, Step) and self.index == other.index

    def __hash__(self) -> int:
        """By its place in the run."""
        return self.index

    @property
    def writes(self) -> set[str]:
        """Names bound or changed in place."""
        return self.binds | self.changes

    @property
    def backward(self) -> bool:
        """Whether the statement belongs to the backward pass."""
        return self.tainted or bool(self.gradients)


def updates(step: Step, variable: str) -> bool:
    """Whether a loop gives a variable another value in each round, made of the one before."""
    loop = isinstance(step.statement.node, ast.For | ast.While)
    return loop and variable in step.writes and variable in needs(step.statement.node)


@dataclass(eq=False)
class Region:
    """A stretch of the run that can be run again from `start`: the program up to a loop, or one training step.

    `begun` are the gradients that it may go on adding to, since the variables are what they were a pass before, and
    `scales` say what a gradient is a multiple by of what it is called. Where it is `reduced` to small sizes, the values
    of the user's own run do not fit in it.
    """

    start: dict[str, Any]
    steps: list[Step] = field(default_factory=list)
    begun: set[str] = field(default_factory=set)
    reduced: bool = False
    scales: dict[str, float] = field(default_factory=dict)

    @property
    def gradient_names(self) -> dict[str, str]:
        """The variable of every gradient that is written."""
        return {n: v for s in self.steps for n, v in s.gradients.items()}

    @functools.cached_property
    def constants(self) -> tuple[float, ...]:
        """The numbers written in the program, which a wrong line may have lost."""
        found: set[float] = set()
        for step in self.steps:
            for node in ast.walk(step.statement.node):
                value = node.value if isinstance(node, ast.Constant) else None
                if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e6:
                    found.add(value)
        return tuple(sorted(found, key=abs)[:24])

    @functools.cached_property
    def fixed_arrays(self) -> set[str]:
        """The NumPy arrays that stay where tensors are given other values, though these may be made of them."""
        worlds = [self.start, *(step.after for step in self.steps if step.plain)]
        return {name for world in worlds for name, value in world.items() if is_array(value)}

    def makers(self, name: str) -> list[Step]:
        """The forward statements that bind a name."""
        return [s for s in self.steps if name in s.binds and not s.backward]

    def taking(self, changed: Iterable[Step]) -> "Region":
        """The same stretch with other readings of some of its statements."""
        by_index = {step.index: step for step in changed}
        return replace(self, steps=[by_index.get(step.index, step) for step in self.steps])

    def without(self, names: Collection[str], among: Collection[Step]) -> "Region":
        """The same with what some statements write under these names taken for temporaries of other gradients."""
        return self.taking(
            replace(step, gradients={n: v for n, v in step.gradients.items() if n not in names}, tainted=True)
            for step in self.steps
            if step in among
        )


@dataclass
class Trace:
    """The run of a program.

    `stops` are the exceptions that end the program whatever its gradients are; `errors` those of lines that compute
    from gradients, and may follow from a wrong one, and `asides` those of lines that only show one; `displays` are
    those of lines of a notebook that only show something, which ends nothing, and `handled` those that the program
    handles. `unfinished` are the names that the statement cut short would have written, and `ended` is the line with
    which the program ended itself.
    """

    machine: Machine
    regions: list[Region] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    stops: list[UserError] = field(default_factory=list)
    errors: list[UserError] = field(default_factory=list)
    asides: list[UserError] = field(default_factory=list)
    displays: list[UserError] = field(default_factory=list)
    handled: list[UserError] = field(default_factory=list)
    ended: UserError | None = None
    timed_out: UserError | None = None
    unfinished: set[str] = field(default_factory=set)
    losses: list[str] = field(default_factory=list)
    shown: Callable[[str], str] = str
    closed: frozenset[str] = frozenset()
    """Names that the backward half has no access to."""
    shared: frozenset[str] = frozenset()
    """Names of objects whose attributes it has."""
    mappings: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    """For each list or dict of gradients: of which variables its elements may be, the likeliest first."""
    guesses: dict[str, tuple[list[str], bool]] = field(default_factory=dict)
    """For a gradient with a name of its own: the parameters of modules that it may belong to."""
    not_entered: dict[Place, str] = field(default_factory=dict)
    """Where a function is called that stores gradients and is not looked into."""
    evident: set[str] = field(default_factory=set)
    """The losses that are known as such by their name, by a `.backward()`, or by a gradient of their own."""
    certain: set[str] = field(default_factory=set)
    """The losses that were chosen, or are known by more than their names."""
    wholes: set[str] = field(default_factory=set)
    """The scalars that may be computed from a loss which is known by its name alone."""
