"""Which dimension of an expression's value is which of its parts', by what the expression does."""

import ast
from collections.abc import Iterator

from handgrad.derive.lines.running import shape_of
from handgrad.derive.lines.scope import Scope
from handgrad.derive.read.calls import Call
from handgrad.derive.rules.elementwise import SLOPES
from handgrad.derive.rules.pointwise import POINTWISE

ELEMENT_BY_ELEMENT = frozenset(
    {
        *POINTWISE,
        *SLOPES,
        *("pow", "gelu", "logit", "clamp", "clamp_min", "clamp_max", "masked_fill", "dropout", "clone", "float", "to"),
        *("softmax", "log_softmax", "softmin", "cumsum", "cumprod", "layer_norm", "rms_norm", "normalize", "flip"),
        *("tril", "triu", "sign", "floor", "round", "detach", "roll", "zeros_like", "ones_like"),
    }
)
"""Functions whose value has the shape to which their arguments are broadcast."""

REDUCTIONS = frozenset({"sum", "mean", "var", "std", "norm", "amax", "amin", "prod", "logsumexp", "vecdot"})

APART = frozenset({"split", "chunk", "tensor_split"})
"""Functions that take a tensor apart along a dimension."""


def kept_dimensions(scope: Scope, node: ast.expr, dim: int) -> Iterator[tuple[ast.expr, int]]:
    """The dimensions of parts of an expression that are as large as one of its value's at any sizes."""
    inner, output = scope.projected(node)
    call = scope.call(inner)
    if output is not None:
        if (
            call is not None
            and call.name in APART
            and dim != scope.value(call["dim"]) % len(shape_of(scope.value(node)))
        ):
            yield call["x"], dim
        return
    yield from _broadcast(scope, _parts(scope, node), node, dim)
    if call is None:
        return
    if call.name in REDUCTIONS:
        yield from _reduced(scope, call, dim)
    elif call.name not in ELEMENT_BY_ELEMENT:
        yield from _moved(scope, call, node, dim)


def same_shape(scope: Scope, node: ast.expr, *, floats: bool = False) -> ast.expr:
    """An expression of the same shape at any sizes, a variable if that can be.

    Args:
        scope: the program.
        node: an expression.
        floats: whether it has to be of the same kind too, as what a gradient comes to is.
    """
    node = scope.resolved(node)
    found = node
    for part in _parts(scope, node):
        if shape_of(scope.value(part)) == shape_of(scope.value(node)) and (not floats or scope.active(part)):
            found = same_shape(scope, part, floats=floats)
            if isinstance(found, ast.Name):
                return found
    return found


def _parts(scope: Scope, node: ast.expr) -> list[ast.expr]:
    """What is broadcast to the shape of an expression's value."""
    if isinstance(node, ast.Compare):
        return [node.left, *node.comparators]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitAnd | ast.BitOr):
        return [node.left, node.right]
    call = scope.call(node)
    return list(call.arguments.values()) if call is not None and call.name in ELEMENT_BY_ELEMENT else []


def _broadcast(scope: Scope, parts: list[ast.expr], node: ast.expr, dim: int) -> Iterator[tuple[ast.expr, int]]:
    whole = shape_of(scope.value(node))
    for part in parts:
        shape = shape_of(scope.value(part))
        own = dim - (len(whole) - len(shape))
        if own >= 0 and (shape[own] != 1 or whole[dim] == 1):
            yield part, own


def _reduced(scope: Scope, call: Call, dim: int) -> Iterator[tuple[ast.expr, int]]:
    rank = len(shape_of(scope.value(call["x"])))
    dims = scope.value(call["dim"])
    if dims is None or dims == ():
        return
    gone = {d % rank for d in (dims if isinstance(dims, tuple | list) else [dims])}
    left = [d for d in range(rank) if d not in gone]
    if "keepdim" in call.arguments and scope.value(call["keepdim"]):
        left = [d if d in left else -1 for d in range(rank)]
    if dim < len(left) and left[dim] >= 0:
        yield call["x"], left[dim]


def _moved(scope: Scope, call: Call, node: ast.expr, dim: int) -> Iterator[tuple[ast.expr, int]]:
    """The same of functions that move dimensions, or make new ones of parts of others."""

    def rank(argument: str) -> int:
        return len(shape_of(scope.value(call[argument])))

    match call.name:
        case "matmul" | "linear" if rank("x") >= 2:
            weight, last = ("weight", 0) if call.name == "linear" else ("other", rank("other") - 1)
            if dim < len(shape_of(scope.value(node))) - 1 and rank("x") >= rank(weight):
                yield call["x"], dim
            elif rank(weight) >= 2 and dim == rank("x") - 1:
                yield call[weight], last
        case "t" if rank("x") == 2:
            yield call["x"], 1 - dim
        case "transpose" | "t_last":
            ends = (-2, -1) if call.name == "t_last" else (scope.value(call["dim0"]), scope.value(call["dim1"]))
            first, second = (d % rank("x") for d in ends)
            yield call["x"], {first: second, second: first}.get(dim, dim)
        case "permute" if len(dims := scope.value(call["dims"]) or ()) == rank("x"):
            yield call["x"], dims[dim] % rank("x")
        case "unsqueeze" if isinstance(added := scope.value(call["dim"]), int):
            added %= rank("x") + 1
            if dim != added:
                yield call["x"], dim - (dim > added)
        case "getitem":
            yield from _indexed(scope, call, dim)
        case "cat" if isinstance(parts := call["tensors"], ast.List | ast.Tuple):
            if dim != scope.value(call["dim"]) % len(shape_of(scope.value(node))):
                yield parts.elts[0], dim
        case "gather" | "take_along_dim":
            yield call["index"], dim
        case "embedding":
            lead = rank("index")
            yield (call["index"], dim) if dim < lead else (call["weight"], 1)


def _indexed(scope: Scope, call: Call, dim: int) -> Iterator[tuple[ast.expr, int]]:
    index = scope.value(call["index"])
    if hasattr(index, "dtype") and not str(index.dtype).endswith("bool"):
        rank = len(shape_of(index))
        yield (call["index"], dim) if dim < rank else (call["x"], dim - rank + 1)
        return
    place, source = 0, 0
    for part in index if isinstance(index, tuple) else (index,):
        if isinstance(part, int) and not isinstance(part, bool):
            source += 1
            continue
        if part is None:
            if place == dim:
                return
            place += 1
            continue
        if not isinstance(part, slice) or part != slice(None):
            return
        if place == dim:
            break
        place, source = place + 1, source + 1
    yield call["x"], source + dim - place
