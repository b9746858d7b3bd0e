"""Gradients as PyTorch source."""

import re
from collections.abc import Sequence

from handgrad.derive.emit.convolution import transposed
from handgrad.derive.emit.layout import ADD, MULTIPLY, PRIMARY, Code, fit
from handgrad.derive.emit.leaves import said_size
from handgrad.derive.emit.scatter import scattered, scatters
from handgrad.derive.emit.speaker import Order, Speaker
from handgrad.derive.emit.views import settle_views
from handgrad.derive.expr import Expr
from handgrad.derive.indices import Form, Size, fresh, plain_order
from handgrad.derive.wording.search import tree
from handgrad.derive.wording.words import Words


def assign(words: Words, target: str, variable: str, form: Form, expr: Expr) -> list[str]:
    """Lines that set `target` to the gradient of a variable, which an expression over `form` says.

    Raises:
        UnsayableError: there is no source for it.
    """
    near = _near(words, variable, expr)
    speaker = Speaker(words, near)
    whole = transposed(speaker, variable, form, expr)
    if whole is not None:
        return [f"{target} = {whole.text}"]
    dense, sparse = scatters(form, expr)
    lines: list[str] = []
    if dense or not sparse:
        code = expression(speaker, variable, form, dense)
        lines.append(f"{target} = {code.text}{'.clone()' * bool(sparse and _shares(code.text))}")
    return lines + scattered(speaker, target, variable, form, sparse, first=not lines)


VIEWS = r"[\w.]+|.*(\.T|\]|\.(view|reshape|flatten|expand(_as)?|squeeze|transpose|permute|diagonal|unfold)\([^()]*\))"
"""What the source of a tensor that may share its memory with another looks like."""


def _shares(text: str) -> bool:
    return re.fullmatch(VIEWS, text) is not None


def _near(words: Words, variable: str, expr: Expr) -> Sequence[str]:
    known = words.graph.definitions
    names = [n for n in known if n in expr.names() and known[n].user and n.isidentifier() and known[n].axes]
    return [variable, *(n for n in names if n != variable)]


def expression(speaker: Speaker, variable: str, form: Form, expr: Expr) -> Code:
    """The source of an expression with each axis of a form; `variable` is what has its type, and may have its shape."""
    if not expr:
        return Code(f"torch.zeros_like({variable})")
    return shaped(speaker, *broadcasting(speaker, form, expr), variable)


def broadcasting(speaker: Speaker, form: Form, expr: Expr) -> tuple[Code, Order]:
    """The source of an expression, which broadcasts to the axes of a form, and an index for each of these."""
    unit = Size(1, 0)
    whole = tuple(fresh(unit) if i is None else i for i in form)
    code, order = settle_views(speaker, tree(speaker.words, expr), whole)
    if len(code.axes) > len(order):
        extra = len(code.axes) - len(order)
        code = code.then("[0]" * extra if extra == 1 else f".squeeze({tuple(range(extra))})", code.axes[extra:])
    return code, order


def shaped(speaker: Speaker, code: Code, order: Order, variable: str) -> Code:
    """The source with each axis of an order, also those along which it is the same."""
    ones = {a for a in order if a.size.number == 1}
    aligned = (None,) * (len(order) - len(code.axes)) + code.axes
    missing = [o for a, o in zip(aligned, order, strict=True) if a is None and o not in ones]
    short = len(code.axes) < len(order)
    if (missing or short) and not _shaped_like(speaker, variable, order):
        sizes = ", ".join("1" if a in ones else said_size(speaker, a) for a in order)
        if code.kind == "float":
            return code.then(f".expand({sizes})", order)
        return Code(f"{variable}.new_full(({sizes},), {code.text})", PRIMARY, order)
    if missing or short:
        if code.kind != "float":
            text = f"torch.ones_like({variable})" if code.text == "1" else f"torch.full_like({variable}, {code.text})"
            if not code.axes and code.text.lstrip("-").isdigit():
                return Code(text, PRIMARY)
        if not code.axes:
            return Code(f"torch.full_like({variable}, {code.text})", PRIMARY)
        return code.then(f".expand_as({variable})", ())
    if code.kind != "float" and code.text.isdigit():
        return Code(f"torch.full_like({variable}, {code.text})")
    return speaker.floating(code)


def _shaped_like(speaker: Speaker, name: str, order: Order) -> bool:
    """Whether a tensor has the axes of an order."""
    definition = speaker.graph.definitions.get(name)
    if definition is None:
        return False
    find = speaker.graph.sizes.find
    axes = [a for i in definition.axes for a in plain_order(i)]
    wide = [a for a in order if a.size.number > 1]
    return len(definition.axes) == len(order) and [find(a.size) for a in axes] == [find(a.size) for a in wide]


__all__ = ["ADD", "MULTIPLY", "assign", "expression", "fit"]
