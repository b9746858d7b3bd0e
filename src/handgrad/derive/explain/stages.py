"""From the chain rule of one variable to its result: the equal forms on the way, as trees, and why they are equal."""

from dataclasses import dataclass

from handgrad.derive.simplify.sums import Reason
from handgrad.derive.wording.tree import Tree


@dataclass(frozen=True)
class FormStage:
    """One of the equal forms: the tree, the gradients that were put in, and the facts that were used."""

    tree: Tree
    put: tuple[str, ...] = ()
    reasons: tuple[Reason, ...] = ()
