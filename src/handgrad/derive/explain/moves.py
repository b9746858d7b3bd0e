"""From the chain rule of one variable to its result: the equal forms on the way, and what makes them equal."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from handgrad.derive.derivative import form_of
from handgrad.derive.explain.definitions import used
from handgrad.derive.explain.equations import Equation
from handgrad.derive.expr import Delta, Expr, Factor
from handgrad.derive.indices import Axis, Form, Gathered, Index, fresh
from handgrad.derive.shortest import insert, places
from handgrad.derive.simplify.normal import multiplied_out, normal
from handgrad.derive.simplify.reasons import Reason
from handgrad.derive.sweep import gradient_name, shortened
from handgrad.derive.wording.products import summed
from handgrad.derive.wording.search import tree
from handgrad.derive.wording.tree import Add, Flat, Leaf, Mul, Num, Sum, Tree, put_tree, times
from handgrad.derive.wording.words import Words


class Move(NamedTuple):
    """One of the equal forms: as a tree, with the variables whose gradients were put in, and the facts used."""

    tree: Tree
    put: tuple[str, ...] = ()
    reasons: tuple[Reason, ...] = ()


class Moves(NamedTuple):
    """All forms of one gradient, the chain rule first and the shortest last, and the last as an expression."""

    forms: tuple[Move, ...]
    result: Expr

    @property
    def last(self) -> Tree:
        """The shortest form as it is shown."""
        return self.forms[-1].tree


def moves(words: Words, literal: Words, equation: Equation, known: Mapping[str, Moves]) -> Moves:
    """The forms of a gradient.

    Args:
        words: words for the short forms.
        literal: words that give no product another name.
        equation: the chain rule.
        known: the gradients that are put in, by variable.
    """
    graph, form = words.graph, form_of(words.graph, equation.name)
    total, reasons = _shortest(words, form, equation.total)
    forms = [Move(added([tree(literal, share.expr) for share in equation.shares]))]
    forms += _shorter(words, forms[-1].tree, tree(words, total), reasons)
    put = {u: made for u, made in known.items() if gradient_name(graph, u) in total.names()}
    if not put:
        return Moves(_settled(forms), total)
    if not reasons and not used(graph, forms[0].tree, forms[-1].tree):
        del forms[1:]
    inserted = total
    for user, made in put.items():
        inserted = insert(inserted, gradient_name(graph, user), made.result, form_of(graph, user))
    trees = {gradient_name(graph, u): (form_of(graph, u), made.last) for u, made in put.items()}
    forms.append(Move(put_in(forms[-1].tree, trees), tuple(put)))
    result, reasons = _shortest(words, form, inserted)
    if equation.laid_beside():
        return Moves(_settled(forms[:1]), result)
    if reasons and _has_inner_sums(forms[-1].tree):
        forms.append(Move(tree(words, multiplied_out(graph, inserted))))
    forms += _shorter(words, forms[-1].tree, tree(words, result), reasons)
    return Moves(_settled(forms), result)


def _shorter(words: Words, before: Tree, after: Tree, reasons: tuple[Reason, ...]) -> list[Move]:
    """The next form, where it is more than the same in another order."""
    if _arrangement(before) == _arrangement(after) or (not reasons and words.cost(after) >= words.cost(before)):
        return []
    return [Move(after, (), reasons)]


def _arrangement(tree: Tree) -> tuple:
    """What a tree is made of, whatever the order of sums and products and the names of indices."""
    match tree:
        case Leaf(Factor(name)):
            return ("leaf", name)
        case Leaf():
            return ("delta",)
        case Num(value):
            return ("number", value)
        case Add(parts):
            return ("add", *sorted(map(repr, map(_arrangement, parts))))
        case Sum(over, body):
            return ("sum", len(over), _arrangement(body))
        case Mul(coefficient, parts):
            return ("product", coefficient, *sorted(repr((_arrangement(part), power)) for part, power in parts))
        case Flat(body, group):
            return ("flat", len(group), _arrangement(body))
    raise TypeError(tree)


def _has_inner_sums(tree: Tree, *, inside: bool = False) -> bool:
    """Whether a sum over indices is over a sum: of terms, or over other indices."""
    match tree:
        case Add(parts):
            return inside or any(_has_inner_sums(part) for part in parts)
        case Sum(_, body):
            return inside or _has_inner_sums(body, inside=True)
        case Mul(_, parts):
            return any(_has_inner_sums(part, inside=inside) for part, _ in parts)
    return False


def _settled(forms: Sequence[Move]) -> tuple[Move, ...]:
    return tuple(move._replace(tree=settled(move.tree)) for move in forms)


def settled(tree: Tree) -> Tree:
    """The tree with a letter beside [Y_i = j] where Y_i stands: [Y_i = j] / p_ij is the same and reads better."""
    match tree:
        case Add(parts):
            return Add(tuple(map(settled, parts)))
        case Sum(over, body):
            return Sum(over, settled(body))
        case Flat(body, group, axis):
            return Flat(settled(body), group, axis)
        case Mul(coefficient, parts):
            mapping: dict[Index, Index] = {}
            for part, _ in parts:
                if isinstance(part, Leaf) and isinstance(part.base, Delta):
                    left, right = part.base
                    if isinstance(left, Axis) and isinstance(right, Gathered):
                        mapping[right] = left
                    elif isinstance(right, Axis) and isinstance(left, Gathered):
                        mapping[left] = right
            return Mul(coefficient, tuple((_lettered(part, mapping), power) for part, power in parts))
    return tree


def _lettered(tree: Tree, mapping: Mapping[Index, Index]) -> Tree:
    """The settled tree with others in place of some indices, but not in deltas."""
    match tree:
        case Leaf(Delta()):
            return tree
        case Add(parts):
            return Add(tuple(_lettered(part, mapping) for part in parts))
        case Sum(over, body):
            return Sum(over, _lettered(body, mapping))
        case Flat():
            return settled(tree)
        case Mul(coefficient, parts):
            inside = settled(tree)
            assert isinstance(inside, Mul)
            return Mul(coefficient, tuple((_lettered(part, mapping), power) for part, power in inside.parts))
    return put_tree(tree, dict(mapping))


def _shortest(words: Words, form: Form, expr: Expr) -> tuple[Expr, tuple[Reason, ...]]:
    words.graph.reasons = []
    made = shortened(words, form, normal(words.graph, expr))
    return made, tuple(dict.fromkeys(words.graph.reasons))


def added(parts: list[Tree]) -> Tree:
    """The sum of trees, without sums in it and zeros."""
    flat: list[Tree] = []
    for part in parts:
        flat += part.parts if isinstance(part, Add) else () if part == Num(0) else (part,)
    return Num(0) if not flat else flat[0] if len(flat) == 1 else Add(tuple(flat))


def put_in(tree: Tree, values: Mapping[str, tuple[Form, Tree]]) -> Tree:
    """The tree with others in place of names, each given over the indices of a form."""
    match tree:
        case Leaf(Factor(name, indices)) if name in values:
            form, value = values[name]
            return put_tree(_refreshed(value), places(form, indices))
        case Add(parts):
            return added([put_in(part, values) for part in parts])
        case Sum(over, body):
            made = put_in(body, values)
            return made if made == Num(0) else summed(over, made)
        case Flat(body, group, axis):
            return Flat(put_in(body, values), group, axis)
        case Mul(coefficient, parts):
            plain = [put_in(part, values) for part, power in parts if power == 1]
            rest = tuple((part, power) for part, power in parts if power != 1)
            return times(coefficient, *plain, *([Mul(1, rest)] if rest else []))
    return tree


def _refreshed(tree: Tree) -> Tree:
    """The tree with indices of its own for those that it sums over."""
    match tree:
        case Sum(over, body):
            own = tuple(fresh(axis.size) for axis in over)
            return Sum(own, put_tree(_refreshed(body), dict(zip(over, own, strict=True))))
        case Add(parts):
            return Add(tuple(map(_refreshed, parts)))
        case Mul(coefficient, parts):
            return Mul(coefficient, tuple((_refreshed(part), power) for part, power in parts))
    return tree
