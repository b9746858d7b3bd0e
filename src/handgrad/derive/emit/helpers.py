"""Values inside a call of the program that gradients use more than once, as lines of their own."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping

from handgrad.derive.emit.layout import UnsayableError
from handgrad.derive.emit.speaker import Speaker, wrapped
from handgrad.derive.expr import Expr, Factor
from handgrad.derive.indices import Axis
from handgrad.derive.wording.search import tree
from handgrad.derive.wording.tree import Tree, leaves
from handgrad.derive.wording.words import Words

SHORT = 3.5
"""What is no longer than this is said again and again."""


def choose(words: Words, expressions: Iterable[Expr]) -> list[str]:
    """The hidden names to give a line, in the order in which they are made."""
    counts: Counter[str] = Counter()
    for expr in expressions:
        _count(words, tree(words, expr), counts)
    named = {**words.graph.words, **words.graph.adjoints}
    return [n for n in words.graph.definitions if n in named and counts[n] > 1 and _long(words, n)]


def _count(words: Words, made: Tree, counts: Counter[str], within: frozenset[str] = frozenset()) -> None:
    for base in leaves(made):
        if not isinstance(base, Factor) or base.name in within:
            continue
        counts[base.name] += 1
        definition = words.graph.definitions.get(base.name)
        if definition is None or definition.user or not definition.arguments or counts[base.name] > 1:
            continue
        if definition.text:
            counts.update(re.findall("«([^»]*)»", definition.text))
            continue
        for inner in words.inside(base.name):
            _count(words, inner, counts, within | {base.name})


def _long(words: Words, name: str) -> bool:
    return words.own(name) > SHORT


def lines(words: Words, names: Iterable[str]) -> Mapping[str, str]:
    """For each hidden name the line that makes it, given those before it."""
    out: dict[str, str] = {}
    for name in names:
        definition = words.graph.definitions[name]
        speaker = Speaker(words)
        from handgrad.derive.emit.leaves import leaf
        from handgrad.derive.emit.torch import assign

        said = words.graph.adjoints.get(name) or words.graph.words[name]
        if name in words.graph.adjoints:
            variable = next(v for v, g in words.graph.gradients.items() if g == said)
            out[name] = "\n".join(assign(words, said, variable, definition.axes, definition.arguments[0]))
        else:
            try:
                text = leaf(speaker, Factor(name, definition.axes)).text
            except UnsayableError as reason:
                raise UnsayableError(str(reason), definition.line) from None
            out[name] = f"{said} = {text[1:-1] if wrapped(text) else text}"
        words.helpers[name] = said
    return out


__all__ = ["Axis", "choose", "lines"]
