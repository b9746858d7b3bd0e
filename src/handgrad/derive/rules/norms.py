"""Normalisations by mean and variance, or by mean square.

Source: Ioffe and Szegedy 2015 (batch), Ba et al. 2016 (layer), Ulyanov et al. 2016 (instance), Wu and He 2018 (group),
Zhang and Sennrich 2019 (root mean square).
"""

from handgrad.derive.rules.adjoint import Back, Site, UncoveredError, adjoint


def normalised(dims: str, *, x: str = "x", dy: str = "dy", scale: str = "", mean: bool = True) -> tuple[str, dict]:
    """What comes back to `x` where its values along some dimensions were normalised, and then scaled by a weight."""
    centred = f"({x} - {x}.mean({dims}, keepdim=True))" if mean else x
    square = f"{x}.var({dims}, correction=0, keepdim=True)" if mean else f"({x}**2).mean({dims}, keepdim=True)"
    where = {
        "rstd": f"({square} + eps)**-0.5",
        "xhat": f"{centred} * rstd",
        "dxhat": f"{scale} * {dy}" if scale else dy,
    }
    along = f"xhat * (dxhat * xhat).mean({dims}, keepdim=True)"
    return f"rstd * (dxhat{f' - dxhat.mean({dims}, keepdim=True)' if mean else ''} - {along})", where


def _last(site: Site) -> tuple[str, str]:
    """The dimensions of `normalized_shape`, and those before them."""
    shape = site["normalized_shape"]
    count = 1 if isinstance(shape, int) else len(shape)
    last, lead = tuple(range(-count, 0)), tuple(range(site.rank() - count))
    return str(last if count > 1 else -1), over(lead)


def over(dims: tuple[int, ...]) -> str:
    """Dimensions as they are written in a call."""
    return str(dims if len(dims) != 1 else dims[0])


@adjoint("layer_norm", "rms_norm")
def _layer_norm(site: Site) -> Back:
    dims, lead = _last(site)
    scale = "" if site["weight"] is None else "weight"
    x, where = normalised(dims, scale=scale, mean=site.name == "layer_norm")
    if site["eps"] is None:
        where["rstd"] = where["rstd"].replace("eps", "torch.finfo(x.dtype).eps")
    if lead == "()":
        return Back({"x": x, "weight": "dy * xhat", "bias": "dy"}, where)
    return Back({"x": x, "weight": f"(dy * xhat).sum({lead})", "bias": f"dy.sum({lead})"}, where)


@adjoint("batch_norm")
def _batch_norm(site: Site) -> Back:
    dims = tuple(d for d in range(site.rank()) if d != 1)
    place = "" if site.rank() == 2 else f"[:, {', '.join(['None'] * (site.rank() - 2))}]"
    scale = "" if site["weight"] is None else f"weight{place}"
    x, where = normalised(over(dims), scale=scale)
    if not site["training"]:
        x = "rstd * dxhat"
        where["rstd"] = f"((running_var + eps)**-0.5){place}"
        where["xhat"] = f"(x - running_mean{place}) * rstd"
    return Back({"x": x, "weight": f"(dy * xhat).sum({over(dims)})", "bias": f"dy.sum({over(dims)})"}, where)


@adjoint("instance_norm")
def _instance_norm(site: Site) -> Back:
    if not site["use_input_stats"]:
        raise UncoveredError("`instance_norm` is covered with the statistics of its input")
    dims, lead = tuple(range(2, site.rank())), (0, *range(2, site.rank()))
    place = f"[:, {', '.join(['None'] * len(dims))}]"
    x, where = normalised(over(dims), scale="" if site["weight"] is None else f"weight{place}")
    return Back({"x": x, "weight": f"(dy * xhat).sum({over(lead)})", "bias": f"dy.sum({over(lead)})"}, where)


@adjoint("group_norm")
def _group_norm(site: Site) -> Back:
    lead = (0, *range(2, site.rank()))
    place = "" if site.rank() == 2 else f"[:, {', '.join(['None'] * (site.rank() - 2))}]"
    scaled = "dy" if site["weight"] is None else f"weight{place} * dy"
    groups = "reshape(x.shape[0], num_groups, -1)"
    x, where = normalised("-1", x="groups", dy=f"({scaled}).{groups}")
    return Back(
        {
            "x": f"({x}).reshape(x.shape)",
            "weight": f"(dy * xhat.view(x.shape)).sum({over(lead)})",
            "bias": f"dy.sum({over(lead)})",
        },
        {"groups": f"x.{groups}", **where},
    )
