"""Calls of libraries, of which the inside is not read."""

import ast
import inspect
import types
from typing import Any

from handgrad.derive.read import expressions, writing
from handgrad.derive.read.calls import is_array
from handgrad.derive.read.reader import Reader
from handgrad.derive.read.terms import Term, is_literal

Keywords = dict[str, Term]
WITHOUT_EFFECT = frozenset({"retain_grad", "requires_grad_", "register_hook"})
WRITING_ARRAYS = frozenset({"sort", "partition", "put", "itemset", "resize"})


def method(reader: Reader, base: Term, attr: str, arguments: list[Term], keywords: Keywords, owner: ast.expr) -> Term:
    """A method of a tensor or array, `owner` the expression that it is called on."""
    if attr in WITHOUT_EFFECT:
        return base
    torch = hasattr(base.value, "clone")
    if (torch and attr.endswith("_") and not attr.endswith("__")) or (not torch and attr == "fill"):
        return writing.write(reader, owner, base, writing.functional(reader, base, attr, arguments, keywords))
    if not torch and attr in WRITING_ARRAYS:
        reader.refuse(f"'.{attr}' writes into the array", f"Write 'y = np.{attr}(x)'.")
    return function(
        reader,
        Term(ast.Attribute(base.node, attr, ast.Load()), reader.run(getattr, base.value, attr)),
        arguments,
        keywords,
    )


def function(reader: Reader, callee: Term, arguments: list[Term], keywords: Keywords, bound: int = 0) -> Term:
    """A call of a function whose inside is not read; `bound` arguments are already in the callee's expression."""
    called, name = callee.value, getattr(callee.value, "__name__", "")
    if name == "at" and type(getattr(called, "__self__", None)).__name__ == "ufunc":
        return writing.ufunc_at(reader, called.__self__.__name__, arguments)
    out = keywords.pop("out", None)
    arguments, keywords, in_place = _settled(reader, callee, arguments, keywords)
    if name in ("dropout", "alpha_dropout") and getattr(called, "__module__", "") == "torch.nn.functional":
        return _dropped(reader, callee, arguments, keywords)
    if name == "batch_norm" and _argument(called, arguments, keywords, "training"):
        arguments[1:3] = [Term(ast.Constant(None), None)] * 2
    if name.endswith("_") and not name.startswith("_") and arguments and is_array(arguments[0].value):
        out, arguments, called, callee = _first_written(reader, callee, arguments)
    value = reader.run(called, *(a.value for a in arguments), **{k: v.value for k, v in keywords.items()})
    made = reader.draws.seen(Term(call_node(callee.node, arguments[bound:], keywords), value))
    if in_place:
        out = arguments[0]
    return made if out is None or out.node is None else writing.update(reader, out, made)


def call_node(callee: ast.expr, arguments: list[Term], keywords: Keywords) -> ast.expr:
    """A call as an expression."""
    return ast.Call(callee, [a.node for a in arguments], [ast.keyword(k, v.node) for k, v in keywords.items()])


def _first_written(reader: Reader, callee: Term, arguments: list[Term]) -> tuple[Term, list[Term], Any, Term]:
    """A function such as `torch.relu_`, which writes into its first argument, as one that does not."""
    name = callee.value.__name__
    if isinstance(callee.node, ast.Attribute):
        module = reader.run(lambda: inspect.getmodule(callee.value) or types)
        plain = getattr(module, name[:-1], None) or getattr(reader.module("torch").value, name[:-1], None)
        if plain is not None:
            return arguments[0], arguments, plain, Term(ast.Attribute(callee.node.value, name[:-1], ast.Load()), plain)
    copied = method(reader, arguments[0], "clone", [], {}, arguments[0].node)
    return arguments[0], [copied, *arguments[1:]], callee.value, callee


def _argument(called: Any, arguments: list[Term], keywords: Keywords, name: str) -> Any:
    bound = inspect.signature(called).bind(*arguments, **keywords).arguments.get(name)
    return bound is not None and bound.value


def _settled(
    reader: Reader, callee: Term, arguments: list[Term], keywords: Keywords
) -> tuple[list[Term], Keywords, bool]:
    """Arguments without `inplace`, and whether that was true; those of a module's own call without defaults."""
    called = callee.value
    in_place = False
    if isinstance(called, types.FunctionType) and called.__module__ == "torch.nn.functional" and _is_plain(called):
        bound = reader.run(inspect.signature(called).bind, *arguments, **keywords)
        if given := bound.arguments.pop("inplace", None):
            in_place = bool(given.value)
        elif not reader.frame.library:
            return list(arguments), keywords, False
        arguments, keywords = [], {}
        for name, parameter in bound.signature.parameters.items():
            term = bound.arguments.get(name)
            if term is None or name.startswith("_") or (is_literal(term.node) and term.value == parameter.default):
                continue
            if keywords or list(bound.signature.parameters).index(name) != len(arguments):
                keywords[name] = term
            else:
                arguments.append(term)
    elif reader.frame.library:
        arguments = list(arguments)
        while arguments and isinstance(arguments[-1].node, ast.Constant) and arguments[-1].value is None:
            arguments.pop()
    return list(arguments), keywords, in_place


def _is_plain(called: types.FunctionType) -> bool:
    """Whether a function names each of its arguments."""
    return not called.__code__.co_flags & (inspect.CO_VARARGS | inspect.CO_VARKEYWORDS)


def _dropped(reader: Reader, callee: Term, arguments: list[Term], keywords: Keywords) -> Term:
    """Dropout: nothing where it does not train, otherwise a product with a mask that is drawn once."""
    bound = inspect.signature(callee.value).bind(*arguments, **keywords).arguments
    x, p, training = bound["input"], bound.get("p"), bound.get("training")
    if (training is not None and not training.value) or (p is not None and p.value == 0):
        return x
    if callee.value.__name__ != "dropout":
        reader.refuse("alpha dropout cannot be read", "Use dropout.")
    x = reader.named("a", x)
    ones = function(reader, expressions.attribute(reader, reader.module("torch"), "ones_like"), [x], {})
    drawn = reader.run(
        callee.value,
        ones.value,
        *(a.value for a in arguments[1:]),
        **{k: v.value for k, v in keywords.items() if k != "input"},
    )
    rest = {k: v for k, v in keywords.items() if k != "input"}
    made = reader.draws.seen(Term(call_node(callee.node, [ones, *arguments[1:]], rest), drawn))
    mask = reader.emit("mask", made, own=False)
    reader.note_draw("mask")
    return expressions.operated(reader, ast.Mult(), x, mask)
