"""Say products: numbers, factors above and below the line, means, and powers."""

import ast
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction

from handgrad.derive.emit.layout import MATMUL, MULTIPLY, PRIMARY, UNARY, Axes, Code, UnsayableError, joined, length
from handgrad.derive.emit.speaker import Order, Speaker, literal
from handgrad.derive.expr import Factor, Number
from handgrad.derive.indices import Axis
from handgrad.derive.lower.sizes import is_size
from handgrad.derive.read.program import Line
from handgrad.derive.wording.tree import Leaf, Mul, Sum, Tree, free, times
from handgrad.derive.wording.tree import product as product_of
from handgrad.derive.wording.words import is_decimal

LONG = 10**9
"""Fractions of larger numbers are said as decimals."""
Part = tuple[Tree, Number]


def product(speaker: Speaker, tree: Mul, order: Order) -> Code:
    """The source of a product, with means or without."""
    options = []
    for parts, means in _with_means(speaker, tree.parts):
        try:
            options.append(_product(speaker, tree.coefficient, parts, means, order))
        except UnsayableError:
            continue
    if not options:
        raise UnsayableError("a product with a part that cannot be said")
    return min(options, key=length)


def _with_means(speaker: Speaker, parts: Sequence[Part]):
    """The parts, and which sums are means instead of being divided by sizes."""
    yield list(parts), frozenset()
    sizes = Counter(name for part, power in parts if power == -1 and (name := _size(part)))
    means: set[int] = set()
    gone: Counter[str] = Counter()
    for k, (part, power) in enumerate(parts):
        if isinstance(part, Sum) and power == 1:
            names = Counter(speaker.graph.sizes.factor(axis.size).name for axis in part.over)
            if all(sizes[n] - gone[n] >= c for n, c in names.items()):
                means.add(k)
                gone += names
    if means:
        left, marked = [], set()
        for k, (part, power) in enumerate(parts):
            name = _size(part)
            if name and power == -1 and gone[name]:
                gone[name] -= 1
                continue
            if k in means:
                marked.add(len(left))
            left.append((part, power))
        yield left, frozenset(marked)


def _size(part: Tree) -> str:
    if isinstance(part, Leaf) and isinstance(part.base, Factor) and is_size(part.base.name):
        return part.base.name
    return ""


def _product(speaker: Speaker, coefficient: Number, parts: Sequence[Part], means: frozenset[int], order: Order) -> Code:
    sign, size = ("-", -coefficient) if coefficient < 0 else ("", coefficient)
    over: list[Code] = []
    under: list[Code] = []
    if size != 1:
        if size.denominator == 1 or is_decimal(size) or max(size.numerator, size.denominator) > LONG:
            over.append(Code(literal(size), kind="number"))
        else:
            under.append(Code(str(size.denominator), kind="number"))
            if size.numerator != 1:
                over.append(Code(str(size.numerator), kind="number"))
    parts, counted = _counted(speaker, parts, means)
    parts = parts if means else _rooted(parts)
    for k, (part, power) in enumerate(parts):
        code = _mean(speaker, part, order) if k in means else None
        code = speaker.say(part, order) if code is None else code
        if power < 0 and not (isinstance(power, Fraction) and _multiplies(speaker)):
            under.append(_raised(code, -power))
        else:
            over.append(_raised(code, power))
    over = _gathered(speaker, [p for p in parts if p[1] > 0], over, order, means)
    under += counted
    scalars = [c for c in over if not c.axes and not c.text.isdigit()]
    if len([c for c in over if c.axes]) == 1 and any(c.strength == MATMUL for c in over):
        first = [c for c in over if c.text.isdigit()]
        over = [*first, *(c._replace(strength=MULTIPLY if not first else UNARY) for c in over if c.axes), *scalars]
    over = _in_floats(speaker, over, under)
    if sign and over and over[0].kind == "bool":
        first = next((c for c in over if c.kind != "bool"), None)
        over = [speaker.numeric(over[0]), *over[1:]] if first is None else [first, *(c for c in over if c is not first)]
    kinds = [c.kind for c in over + under]
    texts = [c.at(MULTIPLY if k == 0 else UNARY) for k, c in enumerate(over)]
    text = sign + (" * ".join(texts) or "1") + "".join(f" / {c.at(UNARY)}" for c in under)
    kind = "float" if "float" in kinds or ("number" not in kinds and under) else "int" if "int" in kinds else kinds[0]
    kind = "float" if kind in ("int", "bool") and under else kind
    if len(over) == 1 and not under and not sign:
        return over[0]
    return Code(text, MULTIPLY, joined([c.axes for c in over + under]), kind)


def _in_floats(speaker: Speaker, over: list[Code], under: list[Code]) -> list[Code]:
    """Factors in an order, or of a kind, in which no mask or one-hot meets a number that is not whole by itself.

    What comes of that is of PyTorch's default type, which may be less exact than the gradient's.
    """
    whole = all(c.kind != "number" or c.text.isdigit() for c in over) and not under
    counted = [c for c in over if c.kind in ("int", "bool")]
    if whole or not counted:
        return over
    floats = [c for c in over + under if c.kind == "float"]
    if floats:
        return [*(c for c in over if c.kind not in ("int", "bool")), *counted]
    return [speaker.floating(c) if c is counted[0] else c for c in over]


def _rooted(parts: Sequence[Part]) -> list[Part]:
    """Constants under the same root as one: 2**-0.5 * torch.pi**-0.5 is (2 * torch.pi)**-0.5."""
    out: list[Part] = []
    for part, power in parts:
        known = next((k for k, (t, p) in enumerate(out) if abs(p) == abs(power) and not free(t)), None)
        if known is None or not isinstance(power, Fraction) or free(part):
            out.append((part, power))
        elif out[known][1] == power:
            out[known] = times(1, out[known][0], part), power
        else:
            over, under = (out[known][0], part) if power < 0 else (part, out[known][0])
            out[known] = product_of(1, [(over, 1), (under, -1)]), abs(power)
    return out


def _multiplies(speaker: Speaker) -> bool:
    """Whether the program multiplies by roots with a negative power, and does not divide by them."""
    cache = speaker.graph.cache
    if "multiplies" not in cache:
        nodes = [n for line in speaker.graph.program.lines if isinstance(line, Line) for n in ast.walk(line.value)]
        powers = [n.right for n in nodes if isinstance(n, ast.BinOp) and isinstance(n.op, ast.Pow)]
        roots = [n for n in powers if isinstance(n, ast.UnaryOp) and isinstance(n.op, ast.USub)]
        called = [n.attr for n in nodes if isinstance(n, ast.Attribute)]
        cache["multiplies"] = bool(roots) or "rsqrt" in called
    return cache["multiplies"]


def _raised(code: Code, power: Number) -> Code:
    return code if power == 1 else Code(f"{code.at(PRIMARY)}**{literal(power)}", UNARY, code.axes, code.kind)


def _mean(speaker: Speaker, part: Tree, order: Order) -> Code:
    from handgrad.derive.emit.sums import reduced

    assert isinstance(part, Sum)
    return reduced(speaker, part, order, "mean")


def _counted(speaker: Speaker, parts: Sequence[Part], means: frozenset[int]) -> tuple[list[Part], list[Code]]:
    """Divisions by all sizes of a tensor, as one by how many elements it has."""
    if means:
        return list(parts), []
    sizes = Counter(name for part, power in parts if power == -1 and (name := _size(part)))
    if sum(sizes.values()) < 2:
        return list(parts), []
    graph = speaker.graph
    for name in dict.fromkeys([*speaker.near, *graph.definitions]):
        definition = graph.definitions.get(name)
        if definition is None or not definition.user or not name.isidentifier():
            continue
        axes = [i for i in definition.axes if isinstance(i, Axis)]
        if len(axes) < 2 or len(axes) != sum(i is not None for i in definition.axes):
            continue
        if Counter(graph.sizes.factor(a.size).name for a in axes) == sizes:
            left = [(part, power) for part, power in parts if not (_size(part) and power == -1)]
            return left, [Code(f"{name}.numel()", PRIMARY, (), "number")]
    return list(parts), []


def _gathered(
    speaker: Speaker, parts: Sequence[Part], over: list[Code], order: Order, means: frozenset[int]
) -> list[Code]:
    """Parts that get a new last axis are multiplied before they get it, once."""
    offset = len(over) - len(parts)
    lifted = [k for k, c in enumerate(over[offset:]) if c.text.endswith("None]") and free(parts[k][0])]
    if len(lifted) < 2 or means:
        return over
    have = frozenset().union(*(free(parts[k][0]) for k in lifted))
    last = max(order.index(a) for a in have) + 1
    if last == len(order):
        return over
    inner = [parts[k] for k in lifted]
    code = speaker.whole(Mul(1, tuple(inner)), order[:last])
    missing = len(order) - last
    made = code.then(f"[{', '.join([':'] * len(code.axes) + ['None'] * missing)}]", (*code.axes, *[None] * missing))
    rest = [c for k, c in enumerate(over[offset:]) if k not in lifted]
    return [*over[:offset], made, *rest]


__all__ = ["Axes", "product"]
