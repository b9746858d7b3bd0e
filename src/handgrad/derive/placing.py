"""A backward pass where the user puts it: below their own lines, or with the forward pass in the place of those."""

import ast
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from types import ModuleType
from typing import Any

from handgrad.derive.backward import Backward
from handgrad.derive.emit.source import written
from handgrad.derive.read.program import Carried, Line, Loop, Program
from handgrad.derive.read.steps import names_made, names_used, renamed_steps, started
from handgrad.derive.styling import changed

IN_THE_PLACE = "# in the place of the forward lines: what the lines below them read has a name of its own"


def in_place(program: Program, lines: Backward) -> Backward:
    """The lines with what the user writes for a parameter that has no name, `self.W` or `params["W"]`."""
    if not program.bindings:
        return lines
    nodes = ast.walk(ast.parse("\n".join(lines.recomputed)))
    made = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    bindings = {name: text for name, text in program.bindings.items() if name not in made}
    words = {name: written(ast.parse(text, mode="eval").body) for name, text in bindings.items()}
    return changed(lines, lambda source: exchanged(source, words))


def standing(program: Program, lines: Backward) -> Backward:
    """The lines with the forward pass before them, where they need values that are gone below the user's own lines."""
    program = lines.below or program
    lines = _by_element(program, lines)
    made = set(names_made(program.statements))
    read = {node.id for node in ast.walk(ast.parse(lines.source)) if isinstance(node, ast.Name)}
    if read & made <= program.kept:
        return lines
    words = {name: own for name, own in program.lasting.items() if name in read and own not in read}
    below = _in_words(lines, words, made)
    values = {**program.values, **{own: program.values[name] for name, own in words.items()}}
    if read & made - words.keys() <= program.kept and _same_gradients(program, lines, below, values):
        return below
    words = dict(_words(program, read))
    below = _with_forward(program, _in_words(lines, words, made), words)
    if _same_gradients(program, lines, below, program.before):
        return below
    return _with_forward(program, lines, {})


def _by_element(program: Program, lines: Backward) -> Backward:
    """The lines without those that name the gradients of a list's elements, which are elements themselves."""
    found = {name: re.fullmatch(r"(\w+)\[\d+\]", text) for name, text in program.bindings.items()}
    named = {lines.gradients[name]: f"d{at[0]}" for name, at in found.items() if at and name in lines.gradients}
    same = {f"{gradient} = {text}": gradient for gradient, text in named.items()}
    dropped = {same[line.source] for line in lines.lines if line.source in same}
    kept = tuple(line for line in lines.lines if line.source not in same)
    gradients = {name: named[d] if d in dropped else d for name, d in lines.gradients.items()}
    return replace(lines, lines=kept, gradients=gradients)


def _in_words(lines: Backward, words: Mapping[str, str], made: Collection[str]) -> Backward:
    """The lines with other words for some names and their gradients."""
    gradients = {f"d{name}": f"d{word}" for name, word in words.items() if f"d{name}" not in made}
    other = changed(lines, lambda source: _without_aliases(exchanged(source, {**words, **gradients})))
    own = (replace(line, gradient=gradients.get(line.gradient, line.gradient)) for line in other.lines if line.source)
    names = {name: gradients.get(gradient, gradient) for name, gradient in lines.gradients.items()}
    upstream = gradients.get(lines.upstream, lines.upstream) if lines.upstream else None
    return replace(other, lines=tuple(own), gradients=names, upstream=upstream)


def _with_forward(program: Program, lines: Backward, words: Mapping[str, str]) -> Backward:
    """The lines below the forward pass in these words."""
    modules = {name: text for name, text in program.bindings.items() if isinstance(program.values[name], ModuleType)}
    made = (step for step in program.statements if not program.is_given(step))
    forward = replace(program, statements=tuple(in_words(made, words)), bindings=modules)
    return replace(lines, recomputed=(f"{IN_THE_PLACE}\n{forward.source}\n",))


def _same_gradients(program: Program, one: Backward, other: Backward, before: Mapping[str, Any]) -> bool:
    """Whether lines make the same gradients in other words, from given values on, at the program's own."""
    from handgrad.derive.verify.layout import as_numpy
    from handgrad.derive.verify.running import copied, quietly

    found = []
    with quietly():
        for lines, values in ((one, program.values), (other, before)):
            run = {name: copied(value) for name, value in values.items()}
            if lines.upstream is not None:
                run[lines.upstream] = copied(program.values[program.output])
            try:
                exec(lines.source, run)
                found.append([as_numpy(eval(gradient, run)) for gradient in lines.gradients.values()])
            except Exception:  # a name that is not there any more
                return False
    return all(a.shape == b.shape and bool((a == b).all()) for a, b in zip(*found, strict=True))


def _words(program: Program, read: set[str]) -> Iterator[tuple[str, str]]:
    """The names that a loop leaves behind and that may have that of what it starts from, as in the user's own lines."""
    for k, loop in enumerate(program.statements):
        if not isinstance(loop, Loop):
            continue
        later = names_used(program.statements[k + 1 :]) | names_used(loop.body) | set(program.outputs) | read
        for carried in loop.carried:
            start, left = carried.start, carried.leaving
            same = program.renamed.get(left, left) == program.renamed.get(start, start)
            if same and start not in later and start in program.before:
                yield left, start
        for stored in loop.stored:
            start, left = started(stored), stored.name
            if start in program.before and start not in later and program.renamed.get(left, left) == start:
                yield left, start


def in_words(statements: Iterable[Line | Loop], words: Mapping[str, str]) -> Iterator[Line | Loop]:
    """Statements with other names, in which a round that needs what it found no more writes over it."""
    for statement in statements:
        step = statement
        if isinstance(statement, Loop):
            entering = {c.entering: c.leaving for c in statement.carried if _is_written_over(statement, c)}
            step = replace(statement, body=tuple(renamed_steps(statement.body, entering)))
            carried = (replace(c, entering=entering.get(c.entering, c.entering)) for c in statement.carried)
            step = replace(step, carried=tuple(carried))
        yield from renamed_steps([step], words)


def _is_written_over(loop: Loop, carried: Carried) -> bool:
    """Whether a round does not need what it found once it has made what it leaves behind."""
    at = next((k for k, step in enumerate(loop.body) if carried.leaving in names_made([step])), None)
    if at is None or not isinstance(loop.body[at], Line):
        return False
    return carried.entering not in names_used(loop.body[at + 1 :])


def _without_aliases(source: str) -> str:
    """The source without lines that give a name to itself."""
    kept = [line for line in source.split("\n") if not _is_alias(line)]
    return "\n".join(kept)


def _is_alias(line: str) -> bool:
    left, equals, right = line.strip().partition(" = ")
    return bool(equals) and left == right


def exchanged(source: str, words: Mapping[str, str]) -> str:
    """The source with other words for names.

    >>> exchanged("dx = da @ W.T  # W", {"W": 'params["W"]'})
    'dx = da @ params["W"].T  # W'
    """
    lines = source.encode().split(b"\n")
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name) and node.id in words]
    for node in sorted(nodes, key=lambda node: (node.lineno, node.col_offset), reverse=True):
        line = lines[node.lineno - 1]
        lines[node.lineno - 1] = line[: node.col_offset] + words[node.id].encode() + line[node.end_col_offset :]
    return b"\n".join(lines).decode()
