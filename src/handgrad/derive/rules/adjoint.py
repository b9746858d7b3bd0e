"""What a rule is: what comes back to each argument of a call, as source.

A rule writes templates: pieces of PyTorch source in which the names of the call's arguments stand for what the program
has in their place, `y` for the value of the call and `dy` for its gradient. `x_0`, `x_1`, ... are the elements of an
argument that is a list or a tuple.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


class UncoveredError(Exception):
    """A call, or a way of calling, that a rule does not cover. What it says is said to the user."""


@dataclass(frozen=True)
class Into:
    """What is added to some elements of an argument's gradient, `dx` by the name of the argument, in place.

    Either `value` to the elements at `place`, no two of which are the same one, or by a `call` that adds.
    """

    place: str = ""
    value: str = ""
    call: str = ""


@dataclass(frozen=True)
class Back:
    """What comes back to the arguments of a call: a template each, in which further names stand for `where`'s."""

    terms: Mapping[str, "str | Into"]
    where: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Site:
    """A call as its rule sees it.

    Attributes:
        name: the function's name.
        arguments: what each argument was when the lines ran, tensors of PyTorch in the place of arrays.
        result: what it returned; of several outputs, the one that `output` says.
        dy: an example of its gradient: of the result's shape, or one that broadcasts to it where the rule is lazy.
        output: which of several outputs, None where it has one.
        named: whether the result has a name, so that `y` costs nothing.
    """

    name: str
    arguments: Mapping[str, Any]
    result: Any
    dy: Any
    output: int | None = None
    named: bool = False

    def __getitem__(self, argument: str) -> Any:
        """What an argument was."""
        return self.arguments[argument]

    def shape(self, argument: str) -> tuple[int, ...]:
        """The shape of an argument; that of a number is ()."""
        return tuple(getattr(self.arguments[argument], "shape", ()))

    def rank(self, argument: str = "x") -> int:
        """The number of dimensions of an argument."""
        return len(self.shape(argument))


Rule = Callable[[Site], Back]


@dataclass(frozen=True)
class Adjoint:
    """A rule, and whether it takes a gradient that only broadcasts to the result's shape."""

    rule: Rule
    lazy: bool = False


ADJOINTS: dict[str, Adjoint] = {}


def adjoint(*names: str, lazy: bool = False) -> Callable[[Rule], Rule]:
    """Make a function the rule of the functions of these names."""

    def register(rule: Rule) -> Rule:
        ADJOINTS.update(dict.fromkeys(names, Adjoint(rule, lazy)))
        return rule

    return register
