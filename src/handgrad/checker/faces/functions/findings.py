"""What is found out about a forward and a backward pass."""

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any

from torch import Tensor

from handgrad.checker.faces.functions.inputs import Input
from handgrad.checker.faces.functions.oracles import Laboratory, Values
from handgrad.checker.faces.functions.subjects import Subject
from handgrad.checker.faces.functions.upstreams import Upstream


@dataclass(frozen=True)
class Options:
    """How the answer is found: a reference to differentiate, and how much may differ, as in gradcheck."""

    reference: Callable | None = None
    rtol: float | None = None
    atol: float | None = None
    double_backward: bool = False

    @staticmethod
    def taken_from(given: dict[str, Any]) -> tuple["Options", dict[str, Any]]:
        """The options among keyword arguments, and the others."""
        known = {one.name for one in fields(Options)}
        options = {name: value for name, value in given.items() if name in known}
        return Options(**options), {name: value for name, value in given.items() if name not in known}


@dataclass
class Finding:
    """What was found of one input: the first upstream gradient that its gradient is wrong for, where there is one."""

    one: Input
    got: Tensor | None
    want: Tensor
    fault: str | None = None
    upstream: Upstream | None = None
    values: Values = field(default_factory=dict)
    """Other values of the inputs, of distinct sizes, where it is wrong for them alone."""


@dataclass(frozen=True)
class Raised:
    """What Python or PyTorch refuses: where, what, and when."""

    line: int | None
    message: str
    words: str = ""

    def __str__(self) -> str:
        """One sentence."""
        when = f" (where {self.words})" if self.words else ""
        return (f"line {self.line}: " if self.line else "") + self.message + when


@dataclass
class Verdict:
    """Every input's finding, what was refused, what was not judged, and what the user should know."""

    subject: Subject
    laboratory: Laboratory
    options: Options = Options()
    findings: dict[Input, Finding] = field(default_factory=dict)
    raised: list[Raised] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    unjudged: list[str] = field(default_factory=list)
    spoiled: bool = False
    """Whether what is wrong may come of a value that is changed in place."""

    @property
    def wrong(self) -> list[Finding]:
        """The findings at fault."""
        return [found for found in self.findings.values() if found.fault]
