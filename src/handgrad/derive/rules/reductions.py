"""Sums, means, maxima: what comes back is spread over what was reduced."""

from handgrad.derive.rules.adjoint import Back, Site, adjoint


@adjoint("sum", lazy=True)
def _sum(site: Site) -> Back:
    return Back({"x": wide(site)})


@adjoint("mean", lazy=True)
def _mean(site: Site) -> Back:
    return Back({"x": f"{wide(site)} / x.numel()"})


@adjoint("max")
def _max(site: Site) -> Back:
    return Back({"x": "F.one_hot(x.max(dim).indices, num_classes=x.shape[dim]) * dy"})


def wide(site: Site) -> str:
    """The gradient with the dimensions put back that were summed away."""
    dim, keepdim = site["dim"], site["keepdim"]
    if keepdim or dim is None or not hasattr(site.dy, "shape"):
        return "dy"
    raise NotImplementedError
