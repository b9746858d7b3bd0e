"""Lower sums, products, quotients and powers, and functions of one element."""

from fractions import Fraction

from handgrad.derive.expr import Delta, Expr, Factor, Number, Product, exact, number, term
from handgrad.derive.lower.graph import Indexed
from handgrad.derive.lower.lowering import Lowering, lowers
from handgrad.derive.lower.signs import is_positive
from handgrad.derive.read.calls import Call
from handgrad.derive.simplify.opening import expand, reduce


@lowers("add", "sub")
def _add(low: Lowering, call: Call) -> Indexed:
    sign = 1 if call.name == "add" else -1
    other = low.tensor(call["other"])
    if "alpha" in call.arguments:
        other = times(low, other, low.tensor(call["alpha"]))
    return plus(low, low.tensor(call["x"]), other, sign)


@lowers("mul")
def _mul(low: Lowering, call: Call) -> Indexed:
    return times(low, low.tensor(call["x"]), low.tensor(call["other"]))


@lowers("div")
def _div(low: Lowering, call: Call) -> Indexed:
    return times(low, low.tensor(call["x"]), power(low, low.tensor(call["other"]), -1))


@lowers("neg")
def _neg(low: Lowering, call: Call) -> Indexed:
    made = low.tensor(call["x"])
    return Indexed(made.expr.scale(-1), made.axes)


@lowers("positive", "clone", "float", "double", "type_as", "to", "astype", "asarray", "detach")
def _same(low: Lowering, call: Call) -> Indexed:
    if call.name == "detach" and low.varies(call["x"]):
        return low.graph.constant(low.said(call.node), low.value(call.node))
    return low.tensor(call["x"])


@lowers("pow")
def _pow(low: Lowering, call: Call) -> Indexed:
    base, exponent = low.tensor(call["x"]), low.tensor(call["exponent"])
    plain = plain_number(exponent.expr)
    return function(low, "pow", base, exponent) if plain is None else power(low, base, plain)


@lowers("sqrt", "rsqrt", "square", "reciprocal")
def _root(low: Lowering, call: Call) -> Indexed:
    exponents = {"sqrt": Fraction(1, 2), "rsqrt": Fraction(-1, 2), "square": 2, "reciprocal": -1}
    return power(low, low.tensor(call["x"]), exponents[call.name])


ELEMENTWISE = (
    *("exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sin", "cos", "tan", "asin", "acos", "atan", "sinh"),
    *("cosh", "tanh", "asinh", "acosh", "atanh", "erf", "erfc", "sigmoid", "logsigmoid", "lgamma", "digamma"),
)
"""Functions of one element that are no composition of others; their slopes are in `rules/elementwise.py`."""


@lowers(*ELEMENTWISE)
def _elementwise(low: Lowering, call: Call) -> Indexed:
    return function(low, call.name, low.tensor(call["x"]))


@lowers("softplus")
def _softplus(low: Lowering, call: Call) -> Indexed:
    beta = plain_number(low.tensor(call["beta"]).expr)
    x = low.tensor(call["x"])
    if beta == 1:
        return function(low, "softplus", x)
    beta_expr = low.tensor(call["beta"])
    return times(low, function(low, "softplus", times(low, x, beta_expr)), power(low, beta_expr, -1))


@lowers("atan2", "hypot", "logaddexp")
def _of_two(low: Lowering, call: Call) -> Indexed:
    return function(low, call.name, low.tensor(call["x"]), low.tensor(call["other"]))


def plus(low: Lowering, one: Indexed, other: Indexed, sign: Number = 1) -> Indexed:
    """The sum of two values, or their difference."""
    one, other, axes = low.align(one, other)
    return Indexed(one.expr + other.expr.scale(sign), axes)


def times(low: Lowering, one: Indexed, other: Indexed) -> Indexed:
    """The product of two values."""
    if not one.expr or not other.expr:
        return Indexed(Expr(), low.align(one, other)[2])
    one, other, axes = low.align(low.one(one), low.one(other))
    return Indexed(one.expr * other.expr, axes)


def function(low: Lowering, name: str, *arguments: Indexed) -> Indexed:
    """A function of one element, or of several from tensors that are broadcast."""
    parts, axes = low.together([_argument(low, argument) for argument in arguments])
    return low.graph.apply(name, tuple(part.expr for part in parts), axes)


def _argument(low: Lowering, made: Indexed) -> Indexed:
    """What a function is of: a product of names that are no products, or a name for a sum."""
    expr = reduce(low.graph, made.expr, hidden=True)
    if len(expr) > 1:
        expr = expand(low.graph, expr, lambda _, definition: not definition.user, (1,), hidden=True)
    made = Indexed(expr, made.axes)
    if len(made.expr) == 1 and not any(product.bound for product, _ in made.expr):
        return made
    return low.graph.name(made)


def plain_number(expr: Expr) -> Number | None:
    """The number that an expression is, if it is one."""
    if not expr:
        return 0
    if len(expr) == 1:
        ((product, coefficient),) = expr
        return coefficient if product == Product((), ()) else None
    return None


def power(low: Lowering, made: Indexed, exponent: Number) -> Indexed:
    """A value to the power of a number; of a product factor by factor where that is the same."""
    exponent = exact(exponent)
    if exponent == 1:
        return made
    if not made.expr:
        return Indexed(number(0 if exponent > 0 else Fraction(1, 0)), made.axes)
    made = low.one(made)
    ((product, coefficient),) = made.expr
    if (
        product.bound
        or any(isinstance(b, Delta) for b, _ in product.factors)
        or (isinstance(exponent, Fraction) and not _splits(low, product, coefficient))
    ):
        made = low.graph.name(made)
    ((product, coefficient),) = made.expr
    raised, factor = root(coefficient, exponent)
    factors = [*((b, exact(p * exponent)) for b, p in product.factors), *raised]
    return Indexed(Expr([term((), factors, factor)]), made.axes)


def _splits(low: Lowering, product: Product, coefficient: Number) -> bool:
    """Whether a root of a product is the product of the roots: no factor of it can be negative."""
    if len(product.factors) == 1 and product.factors[0][1] == 1 and coefficient == 1:
        return True
    return coefficient > 0 and all(isinstance(p, Fraction) or is_positive(low.graph, b) for b, p in product.factors)


def root(value: Number, exponent: Number) -> tuple[list[tuple[Factor, Number]], Number]:
    """A number to a power: primes with the power that they keep, and the number that is left in front."""
    if isinstance(exponent, int):
        return [], exact(Fraction(value) ** exponent)
    factors = [*((p, k) for p, k in primes(value.numerator)), *((p, -k) for p, k in primes(value.denominator))]
    return [(Factor(str(p), ()), exact(k * exponent)) for p, k in factors], 1


def primes(value: int) -> list[tuple[int, int]]:
    """The prime factors of a whole number and how often each is in it."""
    found, p = [], 2
    while value > 1:
        if p * p > value:
            p = value
        k = 0
        while value % p == 0:
            value, k = value // p, k + 1
        if k:
            found.append((p, k))
        p += 1
    return found


def mean_of(low: Lowering, total: Indexed, over: Expr) -> Indexed:
    """A sum divided by how many there are."""
    return times(low, total, power(low, Indexed(over), -1))
