"""Read `for` loops: the rounds one after the other, and then as a loop where all of them do the same."""

import ast
import itertools
from collections.abc import Callable
from dataclasses import dataclass

from handgrad.derive.read import blocks, containers, expressions, gathering, rolling, storing, targets
from handgrad.derive.read.calls import is_array
from handgrad.derive.read.finishing import WRITTEN_OUT
from handgrad.derive.read.objects import element
from handgrad.derive.read.reader import Reader
from handgrad.derive.read.terms import Parts, Term


@dataclass(frozen=True)
class Rounds:
    """What a loop runs over: a term for each round, and, where that is by an index, what the index runs over.

    In the terms, the index is a constant whose `kind` is `mark`; `places` are its values, and `named` says whether its
    name is from the source.
    """

    items: list[Term]
    over: ast.expr | None = None
    mark: str = ""
    places: tuple[int, ...] = ()
    named: bool = False


def read_for(reader: Reader, node: ast.For) -> Term | None:
    """Read a loop; the value where it returns one."""
    rounds = rounds_of(reader, node.target, node.iter)
    found = run(reader, rounds, node.target, lambda: blocks.block(reader, node.body), whole=not node.orelse)
    return found if found is not None else blocks.block(reader, node.orelse)


def run(
    reader: Reader, rounds: Rounds, target: ast.expr, body: Callable[[], Term | None], *, whole: bool = True
) -> Term | None:
    """Read the rounds of a loop, and put a loop in their place if they do the same; the value where one returns.

    Args:
        reader: what is known so far.
        rounds: what the loop runs over.
        target: what each round assigns first.
        body: reads a round.
        whole: whether nothing hangs on how the loop ends.
    """
    statement = reader.frame.statement
    bounds = [len(reader.lines)]
    sizes = reader.sizes
    for item in rounds.items:
        targets.bind(reader, target, item)
        reader.sizes = dict(sizes)
        try:
            found = body()
        except blocks.LoopEnd as end:
            found = None
            whole &= not end.stops
            if end.stops:
                break
        bounds.append(len(reader.lines))
        reader.frame.statement = statement
        if found is not None:
            return found
    reader.sizes = sizes
    count = len(rounds.items)
    if count < 2 or bounds[-1] == bounds[0]:
        return None
    reason = "it runs over what is part of the program"
    if rounds.over is not None:
        reason = _roll(reader, rounds, bounds) if whole else "it ends before its last round"
    if reason and count > WRITTEN_OUT:
        reader.refuse(f"this loop goes round {count} times, and cannot be read as a loop: {reason}", NEXT)
    if reason and rounds.over is not None:
        text, number, within = reader.quoted
        place = f"line {number}{f' of {within}' if within else ''}"
        reader.notes[f"{place}: '{text.splitlines()[0].rstrip(':')}' is written out for its {count} rounds"] = None
    return None


def _roll(reader: Reader, rounds: Rounds, bounds: list[int]) -> str:
    """Put a loop in the place of the lines of its rounds, which begin at `bounds`; why not, '' where it was done."""
    rolled = rolling.Rolled(reader, rounds, [reader.lines[a:b] for a, b in itertools.pairwise(bounds)])
    reader.lines[bounds[0] :] = itertools.chain(*rolled.plain)
    try:
        rolled.align()
        base, own = rounds.mark.partition("·")[0], None if rounds.named else False
        index = str(reader.new(base, rounds.places[-1], own=own).name)
        reader.made[index].index = True
        kept = storing.kept_in(rolled, index)
    except rolling.UnlikeError as error:
        return str(error)
    ahead, loop = rolled.loop(index)
    loop = storing.with_lists(rolled, loop, kept)
    reader.lines[bounds[0] :] = [*ahead, loop]
    rolled.settle(index)
    written = storing.with_tensors(reader, loop)
    if written is not loop and storing.makes_the_same(reader, written):
        reader.lines[-1] = written
    return ""


NEXT = f"Let every round do the same, or derive it with at most {WRITTEN_OUT} rounds."


def rounds_of(reader: Reader, target: ast.expr, over: ast.expr) -> Rounds:
    """What a loop `for target in over` runs over."""
    name = _index_name(target, over).strip("_")
    index = name or next(letter for letter in "tijk" if letter not in reader.taken)
    mark = f"{index}·{id(over)}"
    range_, places, items = _stepped(reader, over, mark)
    if range_ is None:
        return Rounds(items)
    return Rounds(items, range_, mark, places, bool(name))


def _index_name(target: ast.expr, over: ast.expr) -> str:
    """The name of a loop's index: its own variable over a range, the first one over `enumerate`, otherwise none."""
    called = getattr(over.func, "id", "") if isinstance(over, ast.Call) else ""
    match called, target:
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
        terms = [_bound(reader, argument) for argument in arguments]
        values = tuple(reader.run(range, *(term.value for term in terms)))
        over = ast.Call(ast.Name("range", ast.Load()), [term.node for term in terms], [])
        return over, values, [Term(ast.Constant(value, mark), value) for value in values]
    if plain and called == "reversed":
        over, values, items = _stepped(reader, arguments[0], mark)
        if isinstance(over, ast.Call) and ast.unparse(over.func) == "range":
            return ast.Call(ast.Name("reversed", ast.Load()), [over], []), values[::-1], items[::-1]
        return None, (), items[::-1]
    if plain and called == "enumerate" and not getattr(node, "keywords", ()) and len(arguments) < 3:
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


def _bound(reader: Reader, node: ast.expr) -> Term:
    """A bound of a range; the length of a list of the program's as such."""
    term = expressions.expression(reader, node)
    match node:
        case ast.Call(ast.Name("len"), [ast.Name() as name]):
            whole = expressions.expression(reader, name)
            if gathering.is_list(reader, whole):
                return Term(ast.Call(ast.Name("len", ast.Load()), [whole.node], []), term.value)
    return term


def _over_elements(reader: Reader, term: Term, mark: str) -> tuple[ast.expr | None, tuple[int, ...], list[Term]]:
    """A loop over a tensor, a list that rounds have made or one of whole numbers, by the index of its elements."""
    made = isinstance(term.value, list) and term.name in reader.made
    numbers = type(term.value) in (list, tuple) and {type(part) for part in term.value} == {int}
    if is_array(term.value) or made or (numbers and isinstance(term.node, ast.Name)):
        count = reader.run(len, term.value)
        items = [element(reader, term, Term(ast.Constant(i, mark), i)) for i in range(count)]
        size: ast.expr = ast.Call(ast.Name("len", ast.Load()), [term.node], [])
        if is_array(term.value):
            size = ast.Subscript(ast.Attribute(term.node, "shape", ast.Load()), ast.Constant(0), ast.Load())
        return ast.Call(ast.Name("range", ast.Load()), [size], []), tuple(range(count)), items
    if gathering.is_list(reader, term):
        size = ast.Call(ast.Name("len", ast.Load()), [term.node], [])
        over = ast.Call(ast.Name("range", ast.Load()), [size], [])
        return over, tuple(range(len(term.value))), containers.items(reader, term)
    return None, (), containers.items(reader, term)


def _count(i: int, start: Term | None, mark: str | None) -> Term:
    plain = Term(ast.Constant(i, mark), i)
    if start is None:
        return plain
    return Term(ast.BinOp(plain.node, ast.Add(), start.node), i + start.value)
