"""What comes back through each function: one entry a function, in the file of its family."""

from handgrad.derive.rules import indexing, products, reductions, shapes  # noqa: F401
from handgrad.derive.rules.adjoint import ADJOINTS, Adjoint, Back, Into, Site, UncoveredError
from handgrad.derive.rules.elementwise import SLOPES
from handgrad.derive.rules.pointwise import POINTWISE

__all__ = ["Adjoint", "Back", "Into", "Site", "UncoveredError", "rule_of"]


def rule_of(name: str) -> Adjoint | None:
    """The rule of a function by its name; None where there is none."""
    if name in POINTWISE:
        return Adjoint(lambda _: Back(POINTWISE[name]), lazy=True)
    if name in SLOPES:
        return Adjoint(lambda _: Back({"x": _times_dy(SLOPES[name])}), lazy=True)
    return ADJOINTS.get(name)


def _times_dy(slope: str) -> str:
    return f"dy / {slope.removeprefix('1 / ')}" if slope.startswith("1 / ") else f"({slope}) * dy"
