"""Walk through a statement and collect what the rules propose."""

import ast
from collections.abc import Iterator

from handgrad.checker.explain.edits.core import RULES, Context
from handgrad.checker.read.trees import Edit, called


def edits(statement: ast.stmt, ctx: Context, late: bool = False) -> Iterator[Edit]:
    """Every edit of a simple statement that a rule proposes, either the early rules or the late ones."""
    value = getattr(statement, "value", None) or statement
    ctx.first = getattr(value, "lineno", 0), getattr(value, "col_offset", 0)
    for node, role, in_index, parent in _positions(statement):
        ctx.role, ctx.in_index, ctx.parent = role, in_index, parent
        for one, comes_late in RULES.get(type(node), ()):
            for kind, cost, new in one(node, ctx) if comes_late == late else ():
                if isinstance(statement, ast.For) or (in_index and kind.endswith(("-term", "-factor"))):
                    kind = "wrong-index"
                yield Edit(kind, cost, node, ctx.spelled(new), statement)


def _positions(statement: ast.stmt) -> Iterator[tuple[ast.AST, str, bool, ast.AST | None]]:
    """Every node that an edit may replace, with its role and whether it stands in an index."""
    if isinstance(statement, ast.For):
        yield from _inside(statement.iter, "argument", False, statement)
        return
    yield statement, "statement", False, None
    if isinstance(statement, ast.Assign | ast.AugAssign | ast.Expr | ast.Return | ast.AnnAssign):
        targets = getattr(statement, "targets", None) or [t for t in [getattr(statement, "target", None)] if t]
        for target in targets:
            if isinstance(target, ast.Subscript | ast.Tuple):
                yield target, "target", False, statement
            for part in target.elts if isinstance(target, ast.Tuple) else [target]:
                if isinstance(part, ast.Subscript):
                    yield from _inside(part.slice, "index", True, part)
        value = statement.value
        parts = value.elts if isinstance(value, ast.Tuple) else [value] if value is not None else []
        for part in parts:
            yield from _inside(part, "value", False, statement)


def _inside(
    node: ast.AST, role: str, in_index: bool, parent: ast.AST
) -> Iterator[tuple[ast.AST, str, bool, ast.AST | None]]:
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
        indices = 2 if called(node) in _INDEXING else 0  # what comes after them is the source
        for i, argument in enumerate(node.args):
            yield from _inside(argument, _argument_role(node, i), in_index or i < indices, node)
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


_INDEXING = {
    "one_hot",
    "index_add_",
    "index_add",
    "scatter_add_",
    "scatter_",
    "gather",
    "index_select",
    "range",
    "arange",
}
_DIM_FIRST = {
    "sum",
    "mean",
    "softmax",
    "log_softmax",
    "max",
    "argmax",
    "cumsum",
    "unsqueeze",
    "squeeze",
    "transpose",
    "permute",
    "flip",
    "amax",
    "prod",
    "t",
    "var",
    "std",
    "expand_dims",
    "swapaxes",
    "logsumexp",
    "size",
}


def _argument_role(call: ast.Call, position: int) -> str:
    what = called(call)
    on_module = (
        isinstance(call.func, ast.Attribute)
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id in ("torch", "F", "np", "nn")
    )
    if what in _DIM_FIRST:
        if on_module or (isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value).startswith("torch.")):
            return "summed" if position == 0 and what in ("sum", "mean") else "argument" if position == 0 else "dim"
        return "dim"
    return "argument"
