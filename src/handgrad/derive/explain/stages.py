"""From the chain rule of one variable to its result: the equal forms on the way, as trees, and what makes them equal."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from handgrad.derive.derivative import form_of
from handgrad.derive.expr import Axis, Expr, Factor, Form, Index, fresh
from handgrad.derive.explain.equations import Equation, names_in
from handgrad.derive.lower.graph import Graph
from handgrad.derive.shortest import insert, places
from handgrad.derive.simplify.normal import multiplied_out, normal
from handgrad.derive.simplify.sums import Reason
from handgrad.derive.sweep import gradient_name, shortened
from handgrad.derive.wording.search import tree
from handgrad.derive.wording.tree import Add, Leaf, Mul, Num, Sum, Tree, put_tree, times
from handgrad.derive.wording.words import Words


@dataclass(frozen=True)
class Form_:
    """One of the equal forms: the tree, the gradients that were put in, and the facts that were used."""

    tree: Tree
    put: tuple[str, ...] = ()
    reasons: tuple[Reason, ...] = ()
