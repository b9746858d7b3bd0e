"""Why two forms of a gradient are equal, in words."""

from collections.abc import Iterator, Sequence

from handgrad.derive.derivative import form_of
from handgrad.derive.emit.formula import Formula, Relation, Where, equal
from handgrad.derive.emit.letters import Names
from handgrad.derive.emit.notation import Notation
from handgrad.derive.explain.definitions import used
from handgrad.derive.explain.equations import tidied
from handgrad.derive.explain.explanation import Prose, Quote
from handgrad.derive.expr import Base, Delta, Expr, Factor, axes_of, element, opened, term
from handgrad.derive.indices import Axis
from handgrad.derive.lower.graph import is_hidden
from handgrad.derive.simplify.matching import unify_all
from handgrad.derive.simplify.normal import normal
from handgrad.derive.simplify.opening import instance
from handgrad.derive.simplify.reasons import Reason
from handgrad.derive.sweep import gradient_name
from handgrad.derive.wording.products import connected
from handgrad.derive.wording.rewording import Phrase, exponentials
from handgrad.derive.wording.tree import Add, Leaf, Mul, Sum, Tree, leaves


class Reasons:
    """Says reasons in the notation of one derivation."""

    def __init__(self, notation: Notation):
        """Start with nothing said."""
        self.notation, self.graph = notation, notation.graph

    def put(self, variables: Sequence[str]) -> Prose:
        """Which gradients were put in."""
        names = [Quote(gradient_name(self.graph, v)) for v in variables]
        return (*listed(names), " put in")

    def facts(self, reasons: Sequence[Reason], names: Names) -> Iterator[Prose]:
        """What was known of sums and masks."""
        waiting: list[Reason] = []
        for reason in reasons:
            if reason.kind == "named sum":
                waiting.append(reason)
            elif reason.kind in ("zero by definition", "simple by definition"):
                yield from self._by_definition(reason, waiting, names)
                waiting = []
            else:
                yield from self._plain(reason, names)
        for reason in waiting:
            yield from self._plain(reason, names)

    def _plain(self, reason: Reason, names: Names) -> Iterator[Prose]:
        kind, name, before, after = reason
        match kind:
            case "named sum" if not is_hidden(name):
                yield (self.equation(before, after, names), ", by the definition of ", Quote(name))
            case "sums to one":
                yield (self.equation(before, after, names), ": the probabilities that a softmax gives add up to one")
            case "own square":
                yield (self.equation(before, after, names),)
            case "rest":
                yield (self._rest(reason),)
            case "zero outside":
                yield (self.equation(before, after, names), ": a softmax is zero where its mask is")

    def _by_definition(self, reason: Reason, sums: Sequence[Reason], names: Names) -> Iterator[Prose]:
        """A sum that comes to little with a definition put in: the sum, with the definition, and what is left."""
        ((product, _),) = reason.before
        bound, factors = opened(product)
        groups = [(over, list(group.items())) for over, group in connected(frozenset(bound), dict(factors)) if over]
        over, inside = min((s for s in groups if any(_is(b, reason.name) for b, _ in s[1])), key=lambda s: len(s[1]))
        base = next(b for b, _ in inside if isinstance(b, Factor) and _is(b, reason.name))
        definition = instance(self.graph.definitions[reason.name], base)
        assert definition is not None
        whole = Expr([term(over, inside)])
        rest = Expr([term((), [(b, p) for b, p in inside if b != base])])
        middle = tidied(self.graph, (definition * rest).sum(over))
        after = normal(self.graph, whole)
        known = dict(names)
        said = self.equation(whole, middle, known)
        prose: list = [] if is_hidden(reason.name) else ["by the definition of ", Quote(reason.name), ", "]
        prose.append(Relation(said, "=", self.notation.expression(after, known)))
        found = [r for r in sums if not is_hidden(r.name) and r.before.names() <= middle.names()]
        for k, other in enumerate(found):
            prose += [", since " if k == 0 else " and ", self.equation(other.before, other.after, known)]
        yield tuple(prose)

    def definitions(self, before: Tree, after: Tree, told: Sequence[str]) -> Iterator[Prose]:
        """What the names stand for that are on one side only; those told of already are left out."""
        found = used(self.graph, before, after)
        names = [name for name in reversed(self.graph.definitions) if name in found and name not in told]
        if names:
            yield (*listed([self._definition(name) for name in names]), " by definition")
        for phrase in exponentials(self.notation.words):
            if phrase.name in _leaves(after) ^ _leaves(before):
                yield (self._phrase(phrase),)

    def _definition(self, name: str) -> Formula:
        letters, form = self.notation.letters.of(name), form_of(self.graph, name)
        return equal(self.notation.variable(name, form, letters), self.notation.defined(name, form, letters))

    def _rest(self, reason: Reason) -> Formula:
        """That a term of a sum, divided by the sum, is one less the others: e / (1 + e) = 1 - 1 / (1 + e)."""
        letters, form = self.notation.letters.of(reason.name), form_of(self.graph, reason.name)
        axes = self.graph.definitions[reason.name].axes
        places = dict(unify_all(axes, form, {}) or {})
        under = element(reason.name, axes, -1)
        left, right = ((expr * under).put(places) for expr in (reason.before, reason.after))
        return equal(self.notation.terms(left, letters), self.notation.terms(right, letters))

    def _phrase(self, phrase: Phrase) -> Formula:
        letters = self.notation.letters.of(phrase.name)
        places = dict(unify_all(phrase.axes, form_of(self.graph, phrase.name), {}) or {})
        made = Expr([term((), phrase.factors, phrase.coefficient)]).put(places)
        own = element(phrase.name, phrase.axes).put(places)
        return equal(self.notation.terms(own, letters), self.notation.terms(made, letters))

    def picked(self, before: Tree, after: Tree, names: Names) -> Iterator[Prose]:
        """Where a sum over [Y_i = j] is gone: what it leaves."""
        gone = set(_chosen(before)) - set(_chosen(after))
        for base in sorted(gone, key=repr):
            known = dict(names)
            for axis in sorted(axes_of(base) - set(known), key=repr):
                known[axis] = self.notation.letters.free(axis, known.values())
            where = self.notation.tree(Leaf(base), known)
            assert isinstance(where, Where)
            yield ("only the term with ", where.condition, " is left of the sum")

    def equation(self, before: Expr, after: Expr, names: Names) -> Formula:
        """Two expressions that are equal, the second in the program's words where it is one product."""
        known = dict(names)
        for axis in sorted(before.free() | after.free(), key=repr):
            if axis not in known:
                known[axis] = self.notation.letters.free(axis, known.values())
        said = self.notation.expression if len(after) == 1 else self.notation.terms
        return equal(self.notation.terms(before, known), said(after, known))


def _chosen(tree: Tree, bound: frozenset[Axis] = frozenset()) -> Iterator[Delta]:
    """The deltas in a tree that have an index of a sum around them."""
    match tree:
        case Leaf(Delta() as base) if not axes_of(base).isdisjoint(bound):
            yield base
        case Add(parts):
            for part in parts:
                yield from _chosen(part, bound)
        case Mul(_, parts):
            for part, _ in parts:
                yield from _chosen(part, bound)
        case Sum(over, body):
            yield from _chosen(body, bound | set(over))


def _leaves(tree: Tree) -> set[str]:
    return {b.name for b in leaves(tree) if isinstance(b, Factor)}


def _is(base: Base, name: str) -> bool:
    return isinstance(base, Factor) and base.name == name


def listed(parts: Sequence) -> tuple:
    """`a, b and c`."""
    out: list = []
    for k, part in enumerate(parts):
        out += [" and " if k == len(parts) - 1 else ", "] if k else []
        out.append(part)
    return tuple(out)
