"""A backward pass as data, as both ways of deriving one hand it on."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from handgrad.derive.read.program import Line, Loop, Program


@dataclass(frozen=True)
class GradientLine:
    """One or a few lines of source that make or add to one gradient, and the forward line they undo.

    `gradient` is the name that is written; `undoes` is None for what belongs to no single line, as a closed form does.
    """

    gradient: str
    source: str
    undoes: Line | Loop | None = None


@dataclass(frozen=True)
class Backward:
    """A backward pass in PyTorch source.

    `upstream` is the name of the gradient it starts from, None where that is the 1 of a scalar loss; `gradients` gives,
    for each variable of the program, the name of its gradient; `recomputed` are forward lines that have to run again
    first, since a name they made was assigned again; `facts` what was seen in numbers only, and holds where they do;
    `notes` what else is to be known of it. `below` is the forward pass that it stands below, where that has loops, and
    keeps in lists what is read of them.
    """

    lines: tuple[GradientLine, ...]
    gradients: Mapping[str, str]
    upstream: str | None
    recomputed: tuple[str, ...] = ()
    facts: tuple[str, ...] = field(default=())
    notes: tuple[str, ...] = ()
    below: Program | None = None

    @property
    def source(self) -> str:
        """All of it, as it can be run below the forward pass."""
        return "\n".join([*self.recomputed, *(line.source for line in self.lines)])
