"""Lower expressions of source: operators, names and numbers here, each call by the rule of its family."""

import ast
import math
import numbers
import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import torch

from handgrad.derive.expr import ONE, Expr, delta, element, number
from handgrad.derive.indices import (
    Form,
    Gathered,
    Merged,
    extent,
    fresh,
    plain_order,
    symbol,
)
from handgrad.derive.lower.aligning import Aligning
from handgrad.derive.lower.graph import Graph, Indexed, UnsupportedError
from handgrad.derive.lower.sizing import Sizing
from handgrad.derive.read.calls import Call, call_of, evaluated, is_array
from handgrad.errors import DeriveError

Lowered = Indexed | list[Indexed]
Rule = Callable[["Lowering", Call], Lowered]
RULES: dict[str, Rule] = {}


def source(node: ast.expr) -> str:
    """The source of an expression, as people write it."""
    return re.sub(r"\*\*\((-[\d.]+)\)", r"**\1", ast.unparse(node).replace(" ** ", "**"))


def lowers(*names: str) -> Callable[[Rule], Rule]:
    """Register how calls of these names are lowered."""

    def register(rule: Rule) -> Rule:
        RULES.update(dict.fromkeys(names, rule))
        return rule

    return register


class Lowering(Aligning, Sizing):
    """Lowers the expressions of one program, one after the other."""

    def __init__(self, graph: Graph):
        """Start with what the graph knows."""
        self.graph = graph
        self.values: dict[str, Any] = {"torch": torch, "math": math, **graph.program.values}
        self.relus: dict[Any, str] = {}
        self._memo: dict[str, Indexed] = {}
        self._several: dict[str, Lowered] = {}

    # What an expression is

    def value(self, node: ast.expr) -> Any:
        """The value of an expression in the program; an array of NumPy as a tensor."""
        made = evaluated(node, self.values)
        if made is None and not (isinstance(node, ast.Constant) and node.value is None):
            raise UnsupportedError(f"`{ast.unparse(node)}` has no value")
        return torch.as_tensor(made) if is_array(made) else made

    def integer(self, node: ast.expr) -> int:
        """The value of an expression that is a whole number."""
        return int(self.value(node))

    def varies(self, node: ast.expr) -> bool:
        """Whether anything that is differentiated by is in an expression."""
        definitions = self.graph.definitions
        names = (n.id for n in ast.walk(node) if isinstance(n, ast.Name))
        return any(n in definitions and definitions[n].function != "constant" for n in names)

    def dims(self, node: ast.expr, rank: int) -> list[int]:
        """The axes that an argument `dim` names, counted from the first; None is all of them."""
        dims = self.value(node)
        whole = range(rank) if dims is None else [dims] if isinstance(dims, int) else dims
        return [d % rank for d in whole]

    # Lowering

    def tensor(self, node: ast.expr) -> Indexed:
        """An expression that is one tensor, or a number, over indices that nothing else uses."""
        key = ast.unparse(node)
        if key not in self._memo:
            made = self.lower(node)
            if isinstance(made, list):
                raise UnsupportedError(f"`{key}` is several tensors")
            self._memo[key] = made
        return self.refreshed(self._memo[key])

    def several(self, node: ast.expr) -> Lowered:
        """An expression that may be several tensors, the same ones whenever it stands in a line."""
        key = ast.unparse(node)
        if key not in self._several:
            self._several[key] = self.lower(node)
        made = self._several[key]
        return [self.refreshed(m) for m in made] if isinstance(made, list) else self.refreshed(made)

    def keep(self, node: ast.expr, made: Indexed) -> None:
        """Remember what an expression is lowered to while the line lasts."""
        self._memo[ast.unparse(node)] = made

    def know(self, name: str, made: Indexed) -> None:
        """Let a name stand for a value."""
        self._memo[name] = made

    def forget(self) -> None:
        """Drop what was kept while a line was lowered."""
        self._memo.clear()
        self._several.clear()

    def refreshed(self, made: Indexed) -> Indexed:
        """The same value over indices of its own."""
        axes = dict.fromkeys(a for i in made.axes for a in plain_order(i))
        return made.put({a: fresh(self.graph.sizes.find(a.size)) for a in axes})

    def lower(self, node: ast.expr) -> Lowered:
        """Any expression."""
        match node:
            case ast.Constant(bool() | int() | float()):
                return Indexed(number(Fraction(str(float(node.value)) if node.value % 1 else str(int(node.value)))))
            case ast.Tuple(parts) | ast.List(parts):
                return [self.tensor(part) for part in parts]
            case ast.Name(name) if name in self.graph.definitions:
                return self.graph.use(name)
            case ast.Name(name) if name in self.graph.settled:
                return Indexed(element(self.graph.sizes.factor(self.graph.named[name]).name))
        size = self.size(node)
        if size is not None:
            return Indexed(size)
        if not self.varies(node) and not isinstance(node, ast.BinOp | ast.UnaryOp):
            made = self.constant(node)
            if made is not None:
                return made
        plain = self.plain(node)
        if plain is not None:
            return plain
        if isinstance(node, ast.Compare | ast.BoolOp) or _logical(node):
            return self.graph.constant(self.said(node), self.value(node))
        if isinstance(node, ast.Attribute) and node.attr in ("values", "data", "real"):
            made = self.lower(node.value)
            return made[0] if isinstance(made, list) else made
        call = call_of(node, self.values)
        if call is None or call.name not in RULES:
            what = f"`{ast.unparse(node)}`" if call is None else f"`{call.name}`"
            raise UnsupportedError(f"{what} has no index notation here")
        try:
            return RULES[call.name](self, call)
        except UnsupportedError:
            if self.varies(node):
                raise
            made = self.opaque(node)
            if made is None:
                raise
            return made

    def index(self, node: ast.expr) -> tuple[Gathered, Form]:
        """The places that an expression of integers names, and its axes."""
        largest = self.largest(node)
        if largest is not None:
            return largest
        made = self.tensor(node)
        single = made.expr.single()
        definition = None if single is None else self.graph.definitions[single.name]
        if single is None or definition is None or definition.function != "constant":
            raise UnsupportedError(f"`{ast.unparse(node)}` as a subscript has no index notation here")
        values = self.graph.values[single.name].long()
        table = self.graph.table(single.name, values)
        return Gathered(table, tuple(i for i in single.indices if i is not None)), made.axes

    def largest(self, node: ast.expr) -> tuple[Gathered, Form] | None:
        """The places of the largest elements along an axis, under one name however they are asked for."""
        match node:
            case ast.Call(ast.Attribute(owner, "argmax" | "argmin" as word)):
                known = {k.arg: k.value for k in node.keywords}
                dims = [*node.args[:1], *(known[w] for w in ("dim", "axis") if w in known)]
                keep = known.get("keepdim", known.get("keepdims"))
            case ast.Attribute(ast.Call() as called, "indices") if (call := call_of(called, self.values)) is not None:
                if call.name not in ("max", "min"):
                    return None
                owner, dims, keep, word = call["x"], [call["dim"]], call["keepdim"], f"arg{call.name}"
            case _:
                return None
        if not dims or not isinstance(dim := self.value(dims[0]), int) or (keep is not None and self.value(keep)):
            return None
        values = self.value(node)
        d = dim % (values.dim() + 1)
        table = self.graph.table(f"{self.said(owner)}.{word}({d})", values)
        axes = self.tensor(owner).axes
        kept = tuple(a for k, a in enumerate(axes) if k != d)
        return Gathered(table, tuple(a for a in kept if a is not None)), kept

    def constant(self, node: ast.expr) -> Indexed | None:
        """Something that is not differentiated by: a tensor by what the source says, a number by its name."""
        made = evaluated(node, self.values)
        if is_array(made):
            tensor = torch.as_tensor(made)
            if isinstance(node, ast.Name):
                return self.graph.constant(node.id, tensor, user=True)
            call = call_of(node, self.values)
            return None if call is not None and call.name in RULES else self.graph.constant(self.said(node), tensor)
        if isinstance(made, numbers.Real) and not isinstance(node, ast.Call):
            if float(made) == math.pi:
                return Indexed(element("torch.pi"))
            return Indexed(self.graph.scalar(ast.unparse(node), float(made)))
        return None

    def opaque(self, node: ast.expr) -> Indexed | None:
        """A constant that no rule lowers, by what the source says."""
        made = evaluated(node, self.values)
        if is_array(made):
            return self.graph.constant(self.said(node), torch.as_tensor(made))
        return Indexed(self.graph.scalar(ast.unparse(node), float(made))) if isinstance(made, numbers.Real) else None

    def said(self, node: ast.expr) -> str:
        """The source of an expression, in parentheses where it needs them as a factor."""
        text = source(node)
        return text if isinstance(node, ast.Name | ast.Call | ast.Subscript | ast.Attribute) else f"({text})"

    def plain(self, node: ast.expr) -> Indexed | None:
        """A tensor of zeros, of ones, or with ones on its diagonal, as a line makes it."""
        if not isinstance(node, ast.Call):
            return None
        function = evaluated(node.func, self.values)
        if function is torch.eye and len(node.args) == 1:
            size = self.size_said(node.args[0], self.integer(node.args[0]))
            i, j = fresh(size), fresh(size)
            return Indexed(delta(i, j), (i, j))
        if function not in (torch.zeros, torch.ones):
            return None
        first = node.args[0] if len(node.args) == 1 else None
        sizes = first.elts if isinstance(first, ast.Tuple | ast.List) else node.args
        if not all(isinstance(self.value(n), int) for n in sizes):
            return None
        axes = tuple(None if self.integer(n) == 1 else self.axis(self.integer(n), n) for n in sizes)
        return Indexed(ONE if function is torch.ones else Expr(), axes)

    def mention(self, node: ast.expr) -> str:
        """The source of an expression, by name where it is a value inside a call that may get a line of its own."""
        single = self.tensor(node).expr.single()
        return f"«{single.name}»" if single is not None and single.name in self.graph.words else self.said(node)

    def one(self, made: Indexed) -> Indexed:
        """The value as a single product, under a hidden name where it is a sum."""
        return made if len(made.expr) == 1 else self.graph.name(made)

    def flat(self, made: Indexed) -> Indexed:
        """The value with a plain index for each axis that a view merged."""
        for d, index in enumerate(made.axes):
            if isinstance(index, Merged):
                whole = fresh(symbol(extent(index)))
                here = self.one(made).expr * delta(whole, index)
                made = Indexed(here.sum(plain_order(index)), (*made.axes[:d], whole, *made.axes[d + 1 :]))
        return made


def _logical(node: ast.expr) -> bool:
    match node:
        case ast.UnaryOp(ast.Not() | ast.Invert()) | ast.BinOp(_, ast.BitAnd() | ast.BitOr() | ast.BitXor()):
            return True
    return False


def refusal(what: str, text: str, line: int) -> DeriveError:
    """The error for a line that has no index notation."""
    return DeriveError(
        f"{what}, so this line has no closed form",
        where=f"line {line}: {text}",
        next_step="Use '--form lines', or take a part of the program without this line (--from, --to).",
    )
