"""What running the user's program once leaves behind: for every statement what it read, wrote and made."""

from collections.abc import Callable
from dataclasses import dataclass, field
from types import CodeType
from typing import Any

from handgrad.checker.machine import Machine, Randomness, UserError
from handgrad.checker.source import Statement


@dataclass(eq=False)
class Step:
    """One statement as it was run.

    `reads`, `binds` and `changes` hold names; `after` what the written names were afterwards; `gradients` the
    gradient names it wrote, each with its variable; `tainted` says that it computes from gradients; `plain` that no
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
    tainted: bool = False
    plain: bool = False
    error: UserError | None = None
    randomness: Randomness | None = None

    @property
    def writes(self) -> set[str]:
        """Names bound or changed in place."""
        return self.binds | self.changes

    @property
    def backward(self) -> bool:
        """Whether the statement belongs to the backward pass."""
        return self.tainted or bool(self.gradients)


@dataclass(eq=False)
class Region:
    """A stretch of the run that can be run again from `start`: the program up to a loop, or one training step.

    Where it is `reduced` to small sizes, the values of the user's own run do not fit in it.
    """

    start: dict[str, Any]
    steps: list[Step] = field(default_factory=list)
    reduced: bool = False


@dataclass
class Trace:
    """The run of a program.

    `errors` are exceptions that the gradients have nothing to do with, or that their own lines raise; `stops` are
    those of the program around them; `unfinished` are the names that the statement cut short would have written.
    """

    machine: Machine
    regions: list[Region] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    errors: list[UserError] = field(default_factory=list)
    stops: list[UserError] = field(default_factory=list)
    timed_out: UserError | None = None
    unfinished: set[str] = field(default_factory=set)
    losses: list[str] = field(default_factory=list)
    shown: Callable[[str], str] = str
    evident: set[str] = field(default_factory=set)
    """The losses that are known as such by their name, by a `.backward()`, or by a gradient of their own."""
