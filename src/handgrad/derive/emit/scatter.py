"""Say gradients that go to places which indices name: sums into rows, slices, and pieces of a tensor."""

from collections.abc import Sequence

from handgrad.derive.emit.layout import PRIMARY, Code, UnsayableError
from handgrad.derive.emit.leaves import contiguous, named_place, rendered, said_size
from handgrad.derive.emit.speaker import Speaker
from handgrad.derive.expr import Delta, Expr, opened, put_base, term
from handgrad.derive.indices import Affine, Axis, Form, Gathered, Index, Merged, extent, fresh, plain_order, put_index
from handgrad.derive.simplify.matching import unify_all

Places = tuple[Delta, ...]
"""Where something goes: to a slice along each of some axes, or along one axis to what a table names."""
Sparse = list[tuple[Places, Expr]]


def scatters(form: Form, expr: Expr) -> tuple[Expr, Sparse]:
    """What of an expression has a place everywhere, and what only goes to places that deltas name."""
    dense, sparse = [], []
    for product, c in expr:
        bound, factors = opened(product)
        found = [b for b, _ in factors if isinstance(b, Delta) and _scatters(b, form, frozenset(bound))]
        if not found:
            dense.append((product, c))
            continue
        places = tuple(sorted((_turned(b, form) for b in found), key=lambda d: form.index(d.left)))
        slices = tuple(p for p in places if isinstance(p.right, Affine))
        places = slices or places[:1]
        gone = [b for b in found if _turned(b, form) in places]
        rest = [(b, p) for b, p in factors if b not in gone]
        if isinstance(places[0].right, Axis):
            rest = [(put_base(b, {places[0].right: places[0].left}), p) for b, p in rest]
        picked: dict[Index, Index] = {}
        for place in places:
            picked |= _picked(place.right)
        places = tuple(Delta(p.left, put_index(p.right, picked)) for p in places)
        rest += [(Delta(axis, table), 1) for table, axis in picked.items()]
        named = {a for place in places for a in plain_order(place.right)}
        sparse.append((places, Expr([term([a for a in bound if a not in named], rest, c)])))
    return Expr(dense), _together(sparse)


def _picked(index: Index) -> dict[Index, Index]:
    """An index of its own for each place inside a view that a table names."""
    if isinstance(index, Affine) and len(index.terms) == 1 and isinstance(view := index.terms[0][1], Merged):
        pairs = zip(view.indices, view.sizes, strict=True)
        return {part: fresh(size) for part, size in pairs if isinstance(part, Gathered)}
    return {}


def _turned(base: Delta, form: Form) -> Delta:
    """A delta with the index of the form first; of two of them the one that comes first."""
    if base.left in form and base.right in form:
        return Delta(*sorted(base, key=form.index))
    return base if isinstance(base.left, Axis) and base.left in form else Delta(base.right, base.left)


def _scatters(base: Delta, form: Form, bound: frozenset[Axis]) -> bool:
    """Whether a delta sends sums to places: a one-hot by an index that is not summed over is a factor like others."""
    for i, j in ((base.left, base.right), (base.right, base.left)):
        if isinstance(i, Axis) and i in form:
            if isinstance(j, Affine) or j in form:
                return True
            if isinstance(j, Gathered):
                return bool(bound & set(plain_order(j)))
    return False


def _together(sparse: Sparse) -> Sparse:
    """The same places named once: what goes there is added first."""
    out: Sparse = []
    for places, made in sparse:
        for k, (other, known) in enumerate(out):
            mapping = _same(other, places)
            if mapping is not None:
                out[k] = other, known + made.put(mapping)
                break
        else:
            out.append((places, made))
    return out


def _same(one: Places, other: Places) -> dict[Index, Index] | None:
    """What the indices of some places are called in others, where the places are the same."""
    if [p.left for p in one] != [p.left for p in other]:
        return None
    found = unify_all([p.right for p in other], [p.right for p in one], {})
    return None if found is None else dict(found)


def scattered(speaker: Speaker, target: str, variable: str, form: Form, sparse: Sparse, *, first: bool) -> list[str]:
    """Lines that add to `target` what goes to named places; `first` where nothing has set it yet."""
    if not sparse:
        return []
    if first and (whole := _pieces(speaker, form, sparse)):
        return [f"{target} = {whole}"]
    if first and len(sparse) == 1 and isinstance(sparse[0][0][0].right, Gathered):
        places, made = sparse[0]
        return [f"{target} = torch.zeros_like({variable}){_added(speaker, form, places[0], made)}"]
    lines = [f"{target} = torch.zeros_like({variable})"] if first else []
    for places, made in sparse:
        if isinstance(places[0].right, Axis):
            lines.append(f"{target}{_diagonal(speaker, form, places[0], made)}")
            continue
        if isinstance(places[0].right, Gathered):
            lines.append(f"{target}{_added(speaker, form, places[0], made)}")
            continue
        inner, at = _sliced(speaker, form, places)
        code = _broadcasting(speaker, inner, made)
        sign = "-=" if code.text.startswith("-") and code.strength > 0 else "+="
        lines.append(f"{target}[{at}] {sign} {code.text.removeprefix('-') if sign == '-=' else code.text}")
    return lines


def _sliced(speaker: Speaker, form: Form, places: Places) -> tuple[Form, str]:
    """The axes of what goes to slices, and the subscript that says these."""
    inner: list[Index | None] = []
    subscripts: list[str] = []
    known = {place.left: place.right for place in places}
    for index in form:
        place = known.get(index) if index is not None else None
        if not isinstance(place, Affine):
            inner.append(index)
            subscripts.append(":")
            continue
        if len(place.terms) > 1:
            raise UnsayableError("a window")
        inner += [part for _, part in place.terms]
        subscripts.append(rendered(speaker, place.text))
    while subscripts[-1] == ":":
        subscripts.pop()
    return tuple(inner), ", ".join(subscripts)


def _body(speaker: Speaker, form: Sequence[Index | None], made: Expr) -> Code:
    from handgrad.derive.emit.torch import expression

    return expression(speaker, speaker.near[0], tuple(form), made)


def _broadcasting(speaker: Speaker, form: Form, made: Expr) -> Code:
    from handgrad.derive.emit.torch import broadcasting

    return speaker.numeric(broadcasting(speaker, form, made)[0])


def _pieces(speaker: Speaker, form: Form, sparse: Sparse) -> str | None:
    """Pieces that make up the whole tensor, put one after the other."""
    spans = []
    for places, made in sparse:
        index = places[0].right
        if len(places) > 1 or places[0].left != sparse[0][0][0].left or not isinstance(index, Affine):
            return None
        if not index.piece or len(index.terms) > 1 or any(step != 1 for step, _ in index.terms):
            return None
        spans.append((index.offset, extent(index.terms[0][1]) if index.terms else 1, places, made))
    spans.sort(key=lambda s: s[0])
    at = 0
    for start, length, _, _ in spans:
        if start != at:
            return None
        at += length
    axis = sparse[0][0][0].left
    if at != extent(axis) or len(spans) < 2:
        return None
    d = form.index(axis)
    codes = [_body(speaker, _sliced(speaker, form, places)[0], made) for _, _, places, made in spans]
    single = [not places[0].right.terms for _, _, places, _ in spans if isinstance(places[0].right, Affine)]
    if any(single) and not all(single):
        return None
    where = f", {d}" if d else ""
    return f"torch.{'stack' if all(single) else 'cat'}([{', '.join(c.text for c in codes)}]{where})"


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
    d = form.index(place.left)
    table, parts = named_place(speaker, index)
    if set(parts) & set(form):
        shared = [p for p in parts if p not in form]
        inner = tuple(shared[0] if i == place.left else i for i in form) if len(shared) == 1 else ()
        if inner != parts:
            raise UnsayableError("sums into places along several axes")
        return f".scatter_add_({d}, {table}, {_body(speaker, inner, made).text})"
    code = _body(speaker, (*form[:d], *parts, *form[d + 1 :]), made)
    if len(parts) == 1:
        return f".index_add_({d}, {table}, {code.text})"
    how = "view" if contiguous(speaker, table) else "reshape"
    return f".index_add_({d}, {table}.{how}(-1), {_rows(speaker, code, form, d)})"


def _rows(speaker: Speaker, code: Code, form: Form, d: int) -> str:
    """The source with the axes of a table as one."""
    text = code.text
    sizes = ["-1" if k == d else said_size(speaker, i) if isinstance(i, Axis) else "1" for k, i in enumerate(form)]
    for how in ("view", "reshape"):
        head, found, tail = text.rpartition(f".{how}(")
        if found and tail.endswith(")") and "(" not in tail and _balanced(head):
            return f"{head}.{how}({', '.join(sizes)})"
    simple = code.strength == PRIMARY
    how = "view" if "@" in text and ".expand(" not in text else "reshape"
    return f"{text if simple else f'({text})'}.{how}({', '.join(sizes)})"


def _balanced(text: str) -> bool:
    depth = 0
    for c in text:
        depth += (c in "([") - (c in ")]")
        if depth < 0:
            return False
    return depth == 0
