"""What only moves elements moves them back."""

from handgrad.derive.rules.adjoint import Back, Site, adjoint


@adjoint("view", "reshape")
def _view(site: Site) -> Back:
    return Back({"x": "dy.view(x.shape)"})
