"""What picks elements adds to these."""

from handgrad.derive.rules.adjoint import Back, Into, Site, adjoint


@adjoint("getitem", lazy=True)
def _getitem(site: Site) -> Back:
    if isinstance(site["index"], tuple):
        return Back({"x": Into("dx[index]", "dy")})
    return Back({"x": Into(call="dx.index_add_(0, index.view(-1), dy.view(-1, x.shape[1]))")})
