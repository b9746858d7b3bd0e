"""Products of matrices, and powers."""

from handgrad.derive.rules.adjoint import Back, Site, adjoint


@adjoint("pow", lazy=True)
def _pow(site: Site) -> Back:
    n = site["exponent"]
    if n == 2:
        return Back({"x": "2 * x * dy"})
    if isinstance(n, int | float):
        return Back({"x": f"exponent * x**{n - 1} * dy"})
    raise NotImplementedError


@adjoint("matmul")
def _matmul(site: Site) -> Back:
    if site.rank("x") == site.rank("other") == 2:
        return Back({"x": "dy @ other.T", "other": "x.T @ dy"})
    raise NotImplementedError
