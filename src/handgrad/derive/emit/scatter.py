"""Say gradients that go to places which indices name: sums into rows, slices, and pieces of a tensor."""

from collections.abc import Sequence

from handgrad.derive.emit.layout import PRIMARY, UNARY, Code, UnsayableError
from handgrad.derive.emit.leaves import rendered, said_size
from handgrad.derive.emit.speaker import Speaker
from handgrad.derive.expr import Delta, Expr, Product, opened, put_base, term
from handgrad.derive.indices import Affine, Axis, Form, Gathered, Index

Sparse = list[tuple[Delta, Expr]]


def scatters(form: Form, expr: Expr) -> tuple[Expr, Sparse]:
    """What of an expression has a place everywhere, and what only goes to places that a delta names."""
    dense, sparse = [], []
    for product, c in expr:
        bound, factors = opened(product)
        found = next((b for b, _ in factors if isinstance(b, Delta) and _scatters(b, form, frozenset(bound))), None)
        if found is None:
            dense.append((product, c))
            continue
        rest = [(b, p) for b, p in factors if b != found]
        if found.left in form and found.right in form:
            first, second = sorted((found.left, found.right), key=form.index)
            made = Expr([term(bound, [(put_base(b, {second: first}), p) for b, p in rest], c)])
            sparse.append((Delta(first, second), made))
            continue
        if isinstance(found.left, Axis) and found.left in form:
            place, target = found.right, found.left
        else:
            place, target = found.left, found.right
        names = {a for a in _axes(place) if a in bound}
        made = Expr([term([a for a in bound if a not in names], rest, c)])
        sparse.append((Delta(target, place), made))
    return Expr(dense), _together(sparse)


def _axes(index: Index) -> tuple[Axis, ...]:
    from handgrad.derive.indices import plain_order

    return plain_order(index)


def _scatters(base: Delta, form: Form, bound: frozenset[Axis]) -> bool:
    """Whether a delta sends sums to places: a one-hot by an index that is not summed over is a factor like others."""
    for i, j in ((base.left, base.right), (base.right, base.left)):
        if isinstance(i, Axis) and i in form:
            if isinstance(j, Affine) or j in form:
                return True
            if isinstance(j, Gathered):
                return bool(bound & set(_axes(j)))
    return False


def _together(sparse: Sparse) -> Sparse:
    """The same place named once: what goes there is added first."""
    out: Sparse = []
    for place, made in sparse:
        for k, (other, known) in enumerate(out):
            mapping = _same(other, place)
            if mapping is not None:
                out[k] = other, known + made.put(mapping)
                break
        else:
            out.append((place, made))
    return out


def _same(one: Delta, other: Delta) -> dict[Index, Index] | None:
    from handgrad.derive.simplify.matching import unify

    if one.left != other.left:
        return None
    found = unify(other.right, one.right, {})
    return None if found is None else dict(found)


def scattered(speaker: Speaker, target: str, variable: str, form: Form, sparse: Sparse, *, first: bool) -> list[str]:
    """Lines that add to `target` what goes to named places; `first` where nothing has set it yet."""
    if not sparse:
        return []
    if first and (whole := _pieces(speaker, form, sparse)):
        return [f"{target} = {whole}"]
    if first and len(sparse) == 1 and isinstance(sparse[0][0].right, Gathered):
        return [f"{target} = torch.zeros_like({variable}){_added(speaker, form, *sparse[0])}"]
    lines = [f"{target} = torch.zeros_like({variable})"] if first else []
    for place, made in sparse:
        if isinstance(place.right, Axis):
            lines.append(f"{target}{_diagonal(speaker, form, place, made)}")
            continue
        if isinstance(place.right, Gathered):
            lines.append(f"{target}{_added(speaker, form, place, made)}")
            continue
        code, at = _sliced(speaker, form, place, made)
        sign = "-=" if code.text.startswith("-") and code.strength > 0 else "+="
        lines.append(f"{target}[{at}] {sign} {code.text.removeprefix('-') if sign == '-=' else code.text}")
    return lines


def _sliced(speaker: Speaker, form: Form, place: Delta, made: Expr) -> tuple[Code, str]:
    """What goes to a slice, and the subscript of the slice."""
    index = place.right
    assert isinstance(index, Affine)
    d = form.index(place.left)
    if len(index.terms) > 1:
        raise UnsayableError("a window")
    part = index.terms[0][1] if index.terms else None
    inner = (*form[:d], part, *form[d + 1 :]) if index.terms else (*form[:d], *form[d + 1 :])
    code = _body(speaker, inner, made)
    return code, ", ".join([*[":"] * d, rendered(speaker, index.text)])


def _body(speaker: Speaker, form: Sequence[Index | None], made: Expr) -> Code:
    from handgrad.derive.emit.torch import expression

    return expression(speaker, speaker.near[0], tuple(form), made)


def _pieces(speaker: Speaker, form: Form, sparse: Sparse) -> str | None:
    """Pieces that make up the whole tensor, put one after the other."""
    spans = []
    for place, made in sparse:
        index = place.right
        if place.left != sparse[0][0].left or not isinstance(index, Affine) or len(index.terms) > 1:
            return None
        if not index.piece or any(step != 1 for step, _ in index.terms):
            return None
        length = index.terms[0][1].size.number if index.terms and isinstance(index.terms[0][1], Axis) else 1
        spans.append((index.offset, length, place, made))
    spans.sort(key=lambda s: s[0])
    at = 0
    for start, length, _, _ in spans:
        if start != at:
            return None
        at += length
    axis = sparse[0][0].left
    if not isinstance(axis, Axis) or at != axis.size.number or len(spans) < 2:
        return None
    d = form.index(axis)
    codes = [_sliced(speaker, form, place, made)[0] for _, _, place, made in spans]
    one = all(not p.right.terms for _, _, p, _ in spans if isinstance(p.right, Affine))
    if not one and any(isinstance(p.right, Affine) and not p.right.terms for _, _, p, _ in spans):
        return None
    where = f", {d}" if d else ""
    return f"torch.{'stack' if one else 'cat'}([{', '.join(c.text for c in codes)}]{where})"


def _diagonal(speaker: Speaker, form: Form, place: Delta, made: Expr) -> str:
    """The call that adds to a diagonal."""
    i, j = form.index(place.left), form.index(place.right)
    rest = [a for a in form if a not in place]
    code = _body(speaker, (*rest, place.left), made)
    return f".diagonal({'' if (i, j) == (0, 1) else f'dim1={i}, dim2={j}'}).add_({code.text})"


def _added(speaker: Speaker, form: Form, place: Delta, made: Expr) -> str:
    """The call that adds rows to the places that a table names."""
    index = place.right
    assert isinstance(index, Gathered)
    parts = index.indices
    if not all(isinstance(p, Axis) for p in parts):
        raise UnsayableError("a place that a table names in a slice")
    d = form.index(place.left)
    table = speaker.graph.tables[index.table].text
    if set(parts) & set(form):
        shared = [p for p in parts if p not in form]
        inner = tuple(shared[0] if i == place.left else i for i in form) if len(shared) == 1 else ()
        if inner != parts:
            raise UnsayableError("sums into places along several axes")
        return f".scatter_add_({d}, {table}, {_body(speaker, inner, made).text})"
    code = _body(speaker, (*form[:d], *parts, *form[d + 1 :]), made)
    if len(parts) == 1:
        return f".index_add_({d}, {table}, {code.text})"
    return f".index_add_({d}, {table}.view(-1), {_rows(speaker, code, form, d, len(parts))})"


def _rows(speaker: Speaker, code: Code, form: Form, d: int, count: int) -> str:
    """The source with the axes of a table as one."""
    text = code.text
    sizes = ["-1" if k == d else said_size(speaker, i) if isinstance(i, Axis) else "1" for k, i in enumerate(form)]
    for how in (".view(", ".reshape("):
        head, found, tail = text.rpartition(how)
        if found and tail.endswith(")") and "(" not in tail and _balanced(head):
            return f"{head}.view({', '.join(sizes)})"
    simple = code.strength == PRIMARY
    how = "view" if "@" in text else "reshape"
    del count
    return f"{text if simple else f'({text})'}.{how}({', '.join(sizes)})"


def _balanced(text: str) -> bool:
    depth = 0
    for c in text:
        depth += (c in "([") - (c in ")]")
        if depth < 0:
            return False
    return depth == 0


__all__ = ["UNARY", "Product", "put_base", "scattered", "scatters"]
