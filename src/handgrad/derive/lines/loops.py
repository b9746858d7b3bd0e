"""Undo loops: what rounds do is undone round by round, from the last to the first."""

import ast
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from handgrad.derive.emit.source import written
from handgrad.derive.lines.block import Block, Done, made_in
from handgrad.derive.lines.broadcast import summed
from handgrad.derive.lines.overwriting import overwritten_reads
from handgrad.derive.lines.remembering import Remembered
from handgrad.derive.lines.running import example_like, shape_of
from handgrad.derive.lines.sizes import Sizes
from handgrad.derive.lines.steps import Round, Step, Term, uses
from handgrad.derive.lines.terms import rebuilt, variable
from handgrad.derive.read.program import Carried, Loop
from handgrad.derive.rules import UncoveredError
from handgrad.errors import DeriveError


def undo_loop(outer: Block, loop: Loop) -> None:
    """Undo a loop of a block, and send back what comes to what it starts from."""
    if gone := overwritten_reads(outer.scope.program, loop):
        raise DeriveError(f"rounds read {', '.join(gone)} before that is written anew", where=loop.where)
    made = made_in(loop)
    sums = [c for c in loop.carried if c.summed and c.leaving in outer.examples]
    given = [name for name in outer.examples if name in made and name not in {c.leaving for c in sums}]
    block = _round(outer, loop, given, ())
    while more := list(_given_later(loop, block, [*given, *(c.leaving for c in sums)])):
        given += more
        block = _round(outer, loop, given, ())
    passed = [c for c in loop.carried if c.leaving in given and c.entering in block.examples]
    shared = [c for c in passed if _may_share(block, c)]
    if shared:
        block = _round(outer, loop, given, shared)
    ends = {c.entering for c in sums}
    steps = tuple(done for done in block.steps if isinstance(done[1], Round) or done[1].name not in ends)
    if steps:
        names = [*given, *dict.fromkeys(name for name in _variables(steps) if name not in made)]
        outer.gradients = block.gradients
        outer.steps.append((loop, _turned(outer, loop, steps, names, passed, shared)))
        outer.examples.update({name: block.examples[name] for name in names})
    _send_to_starts(outer, loop, [*passed, *sums])


def _round(outer: Block, loop: Loop, given: Iterable[str], shared: Iterable[Carried]) -> Block:
    """One round of a loop undone, where gradients of some names come from the round after it."""
    scope = outer.scope.inside(loop)
    gradients = outer.gradients.copy()
    for carried in shared:
        gradients.share(carried.entering, carried.leaving)
    examples = dict(outer.examples)
    examples.update({name: example_like(scope.value(variable(name))) for name in given})
    block = Block(scope, Sizes(scope, outer.sizes), gradients, examples, (*outer.loops, loop))
    block.undo(loop.body)
    return block


def _given_later(loop: Loop, block: Block, given: Sequence[str]) -> Iterator[str]:
    """Names whose gradients come from the round after, as that sends some back to what it found."""
    for carried in loop.carried:
        if carried.leaving not in given and carried.entering in block.examples:
            yield carried.leaving


def _may_share(block: Block, carried: Carried) -> bool:
    """Whether the gradient of what a round found can have the name of that of what it left behind.

    That is so where the second is not needed any more when the first is begun, or, where the first begins as the
    second, when it is changed.
    """
    old = block.gradients.of(carried.leaving)
    steps = [step for _, step in _flat(block.steps)]
    first, *others = (k for k, step in enumerate(steps) if step.name == carried.entering)
    value = steps[first].value
    begun = steps[first].place is None and isinstance(value, ast.Name) and value.id == old
    change = next(iter(others), len(steps)) if begun else first
    return not any(
        (step.name == carried.leaving and k > first) or (k > change and any(uses(p, old) for p in step.expressions()))
        for k, step in enumerate(steps)
    )


def _turned(
    outer: Block,
    loop: Loop,
    steps: Sequence[Done],
    names: Sequence[str],
    passed: Sequence[Carried],
    shared: Sequence[Carried],
) -> Round:
    """The loop of the backward pass."""
    remembered = Remembered(outer, loop, [step for _, step in steps])
    following = {c.leaving: c.entering for c in passed}
    same = {c.leaving for c in shared}
    made = made_in(loop)
    return Round(
        f"for {loop.variable} in {written(loop.backwards)}:",
        tuple(remembered.opening),
        tuple(_with_values(steps, remembered)),
        tuple(names),
        tuple((name, following.get(name, "")) for name in names if name in made and name not in same),
        remembered.likes,
    )


def _with_values(steps: Iterable[Done], remembered: Remembered) -> Iterator[Done]:
    """Steps that read what rounds did where it was kept."""
    for part, step in steps:
        if isinstance(step, Round):
            opening = tuple((names, rebuilt(value, remembered.read)) for names, value in step.opening)
            yield part, replace(step, opening=opening, steps=tuple(_with_values(step.steps, remembered)))
        else:
            yield part, step.rebuilt(remembered.read)


def _flat(steps: Iterable[Done]) -> Iterator[tuple[object, Step]]:
    for part, step in steps:
        if isinstance(step, Round):
            yield from _flat(step.steps)
        else:
            yield part, step


def _variables(steps: Iterable[Done]) -> Iterator[str]:
    """The variables to whose gradients steps add."""
    for _, step in steps:
        if isinstance(step, Round):
            yield from step.names
        elif not step.hint:
            yield step.name


def _send_to_starts(outer: Block, loop: Loop, carried: Sequence[Carried]) -> None:
    """Send back what comes to the names, lists, dicts and tensors that a loop starts from."""
    sending = outer.sending()
    try:
        for one in carried:
            start = variable(one.start)
            if outer.scope.active(start):
                left = variable(one.leaving)
                shapes = shape_of(outer.scope.value(left)), shape_of(outer.scope.value(start))
                sending.send(
                    start, summed(outer.upstream(one.leaving), *shapes, lambda d, n=left: outer.sizes.of(n, d))
                )
        for stored in loop.stored:
            same = isinstance(stored.start, ast.Name) and stored.start.id == stored.name
            if same or stored.name not in outer.examples or not outer.scope.active(stored.start):
                continue
            gradient = variable(outer.gradients.of(stored.name))
            match stored.start:
                case ast.List(parts):
                    pairs = [(ast.Constant(i), part) for i, part in enumerate(parts)]
                case ast.Dict(keys, parts):
                    pairs = [(key, part) for key, part in zip(keys, parts, strict=True) if key is not None]
                case start:
                    sending.send(start, Term(gradient, outer.examples[stored.name]))
                    continue
            for key, part in pairs:
                if outer.scope.active(part):
                    element = ast.Subscript(gradient, key, ast.Load())
                    sending.send(part, Term(element, example_like(outer.scope.value(part))))
    except UncoveredError as error:
        raise DeriveError(str(error), where=loop.where) from error
    outer.take(loop, sending)
