"""Which names a program compares with `.grad`: whatever they are called, they are gradients.

As in `cmp("probs", deprobs, probs)`, where `cmp(s, dt, t)` reads `t.grad`, or `torch.allclose(my_dW, W.grad)`.
"""

import ast
from collections.abc import Iterator
from itertools import pairwise

from handgrad.checker.read.source import Statement
from handgrad.checker.read.trees import called


def compared(statements: list[Statement]) -> dict[str, str]:
    """The variable of every name that is compared with the gradient which autograd has for it.

    >>> from handgrad.checker.read.source import parse_code
    >>> code = "def cmp(s, dt, t): print(s, dt == t.grad)\\ncmp('probs', deprobs, probs); print(my_dW - W.grad)"
    >>> compared(parse_code(code).statements)
    {'deprobs': 'probs', 'my_dW': 'W'}
    """
    nodes = [node for statement in statements for node in ast.walk(statement.node)]
    functions = {node.name: node for node in nodes if isinstance(node, ast.FunctionDef)}
    readers = {name: found for name, node in functions.items() if (found := _read_grads(node))}
    inside = {part for name in readers for part in ast.walk(functions[name])}
    pairs = [pair for node in nodes if node not in inside for pair in _pairs(node, functions, readers)]
    return {name: variable for name, variable in pairs if name != variable}


def _read_grads(node: ast.FunctionDef) -> set[str]:
    """The parameters whose `.grad` a function reads."""
    parameters = {argument.arg for argument in node.args.args}
    return {of for part in ast.walk(node) if (of := _of_grad(part)) in parameters and of is not None}


def _of_grad(node: ast.AST) -> str | None:
    """`W` where the node is `W.grad`."""
    if isinstance(node, ast.Attribute) and node.attr == "grad" and isinstance(node.ctx, ast.Load):
        return node.value.id if isinstance(node.value, ast.Name) else None
    return None


def _pairs(
    node: ast.AST, functions: dict[str, ast.FunctionDef], readers: dict[str, set[str]]
) -> Iterator[tuple[str, str]]:
    beside: list[ast.expr] = []
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub):
        beside = [node.left, node.right]
    elif isinstance(node, ast.Compare):
        beside = [node.left, *node.comparators]
    elif isinstance(node, ast.Call):
        name = called(node)
        if name in readers:
            given = dict(zip((a.arg for a in functions[name].args.args), node.args, strict=False))
            variables = [v.id for p, v in given.items() if p in readers[name] and isinstance(v, ast.Name)]
            others = [v.id for p, v in given.items() if p not in readers[name] and isinstance(v, ast.Name)]
            if len(variables) == len(others) == 1:
                yield others[0], variables[0]
        beside = [a for a in node.args if isinstance(a, ast.Name) or _of_grad(a)] if len(node.args) > 1 else []
    for one, other in pairwise(beside):
        for a, b in ((one, other), (other, one)):
            variable = _of_grad(b)
            if isinstance(a, ast.Name) and variable is not None:
                yield a.id, variable
