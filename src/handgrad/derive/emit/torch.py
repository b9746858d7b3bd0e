"""Gradients as PyTorch source."""

from collections.abc import Sequence

from handgrad.derive.emit.convolution import transposed
from handgrad.derive.emit.layout import ADD, MULTIPLY, PRIMARY, Code, fit
from handgrad.derive.emit.scatter import scattered, scatters
from handgrad.derive.emit.speaker import Order, Speaker
from handgrad.derive.emit.views import settle_views
from handgrad.derive.expr import Expr
from handgrad.derive.indices import Form, Size, fresh
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
        lines.append(f"{target} = {code.text}")
    return lines + scattered(speaker, target, variable, form, sparse, first=not lines)


def _near(words: Words, variable: str, expr: Expr) -> Sequence[str]:
    known = words.graph.definitions
    names = [n for n in known if n in expr.names() and known[n].user and n.isidentifier() and known[n].axes]
    return [variable, *(n for n in names if n != variable)]


def expression(speaker: Speaker, variable: str, form: Form, expr: Expr) -> Code:
    """The source of an expression with just the shape of a variable."""
    if not expr:
        return Code(f"torch.zeros_like({variable})")
    unit = Size(1, 0)
    whole = tuple(fresh(unit) if i is None else i for i in form)
    code, order = settle_views(speaker, tree(speaker.words, expr), whole)
    return shaped(speaker, code, variable, order)


def shaped(speaker: Speaker, code: Code, variable: str, order: Order) -> Code:
    """The source with each axis of an order, also those along which it is the same."""
    ones = {a for a in order if a.size.number == 1}
    if len(code.axes) > len(order):
        extra = len(code.axes) - len(order)
        code = code.then("[0]" * extra if extra == 1 else f".squeeze({tuple(range(extra))})", code.axes[extra:])
    aligned = (None,) * (len(order) - len(code.axes)) + code.axes
    missing = [o for a, o in zip(aligned, order, strict=True) if a is None and o not in ones]
    short = len(code.axes) < len(order)
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


__all__ = ["ADD", "MULTIPLY", "assign", "expression", "fit"]
