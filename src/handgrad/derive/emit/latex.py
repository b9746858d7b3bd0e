"""Formulas as LaTeX, such as GitHub and notebooks show."""

import re
from fractions import Fraction as Ratio

from handgrad.derive.emit.formula import (
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

KNOWN = frozenset({"log", "sin", "cos", "tan", "tanh", "sinh", "cosh", "max", "min"})
"""Functions that LaTeX has a command for."""
_GREEK_WORDS = "alpha beta gamma delta zeta eta theta kappa lambda mu nu xi rho tau phi psi omega"
GREEK = dict(zip("αβγδζηθκλμνξρτφψω", _GREEK_WORDS.split(), strict=True))
SIGNS = {"@": r"\,", "*": r" \odot ", "!=": r" \ne ", "<=": r" \le ", ">=": r" \ge ", "==": " = "}


def latex(formula: Formula) -> str:
    """The LaTeX of a formula.

    Example:
        >>> from handgrad.derive.emit.formula import Letter, Symbol
        >>> print(latex(Symbol("bnvar_inv", (Letter("j"),))))
        \\mathrm{bnvar\\_inv}_{j}
    """
    match formula:
        case Number(value):
            return number(value)
        case Letter(text):
            return rf"\{GREEK[text]}" if text in GREEK else text
        case Symbol(name, indices):
            return _indexed(r"\pi" if name == "π" else rf"\mathrm{{{escaped(name)}}}", indices)
        case Code(text, indices):
            return _indexed(rf"\mathtt{{{escaped(text)}}}", indices)
        case Group(parts):
            return f"({_listed(parts)})"
        case Times(parts):
            return _product(parts)
        case Fraction(over, under):
            small = isinstance(over, Number) and isinstance(under, Number)
            return rf"\{'tfrac' if small else 'frac'}{{{latex(over)}}}{{{latex(under)}}}"
        case Power(base, exponent):
            return _power(base, exponent)
        case Minus(body):
            return f"-{_within(body, PRODUCT)}"
        case Plus(parts):
            return _sum(parts)
        case Sigma(over, body):
            return rf"\sum_{{{_listed(over)}}} {_within(body, PRODUCT)}"
        case Apply():
            return _applied(formula)
        case Where(condition):
            return rf"\left[{latex(condition)}\right]" if r"\frac" in latex(condition) else f"[{latex(condition)}]"
        case Relation(left, sign, right):
            least = {"@": SIGN, "*": PRODUCT}.get(sign, SUM)
            return f"{_within(left, least)}{SIGNS.get(sign, f' {sign} ')}{_within(right, least)}"
        case Transposed(body):
            return f"{_within(body, SIGN)}^\\top"
        case Beside(parts):
            inside = r" \;\middle|\; ".join(map(latex, parts))
            return rf"\left({inside}\right)"


def escaped(text: str) -> str:
    """A name or a piece of source as LaTeX's mathematics takes it."""
    out = re.sub(r"([_%#&{}$])", r"\\\1", text.replace("\\", r"\backslash "))
    return out.replace("~", r"{\sim}").replace("^", r"\wedge ").replace(" ", r"\ ")


def number(value: int | Ratio) -> str:
    """A number: whole, a decimal, a power of ten, or a small fraction."""
    if isinstance(value, Ratio) and value.denominator == 1:
        value = value.numerator
    if isinstance(value, int):
        return str(value)
    sign, size = ("-", -value) if value < 0 else ("", value)
    if (parts := scientific(size)) is not None:
        mantissa, exponent = parts
        lead = "" if mantissa == "1" else rf"{mantissa} \cdot "
        return f"{sign}{lead}10^{{{exponent}}}"
    return sign + (decimal(size) or rf"\tfrac{{{size.numerator}}}{{{size.denominator}}}")


def _indexed(name: str, indices: tuple[Formula, ...]) -> str:
    return f"{name}_{{{_listed(indices)}}}" if indices else name


def _listed(indices: tuple[Formula, ...]) -> str:
    """Indices one after the other, with commas where one is no letter."""
    separator = "" if all(isinstance(i, Letter | Group) for i in indices) else ","
    return separator.join(latex(i) for i in indices)


def _within(formula: Formula, least: int) -> str:
    text = latex(formula)
    if binds(formula) >= least:
        return text
    tall = any(word in text for word in (r"\frac", r"\sum", r"\left"))
    return rf"\left({text}\right)" if tall else f"({text})"


def _product(parts: tuple[Formula, ...]) -> str:
    out = ""
    for k, part in enumerate(parts):
        last = k == len(parts) - 1
        text = _within(part, PRODUCT if last and isinstance(part, Sigma) else SIGN)
        out += (r" \cdot " if text[0].isdigit() else r"\,") * bool(out) + text
    return out


def _sum(parts: tuple[Formula, ...]) -> str:
    out = ""
    for part in parts:
        body = part.body if isinstance(part, Minus) else part
        negative = isinstance(part, Minus) or (isinstance(part, Number) and part.value < 0)
        text = latex(part)[1:] if negative and not isinstance(part, Minus) else _within(body, PRODUCT)
        out += f"{' - ' if out else '-'}{text}" if negative else f"{' + ' if out else ''}{text}"
    return out


def _power(base: Formula, exponent: Formula) -> str:
    if exponent == Number(Ratio(1, 2)):
        return rf"\sqrt{{{latex(base)}}}"
    text = _within(base, SIGN)
    raised = (
        latex(exponent).replace(r"\tfrac{", "{").replace("}{", "}/{")
        if isinstance(exponent, Number)
        else latex(exponent)
    )
    if isinstance(exponent, Number) and isinstance(exponent.value, Ratio) and exponent.value.denominator > 1:
        raised = f"{exponent.value.numerator}/{exponent.value.denominator}"
    simple = isinstance(base, Symbol | Letter | Number) or text.startswith(("(", r"\left("))
    return f"{text if simple else f'{{{text}}}'}^{{{raised}}}"


def _applied(formula: Apply) -> str:
    name, arguments = formula.function, ", ".join(map(latex, formula.arguments))
    if name == "exp":
        return f"e^{{{arguments}}}"
    if name == "abs":
        return rf"\left|{arguments}\right|"
    command = f"\\{name}" if name in KNOWN else rf"\operatorname{{{escaped(name)}}}"
    if formula.over:
        return rf"{command}_{{{_listed(formula.over)}}} {arguments}"
    tall = r"\frac" in arguments or r"\sum" in arguments
    return rf"{command}\left({arguments}\right)" if tall else f"{command}({arguments})"
