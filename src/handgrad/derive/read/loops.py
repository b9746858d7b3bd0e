"""Read `for` loops: the rounds one after the other, and then as a loop where all of them do the same."""

import ast
import itertools
from dataclasses import dataclass
from typing import Any

from handgrad.derive.read import blocks, containers, expressions, rolling, storing, targets
from handgrad.derive.read.calls import is_array
from handgrad.derive.read.finishing import WRITTEN_OUT
from handgrad.derive.read.objects import element
from handgrad.derive.read.reader import Reader
from handgrad.derive.read.terms import Parts, Term

LITERAL = 8
"""Up to how many rounds a loop over numbers of the source is written out."""


@dataclass(frozen=True)
class Rounds:
    """What a loop runs over: a term for each round, and, where that is by an index, what the index runs over.

    In the terms, the index is a constant whose `kind` is `mark`; `places` are its values.
    """

    items: list[Term]
    over: ast.expr | None = None
    mark: str = ""
    places: tuple[int, ...] = ()


def read_for(reader: Reader, node: ast.For) -> Term | None:
    """Read a loop; the value where it returns one."""
    index = _index_name(node)
    named = bool(index)
    rounds = _rounds(reader, node, index or next(letter for letter in "tijk" if letter not in reader.taken))
    first = len(reader.lines)
    bounds = [first]
    whole = not node.orelse
    found = None
    sizes = reader.sizes
    for item in rounds.items:
        targets.bind(reader, node.target, item)
        reader.sizes = dict(sizes)
        try:
            found = blocks.block(reader, node.body)
        except blocks.LoopEnd as end:
            whole &= not end.stops
            if end.stops:
                break
        bounds.append(len(reader.lines))
        reader.frame.statement = node
        if found is not None:
            return found
    reader.sizes = sizes
    count = len(rounds.items)
    if count < 2 or bounds[-1] == first:
        return blocks.block(reader, node.orelse)
    reason = "it runs over what is part of the program"
    if rounds.over is not None:
        reason = "it ends before its last round" if not whole else _roll(reader, rounds, bounds, named)
    if reason and count > WRITTEN_OUT:
        reader.refuse(f"this loop goes round {count} times, and cannot be read as a loop: {reason}", NEXT)
    if reason and rounds.over is not None:
        text, number, within = reader.quoted
        place = f"line {number}{f' of {within}' if within else ''}"
        reader.notes[f"{place}: '{text.splitlines()[0].rstrip(':')}' is written out for its {count} rounds"] = None
    return blocks.block(reader, node.orelse)


def _roll(reader: Reader, rounds: Rounds, bounds: list[int], named: bool) -> str:
    """Put a loop in the place of the lines of its rounds, which begin at `bounds`; why not, '' where it was done.

    The index has its name from the source if it is `named`.
    """
    steps = [reader.lines[a:b] for a, b in itertools.pairwise(bounds)]
    try:
        rolled = rolling.Rolled(reader, rounds, steps)
        index = str(reader.new(rounds.mark.partition("·")[0], rounds.places[-1], own=named and None).name)
        reader.made[index].index = True
        kept = storing.kept_in(rolled, index)
    except rolling.UnlikeError as error:
        return str(error)
    ahead, loop = rolled.loop(index)
    loop = storing.with_tensors(rolled, storing.with_lists(rolled, loop, kept))
    reader.lines[bounds[0] :] = [*ahead, loop]
    rolled.settle(index)
    return ""


NEXT = f"Let every round do the same, or derive it with at most {WRITTEN_OUT} rounds."


def _rounds(reader: Reader, node: ast.For, index: str) -> Rounds:
    mark = f"{index}·{id(node)}"
    over, places, items = _stepped(reader, node.iter, mark)
    literal = over is not None and not any(isinstance(n, ast.Name) and n.id not in ROUNDING for n in ast.walk(over))
    if over is None or (literal and len(items) <= LITERAL):
        return Rounds([_unmarked(item) for item in items] if over is not None else items)
    return Rounds(items, over, mark, places)


ROUNDING = ("range", "reversed", "len")


def _index_name(node: ast.For) -> str:
    """The name of a loop's index: its own variable over a range, the first one over `enumerate`, otherwise none."""
    called = getattr(node.iter.func, "id", "") if isinstance(node.iter, ast.Call) else ""
    match called, node.target:
        case (("range" | "reversed"), ast.Name(name)):
            return name
        case "enumerate", ast.Tuple([ast.Name(name), _]):
            return name
    return ""


def _stepped(reader: Reader, node: ast.expr, mark: str) -> tuple[ast.expr | None, tuple[int, ...], list[Term]]:
    """What an index runs over for a header, its values, and the item of each round; no index where there is none."""
    called = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""
    arguments = node.args if isinstance(node, ast.Call) else []
    plain = called and called not in reader.frame.scope and called not in reader.namespace
    if plain and called == "range":
        terms = [expressions.expression(reader, argument) for argument in arguments]
        values = tuple(reader.run(range, *(term.value for term in terms)))
        over = ast.Call(ast.Name("range", ast.Load()), [term.node for term in terms], [])
        return over, values, [Term(ast.Constant(value, mark), value) for value in values]
    if plain and called == "reversed":
        over, values, items = _stepped(reader, arguments[0], mark)
        if over is not None and over.func.id == "range":  # type: ignore[attr-defined]
            return ast.Call(ast.Name("reversed", ast.Load()), [over], []), values[::-1], items[::-1]
        return None, (), items[::-1]
    if plain and called == "enumerate" and not node.keywords and len(arguments) < 3:  # type: ignore[attr-defined]
        over, values, items = _stepped(reader, arguments[0], mark)
        start = expressions.expression(reader, arguments[1]) if len(arguments) > 1 else None
        counts = [_count(i, start, mark if over is not None else None) for i in range(len(items))]
        return over, values, [Parts(tuple, [count, item]) for count, item in zip(counts, items, strict=True)]
    if plain and called == "zip":
        columns = [_stepped(reader, argument, mark) for argument in arguments]
        items: list[Term] = [Parts(tuple, list(row)) for row in zip(*(c[2] for c in columns), strict=False)]
        over, values, _ = min(columns, key=lambda column: len(column[2]))
        alike = all(column[0] is not None and column[1][: len(values)] == values for column in columns)
        return (over if alike else None), values, items
    return _over_elements(reader, expressions.expression(reader, node), mark)


def _over_elements(reader: Reader, term: Term, mark: str) -> tuple[ast.expr | None, tuple[int, ...], list[Term]]:
    """A loop over a tensor, or over a list that rounds have made, by the index of its elements."""
    made = isinstance(term.value, list) and term.name in reader.made
    if is_array(term.value) or made:
        count = reader.run(len, term.value)
        items = [element(reader, term, Term(ast.Constant(i, mark), i)) for i in range(count)]
        size: ast.expr = ast.Call(ast.Name("len", ast.Load()), [term.node], [])
        if is_array(term.value):
            size = ast.Subscript(ast.Attribute(term.node, "shape", ast.Load()), ast.Constant(0), ast.Load())
        return ast.Call(ast.Name("range", ast.Load()), [size], []), tuple(range(count)), items
    return None, (), containers.items(reader, term)


def _count(i: int, start: Term | None, mark: str | None) -> Term:
    plain = Term(ast.Constant(i, mark), i)
    if start is None:
        return plain
    return Term(ast.BinOp(plain.node, ast.Add(), start.node), i + start.value)


def _unmarked(term: Any) -> Any:
    """A term in which the index is a plain number."""
    if isinstance(term, Parts):
        assert isinstance(term.parts, list)
        return Parts(term.of, [_unmarked(part) for part in term.parts])
    if isinstance(term.node, ast.Constant):
        return Term(ast.Constant(term.node.value), term.value)
    return term
