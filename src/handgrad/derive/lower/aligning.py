"""Put values over the same indices, as broadcasting does."""

from collections.abc import Sequence

from handgrad.derive.indices import Axis, Form, Index, Merged, extent, put_index
from handgrad.derive.lower.graph import Graph, Indexed, UnsupportedError


class Aligning:
    """What brings the indices of several values together, and with them their sizes."""

    graph: Graph

    def align(self, one: Indexed, other: Indexed) -> tuple[Indexed, Indexed, Form]:
        """Two values over the same indices, as broadcasting has them, and the axes that they have together."""
        back, mapping, axes = self.maps(one.axes, other.axes)
        return one.put(back), other.put(mapping), axes

    def together(self, parts: Sequence[Indexed]) -> tuple[list[Indexed], Form]:
        """Several values over the same indices, as broadcasting has them, and their axes."""
        done: list[Indexed] = []
        axes: Form = ()
        for part in parts:
            back, mapping, axes = self.maps(axes, part.axes)
            done = [*(d.put(back) for d in done), part.put(mapping)]
        return done, axes

    def maps(self, one: Form, other: Form) -> tuple[dict[Index, Index], dict[Index, Index], Form]:
        """What to rename in one value and in another so that their axes are the same, and these axes."""
        rank = max(len(one), len(other))
        left, right = ([None] * (rank - len(axes)) + list(axes) for axes in (one, other))
        mapping: dict[Index, Index] = {}
        back: dict[Index, Index] = {}
        axes: list[Index | None] = []
        for i, j in zip(left, right, strict=True):
            if i is not None and j is not None and i != j:
                self.meet(i, j, mapping, back)
            axes.append(j if i is None else i)
        return back, mapping, tuple(put_index(i, back) for i in axes)

    def meet(self, i: Index, j: Index, mapping: dict[Index, Index], back: dict[Index, Index]) -> None:
        """Extend the maps that give two indices one name: `mapping` of the second's parts, `back` of the first's."""
        if extent(i) != extent(j):
            raise UnsupportedError("the sizes of two axes differ")
        match i, j:
            case _, Axis():
                mapping[j] = i
            case Axis(), _:
                back[i] = j
            case Merged(a, m), Merged(b, n) if [s.number for s in m] == [s.number for s in n]:
                mapping.update(zip(b, a, strict=True))
            case _:
                raise UnsupportedError("two views of one axis differ")
        if isinstance(i, Axis) and isinstance(j, Axis):
            self.graph.sizes.unify(i.size, j.size)
        elif isinstance(i, Merged) and isinstance(j, Merged):
            for p, q in zip(i.sizes, j.sizes, strict=True):
                self.graph.sizes.unify(p, q)
