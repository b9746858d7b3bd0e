"""Single edits of a line: what people most often meant instead of what they wrote.

Every rule is a small generator registered for the kind of syntax it changes. Adding a mistake the checker should
recognise is adding one rule.
"""

import ast
import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from handgrad.checker.trace import is_float

Proposal = tuple[str, float, ast.AST]
"""Kind, cost (a lower one is tried earlier), and what stands in the place of the node."""

Rule = Callable[[Any, "Context"], Iterator[Proposal]]


@dataclass(frozen=True)
class Edit:
    """One edit of a statement: its kind, and the node that another takes the place of."""

    kind: str
    cost: float
    old: ast.AST
    new: ast.AST
    statement: ast.stmt

    @property
    def edited(self) -> ast.stmt:
        """The statement as it should be."""
        return substitute(self.statement, self.old, self.new)


@contextlib.contextmanager
def in_place(tree: ast.AST, old: ast.AST, new: ast.AST) -> Iterator[bool]:
    """The tree with one node replaced for a while; yields whether the node was found. No part of it is copied."""
    slot = next(_slots(tree, old), None)
    if slot is None:
        yield False
        return
    holder, key = slot
    ast.fix_missing_locations(ast.copy_location(new, old)) if hasattr(old, "lineno") else None
    _put(holder, key, new)
    try:
        yield True
    finally:
        _put(holder, key, old)


def _put(holder: Any, key: Any, node: ast.AST) -> None:
    if isinstance(holder, list):
        holder[key] = node
    else:
        setattr(holder, key, node)


def _slots(tree: ast.AST, wanted: ast.AST) -> Iterator[tuple[Any, Any]]:
    for key in tree._fields:
        value = getattr(tree, key, None)
        if value is wanted:
            yield tree, key
        elif isinstance(value, ast.AST):
            yield from _slots(value, wanted)
        elif isinstance(value, list):
            for i, item in enumerate(value):
                if item is wanted:
                    yield value, i
                elif isinstance(item, ast.AST):
                    yield from _slots(item, wanted)


@dataclass
class Context:
    """What a rule may draw on: the names at hand by sort, and where in the statement the node stands."""

    gradient: str
    variable: str
    values: dict[str, Any]
    gradients: set[str]
    constants: tuple[float, ...] = ()
    continues: bool = False
    accumulates: bool = False
    related: set[str] = field(default_factory=set)
    locals: set[str] = field(default_factory=set)
    counters: set[str] = field(default_factory=set)
    in_index: bool = False
    parent: ast.AST | None = None
    role: str = ""
    tensors: dict[str, Tensor] = field(init=False)
    integers: dict[str, Tensor] = field(init=False)
    sizes: dict[str, int | float] = field(init=False)

    def __post_init__(self):
        self.tensors = {n: v for n, v in self.values.items() if is_float(v) and n != self.gradient}
        self.integers = {n: v for n, v in self.values.items() if isinstance(v, Tensor) and not is_float(v)}
        self.sizes = {
            n: v for n, v in self.values.items()
            if isinstance(v, int | float) and not isinstance(v, bool) and not n.startswith("__")
        }


RULES: dict[type, list[Rule]] = {}


def rule(*kinds: type) -> Callable[[Rule], Rule]:
    """Register a rule for syntax nodes of these kinds."""

    def register(function: Rule) -> Rule:
        for kind in kinds:
            RULES.setdefault(kind, []).append(function)
        return function

    return register


def name(id: str) -> ast.Name:
    return ast.Name(id, ast.Load())


def number(value: float) -> ast.expr:
    if value < 0:
        return ast.UnaryOp(ast.USub(), ast.Constant(-value))
    return ast.Constant(value)


def binary(left: ast.expr, op: type[ast.operator], right: ast.expr) -> ast.BinOp:
    return ast.BinOp(left, op(), right)


def negative(node: ast.expr) -> ast.expr:
    return ast.UnaryOp(ast.USub(), node)


def method(receiver: ast.expr, called: str, *args: ast.expr, **keywords: Any) -> ast.Call:
    words = [ast.keyword(k, ast.Constant(v)) for k, v in keywords.items()]
    return ast.Call(ast.Attribute(receiver, called, ast.Load()), list(args), words)


def expression(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def same(a: ast.AST, b: ast.AST) -> bool:
    return ast.dump(a) == ast.dump(b)


def called(node: ast.AST) -> str | None:
    """The name of the function or method that is called."""
    if not isinstance(node, ast.Call):
        return None
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else None


def is_method(node: ast.AST, ctx: Context) -> bool:
    """Whether a call is `tensor.method(...)` and not `module.function(...)`."""
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and not (isinstance(node.func.value, ast.Name) and _is_module(ctx.values.get(node.func.value.id)))
        and not (isinstance(node.func.value, ast.Attribute) and ast.unparse(node.func.value).startswith("torch."))
    )


def _is_module(value: Any) -> bool:
    return type(value).__name__ == "module"


# --- names -----------------------------------------------------------------------------------------------------------


@rule(ast.Name)
def another_variable(node: ast.Name, ctx: Context) -> Iterator[Proposal]:
    """`bndiff2` where `bndiff` was meant."""
    kind = "wrong-index" if ctx.in_index else "wrong-variable"
    for pool in (ctx.tensors, ctx.integers):
        if node.id in pool or node.id == ctx.gradient:
            shape = pool[node.id].shape if node.id in pool else None
            for other, tensor in pool.items():
                if other != node.id:
                    near = tensor.shape == shape
                    akin = (other in ctx.gradients) == (node.id in ctx.gradients)
                    far = 0.0 if other in ctx.related or other in ctx.gradients else 0.45
                    yield kind, (1.0 if near else 2.0) + (0 if akin else 0.4) + far, name(other)
    if node.id in ctx.sizes:
        for other, size in ctx.sizes.items():
            if other != node.id and size != ctx.sizes[node.id]:
                beside = isinstance(ctx.parent, ast.BinOp) and isinstance(ctx.parent.op, ast.Sub | ast.Add)
                yield kind, 0.93 if beside else 0.88, name(other)
        if node.id in ctx.related and ctx.role == "factor":
            yield "wrong-constant", 0.87, binary(node, ast.Pow, number(0.5))
    if node.id in ctx.locals - ctx.counters:
        for other in sorted(ctx.locals - ctx.counters - {node.id, ctx.gradient}):
            yield kind, 1.05, name(other)
    if ctx.in_index and node.id in ctx.counters:
        for shift in (ast.Sub, ast.Add):
            yield "wrong-index", 1.0, binary(node, shift, ast.Constant(1))
    if ctx.in_index and (node.id in ctx.locals or node.id in ctx.integers or node.id in ctx.sizes):
        for other in sorted(ctx.locals - {node.id} - set(ctx.tensors)):
            yield "wrong-index", 1.05, name(other)
    if node.id == ctx.variable and ctx.role == "receiver":
        yield "bad-start", 1.5, expression(f"torch.zeros_like({ctx.variable})")
    if ctx.in_index and node.id in ctx.integers:
        for dim in ("1", "-1", "0"):
            yield "wrong-index", 1.7, expression(f"{ctx.variable}.argmax({dim})")


@rule(ast.Name, ast.Attribute, ast.Subscript, ast.Call, ast.Constant)
def one_less(node: ast.expr, ctx: Context) -> Iterator[Proposal]:
    """`n` where `n - 1` was meant."""
    if ctx.in_index or ctx.role in ("dim", "exponent", "function"):
        return
    if isinstance(node, ast.Constant) and not (type(node.value) in (int, float) and node.value > 3):
        return
    if isinstance(node, ast.Name) and node.id not in ctx.sizes:
        return
    if isinstance(node, ast.Attribute) or (isinstance(node, ast.Call) and called(node) not in ("len", "size", "numel")):
        return
    if isinstance(node, ast.Subscript) and not ast.unparse(node.value).endswith(".shape"):
        return
    yield "bessel", 0.9, binary(node, ast.Sub, ast.Constant(1))


@rule(ast.BinOp)
def not_one_less(node: ast.BinOp, _ctx: Context) -> Iterator[Proposal]:
    """`n - 1` where `n` was meant."""
    if isinstance(node.op, ast.Sub | ast.Add) and isinstance(node.right, ast.Constant) and node.right.value == 1:
        yield "bessel", 0.9, node.left


@rule(ast.Name, ast.BinOp, ast.Call)
def a_power(node: ast.expr, ctx: Context) -> Iterator[Proposal]:
    """`1 - h` where `1 - h**2` was meant."""
    if ctx.in_index or ctx.role in ("dim", "exponent", "function", "receiver-function"):
        return
    if isinstance(node, ast.Name) and node.id not in ctx.tensors and node.id not in ctx.sizes:
        return
    if isinstance(node, ast.BinOp) and not isinstance(node.op, ast.Add | ast.Sub):
        return
    if isinstance(node, ast.Call) and called(node) in ("range", "len", "arange", "sum", "one_hot"):
        return
    for power, cost in ((2, 1.4), (3, 1.9), (-1, 1.8), (-2, 2.0), (0.5, 2.0), (-0.5, 2.1)):
        kind = "missing-factor" if isinstance(node, ast.Name) and node.id in ctx.gradients else "wrong-constant"
        yield kind, cost, binary(node, ast.Pow, number(power))


@rule(ast.Name, ast.BinOp)
def an_epsilon(node: ast.expr, ctx: Context) -> Iterator[Proposal]:
    """`bnvar` where `bnvar + 1e-5` was meant."""
    if ctx.in_index or ctx.role in ("dim", "exponent", "function"):
        return
    if isinstance(node, ast.Name) and node.id not in ctx.tensors:
        return
    small = [number(c) for c in ctx.constants if 0 < abs(c) <= 1e-2]
    small += [name(n) for n, v in ctx.sizes.items() if 0 < abs(v) <= 1e-2 and n.lower().startswith("ep")]
    for constant in small:
        yield "epsilon", 1.3, binary(node, ast.Add, constant)


@rule(ast.BinOp)
def no_epsilon(node: ast.BinOp, ctx: Context) -> Iterator[Proposal]:
    """An epsilon that the forward pass has not."""
    if isinstance(node.op, ast.Add) and _is_small(node.right, ctx):
        yield "epsilon", 1.1, node.left
        for constant in ctx.constants:
            if 0 < abs(constant) <= 1e-2:
                yield "epsilon", 1.1, binary(node.left, ast.Add, number(constant))
        for n, v in ctx.sizes.items():
            if 0 < abs(v) <= 1e-2:
                yield "epsilon", 1.1, binary(node.left, ast.Add, name(n))


def _is_small(node: ast.expr, ctx: Context) -> bool:
    value = node.value if isinstance(node, ast.Constant) else ctx.sizes.get(getattr(node, "id", ""))
    return isinstance(value, int | float) and 0 < abs(value) <= 1e-2


# --- constants -------------------------------------------------------------------------------------------------------

USUAL = (0, 1, 2, 3, 4, 0.5, 1.5, 0.25, 0.125)


@rule(ast.Constant)
def another_constant(node: ast.Constant, ctx: Context) -> Iterator[Proposal]:
    """`**-0.5` where `**-1.5` was meant; a dimension, an index, an epsilon."""
    value = node.value
    if isinstance(value, bool):
        kind = {"keepdim": "shape", "keepdims": "shape", "unbiased": "bessel", "accumulate": "overwrite"}.get(ctx.role)
        yield kind or "wrong-constant", 0.8, ast.Constant(not value)
        return
    if isinstance(value, str):
        yield from _einsum(value)
        return
    if not isinstance(value, int | float):
        return
    if ctx.role == "dim":
        kind = "transpose" if called(ctx.parent) in ("transpose", "permute", "swapaxes") else "wrong-dim"
        for dim in (0, 1, 2, 3, -1, -2, -3):
            if dim != value:
                yield kind, 1.0, number(dim)
        return
    kind = "wrong-index" if ctx.in_index else "wrong-constant"
    if ctx.in_index and isinstance(ctx.parent, ast.Subscript) and ast.unparse(ctx.parent.value).endswith(".shape"):
        for dim in (0, 1, 2, 3, -1):
            if dim != value:
                yield "wrong-dim", 0.95, number(dim)
        return
    if not ctx.in_index:
        yield "wrong-constant" if ctx.role in ("exponent", "argument") else "sign", 0.8, number(-value)
    if 0 < abs(value) <= 1e-2:
        kind = "epsilon"
    candidates = [value + 1, value - 1, 2 * value, value / 2, value + 0.5, value - 0.5, -value - 1, *USUAL, *(-u for u in USUAL)]
    if value:
        candidates.append(1 / value)
    for other in dict.fromkeys([*candidates, *ctx.constants]):
        if other != value and (not ctx.in_index or other == int(other)):
            cost = 1.25 if other in (0, 1) and ctx.role == "factor" else 1.0 if abs(other) < 5 else 1.2
            yield kind, cost, number(int(other) if ctx.in_index else other)
    if ctx.in_index:
        for other in [*sorted(ctx.locals - set(ctx.tensors)), *ctx.integers]:
            yield "wrong-index", 1.1, name(other)
    else:
        for n in ctx.sizes:
            yield kind, 1.7, name(n)


def _einsum(text: str) -> Iterator[Proposal]:
    if "->" not in text:
        return
    inputs, output = text.replace(" ", "").split("->")
    letters = sorted(set(inputs) - {",", "."})
    parts = inputs.split(",")
    for i in range(len(output)):
        for j in range(i):
            swapped = list(output)
            swapped[i], swapped[j] = swapped[j], swapped[i]
            yield "transpose", 1.0, ast.Constant(f"{inputs}->{''.join(swapped)}")
    for i, part in enumerate(parts):
        for a in range(len(part)):
            for b in range(a):
                swapped = list(part)
                swapped[a], swapped[b] = swapped[b], swapped[a]
                new = ",".join([*parts[:i], "".join(swapped), *parts[i + 1 :]])
                yield "transpose", 1.1, ast.Constant(f"{new}->{output}")
    for i in range(len(output)):
        for letter in letters:
            if letter not in output:
                yield "wrong-dim", 0.98, ast.Constant(f"{inputs}->{output[:i]}{letter}{output[i + 1:]}")
        yield "missing-sum", 1.3, ast.Constant(f"{inputs}->{output[:i]}{output[i + 1:]}")
    for i in range(len(inputs)):
        if inputs[i].isalpha():
            for letter in letters:
                if letter != inputs[i]:
                    yield "wrong-index", 1.4, ast.Constant(f"{inputs[:i]}{letter}{inputs[i + 1:]}->{output}")
    for letter in letters:
        if letter not in output:
            for i in range(len(output) + 1):
                yield "extra-sum", 1.4, ast.Constant(f"{inputs}->{output[:i]}{letter}{output[i:]}")


# --- operators -------------------------------------------------------------------------------------------------------

OTHER_OPERATORS: dict[type, tuple[tuple[type, str], ...]] = {
    ast.Add: ((ast.Sub, "sign"), (ast.Mult, "wrong-operator")),
    ast.Sub: ((ast.Add, "sign"), (ast.Mult, "wrong-operator")),
    ast.Mult: ((ast.Div, "wrong-operator"), (ast.Add, "wrong-operator"), (ast.MatMult, "wrong-operator")),
    ast.Div: ((ast.Mult, "wrong-operator"),),
    ast.FloorDiv: ((ast.Div, "wrong-operator"),),
    ast.Pow: ((ast.Mult, "wrong-operator"),),
    ast.MatMult: ((ast.Mult, "wrong-operator"),),
}


@rule(ast.BinOp)
def another_operator(node: ast.BinOp, _ctx: Context) -> Iterator[Proposal]:
    """`*` where `/` was meant."""
    for op, kind in OTHER_OPERATORS.get(type(node.op), ()):
        yield kind, 0.9, binary(node.left, op, node.right)


@rule(ast.BinOp)
def operands_exchanged(node: ast.BinOp, _ctx: Context) -> Iterator[Proposal]:
    """`y - x` where `x - y` was meant; `dlogits.T @ h` for `h.T @ dlogits`."""
    kind = {ast.Sub: "sign", ast.Div: "wrong-operator", ast.MatMult: "transpose", ast.Pow: "wrong-operator"}.get(type(node.op))
    if kind:
        yield kind, 0.9, binary(node.right, type(node.op), node.left)
    if isinstance(node.op, ast.MatMult):
        yield "transpose", 1.0, ast.Attribute(node, "T", ast.Load())
        yield "transpose", 1.0, binary(_transposed(node.right), ast.MatMult, _transposed(node.left))
        for left, right in ((_transposed(node.left), node.right), (node.left, _transposed(node.right))):
            yield "transpose", 1.0, binary(left, ast.MatMult, right)
            yield "transpose", 1.2, binary(right, ast.MatMult, left)
        yield "transpose", 1.2, binary(_transposed(node.left), ast.MatMult, _transposed(node.right))


def _transposed(node: ast.expr) -> ast.expr:
    if isinstance(node, ast.Attribute) and node.attr in ("T", "mT"):
        return node.value
    return ast.Attribute(node, "T", ast.Load())


@rule(ast.BinOp)
def an_operand_too_many(node: ast.BinOp, ctx: Context) -> Iterator[Proposal]:
    """A term or a factor that does not belong."""
    if isinstance(node.op, ast.Add | ast.Sub):
        yield "extra-term", 1.2, node.left
        yield "extra-term", 1.2, node.right
    elif isinstance(node.op, ast.Mult | ast.Div):
        yield _factor_kind(node.right, ctx, "extra-factor"), 1.2, node.left
        if isinstance(node.op, ast.Mult):
            yield _factor_kind(node.left, ctx, "extra-factor"), 1.2, node.right
    elif isinstance(node.op, ast.Pow):
        yield "wrong-constant", 1.2, node.left


def _factor_kind(factor: ast.expr, ctx: Context, otherwise: str) -> str:
    """`scale` for a factor that is a plain number or a size, which only rescales; else `otherwise`."""
    for part in ast.walk(factor):
        if isinstance(part, ast.Name) and part.id in ctx.tensors | ctx.integers and not _only_sizes(factor):
            return otherwise
        if isinstance(part, ast.Name) and isinstance(ctx.sizes.get(part.id), float):
            return otherwise
    return "scale"


def _only_sizes(node: ast.expr) -> bool:
    return called(node) in ("len", "numel", "size") or ast.unparse(node).split("[")[0].endswith(".shape")


@rule(ast.BinOp)
def other_brackets(node: ast.BinOp, _ctx: Context) -> Iterator[Proposal]:
    """`1 - h**2 * dh` where `(1 - h**2) * dh` was meant."""
    left, op, right = node.left, type(node.op), node.right
    if isinstance(right, ast.BinOp):
        yield "wrong-operator", 1.3, binary(binary(left, op, right.left), type(right.op), right.right)
    if isinstance(left, ast.BinOp):
        yield "wrong-operator", 1.3, binary(left.left, type(left.op), binary(left.right, op, right))
        if isinstance(left.left, ast.BinOp):
            inner = left.left
            regrouped = binary(binary(inner.right, type(left.op), left.right), op, right)
            yield "wrong-operator", 1.5, binary(inner.left, type(inner.op), regrouped)
    if isinstance(left, ast.UnaryOp) and isinstance(left.op, ast.USub) and op is ast.Pow:
        yield "sign", 1.0, negative(binary(left.operand, op, right))


@rule(ast.UnaryOp)
def no_sign(node: ast.UnaryOp, ctx: Context) -> Iterator[Proposal]:
    """A minus, or a `~`, too many."""
    if ctx.role == "dim" or ctx.in_index:
        moves = called(ctx.parent) in ("transpose", "permute", "swapaxes")
        kind = "wrong-index" if ctx.in_index else "transpose" if moves else "wrong-dim"
        for dim in (0, 1, 2, -1, -2, -3):
            if not same(number(dim), node):
                yield kind, 1.0, number(dim)
        return
    if ctx.role == "argument" and isinstance(node.operand, ast.Constant):
        yield "wrong-constant", 0.8, node.operand
        return
    yield "sign" if isinstance(node.op, ast.USub) else "wrong-operator", 0.8, node.operand


@rule(ast.Name, ast.BinOp, ast.Call, ast.Attribute, ast.Subscript)
def a_sign(node: ast.expr, ctx: Context) -> Iterator[Proposal]:
    """A minus that was forgotten."""
    if ctx.role in ("value", "operand"):
        yield "sign", 0.9 if ctx.role == "value" else 1.1, negative(node)


@rule(ast.Name, ast.Compare)
def a_complement(node: ast.expr, ctx: Context) -> Iterator[Proposal]:
    """A mask the wrong way round, or a factor in the place of one minus it."""
    if isinstance(node, ast.Compare):
        for op in (ast.Gt, ast.Lt, ast.GtE, ast.LtE, ast.Eq, ast.NotEq):
            if not isinstance(node.ops[0], op):
                yield "wrong-operator", 1.0, ast.Compare(node.left, [op()], node.comparators)
        return
    if node.id in ctx.integers:
        yield "wrong-operator", 1.2, ast.UnaryOp(ast.Invert(), node)
    elif node.id in ctx.tensors and node.id not in ctx.gradients and not ctx.in_index and ctx.role != "function":
        yield "missing-term", 1.7, binary(ast.Constant(1), ast.Sub, node)
        yield "missing-factor", 2.2, binary(node, ast.Mult, binary(ast.Constant(1), ast.Sub, node))
        yield "missing-term", 2.2, binary(ast.Constant(1), ast.Sub, binary(node, ast.Pow, ast.Constant(2)))
        yield "missing-term", 2.4, binary(ast.Constant(1), ast.Add, node)
    elif node.id in ctx.sizes and not ctx.in_index:
        yield "wrong-constant", 1.6, binary(ast.Constant(1), ast.Sub, node)


@rule(ast.BinOp)
def no_complement(node: ast.BinOp, _ctx: Context) -> Iterator[Proposal]:
    """`1 - x` where only its square, or only x, was meant; a missing one."""
    if isinstance(node.op, ast.Mult | ast.Pow):
        yield "missing-term", 1.8, binary(ast.Constant(1), ast.Sub, node)
        yield "missing-term", 2.0, binary(ast.Constant(1), ast.Add, node)


@rule(ast.UnaryOp)
def a_missing_one(node: ast.UnaryOp, _ctx: Context) -> Iterator[Proposal]:
    """`-h**2` where `1 - h**2` was meant."""
    if isinstance(node.op, ast.USub) and not isinstance(node.operand, ast.Constant):
        yield "missing-term", 1.2, binary(ast.Constant(1), ast.Sub, node.operand)


# --- sums, shapes, calls ---------------------------------------------------------------------------------------------

DIMS: tuple[tuple[tuple[int, ...], float], ...] = (
    ((0,), 1.1), ((1,), 1.1), ((-1,), 1.15), ((2,), 1.2), ((0, 1), 1.2), ((0, 2), 1.3), ((1, 2), 1.3), ((0, 1, 2), 1.4),
)


def _sum(node: ast.expr, dims: tuple[int, ...], keep: bool) -> ast.expr:
    dim = number(dims[0]) if len(dims) == 1 else ast.Tuple([number(d) for d in dims], ast.Load())
    return method(node, "sum", dim, **({"keepdim": True} if keep else {}))


@rule(ast.Name, ast.BinOp, ast.Call, ast.UnaryOp, ast.Attribute, ast.Subscript)
def a_sum(node: ast.expr, ctx: Context) -> Iterator[Proposal]:
    """`db = dlogits` where `dlogits.sum(0)` was meant."""
    if ctx.role not in ("value", "operand", "factor"):
        return
    extra = {"value": 0.0, "operand": 0.2, "factor": 0.4}[ctx.role]
    for dims, cost in DIMS:
        for keep in (False, True):
            yield "missing-sum", cost + extra + 0.01 * keep, _sum(node, dims, keep)
    yield "missing-sum", 1.2 + extra, method(node, "sum")


@rule(ast.Call)
def another_sum(node: ast.Call, ctx: Context) -> Iterator[Proposal]:
    """The wrong dimension, a lost keepdim, a mean for a sum, a sum too many or in the wrong place."""
    what = called(node)
    if what not in ("sum", "mean"):
        return
    function = not is_method(node, ctx)
    receiver = node.args[0] if function and node.args else getattr(node.func, "value", None)
    if receiver is None:
        return
    arguments = node.args[1:] if function else node.args
    keeps = any(k.arg in ("keepdim", "keepdims") for k in node.keywords)
    has_dim = bool(arguments) or any(k.arg in ("dim", "axis") for k in node.keywords)
    for dims, cost in DIMS:
        for keep in (False, True):
            changed = _sum(receiver, dims, keep)
            kind = ("shape" if keep != keeps and _same_dims(arguments, dims) else "wrong-dim") if has_dim else "extra-sum"
            yield kind, cost - 0.1 + 0.01 * (keep != keeps), _renamed(changed, what)
    if has_dim:
        yield "missing-sum", 1.3, _renamed(method(receiver, "sum"), what)
    yield "extra-sum", 1.0, receiver
    yield "scale", 0.9, _renamed(node, "mean" if what == "sum" else "sum")
    if isinstance(receiver, ast.BinOp) and isinstance(receiver.op, ast.Mult | ast.Div):
        op = type(receiver.op)
        left, right = receiver.left, receiver.right
        yield "misplaced-sum", 1.1, binary(_on(node, left, function), op, right)
        yield "misplaced-sum", 1.1, binary(left, op, _on(node, right, function))
        yield "misplaced-sum", 1.2, binary(_on(node, left, function), op, _on(node, right, function))


def _same_dims(arguments: list[ast.expr], dims: tuple[int, ...]) -> bool:
    return bool(arguments) and ast.unparse(arguments[0]) in (str(dims[0]) if len(dims) == 1 else "", str(dims))


def _renamed(node: ast.Call, what: str) -> ast.Call:
    func = node.func
    func = ast.Attribute(func.value, what, ast.Load()) if isinstance(func, ast.Attribute) else name(what)
    return ast.Call(func, node.args, node.keywords)


def _on(node: ast.Call, receiver: ast.expr, function: bool) -> ast.Call:
    """The same call on another receiver."""
    if function:
        return ast.Call(node.func, [receiver, *node.args[1:]], node.keywords)
    return ast.Call(ast.Attribute(receiver, node.func.attr, ast.Load()), node.args, node.keywords)


@rule(ast.BinOp)
def a_sum_over_more(node: ast.BinOp, ctx: Context) -> Iterator[Proposal]:
    """`a * b.sum(0)` where `(a * b).sum(0)` was meant."""
    if not isinstance(node.op, ast.Mult | ast.Div):
        return
    for outer, inner in ((node.left, node.right), (node.right, node.left)):
        if called(inner) in ("sum", "mean") and (function := not is_method(inner, ctx)) in (True, False):
            received = inner.args[0] if function and inner.args else getattr(inner.func, "value", None)
            if received is None:
                continue
            bare = outer
            if called(outer) == called(inner) and is_method(outer, ctx):
                bare = outer.func.value
            op = type(node.op)
            product = binary(bare, op, received) if outer is node.left else binary(received, op, bare)
            yield "misplaced-sum", 1.05, _on(inner, product, function)
            if bare is not outer:
                product = binary(outer, op, received)
                yield "misplaced-sum", 1.2, _on(inner, product, function)
    # a factor one level further out: (c * a) * b.sum(0)
    if isinstance(node.left, ast.BinOp) and isinstance(node.left.op, ast.Mult) and called(node.right) in ("sum", "mean"):
        if is_method(node.right, ctx):
            moved = _on(node.right, binary(node.left.right, ast.Mult, node.right.func.value), False)
            yield "misplaced-sum", 1.2, binary(node.left.left, ast.Mult, moved)


@rule(ast.Name, ast.BinOp, ast.Call)
def a_transpose(node: ast.expr, ctx: Context) -> Iterator[Proposal]:
    """A transpose that was forgotten."""
    if ctx.in_index or ctx.role in ("function", "dim", "exponent"):
        return
    if isinstance(node, ast.Name) and node.id not in ctx.tensors:
        return
    if isinstance(node, ast.BinOp) and ctx.role != "value":
        return
    yield "transpose", 1.1, ast.Attribute(node, "T", ast.Load())
    yield "transpose", 1.2, method(node, "transpose", number(-2), number(-1))


@rule(ast.Attribute)
def no_transpose(node: ast.Attribute, _ctx: Context) -> Iterator[Proposal]:
    """A transpose too many."""
    if node.attr in ("T", "mT", "H"):
        yield "transpose", 0.9, node.value


FUNCTIONS = (
    ("exp", "log"), ("tanh", "sigmoid"), ("sqrt", "rsqrt", "square"), ("sin", "cos"), ("sinh", "cosh", "tanh"),
    ("softmax", "log_softmax"), ("argmax", "argmin"), ("max", "min"), ("maximum", "minimum"), ("triu", "tril"),
    ("relu", "sign", "abs"), ("exp", "sigmoid", "tanh"), ("amax", "amin"), ("cumsum", "flip"), ("floor", "ceil"),
)
ACCUMULATING = {"index_copy_": "index_add_", "scatter_": "scatter_add_", "index_copy": "index_add", "scatter": "scatter_add"}
STARTS = ("zeros_like", "ones_like", "empty_like", "rand_like", "randn_like", "full_like")


@rule(ast.Call)
def another_function(node: ast.Call, ctx: Context) -> Iterator[Proposal]:
    """`torch.cosh` where `torch.sinh` was meant; ones for zeros; a write where a sum was meant."""
    what = called(node)
    if what is None:
        return
    for family in FUNCTIONS:
        for other in family if what in family else ():
            if other != what:
                yield "wrong-operator", 1.0, _renamed(node, other)
    if what in STARTS:
        for other in ("zeros_like", "ones_like"):
            if other != what:
                yield "bad-start", 0.8, _renamed(node, other)
    if what in ("zeros", "ones", "empty", "rand", "randn", "full"):
        for other in ("zeros", "ones"):
            if other != what:
                yield "bad-start", 0.8, _renamed(node, other)
    if what in ACCUMULATING:
        yield "overwrite", 0.8, _renamed(node, ACCUMULATING[what])
    if what in ("index_put_", "index_put") and not any(k.arg == "accumulate" for k in node.keywords):
        words = [*node.keywords, ast.keyword("accumulate", ast.Constant(True))]
        yield "overwrite", 0.8, ast.Call(node.func, node.args, words)
    if what in ("zeros_like", "ones_like", "softmax", "one_hot", "range", "arange"):
        return
    if is_method(node, ctx) and what not in ("sum", "mean", "view", "reshape"):
        kind = "transpose" if what in ("t", "transpose", "permute") else "extra-factor"
        yield kind, 1.2, node.func.value
    elif len(node.args) == 1 and not is_method(node, ctx):
        yield "extra-factor", 1.2, node.args[0]
    for i in range(len(node.args)):
        for j in range(i):
            args = list(node.args)
            args[i], args[j] = args[j], args[i]
            yield "transpose" if what == "einsum" else "wrong-operator", 1.0, ast.Call(node.func, args, node.keywords)


@rule(ast.Name)
def a_function(node: ast.Name, ctx: Context) -> Iterator[Proposal]:
    """The function whose derivative was taken in the wrong place."""
    if node.id in ctx.tensors and not ctx.in_index and ctx.role != "function":
        for what in ("exp", "tanh", "sigmoid", "log", "sqrt", "sinh", "cosh", "cos", "sin", "abs", "sign"):
            yield "wrong-operator", 2.3, method(node, what)
        for offset in ("{} + 1", "{} - 1", "({} > 0)", "({} < 0)", "1 / {}"):
            yield "wrong-operator", 2.5, expression(offset.format(node.id))


@rule(ast.BinOp)
def the_other_derivative(node: ast.BinOp, _ctx: Context) -> Iterator[Proposal]:
    """`s * (1 - s)`, of a sigmoid, where `1 - t**2`, of a tanh, was meant, and the other way round."""
    if isinstance(node.op, ast.Sub) and isinstance(node.right, ast.BinOp) and isinstance(node.right.op, ast.Pow):
        inner = node.right.left
        yield "wrong-operator", 1.2, binary(inner, ast.Mult, binary(node.left, ast.Sub, inner))
    if isinstance(node.op, ast.Mult) and isinstance(node.right, ast.BinOp) and isinstance(node.right.op, ast.Sub):
        one, inner = node.right.left, node.right.right
        tanh = binary(one, ast.Sub, binary(inner, ast.Pow, ast.Constant(2)))
        if same(node.left, inner):
            yield "wrong-operator", 1.2, tanh
        elif isinstance(node.left, ast.BinOp) and isinstance(node.left.op, ast.Mult) and same(node.left.right, inner):
            yield "wrong-operator", 1.2, binary(node.left.left, ast.Mult, tanh)


@rule(ast.List, ast.Tuple)
def parts_exchanged(node: ast.List, ctx: Context) -> Iterator[Proposal]:
    """`cat([dq, dv, dk])` where `cat([dq, dk, dv])` was meant."""
    if ctx.in_index or ctx.role == "dim":
        return
    for i in range(len(node.elts)):
        for j in range(i):
            items = list(node.elts)
            items[i], items[j] = items[j], items[i]
            yield "wrong-variable", 1.1, type(node)(items, ast.Load())


@rule(ast.Assign, ast.AugAssign)
def everywhere(node: ast.stmt, ctx: Context) -> Iterator[Proposal]:
    """A variable that was taken for another in every place."""
    times: dict[str, int] = {}
    for part in ast.walk(node.value):
        if isinstance(part, ast.Name):
            times[part.id] = times.get(part.id, 0) + 1
    for wrong in (n for n, count in times.items() if count > 1):
        for pool in (ctx.tensors, ctx.integers):
            for other in pool if wrong in pool else ():
                if other != wrong and pool[other].shape == pool[wrong].shape:
                    far = 0.0 if other in ctx.related or other in ctx.gradients else 0.3
                    replaced = _Renamed(wrong, other).visit(expression(ast.unparse(node.value)))
                    whole = ast.Assign(node.targets, replaced) if isinstance(node, ast.Assign) else None
                    yield "wrong-variable", 1.3 + far, whole or ast.AugAssign(node.target, node.op, replaced)


class _Renamed(ast.NodeTransformer):
    def __init__(self, old: str, new: str):
        self.old, self.new = old, new

    def visit_Name(self, node):
        return name(self.new) if node.id == self.old else node


@rule(ast.Call)
def heads_moved(node: ast.Call, ctx: Context) -> Iterator[Proposal]:
    """A view that needs a transpose beside it, or that takes its sizes in another order."""
    what = called(node)
    if not is_method(node, ctx):
        return
    receiver = node.func.value
    pairs = ((1, 2), (0, 1), (0, 2), (2, 3))
    if what in ("view", "reshape"):
        for a, b in pairs:
            moved = method(receiver, "transpose", number(a), number(b))
            yield "transpose", 1.3, ast.Call(ast.Attribute(moved, "reshape", ast.Load()), node.args, node.keywords)
            yield "transpose", 1.3, method(node, "transpose", number(a), number(b))
            if max(a, b) < len(node.args):
                args = list(node.args)
                args[a], args[b] = args[b], args[a]
                other = ast.Call(node.func, args, node.keywords)
                yield "transpose", 1.2, other
                yield "transpose", 1.3, method(other, "transpose", number(a), number(b))
    if what == "transpose" and called(receiver) in ("view", "reshape"):
        for a, b in pairs:
            if max(a, b) < len(receiver.args):
                args = list(receiver.args)
                args[a], args[b] = args[b], args[a]
                yield "transpose", 1.3, ast.Call(receiver.func, args, receiver.keywords)


@rule(ast.BinOp, ast.Name, ast.Call)
def a_normaliser(node: ast.expr, ctx: Context) -> Iterator[Proposal]:
    """A softmax sends back `p * (g - (g * p).sum(1, keepdim=True))`; the sum is often forgotten."""
    if ctx.role != "value":
        return
    for dim in (-1, 0):
        for other in sorted(ctx.related & set(ctx.tensors) - ctx.gradients):
            for factor in (name(other), method(name(other), "exp")):
                total = method(node, "sum", number(dim), keepdim=True)
                yield "missing-term", 2.2, binary(node, ast.Sub, binary(factor, ast.Mult, total))


@rule(ast.Name, ast.BinOp, ast.Call, ast.Subscript)
def a_term(node: ast.expr, ctx: Context) -> Iterator[Proposal]:
    """A term that was forgotten inside an expression."""
    if ctx.role not in ("operand", "factor", "receiver", "value", "argument") or ctx.in_index:
        return
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub) and ctx.role == "operand":
        return
    if isinstance(node, ast.Name) and node.id not in ctx.tensors:
        return
    for other, tensor in ctx.tensors.items():
        if other in ctx.gradients and ctx.role not in ("value", "operand"):
            continue
        cost = 2.3 if other in ctx.related else 2.7
        for text in (other, f"{other}[:, None]") if tensor.dim() == 1 else (other,):
            yield "missing-term", cost, binary(node, ast.Sub, expression(text))
            yield "missing-term", cost, binary(node, ast.Add, expression(text))


# --- indices ---------------------------------------------------------------------------------------------------------


@rule(ast.Slice)
def another_slice(node: ast.Slice, ctx: Context) -> Iterator[Proposal]:
    """`[:, Yb]` where `[range(n), Yb]` was meant; `[:-1]` for `[1:]`."""
    for text in (":", "1:", ":-1", "-1:", "::-1"):
        new = expression(f"x[{text}]").slice
        if not same(new, node):
            yield "wrong-index", 1.2, new
    if isinstance(ctx.parent, ast.Tuple):
        for n, size in ctx.sizes.items():
            if isinstance(size, int):
                yield "wrong-index", 1.3, expression(f"range({n})")
    for n, size in ctx.sizes.items():
        if isinstance(size, int):
            for lower, upper in ((None, name(n)), (name(n), None), (None, negative(name(n))), (negative(name(n)), None)):
                yield "wrong-index", 1.5, ast.Slice(lower, upper, None)
    if node.upper is not None and node.lower is None:
        for counter in sorted(ctx.locals - set(ctx.tensors)):
            yield "wrong-index", 1.3, ast.Slice(name(counter), binary(name(counter), ast.Add, node.upper), None)


@rule(ast.Subscript)
def another_index(node: ast.Subscript, ctx: Context) -> Iterator[Proposal]:
    """An index too many, or its parts exchanged."""
    if isinstance(node.slice, ast.Tuple) and len(node.slice.elts) > 1:
        swapped = ast.Tuple(node.slice.elts[::-1], ast.Load())
        yield "wrong-index", 1.1, ast.Subscript(node.value, swapped, node.ctx)
    if not isinstance(node.ctx, ast.Load):
        return
    if ctx.in_index:
        for other in ctx.integers:
            yield "wrong-index", 1.2, name(other)
    elif isinstance(node.value, ast.Name):
        yield "wrong-index", 1.6, node.value
        if isinstance(node.slice, ast.Constant):
            yield "missing-sum", 1.4, method(node.value, "sum", number(0))


@rule(ast.AugAssign)
def a_missing_index(node: ast.AugAssign, ctx: Context) -> Iterator[Proposal]:
    """`dC += demb[k, j]` where `dC[ix] += demb[k, j]` was meant."""
    if isinstance(node.target, ast.Name):
        for index in [*sorted(ctx.locals - set(ctx.tensors)), *ctx.integers]:
            target = ast.Subscript(node.target, name(index), ast.Store())
            yield "wrong-index", 1.2, ast.AugAssign(target, node.op, node.value)


# --- factors and terms -----------------------------------------------------------------------------------------------


@rule(ast.Name, ast.BinOp, ast.Call, ast.UnaryOp, ast.Attribute, ast.Subscript, ast.Constant)
def a_scale(node: ast.expr, ctx: Context) -> Iterator[Proposal]:
    """A division by `n`, or a factor of two, that was forgotten."""
    if ctx.role not in ("value", "operand", "summed", "argument") or ctx.in_index:
        return
    for factor in scales(ctx):
        kind = _factor_kind(factor, ctx, "missing-factor") if ctx.role in ("value", "summed") else "missing-factor"
        if isinstance(factor, ast.BinOp) and isinstance(factor.op, ast.Div):
            kind = "bessel"
        extra = (0.0 if ctx.role == "value" else 0.2) + (0.1 if isinstance(factor, ast.BinOp) else 0.0)
        yield kind, 1.5 + extra, binary(node, ast.Div, factor)
        yield kind, 1.5 + extra, binary(node, ast.Mult, factor)


def scales(ctx: Context) -> Iterator[ast.expr]:
    """Numbers a gradient may lack: two, then sizes by name and by shape, n - 1, and three."""
    seen: set[float] = {2}
    yield ast.Constant(2)
    named = sorted(((n, v) for n, v in ctx.sizes.items() if v not in (0, 1, 2) and abs(v) < 1e6), key=lambda i: len(i[0]))
    for n, value in named:
        if value not in seen:
            seen.add(value)
            yield name(n)
    for shape_of in [ctx.variable, *sorted(ctx.gradients)]:
        tensor = ctx.values.get(shape_of)
        if isinstance(tensor, Tensor):
            if tensor.numel() not in seen and tensor.numel() > 2:
                seen.add(tensor.numel())
                yield expression(f"{shape_of}.numel()")
            for dim, size in enumerate(tensor.shape):
                if size not in seen and size > 2:
                    seen.add(size)
                    yield expression(f"{shape_of}.shape[{dim}]")
    for n, value in named:
        if isinstance(value, int) and value > 2:
            yield binary(name(n), ast.Sub, ast.Constant(1))
            yield binary(name(n), ast.Div, binary(name(n), ast.Sub, ast.Constant(1)))
    yield ast.Constant(3)


@rule(ast.Name, ast.BinOp, ast.Call, ast.UnaryOp, ast.Attribute, ast.Subscript)
def a_factor(node: ast.expr, ctx: Context) -> Iterator[Proposal]:
    """A factor that was forgotten: the upstream gradient, a gain, a mask, a derivative."""
    if ctx.role not in ("value", "operand", "summed", "factor", "argument"):
        return
    extra = {"value": 0.0, "operand": 0.1, "summed": 0.05}.get(ctx.role, 0.3)
    for other, tensor in [*ctx.tensors.items(), *ctx.integers.items()]:
        if tensor.dim() > 4:
            continue
        near = 0.0 if other in ctx.gradients else 0.05
        yield "missing-factor", 1.8 + extra + near, binary(node, ast.Mult, name(other))
        if other not in ctx.gradients and is_float(tensor):
            yield "missing-factor", 1.9 + extra, binary(node, ast.Div, name(other))
            for text in ("(1 - {0})", "(1 - {0}**2)", "{0}**2", "({0} > 0)"):
                yield "missing-factor", 2.6 + extra, binary(node, ast.Mult, expression(text.format(other)))
            for what in ("exp", "sigmoid", "cos", "sinh", "sign"):
                yield "missing-factor", 2.8 + extra, binary(node, ast.Mult, method(name(other), what))
        if tensor.dim() == 1:
            for op in (ast.Mult, ast.Div) if is_float(tensor) else (ast.Mult,):
                yield "missing-factor", 2.1 + extra, binary(node, op, expression(f"{other}[:, None]"))
        if ctx.role in ("value", "operand"):
            yield "missing-factor", 2.4 + extra, binary(node, ast.MatMult, name(other))
            yield "missing-factor", 2.4 + extra, binary(node, ast.MatMult, ast.Attribute(name(other), "T", ast.Load()))


# --- whole statements ------------------------------------------------------------------------------------------------


@rule(ast.AugAssign)
def another_assignment(node: ast.AugAssign, ctx: Context) -> Iterator[Proposal]:
    """`-=` where `+=` was meant."""
    for op, kind in OTHER_OPERATORS.get(type(node.op), ())[:1]:
        yield kind, 0.9, ast.AugAssign(node.target, op(), node.value)
    if isinstance(node.op, ast.Add) and not _is_gradient_name(node.target, ctx):
        yield "extra-term", 1.6, ast.Assign([node.target], node.value)


def _is_gradient_name(target: ast.expr, ctx: Context) -> bool:
    return isinstance(target, ast.Name) and target.id in ctx.gradients


@rule(ast.Assign)
def adding_instead(node: ast.Assign, ctx: Context) -> Iterator[Proposal]:
    """`dC[Xb] = demb` loses what repeated indices add; a second `dX =` loses the first."""
    target = node.targets[0]
    if isinstance(target, ast.Subscript):
        yield "overwrite", 0.7, ast.AugAssign(target, ast.Add(), node.value)
        base, index = _load(target.value), target.slice
        indices = index if isinstance(index, ast.Tuple) else ast.Tuple([index], ast.Load())
        put = method(base, "index_put_", indices, node.value, accumulate=True)
        yield "overwrite", 0.8, ast.Expr(put)
    elif isinstance(target, ast.Name) and target.id == ctx.gradient:
        if ctx.continues:
            yield "overwrite", 0.7, ast.AugAssign(target, ast.Add(), node.value)
        start = expression(f"torch.zeros_like({ctx.variable})")
        if not same(start, node.value) and ctx.accumulates:
            yield "bad-start", 0.85, ast.Assign(node.targets, start)


@rule(ast.AugAssign)
def accumulating(node: ast.AugAssign, _ctx: Context) -> Iterator[Proposal]:
    """`dC[Xb] += demb` counts a repeated index once."""
    if isinstance(node.target, ast.Subscript) and isinstance(node.op, ast.Add):
        index = node.target.slice
        indices = index if isinstance(index, ast.Tuple) else ast.Tuple([index], ast.Load())
        put = method(_load(node.target.value), "index_put_", indices, node.value, accumulate=True)
        yield "overwrite", 0.8, ast.Expr(put)


@rule(ast.AugAssign, ast.Expr, ast.Assign)
def a_statement_too_many(node: ast.stmt, ctx: Context) -> Iterator[Proposal]:
    """A statement that should not be there."""
    if isinstance(node, ast.Assign) and not isinstance(node.targets[0], ast.Subscript):
        return
    kind = "extra-term"
    if isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Mult | ast.Div):
        kind = _factor_kind(node.value, ctx, "extra-factor")
    yield kind, 1.4, ast.Pass()


def _load(node: ast.expr) -> ast.expr:
    return expression(ast.unparse(node))


# --- walking ---------------------------------------------------------------------------------------------------------


def substitute(tree: ast.AST, old: ast.AST, new: ast.AST) -> ast.AST:
    """The tree with one node replaced; everything off its path is shared."""
    if tree is old:
        return new
    changed = {}
    for key, value in ast.iter_fields(tree):
        if isinstance(value, ast.AST):
            if (replaced := substitute(value, old, new)) is not value:
                changed[key] = replaced
        elif isinstance(value, list):
            items = [substitute(v, old, new) if isinstance(v, ast.AST) else v for v in value]
            if any(a is not b for a, b in zip(items, value, strict=True)):
                changed[key] = items
    if not changed:
        return tree
    fields = {key: changed.get(key, value) for key, value in ast.iter_fields(tree)}
    return ast.copy_location(type(tree)(**fields), tree)


def simple_statements(node: ast.stmt) -> Iterator[ast.stmt]:
    """The statements inside a compound one, or the statement itself."""
    if isinstance(node, ast.For | ast.While | ast.If | ast.With | ast.Try | ast.FunctionDef):
        if isinstance(node, ast.For):
            yield node
        for part in [*node.body, *getattr(node, "orelse", []), *getattr(node, "finalbody", [])]:
            yield from simple_statements(part)
    else:
        yield node


def edits(statement: ast.stmt, ctx: Context) -> Iterator[Edit]:
    """Every edit of a simple statement that a rule proposes."""
    for node, role, in_index, parent in _positions(statement):
        ctx.role, ctx.in_index, ctx.parent = role, in_index, parent
        for one in RULES.get(type(node), ()):
            for kind, cost, new in one(node, ctx):
                if isinstance(statement, ast.For):
                    kind = "wrong-index"
                yield Edit(kind, cost, node, new, statement)


def _positions(statement: ast.stmt) -> Iterator[tuple[ast.AST, str, bool, ast.AST | None]]:
    """Every node that an edit may replace, with its role and whether it stands in an index."""
    if isinstance(statement, ast.For):
        yield from _inside(statement.iter, "argument", False, statement)
        return
    yield statement, "statement", False, None
    if isinstance(statement, ast.Assign | ast.AugAssign | ast.Expr | ast.Return | ast.AnnAssign):
        targets = getattr(statement, "targets", None) or [t for t in [getattr(statement, "target", None)] if t]
        for target in targets:
            if isinstance(target, ast.Subscript):
                yield target, "target", False, statement
                yield from _inside(target.slice, "index", True, target)
        value = statement.value
        parts = value.elts if isinstance(value, ast.Tuple) else [value] if value is not None else []
        for part in parts:
            yield from _inside(part, "value", False, statement)


def _inside(node: ast.AST, role: str, in_index: bool, parent: ast.AST) -> Iterator[tuple[ast.AST, str, bool, ast.AST | None]]:
    yield node, role, in_index, parent
    if isinstance(node, ast.BinOp):
        sides = ("operand", "operand") if isinstance(node.op, ast.Add | ast.Sub) else ("factor", "factor")
        if isinstance(node.op, ast.Pow):
            sides = ("base", "exponent")
        yield from _inside(node.left, sides[0], in_index, node)
        yield from _inside(node.right, sides[1], in_index, node)
    elif isinstance(node, ast.UnaryOp):
        if role not in ("dim",) and not (in_index and isinstance(node.operand, ast.Constant)):
            yield from _inside(node.operand, "exponent" if role == "exponent" else "factor", in_index, node)
    elif isinstance(node, ast.Call):
        if isinstance(node.func, ast.Attribute):
            inner = "summed" if called(node) in ("sum", "mean") else "receiver"
            if not (isinstance(node.func.value, ast.Name) and node.func.value.id in ("torch", "F", "np", "math", "nn")):
                yield from _inside(node.func.value, inner, in_index, node)
        for i, argument in enumerate(node.args):
            yield from _inside(argument, _argument_role(node, i), in_index or called(node) in _INDEXING, node)
        for keyword in node.keywords:
            word = "dim" if keyword.arg in ("dim", "axis", "dim0", "dim1") else keyword.arg or "argument"
            yield from _inside(keyword.value, word, in_index, node)
    elif isinstance(node, ast.Subscript):
        yield from _inside(node.value, "receiver", in_index, node)
        yield from _inside(node.slice, "index", True, node)
    elif isinstance(node, ast.Attribute):
        yield from _inside(node.value, "receiver", in_index, node)
    elif isinstance(node, ast.Tuple | ast.List):
        for item in node.elts:
            yield from _inside(item, role, in_index, node)
    elif isinstance(node, ast.Compare):
        yield from _inside(node.left, "compared", in_index, node)
        yield from _inside(node.comparators[0], "compared", in_index, node)
    elif isinstance(node, ast.Slice):
        for part in (node.lower, node.upper):
            if part is not None:
                yield from _inside(part, "index", True, node)
    elif isinstance(node, ast.IfExp):
        yield from _inside(node.body, role, in_index, node)
        yield from _inside(node.orelse, role, in_index, node)


_INDEXING = {"one_hot", "index_add_", "index_add", "scatter_add_", "scatter_", "gather", "index_select", "range", "arange"}
_DIM_FIRST = {"sum", "mean", "softmax", "log_softmax", "max", "argmax", "cumsum", "unsqueeze", "squeeze", "transpose",
              "permute", "flip", "amax", "prod", "t", "var", "std", "expand_dims", "swapaxes", "logsumexp", "size"}


def _argument_role(call: ast.Call, position: int) -> str:
    what = called(call)
    on_module = isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Name) and call.func.value.id in (
        "torch", "F", "np", "nn")
    if what in _DIM_FIRST:
        if on_module or (isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value).startswith("torch.")):
            return "summed" if position == 0 and what in ("sum", "mean") else "argument" if position == 0 else "dim"
        return "dim"
    return "argument"
