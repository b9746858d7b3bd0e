"""Expressions as source in the manner of the formatters: few brackets, `x**2`, `1e-5`, double quotes."""

import ast

OR, AND, NOT, COMPARE, BITOR, BITXOR, BITAND, SHIFT, SUM, PRODUCT, SIGN, POWER, CALL, ATOM = range(1, 15)
"""How tightly a piece of source binds; 0 binds least, as a conditional does."""

BINARY: dict[type[ast.operator], tuple[str, int]] = {
    ast.Add: (" + ", SUM),
    ast.Sub: (" - ", SUM),
    ast.Mult: (" * ", PRODUCT),
    ast.Div: (" / ", PRODUCT),
    ast.FloorDiv: (" // ", PRODUCT),
    ast.Mod: (" % ", PRODUCT),
    ast.MatMult: (" @ ", PRODUCT),
    ast.Pow: ("**", POWER),
    ast.BitOr: (" | ", BITOR),
    ast.BitXor: (" ^ ", BITXOR),
    ast.BitAnd: (" & ", BITAND),
    ast.LShift: (" << ", SHIFT),
    ast.RShift: (" >> ", SHIFT),
}
UNARY: dict[type[ast.unaryop], tuple[str, int]] = {
    ast.USub: ("-", SIGN),
    ast.UAdd: ("+", SIGN),
    ast.Invert: ("~", SIGN),
    ast.Not: ("not ", NOT),
}


def written(node: ast.expr) -> str:
    """The source of an expression.

    A minus before a product stands in front of its first factor, where it needs no brackets and changes no bit.

    Example:
        >>> written(ast.parse("-(0.5 * (a+b) ** -1.5) * (c)", mode="eval").body)
        '-0.5 * (a + b)**-1.5 * c'
    """
    return _written(node)[0]


def lines_of(node: ast.stmt, depth: int = 0) -> list[str]:
    """The source of a statement, line by line."""
    indent = "    " * depth
    match node:
        case ast.Assign(targets, value):
            return [indent + " = ".join([*(written(t) for t in targets), written(value)])]
        case ast.AugAssign(target, op, value):
            return [f"{indent}{written(target)} {BINARY[type(op)][0].strip()}= {written(value)}"]
        case ast.Expr(value):
            return [indent + written(value)]
        case ast.For(target, over, body, []):
            inner = [line for part in body for line in lines_of(part, depth + 1)]
            return [f"{indent}for {written(target)} in {written(over)}:", *inner]
    return [indent + line for line in ast.unparse(node).split("\n")]


def _within(node: ast.expr, least: int) -> str:
    """The source of an expression as a part of one that binds at `least`: in brackets where it binds less."""
    text, binds = _written(node)
    return text if binds >= least else f"({text})"


def _written(node: ast.expr) -> tuple[str, int]:
    match node:
        case ast.Name(name):
            return name, ATOM
        case ast.Constant(value):
            return _constant(value)
        case ast.BinOp(left, ast.Pow(), right):
            return f"{_within(left, CALL)}**{_within(right, SIGN)}", POWER
        case ast.BinOp(left, op, right) if type(op) in BINARY:
            sign, binds = BINARY[type(op)]
            return f"{_within(left, binds)}{sign}{_within(right, binds + 1)}", binds
        case ast.UnaryOp(ast.USub(), ast.BinOp(_, ast.Mult() | ast.Div() | ast.MatMult(), _) as product):
            return f"-{_within(product, PRODUCT)}", PRODUCT
        case ast.UnaryOp(op, operand):
            sign, binds = UNARY[type(op)]
            return f"{sign}{_within(operand, binds)}", binds
        case ast.Attribute(value, attr):
            whole = isinstance(value, ast.Constant) and isinstance(value.value, int)
            return f"{_within(value, ATOM + 1 if whole else CALL)}.{attr}", CALL
        case ast.Subscript(value, index):
            inside = _items(index.elts) if isinstance(index, ast.Tuple) and index.elts else _written(index)[0]
            return f"{_within(value, CALL)}[{inside}]", CALL
        case ast.Call(function, arguments, keywords):
            named = [f"{k.arg}={_written(k.value)[0]}" if k.arg else f"**{_within(k.value, CALL)}" for k in keywords]
            return f"{_within(function, CALL)}({', '.join([*(_written(a)[0] for a in arguments), *named])})", CALL
        case ast.Compare(left, ops, comparators):
            parts = [_within(left, COMPARE + 1)]
            for op, right in zip(ops, comparators, strict=True):
                parts += [COMPARISONS[type(op)], _within(right, COMPARE + 1)]
            return " ".join(parts), COMPARE
        case ast.Tuple(elements):
            return f"({_items(elements)})", ATOM
        case ast.List(elements):
            return f"[{', '.join(_written(e)[0] for e in elements)}]", ATOM
        case ast.Slice(lower, upper, step):
            ends = [_written(part)[0] if part else "" for part in (lower, upper)]
            return ":".join([*ends, *([_written(step)[0]] if step else [])]), 0
        case ast.Starred(value):
            return f"*{_within(value, BITOR)}", 0
    return ast.unparse(node), 0


COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Is: "is",
    ast.IsNot: "is not",
    ast.In: "in",
    ast.NotIn: "not in",
}


def _items(elements: list[ast.expr]) -> str:
    return ", ".join(_written(e)[0] for e in elements) + ("," if len(elements) == 1 else "")


def _constant(value: object) -> tuple[str, int]:
    match value:
        case str():
            plain = value.isprintable() and '"' not in value and "\\" not in value
            return (f'"{value}"' if plain else repr(value)), ATOM
        case float():
            text = repr(value).replace("e-0", "e-").replace("e+0", "e").replace("e+", "e")
            return (text if "inf" not in text else 'float("inf")'), ATOM
        case EllipsisType():
            return "...", ATOM
    return repr(value), ATOM


EllipsisType = type(...)
