"""What comes back through each function: one entry a function, in the file of its family."""

import ast

from handgrad.derive.rules import (  # noqa: F401
    attention,
    images,
    indexing,
    joining,
    linalg,
    losses,
    norms,
    products,
    reductions,
    shapes,
    softmaxes,
)
from handgrad.derive.rules.activations import sloped
from handgrad.derive.rules.adjoint import ADJOINTS, Adjoint, Back, Into, Site, UncoveredError
from handgrad.derive.rules.definitions import definition_of
from handgrad.derive.rules.elementwise import FROM_VALUE, SLOPES
from handgrad.derive.rules.pointwise import POINTWISE

__all__ = ["Adjoint", "Back", "Into", "Site", "UncoveredError", "definition_of", "rule_of"]


def rule_of(name: str) -> Adjoint | None:
    """The rule of a function by its name; None where it has none, and may have a definition."""
    if name in ADJOINTS:
        return ADJOINTS[name]
    if name in POINTWISE:
        return Adjoint(lambda _: Back(POINTWISE[name]), lazy=True, broadcasts=True)
    if name in SLOPES:
        return Adjoint(lambda site: sloped(slope_of(site)), lazy=True)
    return None


def slope_of(site: Site) -> str:
    """The slope of an elementwise function, by its value where only that has a name."""
    if site.name in FROM_VALUE and "y" in site.named and not isinstance(site.parts["x"], ast.Name):
        return FROM_VALUE[site.name]
    return SLOPES[site.name]
