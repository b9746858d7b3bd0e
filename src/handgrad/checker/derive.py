"""Write down, as an expression, what one statement of the forward pass sends back to one of its inputs."""

import ast
import re
from collections.abc import Callable, Iterator
from typing import Any

Shape = tuple[int, ...]
ShapeOf = Callable[[ast.expr], Shape | None]

ELEMENTWISE: dict[str, str] = {
    "exp": "{up} * {y}",
    "log": "{up} / {x}",
    "log1p": "{up} / (1 + {x})",
    "tanh": "{up} * (1 - {y}**2)",
    "erf": "{up} * 2 / torch.pi**0.5 * torch.exp(-({x}**2))",
    "sigmoid": "{up} * {y} * (1 - {y})",
    "sqrt": "{up} * 0.5 / {y}",
    "rsqrt": "{up} * -0.5 * {y}**3",
    "square": "{up} * 2 * {x}",
    "sin": "{up} * torch.cos({x})",
    "cos": "-{up} * torch.sin({x})",
    "relu": "{up} * ({x} > 0)",
    "abs": "{up} * torch.sign({x})",
    "neg": "-{up}",
    "softplus": "{up} * torch.sigmoid({x})",
    "logsigmoid": "{up} * torch.sigmoid(-{x})",
    "silu": "{up} * torch.sigmoid({x}) * (1 + {x} * (1 - torch.sigmoid({x})))",
    "clone": "{up}",
    "contiguous": "{up}",
}
"""What a function y of x sends back where `up` comes from above, element by element."""

RESHAPING: dict[str, str] = {
    **dict.fromkeys(("view", "reshape", "flatten", "squeeze"), "({up}).reshape({x}.shape)"),
    "unsqueeze": "({up}).squeeze({args})",
    "transpose": "({up}).transpose({args})",
    "swapaxes": "({up}).swapaxes({args})",
    "t": "({up}).T",
    "masked_fill": "({up}).masked_fill({first}, 0)",
    "gather": "torch.zeros_like({x}).scatter_add({args}, {up})",
}
"""The same where elements are moved, left out or copied."""

OVER_A_DIMENSION: dict[str, str] = {
    "sum": "{wide}",
    "mean": "{wide} / {n}",
    **dict.fromkeys(("max", "amax"), "{wide} * ({x} == {top})"),
    **dict.fromkeys(("min", "amin"), "{wide} * ({x} == {top})"),
    "logsumexp": "{wide} * torch.softmax({x}, {dim})",
    "softmax": "{y} * ({up} - ({up} * {y}).sum({dim}, keepdim=True))",
    "log_softmax": "{up} - {y}.exp() * ({up}).sum({dim}, keepdim=True)",
    "norm": "{wide} * {x} / {top}",
    "var": "{wide} * 2 * ({x} - {x}.mean({dim}, keepdim=True)) / ({n} - 1)",
}
"""The same over a dimension, or over all elements; `wide` is `up`, and `top` is y, with the dimension put back."""

OPERATORS: dict[str, type[ast.operator]] = {
    **{"add": ast.Add, "sub": ast.Sub, "mul": ast.Mult, "div": ast.Div, "pow": ast.Pow},
    **dict.fromkeys(("matmul", "mm", "bmm"), ast.MatMult),
}
"""Functions of two arguments that are operators by another name."""


def terms(
    value: ast.expr,
    variable: str,
    upstream: str,
    shape_of: ShapeOf = lambda _: None,
    result: str | None = None,
) -> Iterator[str]:
    """The expressions that `value`, whose gradient is `upstream`, sends back to each use of `variable`.

    Args:
        value: the right-hand side of a forward statement.
        variable: the name whose gradient is sought.
        upstream: the gradient of `value`, as an expression.
        shape_of: the shape of a part of `value`, where it is known; what was broadcast is then summed.
        result: the name that `value` was given.

    >>> list(terms(ast.parse("bndiff**2", mode="eval").body, "bndiff", "dbndiff2"))
    ['dbndiff2 * 2 * bndiff']
    """
    yield from _Terms(variable, shape_of).of(value, upstream, result)


class _Terms:
    def __init__(self, variable: str, shape_of: ShapeOf):
        self.variable, self.shape_of = variable, shape_of

    def of(self, value: ast.expr, up: str, result: str | None = None) -> Iterator[str]:
        if isinstance(value, ast.Name):
            if value.id == self.variable:
                yield up if self._has_shape(up, value) else f"{_product(up)} * torch.ones_like({value.id})"
        elif not self._uses(value):
            return
        elif isinstance(value, ast.BinOp):
            yield from self._binary(value, value.left, type(value.op), value.right, up)
        elif isinstance(value, ast.UnaryOp) and isinstance(value.op, ast.USub):
            yield from self.of(value.operand, f"-{_product(up)}")
        elif isinstance(value, ast.Attribute) and value.attr in ("T", "mT"):
            yield from self.of(value.value, f"({up}).{value.attr}")
        elif isinstance(value, ast.Attribute):
            yield from self.of(value.value, up, result if value.attr == "values" else None)
        elif isinstance(value, ast.Subscript):
            yield from self._indexed(value, up, result)
        elif isinstance(value, ast.Call):
            yield from self._call(value, up, result)

    def _has_shape(self, text: str, like: ast.expr) -> bool:
        wanted = self.shape_of(like)
        return wanted is None or self.shape_of(ast.parse(text, mode="eval").body) == wanted

    def _uses(self, node: ast.AST) -> bool:
        return any(isinstance(part, ast.Name) and part.id == self.variable for part in ast.walk(node))

    def _binary(self, whole: ast.expr, left: ast.expr, op: type, right: ast.expr, up: str) -> Iterator[str]:
        for side, text in self._sides(left, op, right, _product(up)):
            if self._uses(side):
                yield from self.of(side, self._summed(text, whole, side, op))

    def _sides(self, left: ast.expr, op: type, right: ast.expr, up: str) -> Iterator[tuple[ast.expr, str]]:
        a, b = _bracketed(left), _bracketed(right)
        if op is ast.Add:
            yield from ((left, up), (right, up))
        elif op is ast.Sub:
            yield from ((left, up), (right, f"-{up}"))
        elif op is ast.Mult:
            yield from ((left, f"{up} * {b}"), (right, f"{up} * {a}"))
        elif op is ast.Div:
            yield from ((left, f"{up} / {b}"), (right, f"-{up} * {a} / {b}**2"))
        elif op is ast.Pow:
            exponent = ast.unparse(right)
            number = _number(right)
            power = "" if number == 2 else f"**{number - 1}" if number is not None else f"**({exponent} - 1)"
            yield left, f"{up} * {_bracketed(right)} * {a}{power}"
        elif op is ast.MatMult:
            yield from self._product_sides(left, right, _bracketed(ast.parse(up, mode="eval").body))

    def _product_sides(self, left: ast.expr, right: ast.expr, up: str) -> Iterator[tuple[ast.expr, str]]:
        a, b = _bracketed(left), _bracketed(right)
        dims = [len(shape) if (shape := self.shape_of(side)) is not None else None for side in (left, right)]
        if dims == [1, 1]:
            yield from ((left, f"{up} * {b}"), (right, f"{up} * {a}"))
        elif dims == [1, 2]:
            yield from ((left, f"{b} @ {up}"), (right, f"torch.outer({a}, {up})"))
        elif dims == [2, 1]:
            yield from ((left, f"torch.outer({up}, {b})"), (right, f"{a}.T @ {up}"))
        elif dims == [2, 2]:
            yield from ((left, f"{up} @ {b}.T"), (right, f"{a}.T @ {up}"))
        else:
            yield from ((left, f"{up} @ {b}.transpose(-2, -1)"), (right, f"{a}.transpose(-2, -1) @ {up}"))

    def _summed(self, text: str, whole: ast.expr, side: ast.expr, op: type = ast.Add) -> str:
        """The gradient of one operand, summed over what broadcasting gave it in copies."""
        made, used = self.shape_of(whole), self.shape_of(side)
        if made is None or used is None or made == used:
            return text
        if op is not ast.MatMult and not self._has_shape(text, whole):
            text = f"{_product(text)} * torch.ones_like({ast.unparse(whole)})"
        extra = 0 if op is ast.MatMult and len(used) == 1 else len(made) - len(used)
        if not used:
            return f"({text}).sum()"
        if extra > 0:
            text = f"({text}).sum({_dims(range(extra))})"
        ones = [d for d, (m, u) in enumerate(zip(made[extra:], used, strict=False)) if u == 1 and m > 1]
        return f"({text}).sum({_dims(ones)}, keepdim=True)" if ones and op is not ast.MatMult else text

    def _indexed(self, value: ast.Subscript, up: str, result: str | None) -> Iterator[str]:
        inner, index = value.value, value.slice
        if isinstance(inner, ast.Call) and isinstance(index, ast.Constant):  # x.max(1)[0]
            yield from self.of(inner, up, result)
            return
        parts = index.elts if isinstance(index, ast.Tuple) else [index]
        if any(isinstance(part, ast.Slice | ast.Constant) for part in parts):
            return
        texts = [_as_tensor(part) for part in parts]
        at = f"({', '.join(texts)}{',' if len(texts) == 1 else ''})"
        zeros = f"torch.zeros_like({ast.unparse(inner)})"
        if not self._has_shape(up, value):
            up = f"{_product(up)} * torch.ones_like({ast.unparse(value)})"
        yield from self.of(inner, f"{zeros}.index_put({at}, {up}, accumulate=True)")

    def _call(self, value: ast.Call, up: str, result: str | None) -> Iterator[str]:
        what, arguments = _called(value)
        if what in ("cat", "concat", "stack") and arguments:
            yield from self._joined(what, value, arguments, up)
        elif what == "where" and len(arguments) == 3:
            mask = ast.unparse(arguments[0])
            branches = [list(self.of(part, up)) for part in arguments[1:]]
            if all(len(found) == 1 and f"{found[0]} * ".startswith(f"{up} * ") for found in branches):
                slopes = [found[0][len(up) + 3 :] or "1.0" for found in branches]
                yield f"{up} * torch.where({mask}, {', '.join(slopes)})"
                return
            for part, text in zip(arguments[1:], (f"{up}, 0", f"0, {up}"), strict=True):
                yield from self.of(part, self._summed(f"torch.where({mask}, {text})", value, part))
        elif what == "cross_entropy" and len(arguments) == 2:
            x, target = (ast.unparse(a) for a in arguments)
            hot = f"torch.eye({x}.shape[1])[{target}]"
            yield from self.of(arguments[0], f"{_product(up)} * (torch.softmax({x}, 1) - {hot}) / {x}.shape[0]")
        elif what == "einsum":
            yield from self._contracted(value.args, up)
        elif what in ("repeat", "repeat_interleave"):
            yield from self._repeated(what, value, arguments, up)
        elif what in OPERATORS and len(arguments) == 2:
            yield from self._binary(value, arguments[0], OPERATORS[what], arguments[1], up)
        elif arguments and (text := self._of_one(what, value, arguments, up, result)):
            yield from self.of(arguments[0], text)

    def _contracted(self, arguments: list[ast.expr], up: str) -> Iterator[str]:
        """Each operand receives the product of `up` and the others, summed over what it has not."""
        pattern = arguments[0].value if isinstance(arguments[0], ast.Constant) else ""
        operands = arguments[1:]
        inputs, _, output = str(pattern).replace(" ", "").partition("->")
        letters = inputs.split(",")
        if len(letters) != len(operands) or not output or "." in inputs:
            return
        for i, operand in enumerate(operands):
            others = [*letters[:i], output, *letters[i + 1 :]]
            if set(letters[i]) <= set("".join(others)):
                texts = [*map(ast.unparse, operands[:i]), up, *map(ast.unparse, operands[i + 1 :])]
                yield from self.of(operand, f"torch.einsum('{','.join(others)}->{letters[i]}', {', '.join(texts)})")

    def _repeated(self, what: str, value: ast.Call, arguments: list[ast.expr], up: str) -> Iterator[str]:
        """Copies lie behind one another, or each beside its original; they are summed."""
        x, text = _bracketed(arguments[0]), f"({up})"
        if what == "repeat":
            for dim in range(len(arguments) - 1):
                if _number(arguments[dim + 1]) != 1:
                    text += f".unflatten({dim}, (-1, {x}.shape[{dim}])).sum({dim})"
        else:
            named = [ast.unparse(k.value) for k in value.keywords if k.arg == "dim"]
            dim = named[0] if named else ast.unparse(arguments[2]) if len(arguments) > 2 else ""
            if not dim.isdigit():
                return
            text += f".unflatten({dim}, ({x}.shape[{dim}], -1)).sum({int(dim) + 1})"
        yield from self.of(arguments[0], text)

    def _joined(self, what: str, value: ast.Call, arguments: list[ast.expr], up: str) -> Iterator[str]:
        items = arguments[0].elts if isinstance(arguments[0], ast.Tuple | ast.List) else []
        dim = _dimension(value, arguments) or "0"
        sizes = ", ".join(f"{_bracketed(item)}.shape[{dim}]" for item in items)
        parts = f"({up}).split([{sizes}], {dim})" if what != "stack" else f"({up}).unbind({dim})"
        for i, item in enumerate(items):
            yield from self.of(item, f"{parts}[{i}]")

    def _of_one(
        self, what: str | None, value: ast.Call, arguments: list[ast.expr], up: str, result: str | None
    ) -> str | None:
        """What a function of one tensor sends back to it."""
        x, others = _bracketed(arguments[0]), arguments[1:]
        dim = _dimension(value, arguments)
        if what == "squeeze" and len(others) == 1:
            return f"({up}).unsqueeze({ast.unparse(others[0])})"
        pattern = ELEMENTWISE.get(what or "") or RESHAPING.get(what or "") or OVER_A_DIMENSION.get(what or "")
        if pattern is None:
            return None
        keeps = any(k.arg in ("keepdim", "keepdims") for k in value.keywords) or len(others) > 1
        if dim is None and what not in ("sum", "mean", "max", "min", "amax", "amin") and what in OVER_A_DIMENSION:
            return None
        if dim and dim.startswith("(") and not keeps and ("{wide}" in pattern or "{top}" in pattern):
            return None
        y = result or _bracketed(value)
        top = y if keeps or dim is None else f"{y}.unsqueeze({dim})"
        if result is None and what in ("max", "min") and dim is not None:
            top = f"{x}.a{what}({dim}, keepdim=True)"
        up = _product(up)
        scalar = self.shape_of(ast.parse(up, mode="eval").body) == ()
        return pattern.format(
            up=up,
            wide=up if keeps or dim is None or scalar else f"({up}).unsqueeze({dim})",
            x=x,
            y=y,
            top=top,
            n=_count(self.variable if self._alike(arguments[0]) else x, dim),
            dim=dim,
            first=ast.unparse(others[0]) if others else "",
            args=", ".join(ast.unparse(a) for a in others),
        )

    def _alike(self, node: ast.expr) -> bool:
        """Whether a part has the shape of the variable itself."""
        shape = self.shape_of(node)
        return shape is not None and shape == self.shape_of(ast.Name(self.variable, ast.Load()))


def _called(value: ast.Call) -> tuple[str | None, list[ast.expr]]:
    """The name of what is called, and its arguments; the tensor whose method it is comes first."""
    function: Any = value.func
    if not isinstance(function, ast.Attribute):
        return getattr(function, "id", None), value.args
    on_module = re.fullmatch(r"F|np|torch(\.\w+)*", ast.unparse(function.value)) is not None
    return function.attr, value.args if on_module else [function.value, *value.args]


def _dimension(value: ast.Call, arguments: list[ast.expr]) -> str | None:
    for keyword in value.keywords:
        if keyword.arg in ("dim", "axis"):
            return ast.unparse(keyword.value)
    return ast.unparse(arguments[1]) if len(arguments) > 1 else None


def _count(x: str, dim: str | None) -> str:
    if dim is None:
        return f"{x}.numel()"
    dims = dim.strip("()[]").split(",")
    sizes = [f"{x}.shape[{d.strip()}]" for d in dims if d.strip()]
    return sizes[0] if len(sizes) == 1 else f"({' * '.join(sizes)})"


def _dims(dims: Any) -> str:
    listed = list(dims)
    return str(listed[0]) if len(listed) == 1 else str(tuple(listed))


def _number(node: ast.expr) -> int | float | None:
    try:
        return ast.literal_eval(node)
    except ValueError:
        return None


def _as_tensor(index: ast.expr) -> str:
    text = ast.unparse(index)
    return f"torch.a{text}" if text.startswith("range(") else text


def _bracketed(node: ast.expr) -> str:
    text = ast.unparse(node)
    simple = isinstance(node, ast.Name | ast.Constant | ast.Call | ast.Attribute | ast.Subscript)
    return text if simple else f"({text})"


def _product(text: str) -> str:
    body = ast.parse(text, mode="eval").body
    if isinstance(body, ast.BinOp) and isinstance(body.op, ast.Add | ast.Sub):
        return f"({text})"
    return text
