"""Formulas as plain text, for a terminal."""

from fractions import Fraction as Ratio

from handgrad.derive.emit.formula import (
    ATOM,
    PRODUCT,
    SIGN,
    SUM,
    Apply,
    Beside,
    Code,
    Formula,
    Fraction,
    Group,
    Letter,
    Minus,
    Number,
    Plus,
    Power,
    Relation,
    Sigma,
    Symbol,
    Times,
    Transposed,
    Where,
    binds,
)
from handgrad.derive.emit.numerals import decimal, scientific

BELOW: dict[str, str] = dict(zip("aehijklmnoprstuvx", "ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ", strict=True))
ABOVE: dict[str, str] = dict(zip("-0123456789/", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹ᐟ", strict=True))
SIGNS = {"@": " ", "*": " ⊙ ", "!=": " ≠ ", "<=": " ≤ ", ">=": " ≥ ", "==": " = "}


def plain(formula: Formula) -> str:
    """A formula as text: indices as subscripts where there are such letters, else in brackets.

    Example:
        >>> from handgrad.derive.emit.formula import Letter, Symbol
        >>> plain(Symbol("bnvar_inv", (Letter("j"),))), plain(Symbol("x", (Letter("b"), Letter("t"))))
        ('bnvar_invⱼ', 'x[b,t]')
    """
    match formula:
        case Number(value):
            return number(value)
        case Letter(text):
            return text
        case Symbol(name, indices) | Code(name, indices):
            return _indexed(name, indices)
        case Group(parts):
            return f"({','.join(map(plain, parts))})"
        case Times(parts):
            return _product(parts)
        case Fraction(over, under):
            slash = "/" if isinstance(over, Number) else " / "
            return f"{_within(over, PRODUCT)}{slash}{_within(under, ATOM)}"
        case Power(base, exponent):
            return _power(base, exponent)
        case Minus(body):
            return f"−{_within(body, PRODUCT)}"
        case Plus(parts):
            return _sum(parts)
        case Sigma(over, body):
            spelled = "∑_" + "".join(i.text for i in over)
            sign = _indexed("∑", over) if all(i.text in BELOW for i in over) else spelled
            return f"{sign} {_within(body, PRODUCT)}"
        case Apply(name, arguments, over):
            inside = ", ".join(map(plain, arguments))
            if name == "abs":
                return f"|{inside}|"
            return f"{_indexed(name, over)} {inside}" if over else f"{name}({inside})"
        case Where(condition):
            return f"[{plain(condition)}]"
        case Relation(left, sign, right):
            least = {"@": SIGN, "*": PRODUCT}.get(sign, SUM)
            return f"{_within(left, least)}{SIGNS.get(sign, f' {sign} ')}{_within(right, least)}"
        case Transposed(body):
            return f"{_within(body, SIGN)}ᵀ"
        case Beside(parts):
            return f"({' | '.join(map(plain, parts))})"


def number(value: int | Ratio) -> str:
    """A number: whole, a decimal, a power of ten, or a small fraction."""
    if isinstance(value, Ratio) and value.denominator == 1:
        value = value.numerator
    sign, size = ("−", -value) if value < 0 else ("", value)
    if isinstance(size, int):
        return f"{sign}{size}"
    if size == Ratio(1, 2):
        return f"{sign}½"
    if (parts := scientific(size)) is not None:
        mantissa, exponent = parts
        return f"{sign}{'' if mantissa == '1' else mantissa + '·'}10{_raised(str(exponent))}"
    return sign + (decimal(size) or f"{size.numerator}/{size.denominator}")


def _raised(text: str) -> str:
    return "".join(ABOVE[c] for c in text)


def _indexed(name: str, indices: tuple[Formula, ...]) -> str:
    if not indices:
        return name
    if all(isinstance(i, Letter) and i.text in BELOW for i in indices):
        return name + "".join(BELOW[i.text] for i in indices if isinstance(i, Letter))
    return f"{name}[{','.join(map(plain, indices))}]"


def _within(formula: Formula, least: int) -> str:
    text = plain(formula)
    tight = binds(formula) if not isinstance(formula, Fraction) else PRODUCT
    return text if tight >= least else f"({text})"


def _product(parts: tuple[Formula, ...]) -> str:
    out = ""
    for k, part in enumerate(parts):
        last = k == len(parts) - 1
        text = _within(
            part, PRODUCT if (last and isinstance(part, Sigma)) or (not out and isinstance(part, Fraction)) else SIGN
        )
        if out:
            out += " " if isinstance(parts[k - 1], Number) and not text[0].isdigit() else " · "
        out += text
    return out


def _sum(parts: tuple[Formula, ...]) -> str:
    out = ""
    for part in parts:
        negative = isinstance(part, Minus) or (isinstance(part, Number) and part.value < 0)
        body = part.body if isinstance(part, Minus) else part
        text = plain(part)[1:] if negative and not isinstance(part, Minus) else _within(body, PRODUCT)
        out += f"{' − ' if out else '−'}{text}" if negative else f"{' + ' if out else ''}{text}"
    return out


def _power(base: Formula, exponent: Formula) -> str:
    if exponent == Number(Ratio(1, 2)):
        return f"√{_within(base, ATOM)}"
    text = _within(base, ATOM)
    if isinstance(exponent, Number) and isinstance(exponent.value, int):
        return text + _raised(str(exponent.value))
    inside = plain(exponent)
    return f"{text}^{inside if inside.isalnum() else f'({inside})'}"
