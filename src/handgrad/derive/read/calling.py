"""Read calls: those of libraries stay calls, the user's own become the lines of their bodies."""

import ast
import dataclasses
import dis
import inspect
import types
from collections.abc import Mapping
from typing import Any

from handgrad.derive.read import comprehensions, containers, effects, expressions, inline
from handgrad.derive.read.calls import is_array
from handgrad.derive.read.objects import PARTS, attribute, element, is_module, parts_of_module
from handgrad.derive.read.reader import Reader
from handgrad.derive.read.running import has_float, in_library
from handgrad.derive.read.terms import Closure, Parts, Term, name_of

Keywords = dict[str, Term]


CHECKPOINT = ("use_reentrant", "context_fn", "determinism_check", "debug", "preserve_rng_state", "early_stop")
"""What `torch.utils.checkpoint.checkpoint` takes for itself."""


def call(reader: Reader, node: ast.Call) -> Term:
    """A call in names of single assignment, or what the function that it calls returns."""
    match node.func:
        case ast.Name("super") if not node.args:
            return _parent(reader)
        case ast.Name("sum") if len(node.args) == 1 and isinstance(node.args[0], ast.ListComp | ast.GeneratorExp):
            callee = expressions.expression(reader, node.func)
            if callee.value is sum and expressions.touches_floats(reader, node.args[0]):
                total = comprehensions.summed(reader, node.args[0])
                if total is not None:
                    return total
        case ast.Attribute(owner, attr):
            base = expressions.expression(reader, owner)
            if isinstance(base.value, dict) and not isinstance(base, Parts) and has_float(base.value):
                base = Parts(dict, {k.value: element(reader, base, k) for k in containers.items(reader, base)})
            if isinstance(base, Parts) and not hasattr(base.of, "_fields"):
                word = owner.id if isinstance(owner, ast.Name) else getattr(owner, "attr", "item")
                return containers.method(reader, base, attr, expressions.elements(reader, node.args), word)
            if is_array(base.value):
                return effects.method(reader, base, attr, *_arguments(reader, node), owner)
            if is_module(base.value) and attr in PARTS:
                return parts_of_module(reader, base, attr)
            callee = attribute(reader, base, attr)
            if isinstance(base.value, super):
                base = Term(base.node, getattr(callee.value, "__self__", None))
            if isinstance(callee.value, types.MethodType) and callee.value.__self__ is base.value:
                arguments, keywords = _arguments(reader, node)
                return called(reader, Term(callee.node, callee.value.__func__), [base, *arguments], keywords, bound=1)
        case function:
            callee = expressions.expression(reader, function)
    return called(reader, callee, *_arguments(reader, node))


def called(reader: Reader, callee: Term, arguments: list[Term], keywords: Keywords, bound: int = 0) -> Term:
    """What a call gives.

    Args:
        reader: what is known so far.
        callee: the function; that of a method where `bound` is 1, whose first argument is then the object.
        arguments: the positional arguments.
        keywords: those by name.
        bound: how many of the arguments the expression of the callee has in it.
    """
    function = callee.value
    if isinstance(callee, Closure):
        return inline.closure(reader, callee, arguments, keywords)
    if isinstance(function, types.MethodType) and isinstance(function.__func__, types.FunctionType):
        owner = reader.outside("self", function.__self__, f"{ast.unparse(callee.node)}.__self__")
        return called(reader, Term(callee.node, function.__func__), [owner, *arguments], keywords, bound=1)
    if type(function).__name__ == "partial" and hasattr(function, "keywords"):
        return _partial(reader, callee, arguments, keywords)
    if isinstance(function, type):
        return _constructed(reader, callee, arguments, keywords)
    everything = [*arguments, *keywords.values()]
    if _hashable(function) and function in containers.BUILTINS and any(_is_container(a) for a in everything):
        return containers.BUILTINS[function](reader, *arguments, **keywords)
    if function in (getattr, isinstance, print):
        return _builtin(reader, function, arguments)
    if getattr(function, "__module__", "") == "torch.utils.checkpoint" and function.__name__ == "checkpoint":
        own = {name: term for name, term in keywords.items() if name not in CHECKPOINT}
        return called(reader, arguments[0], arguments[1:], own)
    if isinstance(function, types.FunctionType):
        if _is_read(function) and (
            reads_floats(function)
            or _changes_objects(function)
            or any(isinstance(a, Closure) or has_float(a.value) for a in everything)
        ):
            return inline.function(reader, function, arguments, keywords, said=callee.node)
    elif not isinstance(function, types.BuiltinFunctionType):
        forward = _forward(reader, function)
        if forward is not None:
            said = ast.Attribute(callee.node, forward.__name__, ast.Load())
            return inline.function(reader, forward, [callee, *arguments], keywords, said=said)
    return effects.function(reader, callee, arguments, keywords, bound)


def reads_floats(value: Any, seen: set[int] | None = None) -> bool:
    """Whether a user's function reads float tensors that are not its arguments."""
    seen = set() if seen is None else seen
    function = getattr(value, "__func__", value)
    if not isinstance(function, types.FunctionType) or id(function) in seen or in_library(function):
        return isinstance(value, types.MethodType) and has_float(value.__self__)
    seen.add(id(function))
    if isinstance(value, types.MethodType) and has_float(value.__self__):
        return True
    found = [cell.cell_contents for cell in function.__closure__ or () if _filled(cell)]
    names = _names(function.__code__)
    found += [function.__globals__[name] for name in names if name in function.__globals__]
    return any(has_float(v) or reads_floats(v, seen) for v in found)


def _changes_objects(function: types.FunctionType) -> bool:
    """Whether a function assigns to attributes of objects."""
    return any(instruction.opname == "STORE_ATTR" for instruction in dis.get_instructions(function))


def _names(code: types.CodeType) -> set[str]:
    inner = [c for c in code.co_consts if isinstance(c, types.CodeType)]
    return set(code.co_names).union(*(_names(c) for c in inner))


def _filled(cell: types.CellType) -> bool:
    try:
        return cell.cell_contents is not cell
    except ValueError:
        return False


def _is_read(function: types.FunctionType) -> bool:
    """Whether a function's own body is read: it is the user's, or a module's forward."""
    module = function.__module__
    return not in_library(function) or (module.startswith("torch.nn.modules.") and not module.endswith(".module"))


def _forward(reader: Reader, value: Any) -> types.FunctionType | None:
    """The function that calling an object runs; None where it is not read."""
    kind = type(value)
    if is_module(value):
        if value._forward_hooks or value._forward_pre_hooks:
            reader.refuse(f"the module '{kind.__name__}' has hooks, which cannot be read", "Remove its hooks.")
        if hasattr(value, "_orig_mod"):
            return _forward(reader, value._orig_mod)
        from handgrad.derive.read.equivalents import FORWARD, equivalent

        if kind in FORWARD and equivalent(value) is None:
            reader.refuse(f"the module {value} cannot be read with these settings", "Write its steps as lines.")
        return equivalent(value) or inspect.unwrap(kind.forward)
    found = getattr(kind, "__call__", None)  # noqa: B004
    return found if isinstance(found, types.FunctionType) and not in_library(kind) else None


def _arguments(reader: Reader, node: ast.Call) -> tuple[list[Term], Keywords]:
    keywords: Keywords = {}
    arguments = expressions.elements(reader, node.args)
    for keyword in node.keywords:
        term = expressions.expression(reader, keyword.value)
        if keyword.arg is not None:
            keywords[keyword.arg] = term
        else:
            keywords.update((k.value, element(reader, term, k)) for k in containers.items(reader, term))
    return arguments, keywords


def _is_container(term: Term) -> bool:
    if isinstance(term, Parts):
        return True
    if isinstance(term.value, list | tuple | Mapping):
        return has_float(term.value)
    return hasattr(term.value, "_modules") and hasattr(term.value, "__len__")


def _hashable(value: Any) -> bool:
    return type(value).__hash__ is not None


def _parent(reader: Reader) -> Term:
    """`super()` in a method."""
    owner = reader.lookup("self")
    cell = reader.frame.outside("__class__")
    return Term(owner.node, super(cell.value, owner.value))


def _builtin(reader: Reader, function: Any, arguments: list[Term]) -> Term:
    if function is print:
        return Term(ast.Constant(None), None)
    if function is getattr:
        base, name, *default = arguments
        if default and not hasattr(base.value, name.value) and (id(base.value), name.value) not in reader.attributes:
            return default[0]
        return attribute(reader, base, name.value)
    value = isinstance(*(a.value for a in arguments))
    return Term(ast.Constant(value), value)


def _partial(reader: Reader, callee: Term, arguments: list[Term], keywords: Keywords) -> Term:
    partial, said = callee.value, ast.unparse(callee.node)
    inner = reader.outside(getattr(partial.func, "__name__", "function"), partial.func, f"{said}.func")
    first = [reader.outside(f"argument{i}", a, f"{said}.args[{i}]") for i, a in enumerate(partial.args)]
    named = {k: reader.outside(k, v, f"{said}.keywords[{k!r}]") for k, v in partial.keywords.items()}
    return called(reader, inner, [*first, *arguments], {**named, **keywords})


def _constructed(reader: Reader, callee: Term, arguments: list[Term], keywords: Keywords) -> Term:
    """An object of a class; of a user's class, the tensors that it is given are known as its attributes."""
    kind = callee.value
    if kind in containers.BUILTINS and any(_is_container(a) for a in arguments):
        return containers.BUILTINS[kind](reader, *arguments, **keywords)
    if kind is dict and not arguments:
        return Parts(dict, dict(keywords))
    everything = [*arguments, *keywords.values()]
    if in_library(kind) or not any(isinstance(a, Closure) or has_float(a.value) for a in everything):
        return effects.function(reader, callee, arguments, keywords)
    if issubclass(kind, tuple) and hasattr(kind, "_fields"):
        given = dict(zip(kind._fields, arguments, strict=False)) | keywords
        defaults = {
            k: reader.outside(k, v, f"{kind.__name__}._field_defaults[{k!r}]") for k, v in kind._field_defaults.items()
        }
        return Parts(kind, [given.get(k) or defaults[k] for k in kind._fields])
    made = Term(name_of(kind.__name__), object.__new__(kind))
    reader.alive.append(made.value)
    if dataclasses.is_dataclass(kind):
        fields = [f for f in dataclasses.fields(kind) if f.init]
        given = dict(zip((f.name for f in fields), arguments, strict=False)) | keywords
        for f in fields:
            term = given.get(f.name) or reader.outside(f.name, f.default, f"{kind.__name__}.{f.name}")
            reader.attributes[id(made.value), f.name] = term
        return made
    if not isinstance(kind.__init__, types.FunctionType):
        reader.refuse(f"an object of '{kind.__name__}' cannot be read", "Pass the tensors themselves.")
    said = ast.Attribute(made.node, "__init__", ast.Load())
    inline.function(reader, kind.__init__, [made, *arguments], keywords, said=said)
    return made
