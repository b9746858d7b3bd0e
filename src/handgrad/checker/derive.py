"""Write down, as an expression, what one statement of the forward pass sends back to one of its inputs."""

import ast
from collections.abc import Iterator

CALLS: dict[str, str] = {
    "exp": "{up} * ({x}).exp()",
    "log": "{up} / ({x})",
    "tanh": "{up} * (1 - torch.tanh({x})**2)",
    "sigmoid": "{up} * torch.sigmoid({x}) * (1 - torch.sigmoid({x}))",
    "sqrt": "{up} * 0.5 * ({x})**-0.5",
    "rsqrt": "{up} * -0.5 * ({x})**-1.5",
    "square": "{up} * 2 * {x}",
    "sin": "{up} * torch.cos({x})",
    "cos": "-{up} * torch.sin({x})",
    "relu": "{up} * ({x} > 0)",
    "abs": "{up} * torch.sign({x})",
    "sum": "{up}",
    "mean": "{up} / ({x}).numel()",
    "clone": "{up}",
    "contiguous": "{up}",
    "view": "({up}).reshape(({x}).shape)",
    "reshape": "({up}).reshape(({x}).shape)",
    "flatten": "({up}).reshape(({x}).shape)",
    "transpose": "({up}).transpose({args})",
    "t": "({up}).T",
    "logsumexp": "{up} * torch.softmax({x}, {args})",
}
"""What a function sends back to its argument x when `up` comes from above."""


def terms(value: ast.expr, variable: str, upstream: str) -> Iterator[str]:
    """The expressions that `value`, whose gradient is `upstream`, sends back to each use of `variable`.

    >>> list(terms(ast.parse("bndiff**2", mode="eval").body, "bndiff", "dbndiff2"))
    ['dbndiff2 * 2 * bndiff']
    """
    if isinstance(value, ast.Name):
        if value.id == variable:
            yield upstream
        return
    if variable not in {n.id for n in ast.walk(value) if isinstance(n, ast.Name)}:
        return
    if isinstance(value, ast.BinOp):
        a, b = (_bracketed(side) for side in (value.left, value.right))
        up = _product(upstream)
        for side, found in _binary(value.op, a, b, up, ast.unparse(value.right)):
            yield from terms(value.left if side == "left" else value.right, variable, found)
    elif isinstance(value, ast.UnaryOp) and isinstance(value.op, ast.USub):
        yield from terms(value.operand, variable, f"-{_product(upstream)}")
    elif isinstance(value, ast.Attribute) and value.attr in ("T", "mT"):
        yield from terms(value.value, variable, f"({upstream}).{value.attr}")
    elif isinstance(value, ast.Attribute):
        yield from terms(value.value, variable, upstream)
    elif isinstance(value, ast.Call):
        yield from _call(value, variable, upstream)


def _binary(op: ast.operator, a: str, b: str, up: str, exponent: str) -> Iterator[tuple[str, str]]:
    if isinstance(op, ast.Add):
        yield from (("left", up), ("right", up))
    elif isinstance(op, ast.Sub):
        yield from (("left", up), ("right", f"-{up}"))
    elif isinstance(op, ast.Mult):
        yield from (("left", f"{up} * {b}"), ("right", f"{up} * {a}"))
    elif isinstance(op, ast.Div):
        yield from (("left", f"{up} / {b}"), ("right", f"-{up} * {a} / {b}**2"))
    elif isinstance(op, ast.MatMult):
        yield from (("left", f"{up} @ {b}.transpose(-2, -1)"), ("right", f"{a}.transpose(-2, -1) @ {up}"))
    elif isinstance(op, ast.Pow):
        power = "" if exponent == "2" else f"**({exponent} - 1)"
        yield "left", f"{up} * {exponent} * {a}{power}"


def _call(value: ast.Call, variable: str, upstream: str) -> Iterator[str]:
    function = value.func
    if isinstance(function, ast.Attribute):
        on_module = isinstance(function.value, ast.Name) and function.value.id in ("torch", "F") and value.args
        on_module = on_module or ast.unparse(function.value).startswith("torch.")
        inner = value.args[0] if on_module else function.value
        others = value.args[1:] if on_module else value.args
        pattern = CALLS.get(function.attr)
        if pattern:
            args = ", ".join(ast.unparse(a) for a in others)
            text = pattern.format(up=_product(upstream), x=ast.unparse(inner), args=args)
            yield from terms(inner, variable, text)


def _bracketed(node: ast.expr) -> str:
    text = ast.unparse(node)
    return text if isinstance(node, ast.Name | ast.Constant | ast.Call | ast.Attribute) else f"({text})"


def _product(text: str) -> str:
    body = ast.parse(text, mode="eval").body
    if isinstance(body, ast.BinOp) and isinstance(body.op, ast.Add | ast.Sub):
        return f"({text})"
    return text
