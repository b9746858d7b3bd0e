"""Which expressions cannot be negative, from their definitions."""

from handgrad.derive.expr import Base, Delta, Expr, Number
from handgrad.derive.lower.graph import Graph
from handgrad.derive.lower.sizes import is_size

POSITIVE = frozenset({"exp", "exp2", "sigmoid", "softplus", "erfc", "cosh"})


def is_positive(graph: Graph, base: Base, power: Number = 1) -> bool:
    """Whether a factor to this power is never negative, at any data."""
    if isinstance(base, Delta) or is_size(base.name) or base.name[0].isdigit() or power % 2 == 0:
        return True
    if base.name == "torch.pi" or base.name in graph.masks:
        return True
    definition = graph.definitions.get(base.name)
    if definition is None:
        return False
    if definition.function == "constant":
        return not definition.axes and base.name in graph.values and float(graph.values[base.name]) > 0
    if definition.function:
        return definition.function in POSITIVE
    return never_negative(graph, definition.arguments[0])


def never_negative(graph: Graph, expr: Expr) -> bool:
    """Whether each term of a sum is never negative."""
    return all(c > 0 and all(is_positive(graph, b, p) for b, p in product.factors) for product, c in expr)
