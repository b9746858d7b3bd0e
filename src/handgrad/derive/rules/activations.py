"""Elementwise functions whose slope depends on how they are called."""

import ast
from collections import Counter

from handgrad.derive.rules.adjoint import Back, Site, UncoveredError, adjoint
from handgrad.derive.rules.elementwise import SLOPES


@adjoint("gelu", lazy=True)
def _gelu(site: Site) -> Back:
    return sloped(SLOPES["gelu_tanh" if site["approximate"] == "tanh" else "gelu"])


@adjoint("logit", lazy=True)
def _logit(site: Site) -> Back:
    if site["eps"] is None:
        return Back({"x": "dy / (x * (1 - x))"})
    return Back({"x": "((x >= eps) & (x <= 1 - eps)) * dy / (x * (1 - x))"})


@adjoint("clamp", lazy=True, broadcasts=True)
def _clamp(site: Site) -> Back:
    tests = [test for bound, test in (("min", "x >= min"), ("max", "x <= max")) if site[bound] is not None]
    inside = f"(({tests[0]}) & ({tests[1]}))" if len(tests) == 2 else f"({tests[0]})"
    return Back({"x": f"{inside} * dy", "min": "(x < min) * dy", "max": "(x > max) * dy"})


@adjoint("maximum", "minimum", lazy=True, broadcasts=True)
def _maximum(site: Site) -> Back:
    """Of two equal elements each has half, as in PyTorch; a number takes none, as in a ReLU."""
    larger, smaller = (">", "<") if site.name == "maximum" else ("<", ">")
    if isinstance(site["other"], int | float):
        return Back({"x": f"(x {larger} other) * dy"})
    if isinstance(site["x"], int | float):
        return Back({"other": f"(other {larger} x) * dy"})
    return Back({a: f"((x {sign} other) + 0.5 * (x == other)) * dy" for a, sign in (("x", larger), ("other", smaller))})


@adjoint("pow", lazy=True, broadcasts=True)
def _pow(site: Site) -> Back:
    base, exponent = site["x"], site["exponent"]
    if isinstance(base, int | float):
        if base <= 0:
            raise UncoveredError("a power of a number that is not positive has no gradient")
        return Back({"exponent": "y * math.log(x) * dy"})
    if not isinstance(exponent, int | float):
        return Back(
            {
                "x": "torch.where(exponent == 0, 0, exponent * x**(exponent - 1)) * dy",
                "exponent": "torch.where(x == 0, 0, y * torch.log(x)) * dy",
            }
        )
    if not site.literal("exponent"):
        return Back({"x": "exponent * x**(exponent - 1) * dy"})
    if exponent == 0:
        return Back({"x": "0 * x"})
    less = round(exponent - 1, 12)
    return Back({"x": f"{exponent} * x**{less} * dy" if less else "dy"})


@adjoint("dropout", "alpha_dropout", "feature_dropout", lazy=True)
def _dropout(site: Site) -> Back:
    if site["p"] and site["training"]:
        raise UncoveredError("the mask of `dropout` is not kept: draw it in a line of its own and multiply by it")
    return Back({"x": "dy"})


@adjoint("clone", "float", "double", "half", "to", "type_as", "astype", lazy=True)
def _cast(site: Site) -> Back:
    if site.result.dtype != site["x"].dtype:
        return Back({"x": "dy.to(x.dtype)"})
    return Back({"x": "dy"})


def sloped(slope: str) -> Back:
    """What comes back through an elementwise function of this slope; what stands in that twice is computed once."""
    tree = ast.parse(slope, mode="eval").body
    calls = Counter(ast.unparse(part) for part in ast.walk(tree) if isinstance(part, ast.Call))
    twice = max((call for call, times in calls.items() if times > 1), key=len, default=None)
    if twice is not None:
        return Back({"x": f"({ast.unparse(tree).replace(twice, 's')}) * dy"}, {"s": twice})
    match tree:
        case ast.BinOp(ast.BinOp(_, ast.BitAnd()) as mask, ast.Div(), below):
            return Back({"x": f"({ast.unparse(mask)}) * dy / {ast.unparse(below)}"})
        case ast.Call(ast.Attribute(_, "where"), [test, yes, no]):
            both = ("0" if ast.unparse(part) == "0" else f"({ast.unparse(part)}) * dy" for part in (yes, no))
            return Back({"x": f"torch.where({ast.unparse(test)}, {', '.join(both)})"})
    return Back({"x": f"dy / {slope.removeprefix('1 / ')}" if slope.startswith("1 / ") else f"({slope}) * dy"})
