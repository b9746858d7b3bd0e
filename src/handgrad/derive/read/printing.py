"""Lines in single assignment as source, in the user's spelling wherever that says the same."""

import ast
import functools
import textwrap
from typing import TYPE_CHECKING

from handgrad.derive.emit.source import written

if TYPE_CHECKING:
    from handgrad.derive.read.program import Line, Loop, Store


def line_source(line: "Line") -> str:
    """A line as source that runs in the names of single assignment."""
    targets = ", ".join(line.targets)
    if written_in := written_element(line.value):
        x, index, op, values, copy = written_in
        if op.endswith(".at"):
            return f"{targets} = {x}.copy()\n{op}({targets}, {written(index)}, {values})"
        return f"{targets} = {x}.{copy}()\n{written(ast.Subscript(ast.Name(targets), index))} {op} {values}"
    plain = _statement(line.text)
    return line.text if plain == f"{targets} = {ast.unparse(line.value)}" else f"{targets} = {written(line.value)}"


def written_element(value: ast.expr) -> tuple[str, ast.expr, str, str, str] | None:
    """Where a value is a tensor with elements written: it, the index, how, the values, and how it is copied."""
    match value:
        case ast.Call(ast.Name("addat"), [x, ast.Subscript(ast.Attribute(numpy), index), values]):
            return written(x), index, f"{written(numpy)}.add.at", written(values), "copy"
        case ast.Call(ast.Name("setitem" | "additem" as name), [x, ast.Subscript(maker, index), values]):
            copy = "clone" if isinstance(maker, ast.Name) else "copy"
            match values:
                case ast.UnaryOp(ast.USub(), operand) if name == "additem":
                    return written(x), index, "-=", written(operand), copy
            return written(x), index, "=" if name == "setitem" else "+=", written(values), copy
    return None


def loop_source(loop: "Loop") -> str:
    """A loop as source that runs in the names of single assignment."""
    starts = {s.name: written(s.start) for s in loop.stored}
    head = [
        f"{name} = {start}"
        for name, start in starts.items()
        if start not in (name, f"{name}.clone()", f"{name}.copy()")
    ]
    head += [f"{c.leaving} = {c.start}" for c in loop.carried if c.leaving != c.start]
    found = [f"{c.entering} = {c.leaving}" for c in loop.carried if c.entering != c.leaving]
    body = [*found, *(part.source for part in loop.body)]
    header = f"for {loop.variable} in {written(loop.over)}:"
    return "\n".join([*head, header, textwrap.indent("\n".join(body), "    ")])


def store_source(store: "Store") -> str:
    """A write into a container as source."""
    if store.index is None:
        return f"{store.container}.append({written(store.value)})"
    place = ast.Subscript(ast.Name(store.container), store.index)
    return f"{written(place)} {'+=' if store.added else '='} {written(store.value)}"


@functools.lru_cache(maxsize=1024)
def _statement(text: str) -> str:
    try:
        return ast.unparse(ast.parse(text))
    except SyntaxError:
        return ""
