"""Say an element of a named tensor: its name, and what subscripts, views and turns its indices ask for."""

import math
import re
from collections import Counter
from collections.abc import Sequence

from handgrad.derive.emit.layout import ADD, MULTIPLY, PRIMARY, UNARY, Code, UnsayableError, joined, length
from handgrad.derive.emit.speaker import Speaker, wrapped
from handgrad.derive.expr import Base, Delta, Factor
from handgrad.derive.indices import Affine, Axis, Gathered, Index, Merged, Size, fresh, plain_order
from handgrad.derive.lower.graph import Definition, is_hidden
from handgrad.derive.lower.sizes import Saying, is_size
from handgrad.derive.wording.words import tokens

METHODS = frozenset({"exp", "log", "tanh", "sigmoid", "sin", "cos"})
"""Functions that are called on a name, as in `x.exp()`."""
UNIT = Size(1, 0)


def leaf(speaker: Speaker, base: Base) -> Code:
    """The source of a factor, with the axes that it has by itself."""
    if isinstance(base, Delta):
        return _delta(speaker, base)
    code, indices = _named(speaker, base)
    return _subscripted(speaker, code, indices)


def said_size(speaker: Speaker, axis: Axis) -> str:
    """The shortest way to say how long an axis is: with a name of the program, or a tensor that is about."""
    sayings = speaker.graph.sizes.sayings(axis.size)

    def rank(item: tuple[int, Saying]) -> tuple[bool, bool, float, int, int]:
        k, saying = item
        near = speaker.near.index(saying.tensor) if saying.tensor in speaker.near else len(speaker.near)
        return saying.text.isdigit(), "#" in saying.text, tokens(saying.text.replace("#", "_")), near, k

    if not sayings:
        raise UnsayableError("a size that the program has no word for")
    text = min(enumerate(sayings), key=rank)[1].text
    return rendered(speaker, text) if "#" in text else text


def _named(speaker: Speaker, base: Factor) -> tuple[Code, Sequence[Index | None]]:
    """A tensor's name, or the source that stands for it, and the index of each of its axes."""
    name, graph = base.name, speaker.graph
    if is_size(name):
        text = said_size(speaker, Axis(graph.sizes.of_factor(name), 0))
        return Code(text, PRIMARY if re.fullmatch(r"[\w.\[\]]+", text) else ADD, (), "number"), ()
    if name.isdigit() or name == "torch.pi":
        return Code(name, PRIMARY, (), "number"), ()
    kind = "bool" if name in graph.masks else "number" if name in graph.numbers else "float"
    name = graph.aliases.get(name, name)
    if name in speaker.helpers:
        return Code(speaker.helpers[name], PRIMARY, (), kind), base.indices
    definition = graph.definitions.get(name)
    if definition is None or not is_hidden(name):
        primary = name[0] != "~" and (name.replace(".", "_").isidentifier() or name[-1] in ")]")
        return Code(name, PRIMARY if primary else UNARY, (), kind), base.indices
    said = (Code(rendered(speaker, definition.text), kind=kind), base.indices) if definition.text else None
    try:
        defined = _defined(speaker, base)
    except UnsayableError:
        if said is None:
            raise
        return said
    return defined if said is None or length(defined[0]) < length(said[0]) else said


def _defined(speaker: Speaker, base: Factor) -> tuple[Code, Sequence[Index | None]]:
    """The source of what a hidden name stands for, and the indices of its axes."""
    definition = speaker.graph.definitions[base.name]
    if (
        any(isinstance(i, Merged) for i in definition.axes)
        or definition.function == "filled"
        or not definition.arguments
    ):
        raise UnsayableError(f"{base.name} has no source")
    units = tuple(fresh(UNIT) if i is None else i for i in (*definition.axes, *definition.over))
    order = tuple(i for i in units if isinstance(i, Axis))
    codes = [speaker.say(made, order) for made in speaker.words.inside(base.name)]
    code = _applied(definition, codes)
    places = dict(zip(definition.axes, base.indices, strict=True))
    return code, [None if a is None or a.size == UNIT else places[a] for a in code.axes]


def _applied(definition: Definition, codes: list[Code]) -> Code:
    """The source of a function of what is said already."""
    code, name = codes[0], definition.function
    if not name:
        return code
    if name == "pow":
        return Code(f"{codes[0].at(PRIMARY)}**{codes[1].at(UNARY)}", UNARY, joined([c.axes for c in codes]))
    if name == "logsumexp":
        dims = [code.axes.index(a) for a in definition.over if a in code.axes]
        if len(dims) < len(definition.over):
            raise UnsayableError("a sum over an axis that is not there")
        axes = tuple(None if a in definition.over else a for a in code.axes)
        where = str(dims[0]) if len(dims) == 1 else str(tuple(dims))
        return code.then(f".logsumexp({where}, keepdim=True)", axes)
    if all(c.kind == "number" for c in codes) and hasattr(math, name):
        return Code(f"math.{name}({', '.join(c.text for c in codes)})", PRIMARY, (), "number")
    if code.text.isidentifier() and name in METHODS:
        return code.then(f".{name}()", code.axes)
    library = "F" if name in ("softplus", "logsigmoid") else "torch"
    return Code(f"{library}.{name}({', '.join(c.text for c in codes)})", PRIMARY, joined([c.axes for c in codes]))


def _subscripted(speaker: Speaker, code: Code, indices: Sequence[Index | None]) -> Code:
    """The source with a subscript for each index that is not plain."""
    code, indices = _moved(speaker, code, list(indices))
    subscripts: list[str] = []
    axes: list[Axis | None] = []
    picked = {a for i in indices if isinstance(i, Gathered) for a in plain_order(i)}
    at: list[int] = []
    gathered: list[Axis] = []
    for index in indices:
        match index:
            case None:
                subscripts.append(":")
                axes.append(None)
            case Axis() if index in picked:
                subscripts.append(f"range({said_size(speaker, index)})")
                gathered += [index] if index not in gathered else []
                at.append(len(subscripts) - 1)
            case Axis():
                subscripts.append(":")
                axes.append(index)
            case Gathered():
                text, parts = named_place(speaker, index)
                subscripts.append(text)
                gathered += [p for p in parts if p not in gathered]
                at.append(len(subscripts) - 1)
            case Affine(terms, _, text):
                subscripts.append(rendered(speaker, text))
                if terms:
                    ((_, part),) = terms
                    if not isinstance(part, Axis):
                        raise UnsayableError("a slice of a subscript")
                    axes.append(part)
            case _:
                raise UnsayableError("an index that no subscript says")
    if at:
        if len(picked) > 1 and any(s.startswith("range(") for s in subscripts):
            return _along(speaker, code, indices)
        adjacent = at == list(range(at[0], at[-1] + 1))
        first = sum(s == ":" for s in subscripts[: at[0]]) if adjacent else 0
        axes[first:first] = gathered
    while subscripts and subscripts[-1] == ":":
        subscripts.pop()
    made = code._replace(axes=tuple(axes))
    return code.then(f"[{', '.join(subscripts)}]", tuple(axes)) if subscripts else made


def named_place(speaker: Speaker, index: Gathered) -> tuple[str, tuple[Axis, ...]]:
    """The source of the places that a table names, and its axes."""
    table, graph = speaker.graph.tables[index.table], speaker.graph
    plain = tuple(p for p in index.indices if isinstance(p, Axis))
    if len(plain) == len(index.indices):
        return table.text, plain
    parts = iter(index.indices)
    axes = graph.definitions[table.text].axes if table.text in graph.definitions else index.indices
    strength = PRIMARY if table.text.isidentifier() or table.text[-1] in ")]" else UNARY
    code = Code(table.text, strength, (), "int")
    made = _subscripted(speaker, code, [None if a is None else next(parts) for a in axes])
    wide = tuple(a for a in made.axes if a is not None)
    return (
        made.then(f".view({', '.join(said_size(speaker, a) for a in wide)})", wide) if None in made.axes else made
    ).text, wide


def contiguous(speaker: Speaker, table: str) -> bool:
    """Whether the elements of a tensor of the program stand one after the other."""
    made = speaker.graph.program.values.get(table)
    return made is not None and (not hasattr(made, "is_contiguous") or made.is_contiguous())


def _along(speaker: Speaker, code: Code, indices: Sequence[Index | None]) -> Code:
    """x[n, t, Y[n, t]] by gather: the table has all axes but the last of the tensor."""
    *others, last = indices
    if not isinstance(last, Gathered) or tuple(others) != last.indices:
        raise UnsayableError("a subscript by a table of several axes")
    d = len(others)
    colons = ", ".join([":"] * d)
    text = f".gather({d}, {speaker.graph.tables[last.table].text}[{colons}, None]).squeeze({d})"
    return code.then(text, tuple(i for i in others if isinstance(i, Axis)))


def _moved(speaker: Speaker, code: Code, indices: list[Index | None]) -> tuple[Code, list[Index | None]]:
    """What methods do to a tensor before a subscript: flip, roll, diagonal, unfold, and views that split an axis."""
    for d, index in enumerate(indices):
        if isinstance(index, Gathered) and (method := speaker.graph.tables[index.table].method):
            code = code.then(f".{method.split('@')[0].format(dim=d)}", ())
            (indices[d],) = index.indices
    for index in [i for i in dict.fromkeys(indices) if isinstance(i, Axis) and indices.count(i) == 2]:
        if any(isinstance(i, Gathered) and index in plain_order(i) for i in indices):
            continue
        i, j = (d for d, other in enumerate(indices) if other == index)
        where = "" if (i, j) == (0, 1) else f"dim1={i}, dim2={j}"
        code = code.then(f".diagonal({where})", ())
        indices = [o for d, o in enumerate(indices) if d not in (i, j)] + [index]
    for d, index in enumerate(list(indices)):
        if isinstance(index, Affine) and len(index.terms) == 2:
            (step, place), (dilation, window) = index.terms
            if not (isinstance(place, Axis) and isinstance(window, Axis)) or dilation != 1 or index.offset:
                raise UnsayableError("a window with dilation")
            code = code.then(f".unfold({d}, {said_size(speaker, window)}, {step})", ())
            indices[d] = place
            indices.append(window)
    slices = [rendered(speaker, i.text) if isinstance(i, Affine) and _of_view(i) else ":" for i in indices]
    if any(s != ":" for s in slices):
        code = code.then(f"[{', '.join(slices)}]", ())
        indices = [i.terms[0][1] if isinstance(i, Affine) and _of_view(i) else i for i in indices]
    indices = [_strided(speaker, i) for i in indices]
    if any(isinstance(i, Merged) for i in indices):
        sizes: list[str] = []
        split: list[Index | None] = []
        for index in indices:
            if isinstance(index, Gathered | Affine):
                raise UnsayableError("a view of a subscript")
            if isinstance(index, Merged):
                split += index.indices
                sizes += [said_size(speaker, Axis(size, 0)) for size in index.sizes]
            else:
                split.append(index)
                sizes.append("1" if index is None else said_size(speaker, index))
        code = code.then(f".{'view' if code.text.isidentifier() else 'reshape'}({', '.join(sizes)})", ())
        indices = split
    return code, indices


def _of_view(index: Affine) -> bool:
    """Whether a slice is of an axis of which a view is taken."""
    return len(index.terms) == 1 and isinstance(index.terms[0][1], Merged)


def _strided(speaker: Speaker, index: Index | None) -> Index | None:
    """A place in the last of several axes that a view merged, as a slice with a step."""
    match index:
        case Merged((Axis() as axis, Affine((), offset)), (_, size)):
            step = said_size(speaker, Axis(size, 0))
            return Affine(((size.number, axis),), offset, f"{offset or ''}::{step}")
    return index


def rendered(speaker: Speaker, text: str) -> str:
    """A piece of source with words for the sizes in it, and for the values that have a line of their own."""

    def word(match: re.Match[str]) -> str:
        if match[0].startswith("#"):
            return said_size(speaker, Axis(speaker.graph.sizes.of_factor(match[0]), 0))
        name = match[1]
        said = _named(speaker, Factor(name, speaker.graph.definitions[name].axes))[0].text
        return said[1:-1] if wrapped(said) else said

    return re.sub(r"#\d+|«([^»]*)»", word, re.sub(r"#\d+(?: \+ #\d+)+", _counted, text))


def _counted(match: re.Match[str]) -> str:
    """A sum of sizes, with equal ones counted: h + h is 2 * h."""
    counts = Counter(match[0].split(" + "))
    return " + ".join(name if count == 1 else f"{count} * {name}" for name, count in counts.items())


def _delta(speaker: Speaker, base: Delta) -> Code:
    i, j = (base.left, base.right) if isinstance(base.left, Axis | Merged) else (base.right, base.left)
    if isinstance(i, Axis) and isinstance(j, Axis):
        return Code(f"torch.eye({said_size(speaker, i)})", PRIMARY, (i, j))
    if not isinstance(j, Gathered):
        raise UnsayableError("a delta that is no one-hot")
    if speaker.graph.tables[j.table].method:
        raise UnsayableError("a delta of a turn")
    table, axes = named_place(speaker, j)
    if isinstance(i, Axis):
        return Code(f"F.one_hot({table}, {said_size(speaker, i)})", PRIMARY, (*axes, i), "int")
    if isinstance(i, Merged) and not axes and all(isinstance(p, Axis) for p in i.indices):
        parts = tuple(p for p in i.indices if isinstance(p, Axis))
        sizes = [said_size(speaker, p) for p in parts]
        whole = f"F.one_hot({table}, {' * '.join(sizes)}).view({', '.join(sizes)})"
        return Code(whole, PRIMARY, parts, "int")
    raise UnsayableError("a delta of two views")


__all__ = ["MULTIPLY", "leaf", "rendered", "said_size"]
