"""Read a call of a user's function as the lines of its body."""

import ast
import inspect
import types
from collections.abc import Callable
from typing import Any

from handgrad.derive.read import blocks, expressions
from handgrad.derive.read.reader import Reader
from handgrad.derive.read.running import in_library, is_float
from handgrad.derive.read.sources import Source, source_of
from handgrad.derive.read.terms import Closure, Frame, Parts, Term, is_literal, is_path

DEPTH = 60
Keywords = dict[str, Term]


def function(
    reader: Reader, called: types.FunctionType, arguments: list[Term], keywords: Keywords, *, said: ast.expr
) -> Term:
    """What a function returns, its body read with these arguments.

    Args:
        reader: what is known so far.
        called: the function.
        arguments: its positional arguments.
        keywords: those by name.
        said: an expression for the function.
    """
    detached = 0
    while "_contextlib" in called.__code__.co_filename:
        held = inspect.getclosurevars(called).nonlocals
        owner = getattr(held["ctx_factory"], "__self__", None)
        detached += type(owner).__name__ in ("no_grad", "inference_mode")
        called = held["func"]
    source = source_of(called)
    if source is None:
        reader.refuse(f"the source of '{called.__name__}' cannot be found", "Write its lines here.")
    defaults = called.__defaults__ or ()
    positional = [*source.arguments.posonlyargs, *source.arguments.args]

    def default(name: str) -> Term:
        names = [a.arg for a in positional[len(positional) - len(defaults) :]]
        if name in names:
            at = names.index(name)
            return reader.outside(name, defaults[at], f"{ast.unparse(said)}.__defaults__[{at}]")
        value = (called.__kwdefaults__ or {})[name]
        return reader.outside(name, value, f"{ast.unparse(said)}.__kwdefaults__[{name!r}]")

    name = called.__qualname__.rpartition("<locals>.")[2]
    library = in_library(called)
    quote = not library and called.__module__ != "handgrad.derive.read.equivalents"
    frame = Frame(reader.from_function(called, said), source.text, name, library, quote)
    parameters = _bound(reader, source.arguments, arguments, keywords, default, name)
    reader.no_grad += detached
    result = _read(reader, source, frame, parameters)
    reader.no_grad -= detached
    return result


def closure(reader: Reader, called: Closure, arguments: list[Term], keywords: Keywords) -> Term:
    """What a function returns that the lines themselves define."""
    node, outer = called.function, called.frame
    if getattr(node, "decorator_list", None):
        reader.refuse(f"'{called.called}' is decorated and cannot be read", "Write it without its decorators.")

    def outside(name: str) -> Term:
        return outer.scope.get(name) or outer.outside(name)

    def default(name: str) -> Term:
        reader.frames.append(outer)
        plain = [*node.args.posonlyargs, *node.args.args]
        pairs = [*zip(plain[::-1], node.args.defaults[::-1], strict=False)]
        pairs += [(a, d) for a, d in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True) if d is not None]
        term = expressions.expression(reader, {a.arg: d for a, d in pairs}[name])
        reader.frames.pop()
        return term

    source = Source(node, outer.text)
    frame = Frame(outside, outer.text, called.called, outer.library, outer.quote)
    return _read(reader, source, frame, _bound(reader, node.args, arguments, keywords, default, called.called))


def _read(reader: Reader, source: Source, frame: Frame, parameters: dict[str, Term]) -> Term:
    if len(reader.frames) > DEPTH:
        reader.refuse(f"'{frame.within}' calls itself too often to be read", "Write the recursion as a loop.")
    if any(isinstance(n, ast.Yield | ast.YieldFrom | ast.Await) for s in source.body for n in ast.walk(s)):
        reader.refuse(f"'{frame.within}' is a generator, which cannot be read", "Return a list instead.")
    for name, term in parameters.items():
        simple = is_literal(term.node) or (is_path(term.node) and (term.name or not is_float(term.value)))
        if simple or isinstance(term, Parts | Closure) or _uses(source.body, name) < 2:
            frame.scope[name] = term
        else:
            frame.scope[name] = reader.emit(name, term, own=False)
    frame.statement = source.body[0]
    reader.frames.append(frame)
    hint, reader.hint = reader.hint, ""
    if isinstance(source.node, ast.Lambda):
        result = expressions.expression(reader, source.node.body)
    else:
        result = blocks.block(reader, source.body) or Term(ast.Constant(None), None)
    reader.hint = hint
    reader.frames.pop()
    return result


def _uses(body: list[ast.stmt] | list[ast.expr], name: str) -> int:
    """How often a name is read, at most; what is in a loop or a function counts twice."""
    count = 0
    for node in body:
        for part in ast.walk(node):
            if isinstance(part, ast.Name) and part.id == name:
                count += 1
            elif (
                isinstance(part, ast.For | ast.While | ast.comprehension | ast.FunctionDef | ast.Lambda)
                and part is not node
            ):
                count += any(isinstance(n, ast.Name) and n.id == name for n in ast.walk(part))
        if isinstance(node, ast.For | ast.While | ast.FunctionDef):
            count += any(isinstance(n, ast.Name) and n.id == name for n in ast.walk(node))
    return count


def _bound(
    reader: Reader,
    arguments: ast.arguments,
    given: list[Term],
    keywords: Keywords,
    default: Callable[[str], Term],
    called: str,
) -> dict[str, Term]:
    """Which term each parameter of a function is."""
    positional = [a.arg for a in (*arguments.posonlyargs, *arguments.args)]
    named = [*positional, *(a.arg for a in arguments.kwonlyargs)]
    found = dict(zip(positional, given, strict=False))
    if arguments.vararg:
        found[arguments.vararg.arg] = Parts(tuple, given[len(positional) :])
    elif len(given) > len(positional):
        reader.refuse(f"'{called}' takes {len(positional)} arguments", "Check the call.")
    more: dict[Any, Term] = {}
    for name, term in keywords.items():
        (found if name in named else more)[name] = term
    if arguments.kwarg:
        found[arguments.kwarg.arg] = Parts(dict, more)
    elif more:
        reader.refuse(f"'{called}' has no argument '{next(iter(more))}'", "Check the call.")
    for name in named:
        if name not in found:
            try:
                found[name] = default(name)
            except KeyError:
                reader.refuse(f"'{called}' needs its argument '{name}'", "Check the call.")
    return found
