"""What rules are made of: the edit, its context, the register, and short ways to write syntax trees."""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from torch import Tensor

from handgrad.checker.read.trees import called
from handgrad.checker.run.values import is_float

Proposal = tuple[str, float, ast.AST]
"""Kind, cost (a lower one is tried earlier), and what stands in the place of the node."""

Rule = Callable[[Any, "Context"], Iterator[Proposal]]


@dataclass
class Context:
    """What a rule may draw on: the names at hand by sort, and where in the statement the node stands.

    `shape` is that of the variable, `carried` are the names a loop carries from round to round, `again` those that an
    earlier line of the backward pass gave a value, `prepared` those of temporaries made from gradients; `masks` tell
    where the derivative of the forward pass is not zero, `upstream` are the gradients of what the variable was used
    for, and `first` is where the statement's value begins.
    """

    gradient: str
    variable: str
    values: dict[str, Any]
    gradients: set[str]
    shape: tuple[int, ...] = ()
    constants: tuple[float, ...] = ()
    raises: bool = False
    continues: bool = False
    accumulates: bool = False
    related: set[str] = field(default_factory=set)
    mentioned: set[str] = field(default_factory=set)
    locals: set[str] = field(default_factory=set)
    counters: set[str] = field(default_factory=set)
    carried: set[str] = field(default_factory=set)
    again: set[str] = field(default_factory=set)
    prepared: set[str] = field(default_factory=set)
    masks: list[str] = field(default_factory=list)
    upstream: set[str] = field(default_factory=set)
    first: tuple[int, int] = (0, 0)
    in_index: bool = False
    spelled: Callable[[Any], Any] = lambda proposal: proposal
    parent: ast.AST | None = None
    role: str = ""
    tensors: dict[str, Tensor] = field(init=False)
    integers: dict[str, Tensor] = field(init=False)
    sizes: dict[str, int | float] = field(init=False)

    def __post_init__(self):
        """Sort the names."""
        self.tensors = {n: v for n, v in self.values.items() if is_float(v) and n != self.gradient}
        self.integers = {n: v for n, v in self.values.items() if isinstance(v, Tensor) and not is_float(v)}
        self.sizes = {
            n: v
            for n, v in self.values.items()
            if isinstance(v, int | float) and not isinstance(v, bool) and not n.startswith("__")
        }


RULES: dict[type, list[tuple[Rule, bool]]] = {}
"""For each kind of syntax its rules, each with whether it is kept for when nothing else helps."""


def rule(*kinds: type, late: bool = False) -> Callable[[Rule], Rule]:
    """Register a rule for syntax nodes of these kinds; `late` ones propose so much that they come after all others."""

    def register(function: Rule) -> Rule:
        for kind in kinds:
            RULES.setdefault(kind, []).append((function, late))
        return function

    return register


def is_method(node: Any, ctx: Context) -> bool:
    """Whether a call is `tensor.method(...)` and not `module.function(...)`."""
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and not (isinstance(node.func.value, ast.Name) and _is_module(ctx.values.get(node.func.value.id)))
        and not (isinstance(node.func.value, ast.Attribute) and ast.unparse(node.func.value).startswith("torch."))
    )


def _is_module(value: Any) -> bool:
    return isinstance(value, ModuleType)


def factor_kind(factor: ast.expr, ctx: Context, otherwise: str) -> str:
    """`scale` for a factor that is a plain number or a size, which only rescales; else `otherwise`."""
    for part in ast.walk(factor):
        if isinstance(part, ast.Name) and part.id in ctx.tensors | ctx.integers and not only_sizes(factor):
            return otherwise
        if isinstance(part, ast.Name) and isinstance(ctx.sizes.get(part.id), float):
            return otherwise
    return "scale"


def only_sizes(node: Any) -> bool:
    """Whether an expression is a size, such as `x.shape[0]`."""
    return called(node) in ("len", "numel", "size") or ast.unparse(node).split("[")[0].endswith(".shape")
