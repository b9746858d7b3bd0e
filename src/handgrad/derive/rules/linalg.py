"""Functions of matrices.

Source: Giles 2008, "Collected matrix derivative results for forward and reverse mode algorithmic differentiation".
"""

from handgrad.derive.rules.adjoint import Back, Site, UncoveredError, adjoint


def _wide(site: Site) -> str:
    """A gradient a matrix, in a shape that broadcasts to that of the matrices."""
    return "dy[..., None, None]" if getattr(site.dy, "ndim", 0) else "dy"


@adjoint("det", lazy=True)
def _det(site: Site) -> Back:
    up = "(y * dy)[..., None, None]" if site.result.ndim else "y * dy"
    return Back({"x": f"{up} * torch.linalg.inv(x).transpose(-2, -1)"})


@adjoint("logdet", lazy=True)
def _logdet(site: Site) -> Back:
    return Back({"x": f"{_wide(site)} * torch.linalg.inv(x).transpose(-2, -1)"})


@adjoint("slogdet", lazy=True)
def _slogdet(site: Site) -> Back:
    return _logdet(site) if site.output == 1 else Back({"x": "torch.zeros_like(x)"})


@adjoint("inv")
def _inv(_: Site) -> Back:
    return Back({"x": "-y.transpose(-2, -1) @ dy @ y.transpose(-2, -1)"})


@adjoint("solve")
def _solve(site: Site) -> Back:
    vector = site.rank("other") == 1 or site.rank("other") == site.rank("x") - 1
    if not vector and site.rank("other") != site.rank("x"):
        raise UncoveredError("`solve` is covered where both sides have the same batches")
    back = {"back": "torch.linalg.solve(x.transpose(-2, -1), dy)"}
    matrix = "-back[..., None] * y[..., None, :]" if vector else "-back @ y.transpose(-2, -1)"
    return Back({"x": matrix, "other": "back"}, back)


@adjoint("solve_triangular")
def _solve_triangular(site: Site) -> Back:
    if not site["left"] or site["unitriangular"]:
        raise UncoveredError("`solve_triangular` is covered from the left, with the diagonal that is there")
    kept = "triu" if site["upper"] else "tril"
    back = {"back": f"torch.linalg.solve_triangular(x.transpose(-2, -1), dy, upper={not site['upper']})"}
    return Back({"x": f"-(back @ y.transpose(-2, -1)).{kept}()", "other": "back"}, back)


@adjoint("cholesky")
def _cholesky(_: Site) -> Back:
    where = {
        "inner": "y.transpose(-2, -1) @ dy",
        "half": "0.5 * (inner.tril() + inner.tril(-1))",
        "lower": "torch.linalg.inv(y)",
        "whole": "lower.transpose(-2, -1) @ half @ lower",
    }
    return Back({"x": "0.5 * (whole + whole.transpose(-2, -1))"}, where)


@adjoint("matrix_exp")
def _matrix_exp(site: Site) -> Back:
    size = f"x.shape[{site.rank() - 1}]"
    where = {
        "flow": "x.transpose(-2, -1)",
        "upper": "torch.cat([flow, dy], -1)",
        "lower": "torch.cat([torch.zeros_like(x), flow], -1)",
    }
    return Back({"x": f"torch.linalg.matrix_exp(torch.cat([upper, lower], -2))[..., :{size}, {size}:]"}, where)


@adjoint("eigvalsh")
def _eigvalsh(_: Site) -> Back:
    where = {"vectors": "torch.linalg.eigh(x).eigenvectors"}
    return Back({"x": "vectors * dy[..., None, :] @ vectors.transpose(-2, -1)"}, where)


@adjoint("eigh")
def _eigh(site: Site) -> Back:
    if site.output != 0:
        raise UncoveredError("of `eigh` the eigenvalues are covered, not the eigenvectors")
    return Back({"x": "y_1 * dy[..., None, :] @ y_1.transpose(-2, -1)"})


@adjoint("svdvals")
def _svdvals(_: Site) -> Back:
    where = {"parts": "torch.linalg.svd(x, full_matrices=False)"}
    return Back({"x": "parts[0] * dy[..., None, :] @ parts[2]"}, where)


@adjoint("cross")
def _cross(site: Site) -> Back:
    if site.shape("x") != site.shape("other"):
        raise UncoveredError("`cross` is covered where both sides have the same shape")
    dim = site.shape().index(3) if site["dim"] is None else site.dims()[0]
    return Back({"x": f"torch.linalg.cross(other, dy, dim={dim})", "other": f"torch.linalg.cross(dy, x, dim={dim})"})


@adjoint("cdist")
def _cdist(site: Site) -> Back:
    if site["p"] != 2 or site.shape("x")[:-2] != site.shape("other")[:-2]:
        raise UncoveredError("`cdist` is covered by the Euclidean distance, of the same batches")
    where = {"pull": "dy / torch.where(y == 0, 1, y)"}
    return Back(
        {
            "x": "pull.sum(-1, keepdim=True) * x - pull @ other",
            "other": "pull.sum(-2)[..., None] * other - pull.transpose(-2, -1) @ x",
        },
        where,
    )
