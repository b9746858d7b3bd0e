"""What expressions come to in numbers, so that every step can be checked."""

import math
import string

import torch
from torch.nn import functional

from handgrad.derive.expr import Base, Expr, Factor, Product, axes_of, opened
from handgrad.derive.indices import Affine, Axis, Gathered, Index, extent, plain_order
from handgrad.derive.lower.graph import Graph, Indexed
from handgrad.derive.lower.sizes import is_size

PLACES = (torch, functional, torch.special)


def value(graph: Graph, indexed: Indexed) -> torch.Tensor:
    """The numbers of an expression, with the axes that it has."""
    free = list(dict.fromkeys(axis for index in indexed.axes for axis in plain_order(index)))
    total = torch.zeros([axis.size.number for axis in free], dtype=torch.float64)
    for product, coefficient in indexed.expr:
        total = total + float(coefficient) * _product(graph, opened(product), free)
    return total.reshape([extent(index) for index in indexed.axes])


def named(graph: Graph, name: str) -> torch.Tensor:
    """The numbers of a named tensor."""
    if name in graph.values:
        return graph.values[name]
    if is_size(name):
        return torch.tensor(float(graph.sizes.of_factor(name).number), dtype=torch.float64)
    if name[0].isdigit() and name.isdigit():
        return torch.tensor(float(name), dtype=torch.float64)
    if name == "torch.pi":
        return torch.tensor(math.pi, dtype=torch.float64)
    definition = graph.definitions[name]
    inner = definition.axes + definition.over
    arguments = [value(graph, Indexed(e, inner)) for e in definition.arguments]
    made = arguments[0]
    if definition.function == "logsumexp":
        made = torch.logsumexp(made, tuple(range(len(definition.axes), made.dim())))
    elif definition.function.startswith("softmax"):
        made = torch.softmax(made, int(definition.function.partition(":")[2]))
    elif definition.function:
        function = next(getattr(p, definition.function) for p in PLACES if hasattr(p, definition.function))
        made = function(*arguments)
    graph.values[name] = made
    return made


def _product(graph: Graph, product: Product, free: list[Axis]) -> torch.Tensor:
    letters: dict[Axis, str] = {}
    operands, subscripts = [torch.ones((), dtype=torch.float64)], [""]
    for base, power in product.factors:
        order = sorted(axes_of(base), key=repr)
        made = _element(graph, base, order)
        operands.append(made if power == 1 else made ** float(power))
        subscripts.append("".join(letters.setdefault(a, string.ascii_letters[len(letters)]) for a in order))
    for axis in [*free, *product.bound]:
        if axis not in letters:
            operands.append(torch.ones(axis.size.number, dtype=torch.float64))
            subscripts.append(letters.setdefault(axis, string.ascii_letters[len(letters)]))
    return torch.einsum(f"{','.join(subscripts)}->{''.join(letters[a] for a in free)}", *operands)


def _element(graph: Graph, base: Base, order: list[Axis]) -> torch.Tensor:
    if not isinstance(base, Factor):
        return (_places(graph, base.left, order) == _places(graph, base.right, order)).double()
    whole = named(graph, base.name)
    if not base.indices:
        return whole
    plain = [i for i in base.indices if i is not None]
    if all(isinstance(i, Axis) for i in plain) and len(set(plain)) == len(plain):
        squeezed = whole.reshape([extent(i) for i in plain])
        return squeezed.permute([plain.index(axis) for axis in order])
    zero = torch.zeros((), dtype=torch.long)
    at = tuple(zero if i is None else _places(graph, i, order) for i in base.indices)
    return whole[at].expand([axis.size.number for axis in order])


def _places(graph: Graph, index: Index, order: list[Axis]) -> torch.Tensor:
    """The places that an index says, over the plain indices `order`."""
    match index:
        case Axis(size):
            shape = [size.number if axis == index else 1 for axis in order]
            return torch.arange(size.number).reshape(shape)
        case Gathered(table, parts):
            return graph.tables[table].values[tuple(_places(graph, i, order) for i in parts)]
        case Affine(terms, offset):
            total = torch.full([1] * len(order), offset)
            for step, part in terms:
                total = total + step * _places(graph, part, order)
            return total
        case _:
            total = torch.zeros([1] * len(order), dtype=torch.long)
            for part, size in zip(index.indices, index.sizes, strict=True):
                total = total * size.number + _places(graph, part, order)
            return total


def equal(graph: Graph, one: Expr, other: Expr, rtol: float = 1e-8, atol: float = 1e-10) -> bool:
    """Whether two expressions come to the same numbers on the program's data."""
    axes = tuple(sorted(one.free() | other.free(), key=repr))
    left, right = value(graph, Indexed(one, axes)), value(graph, Indexed(other, axes))
    return torch.allclose(left, right, rtol=rtol, atol=atol, equal_nan=True)
