"""Which letter an index gets: the same for a variable wherever it stands, as a lecturer writes it."""

from collections.abc import Iterable, Iterator, Mapping

from handgrad.derive.derivative import form_of
from handgrad.derive.expr import Factor, opened
from handgrad.derive.indices import Axis, Form, Index, Merged, Size, plain_order
from handgrad.derive.lower.graph import Graph

PLAIN = "ijklmpqrsuvw"
MORE = "aehnoxyzbcfgαβγδζηθκλμνξρτφψω"
DEEP = {3: "btc", 4: "bhtc"}
"""The letters of a tensor's axes, by how many it has."""
SPARE = {"t": "sur", "b": "a", "i": "klm", "j": "klm"}
"""Letters for a second index over the same size, before those that all may have."""
SUGGESTED = {
    **dict.fromkeys(("nh", "n_head", "n_heads", "num_heads", "heads", "H"), "h"),
    **dict.fromkeys(("batch_size", "batch", "B"), "b"),
    **dict.fromkeys(("T", "seq_len", "block_size"), "t"),
    **dict.fromkeys(("C", "n_embd", "channels"), "c"),
}

Names = Mapping[Axis, str]


class Letters:
    """The letters of one derivation, from its end on."""

    def __init__(self, graph: Graph, end: str):
        """Give the letters of all that the end is made of."""
        self.graph = graph
        self._first: dict[Size, str] = {}
        self._more: dict[Size, list[str]] = {}
        self._blocked = {n for n in (*graph.program.values, *graph.definitions) if len(n) == 1}
        self._twice = set(_twice(graph))
        self._of: dict[str, dict[Axis, str]] = {}
        self._give(end, form_of(graph, end), {})
        for name in reversed(list(graph.definitions)):
            if name in self._of:
                self._hand_on(name)

    def of(self, name: str) -> Names:
        """The letters of the indices of a variable's form."""
        if name not in self._of:
            self._give(name, form_of(self.graph, name), {})
        return self._of[name]

    def free(self, axis: Axis, used: Iterable[str]) -> str:
        """A letter for an index that is none of those in use."""
        size = self.graph.sizes.find(axis.size)
        taken = set(used)
        for letter in self._all(size):
            if letter not in taken:
                return letter
        letter = next(c for c in self._pool(size) if c not in taken)
        self._more.setdefault(size, []).append(letter)
        return letter

    def size(self, size: Size) -> str:
        """A capital letter for a size that the program has no name for."""
        size = self.graph.sizes.find(size)
        letter = self._first.get(size) or self.free(Axis(size, 0), ())
        options = ({"i": "N", "j": "D"}.get(letter, letter.upper()), letter.upper(), *"NDMKLPQ")
        return next(c for c in options if c not in self._blocked)

    def _all(self, size: Size) -> list[str]:
        if size not in self._first:
            self._first[size] = self._suggested(size) or next(self._pool(size))
        if size in self._twice and not self._more.get(size):
            pool = list(self._pool(size))
            second = {"i": "j", "t": "s"}.get(self._first[size], "")
            self._more[size] = [second if second in pool else pool[0]]
        return [self._first[size], *self._more.get(size, ())]

    def _pool(self, size: Size) -> Iterator[str]:
        taken = self._taken()
        first = self._first.get(size, "")
        yield from (c for c in dict.fromkeys(SPARE.get(first, "") + PLAIN + MORE) if c not in taken)

    def _taken(self) -> set[str]:
        """The letters that stand for a size already, and those that the program uses."""
        return {*self._first.values(), *(c for more in self._more.values() for c in more), *self._blocked}

    def _suggested(self, size: Size) -> str:
        taken = self._taken()
        for saying in self.graph.sizes.sayings(size):
            letter = SUGGESTED.get(saying.text) or (saying.text.lower() if saying.text.isupper() else "")
            if len(letter) == 1 and letter not in taken:
                return letter
        return ""

    def _give(self, name: str, form: Form, known: Mapping[Axis, str]) -> None:
        """Give the axes of a form the letters that are known for them, and new ones to the others."""
        given: dict[Axis, str] = {}
        used = set(known.values())
        axes = [axis for index in form for axis in plain_order(index)]
        deep = DEEP.get(len(axes), "")
        deep = "" if self._blocked & set(deep) else deep
        for d, axis in enumerate(axes):
            if axis in known:
                given[axis] = known[axis]
                continue
            size = self.graph.sizes.find(axis.size)
            if deep and size not in self._first and not self._suggested(size) and deep[d] not in self._taken():
                self._first[size] = deep[d]
            given[axis] = self.free(axis, used)
            used.add(given[axis])
        self._of[name] = given

    def _hand_on(self, name: str) -> None:
        """The letters of what a name is made of: those of the indices at which it is read."""
        graph, definition = self.graph, self.graph.definitions[name]
        own = dict(
            zip(_flat(definition.axes), (self._of[name].get(a, "") for a in _flat(form_of(graph, name))), strict=False)
        )
        for argument in definition.arguments:
            for product, _ in argument:
                bound, factors = opened(product)
                known = {a: c for a, c in own.items() if c}
                read = [a for b, _ in factors if isinstance(b, Factor) for a in _flat(b.indices)]
                for axis in (*definition.over, *sorted(bound, key=lambda a: read.index(a) if a in read else 0)):
                    known[axis] = self.free(axis, known.values())
                for base, _ in factors:
                    if isinstance(base, Factor) and base.name in graph.definitions and base.name not in self._of:
                        self._read(base, known)

    def _read(self, base: Factor, known: Names) -> None:
        form = form_of(self.graph, base.name)
        given: dict[Axis, str] = {}
        for own, index in zip(form, base.indices, strict=True):
            for axis, part in _pairs(own, index):
                if part in known and known[part] not in given.values():
                    given[axis] = known[part]
        self._give(base.name, form, given)


def _flat(form: Form) -> list[Axis]:
    return [axis for index in form for axis in plain_order(index)]


def _pairs(own: Index | None, index: Index | None) -> Iterator[tuple[Axis, Axis]]:
    """The plain indices of a form, and those that stand in their place."""
    if isinstance(own, Axis) and isinstance(index, Axis):
        yield own, index
    elif isinstance(own, Merged) and isinstance(index, Merged):
        for one, other in zip(own.indices, index.indices, strict=False):
            yield from _pairs(one, other)


def _twice(graph: Graph) -> Iterator[Size]:
    """The sizes that some tensor has along two axes."""
    for definition in graph.definitions.values():
        sizes = [graph.sizes.find(a.size) for i in definition.axes for a in plain_order(i)]
        yield from (s for s in sizes if sizes.count(s) > 1)
