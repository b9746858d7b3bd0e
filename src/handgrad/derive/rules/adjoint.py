"""What a rule is: what comes back to each argument of a call, as source.

A rule writes templates: pieces of PyTorch source in which the names of the call's arguments stand for what the program
has in their place, `y` for the value of the call and `dy` for its gradient; of a function that returns several, `y_0`,
`y_1`, ... and for the list of all gradients `dys`. `x_0`, `x_1`, ... are the elements of an argument that is a list or
a tuple.
"""

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

LITERAL = (ast.Constant, ast.UnaryOp, ast.unaryop, ast.Tuple, ast.List, ast.expr_context)


class UncoveredError(Exception):
    """A call, or a way of calling, that a rule does not cover; its text says what to do instead."""


@dataclass(frozen=True)
class Into:
    """What is added to some elements of an argument's gradient, `dx` by the name of the argument, in place.

    Either `value` to the elements at `place`, no two of which are the same one, or by a `call` that adds. With a
    `start`, all of the gradient is that, but for the elements at `place`, which are `value`.
    """

    place: str = ""
    value: str = ""
    call: str = ""
    start: str = ""


@dataclass(frozen=True)
class Back:
    """What comes back to the arguments of a call: a template each, in which further names stand for `where`'s."""

    terms: Mapping[str, str | Into]
    where: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Site:
    """A call as its rule sees it.

    Attributes:
        name: the function's name.
        arguments: what each argument was when the lines ran, tensors of PyTorch in the place of arrays.
        parts: the source of each argument, and of the elements of each that is written out as a list.
        made: the source that a name was given in the program, for any other source itself.
        result: what it returned; of several outputs, the one that `output` says.
        dy: an example of its gradient: of the result's shape, or one that broadcasts to it where the rule is lazy.
        output: which of several outputs, None where it has one or all are meant.
        outputs: how many there are, where it is one of several.
        named: what has a name and costs nothing: "y", and of several outputs "y_0", "y_1", ...
    """

    name: str
    arguments: Mapping[str, Any]
    parts: Mapping[str, ast.expr]
    made: Callable[[ast.expr], ast.expr]
    result: Any
    dy: Any
    output: int | None = None
    outputs: int = 0
    named: frozenset[str] = frozenset()

    def __getitem__(self, argument: str) -> Any:
        """What an argument was."""
        return self.arguments[argument]

    def literal(self, argument: str) -> bool:
        """Whether an argument is written out in the line, as a number or numbers."""
        return all(isinstance(part, LITERAL) for part in ast.walk(self.made(self.parts[argument])))

    def shape(self, argument: str = "x") -> tuple[int, ...]:
        """The shape of an argument; that of a number is ()."""
        return tuple(getattr(self.arguments[argument], "shape", ()))

    def rank(self, argument: str = "x") -> int:
        """The number of dimensions of an argument."""
        return len(self.shape(argument))

    def dims(self, argument: str = "dim") -> tuple[int, ...]:
        """The dimensions of `x` that an argument names, counted from 0; all where it is None."""
        dims = self.arguments[argument]
        if dims is None or dims == () or self.rank() == 0:
            return tuple(range(self.rank()))
        if not self.rank():
            raise UncoveredError("a single number has no dimensions: leave the argument out")
        return tuple(d % self.rank() for d in (dims if isinstance(dims, tuple | list) else [dims]))


Rule = Callable[[Site], Back]


@dataclass(frozen=True)
class Adjoint:
    """A rule.

    Attributes:
        rule: what is called.
        lazy: whether it takes a gradient that only broadcasts to the result's shape, of some calls or of all.
        broadcasts: whether the arguments are broadcast to the result, and what comes back is to be summed.
        several: whether it takes the gradients of all outputs of a function that returns several.
    """

    rule: Rule
    lazy: bool | Callable[[Site], bool] = False
    broadcasts: bool = False
    several: bool = False

    def takes_narrow(self, site: Site) -> bool:
        """Whether it takes, of this call, a gradient that only broadcasts to the result's shape."""
        return self.lazy(site) if callable(self.lazy) else self.lazy


ADJOINTS: dict[str, Adjoint] = {}


def adjoint(
    *names: str, lazy: bool | Callable[[Site], bool] = False, broadcasts: bool = False, several: bool = False
) -> Callable[[Rule], Rule]:
    """Make a function the rule of the functions of these names."""

    def register(rule: Rule) -> Rule:
        ADJOINTS.update(dict.fromkeys(names, Adjoint(rule, lazy, broadcasts, several)))
        return rule

    return register


def summed_to(template: str, wanted: tuple[int, ...], whole: tuple[int, ...]) -> str:
    """A template summed over the leading dimensions along which sizes `wanted` were broadcast to `whole`."""
    lead = len(whole) - len(wanted)
    kept = tuple(d for d in range(len(wanted)) if wanted[d] == 1 != whole[d + lead])
    if lead:
        template = f"({template}).sum({tuple(range(lead)) if lead > 1 else 0})"
    if kept:
        template = f"({template}).sum({kept if len(kept) > 1 else kept[0]}, keepdim=True)"
    return template
