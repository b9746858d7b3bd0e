"""Say gradients that windows send back: the transpose of a convolution."""

from collections.abc import Sequence
from typing import NamedTuple

from handgrad.derive.emit.layout import PRIMARY, Code, UnsayableError
from handgrad.derive.emit.speaker import Speaker
from handgrad.derive.expr import Base, Delta, Expr, Factor, opened, term
from handgrad.derive.indices import Affine, Axis, Form, Index, Merged, plain_order


class Window(NamedTuple):
    """A delta between an axis of a gradient, moved by a padding, and a window: place and kernel with their steps."""

    axis: Axis
    padding: int
    place: Axis
    stride: int
    kernel: Axis
    dilation: int


def window(base: Base, form: Form) -> Window | None:
    """The window that a delta is, if it is one."""
    if not isinstance(base, Delta):
        return None
    for index, other in ((base.left, base.right), (base.right, base.left)):
        if not isinstance(other, Affine) or len(other.terms) != 2:
            continue
        padding = 0
        if isinstance(index, Affine) and len(index.terms) == 1 and index.terms[0][0] == 1:
            padding, index = index.offset, index.terms[0][1]
        (stride, place), (dilation, kernel) = other.terms
        if isinstance(index, Axis) and index in form and isinstance(place, Axis) and isinstance(kernel, Axis):
            return Window(index, padding, place, stride, kernel, dilation)
    return None


def transposed(speaker: Speaker, variable: str, form: Form, expr: Expr) -> Code | None:
    """The source of what a convolution sends back to what it convolves; None where an expression is no such thing."""
    if len(expr) != 1:
        return None
    ((product, coefficient),) = expr
    bound, factors = opened(product)
    windows = [w for b, _ in factors if (w := window(b, form)) is not None]
    windows.sort(key=lambda w: form.index(w.axis))
    if not windows or [form.index(w.axis) for w in windows] != list(range(2, len(form))):
        return None
    kernels = [w.kernel for w in windows]
    rest = [(b, p) for b, p in factors if window(b, form) is None]
    weight = next((b for b, p in rest if p == 1 and isinstance(b, Factor) and list(b.indices[2:]) == kernels), None)
    if weight is None or not isinstance(weight, Factor):
        return None
    out, channels = weight.indices[:2]
    groups = _groups(speaker, form[1], out, channels)
    if groups is None:
        raise UnsayableError("a window over channels that are mixed otherwise")
    places: list[Index | None] = [form[0], out, *(w.place for w in windows)]
    used = {a for i in (*places, *kernels) for a in plain_order(i)}
    left = [a for a in bound if a not in used]
    others = [(b, p) for b, p in rest if b != weight]
    upstream = Expr([term(left, others, coefficient)])
    if upstream.free() & set(kernels) or not upstream.free() <= {a for i in places for a in plain_order(i)}:
        return None
    from handgrad.derive.emit.torch import expression

    code = expression(speaker, variable, tuple(places), upstream)
    return _said(variable, weight.name, code, windows, groups)


def _groups(speaker: Speaker, target: Index | None, out: Index | None, channels: Index | None) -> str | None:
    """How many groups a convolution has, as source; empty for one, None where the indices are of no convolution."""
    from handgrad.derive.emit.leaves import said_size

    if target == channels:
        return ""
    outs, ins = plain_order(out), plain_order(target)
    if outs and ins and outs[0] == ins[0] and ins[1:] == plain_order(channels) and isinstance(outs[0], Axis):
        return said_size(speaker, outs[0])
    return None


def _said(variable: str, weight: str, code: Code, windows: Sequence[Window], groups: str) -> Code:
    options = []
    strides = [w.stride for w in windows]
    for word, values, plain in (
        ("stride", strides, 1),
        ("padding", [w.padding for w in windows], 0),
        ("dilation", [w.dilation for w in windows], 1),
    ):
        if any(v != plain for v in values):
            options.append(f", {word}={values[0] if len(set(values)) == 1 else tuple(values)}")
    options += [f", groups={groups}"] if groups else []
    rank = len(windows)
    if all(s == 1 for s in strides):
        return Code(f"F.conv_transpose{rank}d({code.text}, {weight}{''.join(options)})", PRIMARY)
    whole = f"{variable}.shape, {weight}, {code.text}{''.join(options)}"
    return Code(f"torch.nn.grad.conv{rank}d_input({whole})", PRIMARY)


__all__ = ["Merged", "transposed"]
