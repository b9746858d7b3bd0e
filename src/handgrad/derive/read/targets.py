"""Assign: to names, to several at once, to attributes and elements."""

import ast
import re
import sys
import types
from collections.abc import Mapping

from handgrad.derive.read import containers, expressions, writing
from handgrad.derive.read.calls import is_array
from handgrad.derive.read.objects import element
from handgrad.derive.read.reader import Reader
from handgrad.derive.read.running import has_float
from handgrad.derive.read.terms import Closure, Parts, Term, is_path


def assign(reader: Reader, target: ast.expr, term: Term, since: int = sys.maxsize) -> None:
    """Assign a value as the user's code does, in a line where it makes one.

    Args:
        reader: what is known so far.
        target: what is assigned to.
        term: the value.
        since: how many names there were before the value was read; one that is newer takes the target's name.
    """
    match target:
        case ast.Name(name):
            reader.frame.scope[name] = _named(reader, name, term, since)
        case ast.Tuple(elts) | ast.List(elts):
            for part, value in zip(elts, _unpacked(reader, elts, term), strict=True):
                if isinstance(part, ast.Name) and value.name in reader.made and reader.made[value.name].order < since:
                    reader.frame.scope[part.id] = value
                else:
                    assign(reader, part, value, since)
        case ast.Attribute(owner, attr):
            base = expressions.expression(reader, owner)
            if is_array(base.value):
                if attr not in ("grad", "requires_grad"):
                    reader.refuse(f"assigning to '.{attr}' of a tensor cannot be read", "Assign to a name.")
                return
            reader.attributes[id(base.value), attr] = _named(reader, attr, term, sys.maxsize, own=False)
        case ast.Subscript():
            writing.store(reader, target, term)
        case _:
            reader.refuse(f"assigning to '{ast.unparse(target)}' cannot be read", "Assign to names.")


def bind(reader: Reader, target: ast.expr, term: Term) -> None:
    """Let names stand for a value without a line of their own."""
    if isinstance(target, ast.Tuple | ast.List):
        for part, value in zip(target.elts, containers.items(reader, term), strict=True):
            bind(reader, part, value)
    elif isinstance(target, ast.Name):
        reader.frame.scope[target.id] = term
    else:
        assign(reader, target, term)


def _named(reader: Reader, name: str, term: Term, since: int, own: bool | None = None) -> Term:
    """The term that a name stands for once it is assigned this one; a line is made where one is needed."""
    if term.value is None:
        return Term(ast.Constant(None), None)
    own = not reader.frame.within if own is None else own
    name = "h" if reader.frame.library else name
    if isinstance(term, Parts | Closure):
        known = isinstance(term, Closure) or not term.parts or has_float(term.value) or _has_closure(term)
        if not known and own:
            return reader.emit(name, term, own=own)
        if isinstance(term, Parts):
            name_parts(reader, name, term)
        return term
    if not is_array(term.value) and is_path(term.node) and not isinstance(term.value, int | float | str | tuple | None):
        return term
    if term.name is not None:
        made = reader.made.get(term.name)
        if made and made.order >= since and (not made.own or made.base == name):
            made.base, made.own = name, own
            return term
        return term if not own or term.name == name else reader.emit(name, term, own=own)
    if isinstance(term.node, ast.Constant) and (not own or term.value is None):
        return term
    if type(term.value) is int:
        return reader.sized((name,), term, (term.value,), own=own)[0]
    return reader.emit(name, term, own=own)


def name_parts(reader: Reader, name: str, term: Parts) -> None:
    """Give each element of a list or dict that computes something a line and a name."""
    pairs = term.parts.items() if isinstance(term.parts, dict) else enumerate(term.parts)
    for key, part in list(pairs):
        word = key if isinstance(key, str) and key.isidentifier() else re.sub(r"\W", "", f"{name}_{key}")
        if isinstance(part, Parts):
            name_parts(reader, word, part)
        elif is_array(part.value):
            term.parts[key] = reader.named(word, part)


def _has_closure(term: Term) -> bool:
    if isinstance(term, Parts):
        parts = term.parts.values() if isinstance(term.parts, Mapping) else term.parts
        return any(_has_closure(part) or isinstance(part.value, types.FunctionType | type) for part in parts)
    return isinstance(term, Closure) or hasattr(term.value, "_modules")


def _unpacked(reader: Reader, targets: list[ast.expr], term: Term) -> list[Term]:
    """The terms that several targets are assigned."""
    stars = [i for i, target in enumerate(targets) if isinstance(target, ast.Starred)]
    if isinstance(term, Parts) or (not is_array(term.value) and is_path(term.node) and has_float(term.value)):
        if not isinstance(term, Parts) and not stars and not isinstance(term.value, Mapping):
            return [_hinted(reader, target, term, i) for i, target in enumerate(targets)]
        found = containers.items(reader, term)
        if stars:
            first, after = stars[0], len(targets) - stars[0] - 1
            middle = Parts(list, found[first : len(found) - after])
            targets[first] = getattr(targets[first], "value", targets[first])
            found = [*found[:first], middle, *found[len(found) - after :]]
        if len(found) != len(targets):
            reader.refuse(f"{len(found)} values are assigned to {len(targets)} names", "Check the line.")
        return found
    values = tuple(reader.run(list, term.value))
    if stars:
        reader.refuse("a starred name takes elements that are not known one by one", "Index them.")
    if len(values) != len(targets):
        reader.refuse(f"{len(values)} values are assigned to {len(targets)} names", "Check the line.")
    bases = tuple(target.id if isinstance(target, ast.Name) else "part" for target in targets)
    if all(type(value) is int for value in values):
        return reader.sized(bases, term, values)
    return reader.emit_all(bases, term, values)


def _hinted(reader: Reader, target: ast.expr, term: Term, i: int) -> Term:
    reader.hint = target.id if isinstance(target, ast.Name) and not reader.frame.within else ""
    found = element(reader, term, Term(ast.Constant(i), i))
    reader.hint = ""
    return found
