"""What writes into a tensor in place: each such write makes a value with a name of its own."""

import ast
from collections.abc import Iterator
from typing import Any

from handgrad.derive.read import containers, effects, expressions
from handgrad.derive.read.calls import is_array
from handgrad.derive.read.items import addat, additem, at, names_twice, setitem
from handgrad.derive.read.objects import element
from handgrad.derive.read.reader import Reader
from handgrad.derive.read.terms import Parts, Stale, Term

Keywords = dict[str, Term]


def write(reader: Reader, owner: ast.expr, old: Term, new: Term) -> Term:
    """Write a whole tensor in place that an expression stands for."""
    while isinstance(owner, ast.Call) and isinstance(owner.func, ast.Attribute) and owner.func.attr.endswith("_"):
        owner = owner.func.value
    if isinstance(owner, ast.Subscript):
        base = expressions.expression(reader, owner.value)
        if is_array(base.value):
            store(reader, owner, new)
            return expressions.expression(reader, owner)
    if old.name is None and isinstance(owner, ast.Call | ast.BinOp) and not any(_sharing(reader, old.value)):
        return new
    return update(reader, old, new, owner)


def update(reader: Reader, old: Term, new: Term, owner: ast.expr | None = None) -> Term:
    """Let all names of a tensor stand for its new value, and none for what shares its memory."""
    base = reader.made[old.name].base if old.name in reader.made else old.name
    own = reader.made[old.name].own if old.name in reader.made else None
    if base is None and isinstance(owner, ast.Attribute):
        holder = expressions.expression(reader, owner.value).value
        reader.attributes[id(holder), owner.attr] = new if reader.frame.library else reader.named(owner.attr, new)
        return reader.attributes[id(holder), owner.attr]
    if base is None:
        if not isinstance(owner, ast.Name):
            reader.refuse(f"writing in place into '{ast.unparse(old.node)}' cannot be read", "Give it a name first.")
        base = owner.id
    made = reader.emit(base, new, own=own)
    for holder, key, term in reader.held():
        if term is old or (old.name is not None and term.name == old.name):
            holder[key] = made
        elif not isinstance(term, Parts) and shares_memory(term.value, old.value):
            holder[key] = _stale(term, base)
    for term in reader.arrays():
        if term.name == old.name or (term.name not in reader.current and shares_memory(term.value, old.value)):
            reader.current[str(term.name)] = made if term.name == old.name else _stale(term, base)
    return made


def _stale(term: Term, written: str) -> Stale:
    advice = f"Write to a copy, '{written}.clone()', or read it again from '{written}'."
    return Stale(term.node, term.value, f"it shares its memory with '{written}', which was written in place", advice)


def store(reader: Reader, target: ast.Subscript, term: Term, op: ast.operator | None = None) -> None:
    """`x[i] = term`, or `x[i] += term` and its like."""
    base = expressions.expression(reader, target.value)
    index = expressions.index(reader, target.slice)
    if not is_array(base.value):
        parts = containers.opened(reader, base)
        value = term if op is None else expressions.operated(reader, op, element(reader, base, index), term)
        if op is not None and is_array(parts.parts[index.value].value):
            update(reader, parts.parts[index.value], value)
        else:
            parts.parts[index.value] = reader.named(_singular(target, index), value)
        return
    if isinstance(op, ast.Add | ast.Sub) and not names_twice(base.value, index.value):
        if isinstance(op, ast.Sub):
            term = Term(ast.UnaryOp(ast.USub(), term.node), reader.run(lambda: -term.value))
        new = _helped(reader, additem, base, index, term)
    else:
        if op is not None:
            if names_twice(base.value, index.value):
                reader.refuse("the index names an element twice, and only one of the changes counts", "Use index_add_.")
            term = expressions.operated(reader, op, element(reader, base, index), term)
        new = _helped(reader, setitem, base, index, term)
    write(reader, target.value, base, new)


def shares_memory(x: Any, y: Any) -> bool:
    """Whether two arrays have memory in common."""
    if not (is_array(x) and is_array(y)) or hasattr(x, "clone") != hasattr(y, "clone"):
        return False
    if hasattr(x, "clone"):
        return x.numel() > 0 and x.untyped_storage().data_ptr() == y.untyped_storage().data_ptr()
    import numpy as np

    return np.may_share_memory(x, y)


def functional(reader: Reader, base: Term, attr: str, arguments: list[Term], keywords: Keywords) -> Term:
    """What `base.attr(...)` writes into base, as an expression."""
    torch = reader.module("torch") if hasattr(base.value, "clone") else reader.module("numpy")
    if attr in ("zero_", "fill_", "fill"):
        name = "zeros_like" if attr == "zero_" else "full_like"
        return effects.function(reader, expressions.attribute(reader, torch, name), [base, *arguments], keywords)
    if attr == "copy_":
        given = arguments[0]
        if given.value.shape != base.value.shape:
            given = effects.method(reader, given, "expand_as", [base], {}, given.node)
        return effects.method(reader, given, "clone", [], {}, given.node)
    if hasattr(base.value, attr[:-1]):
        return effects.method(reader, base, attr[:-1], arguments, keywords, base.node)
    copied = effects.method(reader, base, "clone", [], {}, base.node)
    value = reader.run(
        getattr(base.value.clone(), attr), *(a.value for a in arguments), **{k: v.value for k, v in keywords.items()}
    )
    return Term(effects.call_node(ast.Attribute(copied.node, attr, ast.Load()), arguments, keywords), value)


def ufunc_at(reader: Reader, name: str, arguments: list[Term]) -> Term:
    """`np.add.at(x, index, values)` and its like."""
    base, index, values = arguments
    if name not in ("add", "subtract"):
        reader.refuse(f"'np.{name}.at' cannot be read", "Write it without '.at'.")
    if name == "subtract":
        values = Term(ast.UnaryOp(ast.USub(), values.node), -values.value)
    return update(reader, base, _helped(reader, addat, base, index, values))


def _sharing(reader: Reader, value: Any) -> Iterator[bool]:
    terms = [term for _, _, term in reader.held() if not isinstance(term, Parts)]
    return (shares_memory(term.value, value) for term in (*terms, *reader.arrays()))


def _helped(reader: Reader, helper: Any, base: Term, index: Term, values: Term) -> Term:
    """A call of `setitem` or `additem`."""
    if hasattr(base.value, "clone"):
        maker = reader.helper("at", at).node
    else:
        maker = ast.Attribute(reader.module("numpy").node, "s_", ast.Load())
    place = Term(ast.Subscript(maker, index.node, ast.Load()), index.value)
    value = reader.run(helper, base.value, index.value, values.value)
    return Term(effects.call_node(reader.helper(helper.__name__, helper).node, [base, place, values], {}), value)


def _singular(target: ast.Subscript, index: Term) -> str:
    if isinstance(index.value, str) and index.value.isidentifier():
        return index.value
    root = _root(target)
    return f"{root}_{index.value}" if isinstance(index.value, int) and index.value >= 0 else root


def _root(node: ast.expr) -> str:
    """The name that an expression begins with, the attribute of an object."""
    while isinstance(node, ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else getattr(node, "attr", "part")
