"""What undoing a loop reads of its rounds: where it was kept, or how it is made again."""

import ast
from collections.abc import Callable, Iterable, Iterator, Sequence

from handgrad.derive.lines.block import Block, made_in
from handgrad.derive.lines.running import shape_of
from handgrad.derive.lines.steps import Round, Step, named
from handgrad.derive.lines.terms import rebuilt
from handgrad.derive.lines.writing import VIEWS
from handgrad.derive.read.keeping import keeping, kept
from handgrad.derive.read.program import Line, Loop
from handgrad.derive.read.steps import names_in
from handgrad.errors import DeriveError

SHAPES = ("zeros_like", "ones_like", "full_like", "expand_as", "view_as")
"""Functions to which only the shape of an argument matters."""


class Remembered:
    """How a round of a backward pass reads what the round of the forward pass had.

    Where a loop of the program does not keep that itself, the program of the outer block has one that does from now on.

    Attributes:
        places: where the values of names were kept.
        opening: what a round begins with: names that are made again, and what they are given.
        likes: what has the shape of names that are not the program's own below the loop.

    Raises:
        DeriveError: a loop inside of another does not keep what is read.
    """

    def __init__(self, outer: Block, loop: Loop, steps: Sequence[Step | Round]):
        """See the class."""
        self.loop, self.below = loop, outer.below.kept
        is_line = any(part is loop for part in outer.below.lines)
        found = kept(outer.below, loop) if is_line else {}
        needed = self._needed(steps)
        again = self._made_again(needed, found, _is_view if is_line else lambda _: True)
        if missing := sorted(needed - found.keys()):
            if not is_line:
                raise DeriveError(f"the rounds do not keep {', '.join(missing)}", where=loop.where)
            outer.below, changed = keeping(outer.below, loop, missing)
            found = kept(outer.below, changed)
            if gone := sorted(needed - found.keys()):
                raise DeriveError(f"what {', '.join(gone)} was in a round cannot be kept", where=loop.where)
        self.likes = self._likes(found)
        chosen = {name: place for name, place in found.items() if name in needed}
        self.places = {name: place for name, place in chosen.items() if not isinstance(place, ast.IfExp)}
        self.opening: list[tuple[tuple[str, ...], ast.expr]] = [
            ((name,), chosen[name]) for name in sorted(chosen.keys() - self.places.keys())
        ]
        self.opening += [(line.targets, rebuilt(line.value, named(self.places.get))) for line in again]

    def _needed(self, steps: Sequence[Step | Round]) -> set[str]:
        """The names of a round's values that undoing it reads, other than for their shapes."""
        found: set[str] = set()
        for step in steps:
            if isinstance(step, Round):
                inside = self._needed([inner for _, inner in step.steps])
                inside |= self._read([value for _, value in step.opening])
                found |= inside - {name for names, _ in step.opening for name in names}
            else:
                found |= self._read(step.expressions())
        return found

    def read(self, node: ast.expr) -> ast.expr | None:
        """Where a name's value was kept; shapes, which are the same in all rounds, are read of the name itself."""
        return node if self._is_shape(node) else self.places.get(node.id) if isinstance(node, ast.Name) else None

    def _is_shape(self, node: ast.AST) -> bool:
        match node:
            case ast.Attribute(ast.Name(name), "shape" | "dtype" | "device"):
                return name in self.below
        return False

    def _read(self, parts: Iterable[ast.expr]) -> set[str]:
        made = made_in(self.loop) - set(_indices(self.loop))
        found: set[str] = set()

        def look(node: ast.AST) -> None:
            match node:
                case ast.Attribute() if self._is_shape(node):
                    return
                case ast.Call(ast.Attribute(_, function), [ast.Name(name), *rest]) if function in SHAPES and (
                    name in self.below
                ):
                    for part in rest:
                        look(part)
                    return
                case ast.Name(name) if name in made:
                    found.add(name)
            for part in ast.iter_child_nodes(node):
                look(part)

        for part in parts:
            look(part)
        return found

    def _made_again(
        self, needed: set[str], found: dict[str, ast.expr], may_run: Callable[[ast.expr], bool]
    ) -> list[Line]:
        """Lines to run again, of which nothing is kept; what these read is needed in their place.

        They are those that only take elements of something; in a loop inside of another, which keeps nothing, all.
        """
        lines: list[Line] = []
        made = made_in(self.loop) - set(_indices(self.loop))
        for part in reversed(self.loop.body):
            if isinstance(part, Line) and needed.intersection(part.targets) - found.keys() and may_run(part.value):
                lines.insert(0, part)
                needed.difference_update(part.targets)
                needed.update(names_in(part.value) & made)
        return lines

    def _likes(self, found: dict[str, ast.expr]) -> dict[str, ast.expr]:
        """What is kept of a round, for names that have no value of their own below: of the last where shapes differ."""
        first = _first(self.loop.over)
        index = {self.loop.variable: first} if first is not None else {}
        likes: dict[str, ast.expr] = {}
        for name, place in found.items():
            if name not in self.below and isinstance(place, ast.Subscript):
                likes[name] = rebuilt(place, named(index.get))
                if len({shape_of(values.get(name)) for values in self.loop.rounds}) > 1:
                    likes[name] = ast.Subscript(place.value, ast.Constant(-1), ast.Load())
        return likes


def _is_view(node: ast.expr) -> bool:
    """Whether an expression only takes elements of something that has a name, in another order or shape."""
    match node:
        case ast.Name():
            return True
        case ast.Subscript(owner) | ast.Attribute(owner, "T"):
            return _is_view(owner)
        case ast.Call(ast.Attribute(owner, method)):
            return method in VIEWS and _is_view(owner)
    return False


def _first(over: ast.expr) -> ast.expr | None:
    """The first index that a loop runs over, where that is a number."""
    match over:
        case ast.Call(ast.Name("range"), [_]):
            return ast.Constant(0)
        case ast.Call(ast.Name("range"), [ast.Constant() as first, _]):
            return first
    return None


def _indices(loop: Loop) -> Iterator[str]:
    yield loop.variable
    for part in loop.body:
        if isinstance(part, Loop):
            yield from _indices(part)
