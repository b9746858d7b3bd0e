"""Lists, tuples and dicts whose elements are known one by one, and what iterates over them."""

import ast
from collections.abc import Callable, Mapping
from typing import Any

from handgrad.derive.read import expressions, targets
from handgrad.derive.read.calls import is_array
from handgrad.derive.read.objects import element
from handgrad.derive.read.reader import Reader
from handgrad.derive.read.terms import Parts, Term


def items(reader: Reader, term: Term) -> list[Term]:
    """What iterating over a term gives, one by one."""
    if isinstance(term, Parts):
        if isinstance(term.parts, dict):
            return [Term(ast.Constant(key), key) for key in term.parts]
        return list(term.parts)
    value = term.value
    if isinstance(value, range | str | bytes):
        return [Term(ast.Constant(part), part) for part in value]
    if isinstance(value, Mapping) or hasattr(value, "_modules"):
        keys = list(value if isinstance(value, Mapping) else range(len(value)))
        found = [Term(ast.Constant(key), key) for key in keys]
        return found if isinstance(value, Mapping) else [element(reader, term, key) for key in found]
    if is_array(value) or isinstance(value, list | tuple):
        return [element(reader, term, Term(ast.Constant(i), i)) for i in range(reader.run(len, value))]
    return reader.refuse(
        f"'{ast.unparse(term.node)}' cannot be read one by one", "Make a list of it before these lines."
    )


def opened(reader: Reader, term: Term) -> Parts:
    """A list or dict as one whose elements are known one by one, for all its names from now on."""
    if isinstance(term, Parts):
        return term
    if not isinstance(term.value, list | dict) or term.name is None:
        reader.refuse(f"an element of '{ast.unparse(term.node)}' is assigned", "Assign to a name.")
    found = items(reader, term)
    parts = {k.value: element(reader, term, k) for k in found} if isinstance(term.value, dict) else found
    made = Parts(type(term.value), parts)
    for frame in reader.frames:
        frame.scope.update((name, made) for name, old in frame.scope.items() if old.name == term.name)
    reader.current[term.name] = made
    return made


def method(reader: Reader, base: Parts, attr: str, arguments: list[Term], word: str) -> Term:
    """A method of a list or dict, called `word`, whose elements are known one by one."""
    none = Term(ast.Constant(None), None)
    match base.parts, attr, arguments:
        case list(), "append", [item]:
            base.parts.append(item)
            targets.name_parts(reader, word, base)
            return none
        case list(), "extend", [more]:
            base.parts.extend(items(reader, more))
            targets.name_parts(reader, word, base)
            return none
        case list(), "insert", [place, item]:
            base.parts.insert(place.value, item)
            return none
        case list(), "pop", _:
            return reader.run(base.parts.pop, *(a.value for a in arguments))
        case list(), "reverse", []:
            base.parts.reverse()
            return none
        case list() | dict(), "copy", []:
            return Parts(base.of, base.parts.copy())
        case dict(), "items", []:
            pairs = base.parts.items()
            return Parts(list, [Parts(tuple, [Term(ast.Constant(k), k), v]) for k, v in pairs])
        case dict(), "values", []:
            return Parts(list, list(base.parts.values()))
        case dict(), "keys", []:
            return Parts(list, items(reader, base))
        case dict(), "get", [key, *default]:
            return base.parts.get(key.value, default[0] if default else none)
        case dict(), "pop", [key, *default]:
            return reader.run(base.parts.pop, key.value, *default)
        case dict(), "update", [more]:
            base.parts.update((k.value, element(reader, more, k)) for k in items(reader, more))
            return none
    return reader.refuse(f"'.{attr}' of a {base.of.__name__} of tensors cannot be read", "Write it with indices.")


def _zip(reader: Reader, *terms: Term, **_: Term) -> Term:
    rows = zip(*(items(reader, term) for term in terms), strict=False)
    return Parts(list, [Parts(tuple, list(row)) for row in rows])


def _enumerate(reader: Reader, term: Term, start: Term | None = None) -> Term:
    first = start.value if start else 0
    pairs = enumerate(items(reader, term), first)
    return Parts(list, [Parts(tuple, [Term(ast.Constant(i), i), item]) for i, item in pairs])


def _sum(reader: Reader, term: Term, start: Term | None = None) -> Term:
    terms = [*([start] if start else []), *items(reader, term)]
    if not terms:
        return Term(ast.Constant(0), 0)
    total = terms[0]
    for item in terms[1:]:
        total = expressions.operated(reader, ast.Add(), total, item)
    return total


def _map(reader: Reader, function: Term, *terms: Term) -> Term:
    from handgrad.derive.read.calling import called

    rows = zip(*(items(reader, term) for term in terms), strict=False)
    return Parts(list, [called(reader, function, list(row), {}) for row in rows])


def _len(reader: Reader, term: Term) -> Term:
    count = reader.run(len, term.value)
    return Term(ast.Constant(count), count)


BUILTINS: dict[Any, Callable[..., Term]] = {
    zip: _zip,
    enumerate: _enumerate,
    reversed: lambda reader, term: Parts(list, items(reader, term)[::-1]),
    list: lambda reader, *terms: Parts(list, items(reader, terms[0]) if terms else []),
    tuple: lambda reader, *terms: Parts(tuple, items(reader, terms[0]) if terms else []),
    sum: _sum,
    map: _map,
    len: _len,
}
"""Python's functions on containers that hold tensors, whose elements they hand on."""
