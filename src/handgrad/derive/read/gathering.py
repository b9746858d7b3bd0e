"""Tensors in a list of the program's, one for each round of a loop, as the elements of that list."""

import ast
import re
from collections import Counter
from collections.abc import Sequence

from handgrad.derive.read.objects import element
from handgrad.derive.read.program import Line
from handgrad.derive.read.reader import Reader
from handgrad.derive.read.running import is_float
from handgrad.derive.read.steps import Step, names_made, names_used, renamed_steps
from handgrad.derive.read.terms import Term, name_of


def gathered(
    reader: Reader, rounds: Sequence[list[Step]], places: Sequence[int], mark: str
) -> tuple[list[list[Step]], list[Line]]:
    """The rounds, each with `Ws[i]` in the place of the name for that tensor, and a line for each such list.

    A list is one that each round reads one other element of, that of its own index.

    Args:
        reader: what is known so far.
        rounds: the lines of each round.
        places: the index of each round.
        mark: what marks the index in expressions.
    """
    times = Counter(name for steps in rounds for name in names_used(steps))
    found: list[dict[str, str]] = []
    for steps, place in zip(rounds, places, strict=True):
        bound = {name: _element(reader, name) for name in sorted(names_used(steps)) if times[name] == 1}
        found.append({at[0]: name for name, at in bound.items() if at is not None and at[1] == place})
    lists = [word for word in found[0] if all(word in names for names in found)]
    swapped = [
        renamed_steps(steps, {names[word]: _marked(word, place, mark) for word in lists}, {})
        for steps, names, place in zip(rounds, found, places, strict=True)
    ]
    known = set(names_made(reader.lines))
    return swapped, [_line(reader, word) for word in lists if word not in known]


def is_list(reader: Reader, term: Term) -> bool:
    """Whether a term is a list of the program's that has a name and holds float tensors alone."""
    word = term.name or ""
    known = type(reader.namespace.get(word)) in (list, tuple) and term.value is reader.values.get(word)
    return known and term.value is not None and all(map(is_float, term.value))


def _element(reader: Reader, name: str) -> tuple[str, int] | None:
    """The list of the program's that a name is an element of, and which one."""
    at = re.fullmatch(r"(\w+)\[(\d+)\]", reader.bindings.get(name, ""))
    if at is None or at[1] not in reader.values or not is_list(reader, Term(name_of(at[1]), reader.values[at[1]])):
        return None
    return at[1], int(at[2])


def _marked(word: str, place: int, mark: str) -> ast.expr:
    return ast.Subscript(name_of(word), ast.Constant(place, mark), ast.Load())


def _line(reader: Reader, word: str) -> Line:
    """A line that says which tensors a list has."""
    whole = Term(name_of(word), reader.values[word])
    parts = [element(reader, whole, Term(ast.Constant(i), i)).node for i in range(len(whole.value))]
    text, number, within = reader.quoted
    return Line((word,), ast.List(parts, ast.Load()), text.partition("\n")[0], number, within)
