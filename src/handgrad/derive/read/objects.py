"""Attributes and elements: of tensors, which are calls, and of what holds tensors, which are names for what is held."""

import ast
import inspect
import types
from typing import Any

from handgrad.derive.read import inline
from handgrad.derive.read.calls import is_array
from handgrad.derive.read.reader import Reader
from handgrad.derive.read.running import in_library, is_float
from handgrad.derive.read.terms import Parts, Term, is_marked


def attribute(reader: Reader, base: Term, attr: str) -> Term:
    """`base.attr`; a float tensor that an object holds is a name of its own."""
    key = (id(base.value), attr)
    if key in reader.attributes:
        return reader.attributes[key]
    if isinstance(base, Parts) and attr in getattr(base.of, "_fields", ()):
        return base.parts[base.of._fields.index(attr)]
    node = ast.Attribute(base.node, attr, ast.Load())
    if is_array(base.value) or isinstance(base.value, types.ModuleType | types.FunctionType | type):
        return Term(node, reader.run(getattr, base.value, attr))
    found = getattr(inspect.getattr_static(type(base.value), attr, None), "fget", None)
    if isinstance(found, types.FunctionType) and not in_library(found):
        return inline.function(reader, found, [base], {}, said=node)
    value = reader.run(getattr, base.value, attr)
    if is_float(value) and reader.from_before(node):
        return reader.bound(value, node, buffer=attr in getattr(base.value, "_buffers", ()))
    if reader.frame.library and attr != "normalized_shape":
        literal = _literal(value)
        return Term(literal, value) if literal else Term(node, value)
    return Term(node, value)


def element(reader: Reader, base: Term, index: Term) -> Term:
    """`base[index]`; an element of a list, tuple or dict is what was put in there."""
    if isinstance(base, Parts):
        key = index.value
        if isinstance(key, slice):
            return Parts(base.of, reader.run(lambda: base.parts[key]))
        return reader.run(lambda: base.parts[key])
    value = reader.run(lambda: base.value[index.value])
    node = ast.Subscript(base.node, index.node, ast.Load())
    if is_array(base.value) or isinstance(index.value, slice):
        return Term(node, value)
    if is_marked(index.node) and not (is_float(value) and reader.from_before(base.node)):
        return Term(node, value)
    if isinstance(index.value, int | str):
        node = ast.Subscript(base.node, ast.Constant(index.value), ast.Load())
    if is_float(value) and reader.from_before(node):
        return reader.bound(value, node)
    return Term(node, value)


PARTS = frozenset({"parameters", "named_parameters", "buffers", "named_buffers", "children", "named_children"})
"""Methods of a module that give what it holds, one by one."""


def is_module(value: Any) -> bool:
    """Whether a value is a module of PyTorch."""
    return any(kind.__module__ == "torch.nn.modules.module" for kind in type(value).__mro__)


def parts_of_module(reader: Reader, base: Term, attr: str) -> Parts:
    """What one of the methods in `PARTS` gives: a term for each part, by its path."""
    named = attr if attr.startswith("named_") else f"named_{attr}"
    found: list[Term] = []
    for path, _ in getattr(base.value, named)():
        term = base
        for word in path.split("."):
            counted = word.isdigit() and hasattr(term.value, "__getitem__")
            term = (
                element(reader, term, Term(ast.Constant(int(word)), int(word)))
                if counted
                else attribute(reader, term, word)
            )
        found.append(Parts(tuple, [Term(ast.Constant(path), path), term]) if attr == named else term)
    return Parts(list, found)


def _literal(value: Any) -> ast.expr | None:
    parts = value if type(value) is tuple else (value,)
    if all(part is None or type(part) in (bool, int, float, str) for part in parts):
        return ast.parse(repr(value), mode="eval").body
    return None
