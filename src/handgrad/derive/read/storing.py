"""What rounds write elements of: lists, dicts and tensors."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from handgrad.derive.read.calls import is_array
from handgrad.derive.read.program import Line, Loop, Store, Stored
from handgrad.derive.read.reader import Reader
from handgrad.derive.read.rolling import Rolled, UnlikeError
from handgrad.derive.read.running import as_numpy
from handgrad.derive.read.steps import Step, names_in, names_made, renamed, renamed_steps, started
from handgrad.derive.read.terms import Parts, name_of


@dataclass(frozen=True)
class Kept:
    """A list or dict that each round puts a value in: `place` says which of its names, `index` where, None at the end.

    `word` is what it is called, `own` whether the program itself does so; `start` is what it holds ahead of the loop.
    """

    parts: Parts
    place: int
    index: ast.expr | None
    start: ast.expr
    word: str
    own: bool


def kept_in(rolled: Rolled, index: str) -> list[Kept]:
    """The lists and dicts that the rounds of a loop fill.

    Raises:
        UnlikeError: what a container holds of the rounds is not one value of each, in their order.
    """
    found: dict[int, Kept] = {}
    for _, key, term in rolled.reader.held():
        if isinstance(term, Parts) and id(term) not in found and _holds_rounds(rolled, term):
            word = key.removesuffix("·") if isinstance(key, str) else key[1] if isinstance(key, tuple) else "kept"
            own = any(term is t for t in rolled.reader.frames[0].scope.values())
            found[id(term)] = _kept(rolled, term, index, word, own)
    return list(found.values())


def _holds_rounds(rolled: Rolled, term: Parts) -> bool:
    """Whether a container holds a value of a round before the last."""
    parts = term.parts.values() if isinstance(term.parts, dict) else term.parts
    used = {name for part in parts if not isinstance(part, Parts) for name in names_in(part.node)}
    return bool(used & rolled.all - rolled.places[-1].keys())


def _kept(rolled: Rolled, term: Parts, index: str, word: str, own: bool) -> Kept:
    pairs = list(term.parts.items() if isinstance(term.parts, dict) else enumerate(term.parts))
    inside = [(key, part) for key, part in pairs if names_in(part.node) & rolled.all]
    outside = [(key, part) for key, part in pairs if not names_in(part.node) & rolled.all]
    places = {places.get(str(part.name)) for (_, part), places in zip(inside, rolled.places, strict=False)}
    if len(inside) != len(rolled.rounds) or len(places) != 1 or None in places:
        raise UnlikeError(f"'{word}' does not get one value in every round")
    (place,) = places
    assert place is not None
    keys = [key for key, _ in inside]
    if isinstance(term.parts, dict):
        shift = {key - at for key, at in zip(keys, rolled.header.places, strict=True) if isinstance(key, int)}
        if len(shift) != 1:
            raise UnlikeError(f"'{word}' is not filled by the index of the loop")
        start: ast.expr = ast.Dict([ast.Constant(k) for k, _ in outside], [part.node for _, part in outside])
        return Kept(term, place, _shifted(index, shift.pop()), start, word, own)
    if keys != list(range(len(outside), len(pairs))):
        raise UnlikeError(f"'{word}' is not filled from its beginning to its end")
    return Kept(term, place, None, ast.List([part.node for _, part in outside], ast.Load()), word, own)


def _shifted(index: str, shift: int) -> ast.expr:
    if shift == 0:
        return name_of(index)
    op = ast.Add() if shift > 0 else ast.Sub()
    return ast.BinOp(name_of(index), op, ast.Constant(abs(shift)))


def with_lists(rolled: Rolled, loop: Loop, kept: list[Kept]) -> Loop:
    """The loop with what it puts in lists and dicts, each of which is one name from now on."""
    reader = rolled.reader
    body, stored = list(loop.body), list(loop.stored)
    for one in kept:
        container = reader.new(one.word, one.parts.value, own=one.own)
        reader.values[str(container.name)] = one.parts.value
        value = rolled.names[1][one.place]
        for place, name in enumerate(rolled.names[1]):
            if re.fullmatch(f"{re.escape(one.word)}_[0-9]+", reader.made[name].base):
                rolled.call(place, _singular(one.word) + ("" if place == one.place else "0"))
        at = next(i for i, step in enumerate(body) if value in names_made([step]))
        store = Store(
            str(container.name), one.index, name_of(value), body[at].text, body[at].number, within=body[at].within
        )
        body.insert(at + 1, store)
        stored.append(Stored(str(container.name), one.start))
        whole = renamed(one.parts.node, rolled.out, {rolled.header.mark: None})
        glue = Line((str(container.name),), whole, loop.text, loop.number, loop.within)
        loop = replace(loop, written_out=(*loop.written_out, glue))
        for holder, key, term in reader.held():
            if term is one.parts:
                holder[key] = container
    return replace(loop, body=tuple(body), stored=tuple(stored))


def with_tensors(reader: Reader, loop: Loop) -> Loop:
    """The loop with the tensors that its rounds write elements of as such, not as values that are carried."""
    for carried in loop.carried:
        if not is_array(reader.values[carried.leaving]):
            continue
        chain = _chain(loop.body, carried.entering)
        if len(chain) > 1 and chain[-1] == carried.leaving and _only_elements(loop, set(chain)):
            names = dict.fromkeys(chain, carried.leaving)
            body = list(_stores(loop.body, carried.leaving, names))
            rest = tuple(c for c in loop.carried if c is not carried)
            copy = "clone" if hasattr(reader.values[carried.leaving], "clone") else "copy"
            start = ast.Call(ast.Attribute(name_of(carried.start), copy, ast.Load()), [], [])
            rounds = tuple({k: v for k, v in values.items() if k not in names} for values in loop.rounds)
            stored = (*loop.stored, Stored(carried.leaving, start))
            loop = replace(loop, body=tuple(body), carried=rest, stored=stored, rounds=rounds)
    return loop


def makes_the_same(reader: Reader, loop: Loop) -> bool:
    """Whether a loop, when it runs, leaves what its rounds have left."""
    values = dict(reader.values)
    reader.run(exec, loop.source, values)
    names = [*(c.leaving for c in loop.carried), *(s.name for s in loop.stored)]
    pairs = ((as_numpy(values[name]), as_numpy(reader.values[name])) for name in names if is_array(values[name]))
    return all(one.shape == other.shape and bool((one == other).all()) for one, other in pairs)


def _chain(body: tuple[Step, ...], entering: str) -> list[str]:
    """The names that a tensor has in a round, each with more elements written than the one before."""
    chain = [entering]
    for step in body:
        if isinstance(step, Line) and (written := _written(step)) is not None and written[0] == chain[-1]:
            chain.append(step.targets[0])
        if isinstance(step, Loop):
            chain += [s.name for s in step.stored if started(s) == chain[-1]]
    return chain


def _written(line: Line) -> tuple[str, ast.expr, ast.expr, bool] | None:
    """For a line that writes elements: of which name, at which index, what, and whether it adds."""
    match line.value:
        case ast.Call(ast.Name(helper), [ast.Name(x), ast.Subscript(_, index), values]):
            helper = helper.partition("·")[0]
            if helper.rstrip("0123456789") in ("setitem", "additem"):
                return x, index, values, helper.startswith("additem")
    return None


def _only_elements(loop: Loop, chain: set[str]) -> bool:
    """Whether all else that is read of a tensor are its elements."""

    def whole(node: ast.AST, within: bool) -> Iterator[bool]:
        if isinstance(node, ast.Name):
            yield node.id in chain and not within
        for part in ast.iter_child_nodes(node):
            yield from whole(part, isinstance(node, ast.Subscript) and part is node.value)

    for step in _flat(loop.body):
        if isinstance(step, Line):
            written = _written(step)
            parts: list[ast.expr] = [step.value] if written is None or written[0] not in chain else [*written[1:3]]
        elif isinstance(step, Loop):
            parts = [s.start for s in step.stored if started(s) not in chain]
            parts += [name_of(c.start) for c in step.carried]
        else:
            parts = [step.value]
        if any(any(whole(part, False)) for part in parts):
            return False
    return True


def _flat(steps: tuple[Step, ...]) -> Iterator[Step]:
    for step in steps:
        yield step
        if isinstance(step, Loop):
            yield from _flat(step.body)


def _stores(body: tuple[Step, ...], container: str, names: dict[str, str]) -> Iterator[Step]:
    """The steps of a body, lines that write into a tensor as stores into it."""
    for step in body:
        written = _written(step) if isinstance(step, Line) else None
        (step,) = renamed_steps([step], names, {})
        if isinstance(step, Loop):
            inner = (Stored(s.name, name_of(s.name)) if started(s) == s.name else s for s in step.stored)
            step = replace(step, stored=tuple(inner))
        if written is None or written[0] not in names or not isinstance(step, Line):
            yield step
            continue
        _, index, values, added = _written(step) or written
        yield Store(container, index, values, step.text, step.number, added, step.within)


def _singular(word: str) -> str:
    """A name for one of several: `h` of `hs`."""
    if word.endswith("sses"):
        return word[:-2]
    return word[:-1] if word.endswith("s") and len(word) > 1 else f"{word}_t"
