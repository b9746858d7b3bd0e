"""A function, its arguments, or a shape that should be another."""

import ast
from collections.abc import Iterator
from typing import Any

from handgrad.checker.explain.edits.core import Context, Proposal, is_method, rule
from handgrad.checker.read.trees import called, expression, method, number, with_name

FUNCTIONS = (
    ("exp", "log"),
    ("tanh", "sigmoid"),
    ("sqrt", "rsqrt", "square"),
    ("sin", "cos"),
    ("sinh", "cosh", "tanh"),
    ("softmax", "log_softmax"),
    ("argmax", "argmin"),
    ("max", "min"),
    ("maximum", "minimum"),
    ("triu", "tril"),
    ("relu", "sign", "abs"),
    ("exp", "sigmoid", "tanh"),
    ("amax", "amin"),
    ("cumsum", "flip"),
    ("floor", "ceil"),
    ("copy_", "mul_", "add_"),
)
ACCUMULATING = {
    "index_copy_": "index_add_",
    "scatter_": "scatter_add_",
    "index_copy": "index_add",
    "scatter": "scatter_add",
}
STARTS = ("zeros_like", "ones_like", "empty_like", "rand_like", "randn_like", "full_like")


@rule(ast.Call)
def another_function(node: Any, ctx: Context) -> Iterator[Proposal]:
    """`torch.cosh` where `torch.sinh` was meant; ones for zeros; a write where a sum was meant."""
    what = called(node)
    if what is None:
        return
    for family in FUNCTIONS:
        for other in family if what in family else ():
            if other != what:
                yield "wrong-operator", 1.0, with_name(node, other)
    if what in STARTS and ctx.role == "value":
        for other in ("zeros_like", "ones_like"):
            if other != what:
                yield "bad-start", 0.8, with_name(node, other)
    if what in ("zeros", "ones", "empty", "rand", "randn", "full") and ctx.role == "value":
        for other in ("zeros", "ones"):
            if other != what:
                yield "bad-start", 0.8, with_name(node, other)
    if what in ACCUMULATING:
        yield "overwrite", 0.8, with_name(node, ACCUMULATING[what])
    if what in ("index_put_", "index_put") and not any(k.arg == "accumulate" for k in node.keywords):
        words = [*node.keywords, ast.keyword("accumulate", ast.Constant(True))]
        yield "overwrite", 0.8, ast.Call(node.func, node.args, words)
    if what in ("zeros_like", "ones_like", "softmax", "one_hot", "range", "arange"):
        return
    if is_method(node, ctx) and what not in ("sum", "mean", "view", "reshape"):
        moves = what in ("t", "transpose", "permute")
        kind = "transpose" if moves else "wrong-index" if ctx.in_index else "extra-factor"
        yield kind, 0.75 if ctx.in_index else 1.2, node.func.value
    elif len(node.args) == 1 and not is_method(node, ctx):
        yield "extra-factor", 1.2, node.args[0]
    if what == "cumsum":
        yield from (("wrong-operator", 1.0, turned) for turned in _from_the_end(node, ctx))
    for i in range(len(node.args)):
        for j in range(i):
            args = list(node.args)
            args[i], args[j] = args[j], args[i]
            yield "transpose" if what == "einsum" else "wrong-operator", 1.0, ast.Call(node.func, args, node.keywords)


def _from_the_end(node: Any, ctx: Context) -> Iterator[ast.expr]:
    """The same cumulative sum, from the last element on; or turned back, where it was only turned before."""
    dims = [*node.args, *(word.value for word in node.keywords)][0 if is_method(node, ctx) else 1 :][:1]
    if not is_method(node, ctx) or not dims:
        return
    receiver = node.func.value
    before = receiver if called(receiver) == "flip" else method(receiver, "flip", dims[0])
    total = ast.Call(ast.Attribute(before, "cumsum", ast.Load()), node.args, node.keywords)
    yield method(total, "flip", dims[0])


@rule(ast.Name, late=True)
def a_function(node: Any, ctx: Context) -> Iterator[Proposal]:
    """The function whose derivative was taken in the wrong place."""
    if node.id in ctx.tensors and not ctx.in_index and ctx.role != "function":
        for what in ("exp", "tanh", "sigmoid", "log", "sqrt", "sinh", "cosh", "cos", "sin", "abs", "sign"):
            yield "wrong-operator", 2.3, method(node, what)
        for offset in ("{} + 1", "{} - 1", "1 / {}", *ctx.masks):
            yield "wrong-operator", 2.5, expression(offset.format(node.id))


@rule(ast.BinOp, late=True)
def a_function_of_a_difference(node: Any, ctx: Context) -> Iterator[Proposal]:
    """`logits - lse` where its exponential was meant."""
    if isinstance(node.op, ast.Add | ast.Sub) and not ctx.in_index:
        for what in ("exp", "tanh", "sigmoid", "log", "sqrt"):
            yield "missing-factor" if ctx.role == "value" else "wrong-operator", 2.2, method(node, what)


@rule(ast.List, ast.Tuple)
def parts_exchanged(node: Any, ctx: Context) -> Iterator[Proposal]:
    """`cat([dq, dv, dk])` where `cat([dq, dk, dv])` was meant; `dx, db, dw = f(dy)` where `dx, dw, db` was."""
    if ctx.in_index or ctx.role == "dim":
        return
    for i in range(len(node.elts)):
        for j in range(i):
            items = list(node.elts)
            items[i], items[j] = items[j], items[i]
            yield "wrong-variable", 0.95 if ctx.role == "target" else 1.1, type(node)(items, node.ctx)


@rule(ast.Call)
def heads_moved(node: Any, ctx: Context) -> Iterator[Proposal]:
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
