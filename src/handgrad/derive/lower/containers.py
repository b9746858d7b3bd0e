"""Lists, tuples and dicts that lines make, taken apart where later lines read them."""

import ast
from collections.abc import Mapping
from typing import Any

LITERALS = (ast.List, ast.Tuple, ast.Dict)


def taken_apart(node: Any, known: Mapping[str, ast.expr]) -> Any:
    """An expression with what stands in containers in place of these, which are known by their names.

    Example:
        >>> states = ast.parse("[h0, h1]", mode="eval").body
        >>> ast.unparse(taken_apart(ast.parse("states[-1] @ W", mode="eval").body, {"states": states}))
        'h1 @ W'
    """
    if isinstance(node, list):
        return [taken_apart(part, known) for part in node]
    if not isinstance(node, ast.AST):
        return node
    if isinstance(node, ast.Name):
        return known.get(node.id, node)
    made = type(node)(**{field: taken_apart(value, known) for field, value in ast.iter_fields(node)})
    found = _element(made) if isinstance(made, ast.Subscript) else None
    return made if found is None else found


def _element(node: ast.Subscript) -> ast.expr | None:
    try:
        key = ast.literal_eval(node.slice)
    except ValueError:
        return None
    match node.value:
        case ast.List(parts) | ast.Tuple(parts) if isinstance(key, int) and -len(parts) <= key < len(parts):
            return None if any(isinstance(part, ast.Starred) for part in parts) else parts[key]
        case ast.Dict(keys, parts):
            named = {k.value: part for k, part in zip(keys, parts, strict=True) if isinstance(k, ast.Constant)}
            return named.get(key) if len(named) == len(keys) else None
    return None
