"""The shortest product of names that equals a product: counts * counts_sum**-1 is probs."""

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import NamedTuple

from handgrad.derive.expr import Base, Expr, Factor, Number, element, exact, merged, put_base, ratio, sort_key, term
from handgrad.derive.indices import Form, plain_order, put_index
from handgrad.derive.lower.graph import Indexed
from handgrad.derive.simplify.matching import unify_base
from handgrad.derive.simplify.opening import body, raises, reduce
from handgrad.derive.wording.words import Words

STEPS = 6
Factors = dict[Base, Number]


class Phrase(NamedTuple):
    """A name and a product that it stands for."""

    name: str
    axes: Form
    factors: tuple[tuple[Base, Number], ...]
    coefficient: Number


def phrases(words: Words) -> Mapping[str, list[Phrase]]:
    """The products that have a name, by each name that is in them."""
    if words.phrases is not None:
        return words.phrases
    graph = words.graph
    key = ("phrases", len(graph.definitions))
    if key not in graph.cache:
        found: dict[str, list[Phrase]] = {}
        for phrase in [*_products(words), *exponentials(words)]:
            for name in dict.fromkeys(b.name for b, _ in phrase.factors if isinstance(b, Factor)):
                found.setdefault(name, []).append(phrase)
        graph.cache["phrases", len(graph.definitions)] = found
        graph.cache[key] = found
    return graph.cache[key]


def _products(words: Words) -> Iterator[Phrase]:
    graph = words.graph
    for name, definition in list(graph.definitions.items()):
        found = body(graph, name)
        if found is None:
            continue
        made = Phrase(name, definition.axes, tuple(found.factors.items()), found.coefficient)
        yield made
        ((product, c),) = reduce(graph, Expr([term((), made.factors, made.coefficient)]))
        if product.factors and set(product.factors) != set(made.factors):
            yield Phrase(name, definition.axes, product.factors, c)


def exponentials(words: Words) -> Iterator[Phrase]:
    """exp(z) / s is exp(y) where y is z - log(s)."""
    graph = words.graph
    exps = {}
    for name, d in graph.definitions.items():
        single = d.arguments[0].single() if d.function == "exp" else None
        if single is not None:
            exps[single.name] = name
    for y, d in list(graph.definitions.items()):
        if d.expr is None or len(d.expr) < 2 or not d.user:
            continue
        factors: list[tuple[Base, Number]] = []
        for product, c in d.expr:
            base = product.factors[0][0] if len(product.factors) == 1 and not product.bound else None
            if not isinstance(base, Factor) or product.factors[0][1] != 1:
                break
            inner = graph.definitions.get(base.name)
            if base.name in exps:
                factors.append((Factor(exps[base.name], base.indices), c))
            elif inner is not None and inner.function == "log" and (s := inner.arguments[0].single()) is not None:
                places = dict(zip(inner.axes, base.indices, strict=True))
                factors.append((put_base(s, {k: v for k, v in places.items() if k and v}), c))
            else:
                break
        else:
            made = graph.apply("exp", (element(y, d.axes),), d.axes).expr.single()
            assert made is not None
            yield Phrase(made.name, d.axes, tuple(factors), 1)
    _ = Indexed


def reword(words: Words, factors: Factors) -> tuple[Factors, Number]:
    """The cheapest factors found that come to the same, and the number in front of them."""
    known = phrases(words)
    best = state = words.factors(factors.items()), factors, 1
    for _ in range(STEPS):
        options = list(_options(words, known, state[1], state[2]))
        if not options:
            break
        state = min(options, key=lambda o: (o[0], sorted(map(sort_key, o[1]))))
        if state[0] >= best[0]:
            break
        best = state
    return best[1], best[2]


def _options(words: Words, known, factors: Factors, coefficient: Number):
    names = {b.name for b in factors if isinstance(b, Factor)}
    for phrase in dict.fromkeys(p for n in sorted(names) for p in known.get(n, ()) if p.name not in words.open):
        for places in _places(phrase, factors):
            here = Factor(phrase.name, tuple(put_index(i, places) for i in phrase.axes))
            put = [(put_base(b, places), q) for b, q in phrase.factors]
            for power in {exact(Fraction(factors[b]) / q) for b, q in put if b in factors}:
                if Fraction(power).denominator > 2 or (phrase.coefficient != 1 and not isinstance(power, int)):
                    continue
                if isinstance(power, Fraction) and not _raises(words, phrase, power):
                    continue
                made = merged([*factors.items(), (here, power), *((b, -q * power) for b, q in put)])
                if any(q < min(0, factors.get(b, 0)) for b, q in made.items() if b != here):
                    continue  # a division that was not there might be by zero
                if power < 0 and any(q > max(0, factors.get(b, 0)) for b, q in made.items()):
                    continue  # and so might one by the name
                unit = Fraction(phrase.coefficient) ** power if isinstance(power, int) else 1
                yield words.factors(made.items()), made, ratio(coefficient, unit)


def _raises(words: Words, phrase: Phrase, power: Number) -> bool:
    found = body(words.graph, phrase.name)
    return found is not None and raises(words.graph, found, power)


def _places(phrase: Phrase, factors: Factors):
    """The indices with which at least one factor of a phrase is there."""
    needed = [a for i in phrase.axes for a in plain_order(i)]
    seen = []
    for pattern, _ in phrase.factors:
        for base in factors:
            places = unify_base(pattern, base, {})
            if places is None:
                continue
            for other, _ in phrase.factors:
                for found in factors:
                    places = unify_base(other, found, places) or places
            if places not in seen and all(a in places for a in needed):
                seen.append(places)
                yield dict(places)
