"""Indices as formulas: letters, places that a table names, views, slices and windows; and sizes."""

import re

from handgrad.derive.emit.formula import Apply, Code, Formula, Group, Letter, Number, Symbol, plus, times
from handgrad.derive.emit.letters import Letters, Names
from handgrad.derive.emit.quoted import quoted
from handgrad.derive.expr import Factor
from handgrad.derive.indices import Affine, Axis, Form, Gathered, Index, Merged, Size
from handgrad.derive.lower.graph import Graph

ARGMAX = re.compile(r"([A-Za-z_]\w*)\.(argmax|argmin)\((\d*)\)")


class Places:
    """Writes the indices of one derivation; `unnamed` are the sizes with letters, and how the program says them."""

    def __init__(self, graph: Graph, letters: Letters):
        """Start with the letters of a derivation."""
        self.graph, self.letters = graph, letters
        self.unnamed: dict[str, str] = {}

    def letter(self, axis: Axis, names: Names) -> Letter:
        """The letter of a plain index."""
        return Letter(names[axis])

    def form(self, form: Form, names: Names) -> tuple[Formula, ...]:
        """The indices of a form, without axes of length one."""
        return tuple(self.index(index, names) for index in form if index is not None)

    def whole(self, form: Form, names: Names) -> tuple[Formula | None, ...]:
        """The indices of a form, None for an axis of length one."""
        return tuple(None if index is None else self.index(index, names) for index in form)

    def factor(self, base: Factor, names: Names) -> tuple[Formula, ...]:
        """The indices at which a tensor is read; a slice counts from where it begins."""
        definition = self.graph.definitions.get(base.name)
        whole = definition.axes if definition is not None else [None] * len(base.indices)
        return tuple(self.index(i, names, w) for i, w in zip(base.indices, whole, strict=True) if i is not None)

    def index(self, index: Index, names: Names, whole: Index | None = None) -> Formula:
        """One index; `whole` is the axis that it looks along."""
        match index:
            case Axis():
                return Letter(names[index])
            case Merged(parts):
                return Group(tuple(self.index(part, names) for part in parts))
            case Affine(terms, offset, text):
                steps = [times(Number(step), self.index(part, names)) for step, part in terms]
                start = self._start(offset, text, whole)
                return plus(*([] if start == Number(0) and steps else [start]), *steps)
            case Gathered(table, parts):
                return self._gathered(table, tuple(self.index(part, names) for part in parts), names)

    def _start(self, offset: int, text: str, whole: Index | None) -> Formula:
        """Where a slice begins, in the words of the program."""
        begin = text.partition(":")[0].strip()
        if not begin or not offset:
            return Number(offset)
        if begin.lstrip("-").isdigit():
            if begin.startswith("-") and isinstance(whole, Axis):
                return plus(self.size(whole.size), Number(int(begin)))
            return Number(int(begin))
        sizes = {m: self.size(self.graph.sizes.of_factor(m)) for m in re.findall(r"#\d+", begin)}
        words = {m: f"size_{m[1:]}" for m in sizes}
        for mark, word in words.items():
            begin = begin.replace(mark, word)
        return quoted(begin, (), self.graph.program.values, {words[m]: made for m, made in sizes.items()})

    def _gathered(self, table: str, parts: tuple[Formula, ...], names: Names) -> Formula:
        known = self.graph.tables[table]
        if found := ARGMAX.fullmatch(known.text):
            inner, function, d = found.groups()
            definition = self.graph.definitions.get(inner)
            if definition is not None and definition.user:
                axes = [a for a in definition.axes if a is not None]
                along = definition.axes[int(d)] if d else None
                if along is not None:
                    at = axes.index(along)
                    run = self.letters.free(along, names.values()) if isinstance(along, Axis) else "k"
                    indices = (*parts[:at], Letter(run), *parts[at:])
                    return Apply(function, (Symbol(inner, indices),), (Letter(run),))
        if known.method:
            return Code(known.method.partition("@")[0].partition("(")[0], parts)
        return Symbol(known.text, parts) if known.text.isidentifier() else Code(known.text, parts)

    def size(self, size: Size) -> Formula:
        """How long an axis is: the program's name for it, else a letter, or the number that the program has."""
        sayings = self.graph.sizes.sayings(size)
        names = [s.text for s in sayings if s.text.isidentifier()]
        if names:
            return Symbol(min(names, key=len))
        if sayings and sayings[0].text.isdigit() and not any(s.tensor for s in sayings):
            return Number(int(sayings[0].text))
        letter = self.letters.size(size)
        self.unnamed[letter] = self._said(size)
        return Symbol(letter)

    def _said(self, size: Size) -> str:
        """How the program says a size; where it is made of others, these as the program says them."""
        sizes = self.graph.sizes
        texts = sorted((s.text for s in sizes.sayings(size)), key=lambda text: "#" in text)
        return re.sub(r"#\d+", lambda m: self._said(sizes.of_factor(m[0])), texts[0]) if texts else str(size.number)
