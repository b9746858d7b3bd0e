"""What the text of a statement says about it: whose values it takes, and whether it is about gradients."""

import ast
from collections.abc import Iterator, Set

from handgrad.checker.read.names import base_name, uses
from handgrad.checker.run.losses import Losses

_SHAPES = {"shape", "ndim", "dtype", "device", "size", "dim", "numel", "nelement", "requires_grad"}
_NUMBERS = {"item", "tolist"}
_LIKE = {"zeros_like", "ones_like", "empty_like", "full_like", "rand_like", "randn_like", "randint_like"}
_OF_AUTOGRAD = {"backward", "zero_grad", "retain_grad", "step", "grad"}


def values_read(node: ast.AST) -> set[str]:
    """The names whose values a statement takes, and not only their shape or a number that is printed.

    >>> sorted(values_read(ast.parse("mask = torch.rand_like(h) > p * x.shape[0]").body[0]))
    ['p', 'torch']
    """
    found: set[str] = set()
    queue = [node]
    while queue:
        part = queue.pop()
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load):
            found.add(part.id)
        if isinstance(part, ast.Attribute) and part.attr in _SHAPES | _NUMBERS:
            continue
        called = part.func if isinstance(part, ast.Call) else None
        if getattr(called, "attr", getattr(called, "id", None)) in {*_LIKE, "len", "float", "print"}:
            queue.append(called) if isinstance(called, ast.Attribute) else None
            continue
        queue.extend(ast.iter_child_nodes(part))
    return found


def is_about_gradients(node: ast.AST, losses: Losses) -> bool:
    """Whether a statement computes a gradient, or has autograd do it: the forward pass has ended before it."""
    if not isinstance(node, ast.stmt) or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return False
    if any(isinstance(part, ast.Attribute) and part.attr in _OF_AUTOGRAD for part in ast.walk(node)):
        return True
    found = uses(node)
    return any(losses.is_spelled_like_a_gradient(name) for name in found.binds | found.changes)


def is_training_loop(node: ast.stmt, losses: Losses) -> bool:
    """Whether a loop computes its loss anew each time round, which one over time steps adds up."""
    if not isinstance(node, ast.For | ast.While):
        return False
    body = list(straight(node.body))
    if any(is_training_loop(part, losses) for part in body):
        return True
    anew = {name for part in body for name in _bound_anew(part, losses)}
    trains = any(is_about_gradients(part, losses) or _trains(part, anew) for part in ast.walk(node))
    return bool(anew) and (trains or not any(_adds_up(part, anew) for part in body))


def _bound_anew(node: ast.stmt, losses: Losses) -> set[str]:
    found = uses(node)
    return {name for name in found.binds - found.reads if losses.are_bound_anew({name}, set())}


def is_update(node: ast.AST) -> bool:
    """Whether something not computed from it is taken off a tensor: `W -= lr * dW`, `p.data += -lr * p.grad`."""
    match node:
        case ast.AugAssign(target=target, op=ast.Sub(), value=value):
            pass
        case ast.AugAssign(target=target, op=ast.Add(), value=value) if ast.unparse(value).startswith("-"):
            pass
        case ast.Assign(targets=[target], value=ast.BinOp(left=left, op=ast.Sub(), right=value)):
            if ast.unparse(left) != ast.unparse(target):
                return False
        case _:
            return False
    name = base_name(target)
    return name is not None and (name not in uses(value).reads or "grad" in ast.unparse(value))


def updates_something(node: ast.AST) -> bool:
    """Whether a loop updates something, as one that trains does."""
    return any(map(is_update, ast.walk(node)))


def _trains(node: ast.AST, losses: Set[str]) -> bool:
    return is_update(node) and isinstance(node, ast.stmt) and not (uses(node).binds | uses(node).changes) & losses


def _adds_up(node: ast.stmt, losses: Set[str]) -> bool:
    """Whether a statement adds one of the losses to what it has: `total += loss`."""
    found = uses(node)
    return bool(values_read(node) & losses) and bool(found.reads & (found.binds | found.changes))


def only_takes(node: ast.expr) -> bool:
    """Whether an expression computes nothing: names, elements and attributes, or several of them.

    >>> [only_takes(ast.parse(text, mode="eval").body) for text in ("X[ix], Y[ix]", "params['W']", "x @ w")]
    [True, True, False]
    """
    if isinstance(node, ast.Tuple | ast.List):
        return all(map(only_takes, node.elts))
    while isinstance(node, ast.Subscript | ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name | ast.Constant)


def straight(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a block and of the `with`, `if` and `try` blocks in it, each once; loops are not entered."""
    for node in body:
        if isinstance(node, ast.With | ast.If | ast.Try):
            yield from straight([*node.body, *getattr(node, "orelse", []), *getattr(node, "finalbody", [])])
        else:
            yield node
