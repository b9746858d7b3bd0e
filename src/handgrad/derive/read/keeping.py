"""Which values of a loop's rounds can be read below it, and how; and a loop that keeps others too."""

import ast
import builtins
import keyword
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from handgrad.derive.read.program import Line, Loop, Program, Store, Stored
from handgrad.derive.read.running import as_numpy
from handgrad.derive.read.steps import names_made, renamed
from handgrad.derive.read.terms import name_of


def kept(program: Program, loop: Loop) -> dict[str, ast.expr]:
    """How to read, below a loop, what names of its rounds were in the round of its index, for those that can be.

    Args:
        program: a program with loops.
        loop: one of its lines.

    Example:
        >>> import torch
        >>> from handgrad.derive.read.statements import read_program
        >>> source = "hs = [h]\\nfor t in range(len(x)):\\n    h = (x[t] + w * h).tanh()\\n    hs.append(h)\\ny = h"
        >>> before = {"x": torch.ones(3), "w": torch.ones(()), "h": torch.ones(())}
        >>> program = read_program(source, before).with_loops()
        >>> {name: ast.unparse(node) for name, node in kept(program, program.lines[0]).items()}
        {'h2': 'hs[t + 1]', 'h_prev': 'hs[t]'}
    """
    found: dict[str, ast.expr] = {}
    for store in loop.body:
        if isinstance(store, Store) and isinstance(store.value, ast.Name) and not store.added:
            place = place_of(loop, store)
            if store.value.id not in found and _holds(program, loop, place, store.value.id):
                found[store.value.id] = place
    for carried in loop.carried:
        if carried.leaving in found:
            found |= _entering(program, loop, carried.start, carried.entering, found[carried.leaving])
    return found


def keeping(program: Program, loop: Loop, names: Iterable[str]) -> tuple[Program, Loop]:
    """The program with a loop that keeps, in lists, what names of its rounds were; and that loop.

    What a round is given is kept in the list of what the round before has left, which begins with what the loop starts
    from.

    Args:
        program: a program with loops.
        loop: one of its lines.
        names: names that lines of its body make, or that a round is given.
    """
    body, stored = list(loop.body), list(loop.stored)
    values = dict(program.values)
    found = {c.entering: c for c in loop.carried}
    starts = {found[name].leaving: found[name].start for name in names if name in found}
    for name in dict.fromkeys(found[name].leaving if name in found else name for name in names):
        container = _container(program.renamed.get(name, name), values)
        first = [starts[name]] if name in starts else []
        values[container] = [*(values[start] for start in first), *(values_of[name] for values_of in loop.rounds)]
        at = next((i + 1 for i, step in enumerate(body) if name in names_made([step])), 0)
        body.insert(at, Store(container, None, name_of(name), f"{container}.append({name})", loop.number))
        stored.append(Stored(container, ast.List([name_of(start) for start in first], ast.Load())))
    more = replace(loop, body=tuple(body), stored=tuple(stored))

    def replaced(steps: Iterable[Line | Loop]) -> tuple[Line | Loop, ...]:
        return tuple(more if step is loop else step for step in steps)

    lines, statements = replaced(program.lines), replaced(program.statements)
    return replace(program, lines=lines, statements=statements, values=values), more


def _container(word: str, taken: Mapping[str, Any]) -> str:
    """A name for a list of what a name was: `hs` of `h`, `i_all` of `i`."""
    several = f"{word}s"
    plain = word[-1] not in "s0123456789" and not keyword.iskeyword(several) and not hasattr(builtins, several)
    return several if plain and several not in taken else _free(f"{word}_all", taken)


def _free(wanted: str, taken: Mapping[str, Any]) -> str:
    return wanted if wanted not in taken else _free(f"{wanted}_", taken)


def place_of(loop: Loop, store: Store) -> ast.Subscript:
    """The element that a round writes, below the loop."""
    index = store.index
    if index is None:
        start = next(s.start for s in loop.stored if s.name == store.container)
        index = _shifted(loop, len(getattr(start, "elts", ())))
    return ast.Subscript(name_of(store.container), index, ast.Load())


def _shifted(loop: Loop, ahead: int) -> ast.expr:
    """The position of what a round appends to a list that has `ahead` elements before."""
    match loop.over:
        case ast.Call(ast.Name("range"), [_]):
            first = 0
        case ast.Call(ast.Name("range"), [ast.Constant(int(first)), _]):
            pass
        case ast.Call(ast.Name("reversed"), [ast.Call(ast.Name("range"), [end])]):
            down = ast.BinOp(end, ast.Sub(), ast.Constant(1 - ahead)) if ahead != 1 else end
            return ast.BinOp(down, ast.Sub(), name_of(loop.variable))
        case _:
            return name_of(loop.variable)
    shift = ahead - first
    if shift == 0:
        return name_of(loop.variable)
    return ast.BinOp(name_of(loop.variable), ast.Add() if shift > 0 else ast.Sub(), ast.Constant(abs(shift)))


def _entering(program: Program, loop: Loop, start: str, name: str, left: ast.expr) -> dict[str, ast.expr]:
    """How to read what a round found, given how to read what the round before has left."""
    back = ast.Add() if isinstance(loop.over, ast.Call) and _called(loop.over) == "reversed" else ast.Sub()
    place = _simpler(_with_index(left, loop.variable, ast.BinOp(name_of(loop.variable), back, ast.Constant(1))))
    if _holds(program, loop, place, name):
        return {name: place}
    if isinstance(back, ast.Add) or not all(_holds_in(program, values, place, name) for values in loop.rounds[1:]):
        return {}
    arguments = loop.over.args if isinstance(loop.over, ast.Call) else []
    first = arguments[0] if len(arguments) == 2 else ast.Constant(0)
    test = ast.Compare(name_of(loop.variable), [ast.Gt()], [first])
    choice = ast.IfExp(test, place, name_of(start))
    return {name: choice} if _holds(program, loop, choice, name) else {}


def _called(node: ast.Call) -> str:
    return node.func.id if isinstance(node.func, ast.Name) else ""


def _with_index(node: Any, variable: str, by: ast.expr) -> Any:
    """An expression with another one in the place of the index of a loop."""
    if isinstance(node, list):
        return [_with_index(part, variable, by) for part in node]
    if isinstance(node, ast.Name):
        return by if node.id == variable else node
    if isinstance(node, ast.AST):
        return type(node)(**{field: _with_index(value, variable, by) for field, value in ast.iter_fields(node)})
    return node


def _simpler(node: Any) -> Any:
    """`t + 1 - 1` as `t`, `t - 1 + 2` as `t + 1`."""
    if isinstance(node, ast.BinOp) and isinstance(node.left, ast.BinOp):
        inner = node.left
        if all(isinstance(n.op, ast.Add | ast.Sub) and isinstance(n.right, ast.Constant) for n in (node, inner)):
            shift = sum(_signed(n) for n in (node, inner))
            if shift == 0:
                return inner.left
            return ast.BinOp(inner.left, ast.Add() if shift > 0 else ast.Sub(), ast.Constant(abs(shift)))
    if isinstance(node, list):
        return [_simpler(part) for part in node]
    if isinstance(node, ast.AST):
        return type(node)(**{field: _simpler(value) for field, value in ast.iter_fields(node)})
    return node


def _signed(node: ast.BinOp) -> int:
    assert isinstance(node.right, ast.Constant)
    value = node.right.value
    assert isinstance(value, int)
    return value if isinstance(node.op, ast.Add) else -value


def _holds(program: Program, loop: Loop, place: ast.expr, name: str) -> bool:
    return all(_holds_in(program, values, place, name) for values in loop.rounds)


def _holds_in(program: Program, values: Mapping[str, Any], place: ast.expr, name: str) -> bool:
    """Whether an expression has, below the loop, the value that a name had in a round."""
    index = {name: value for name, value in values.items() if type(value) is int}
    code = compile(ast.fix_missing_locations(ast.Expression(renamed(place, {}))), "<forward>", "eval")
    try:
        found = eval(code, {"__builtins__": builtins, **program.values, **index})
    except (IndexError, KeyError, TypeError):
        return False
    one, other = as_numpy(found), as_numpy(values[name])
    return one.shape == other.shape and bool((one == other).all())
