"""Functions that join tensors or take them apart."""

from handgrad.derive.rules.adjoint import Back, Into, Site, UncoveredError, adjoint

PLACES = "torch.arange(x.numel(), device=x.device).view(x.shape)"
"""The number of each element of `x`, in its place."""

COUNTED = "x.new_zeros(x.numel()).index_add_(0, taken.flatten(), dy.flatten()).view(x.shape)"
"""What comes back to `x` where `taken` has, for each element of the result, the number of the one that it is."""


def along(dim: int, rank: int, index: str) -> str:
    """An index along one dimension, as it is written between brackets."""
    if dim == rank - 1 > 1:
        return f"..., {index}"
    return ", ".join([*[":"] * dim, index])


@adjoint("cat")
def _cat(site: Site) -> Back:
    return joined(site, site["dim"] % max(site.result.ndim, 1))


def joined(site: Site, dim: int) -> Back:
    """What comes back to tensors joined along a dimension."""
    rank, count = site.result.ndim, len(site["tensors"])
    if "tensors_0" not in site.parts:
        return Back({"tensors": f"dy.split([part.shape[{dim}] for part in tensors], {dim})"})
    sizes = [f"tensors_{i}.shape[{dim}]" for i in range(count)]
    if count == 1:
        return Back({"tensors_0": "dy"})
    if count == 2:
        first, second = (f"dy[{along(dim, rank, cut)}]" for cut in (f":{sizes[0]}", f"{sizes[0]}:"))
        return Back({"tensors_0": first, "tensors_1": second})
    parts = {"dparts": f"dy.split([{', '.join(sizes)}], {dim})"}
    return Back({f"tensors_{i}": f"dparts[{i}]" for i in range(count)}, parts)


@adjoint("stack")
def _stack(site: Site) -> Back:
    return stacked(site, site["dim"] % max(site.result.ndim, 1))


def stacked(site: Site, dim: int) -> Back:
    """What comes back to tensors stacked along a new dimension."""
    argument = "x" if "x" in site.parts else "tensors"
    if f"{argument}_0" not in site.parts:
        return Back({argument: f"dy.unbind({dim})"})
    count = len(site[argument])
    return Back({f"{argument}_{i}": f"dy[{along(dim, site.result.ndim, str(i))}]" for i in range(count)})


@adjoint("hstack")
def _hstack(site: Site) -> Back:
    return joined(site, 0 if site["tensors"][0].ndim <= 1 else 1)


@adjoint("vstack")
def _vstack(site: Site) -> Back:
    return stacked(site, 0) if site["tensors"][0].ndim == 1 else joined(site, 0)


@adjoint("asarray")
def _asarray(site: Site) -> Back:
    return stacked(site, 0) if isinstance(site["x"], list | tuple) else Back({"x": "dy"})


@adjoint("split", "chunk", "tensor_split", several=True)
def _split(site: Site) -> Back:
    dim = site["dim"] % max(site.rank(), 1)
    if site.output is None:
        return Back({"x": f"torch.cat(dys, {dim})"})
    which, last = site.output % site.outputs, site.outputs - 1
    if which in (0, last):
        part = f":y.shape[{dim}]" if which == 0 else f"-y.shape[{dim}]:"
        return Back({"x": Into(f"dx[{along(dim, site.rank(), part)}]", "dy")})
    parts = ", ".join("dy" if i == which else f"torch.zeros_like(y_{i})" for i in range(site.outputs))
    return Back({"x": f"torch.cat([{parts}], {dim})"})


@adjoint("unbind", several=True)
def _unbind(site: Site) -> Back:
    dim = site["dim"] % max(site.rank(), 1)
    if site.output is None:
        return Back({"x": f"torch.stack(dys, {dim})"})
    return Back({"x": Into(f"dx[{along(dim, site.rank(), str(site.output))}]", "dy")})


@adjoint("narrow", lazy=True)
def _narrow(site: Site) -> Back:
    end = str(site["start"] + site["length"]) if site.literal("start") and site.literal("length") else "start + length"
    return Back({"x": Into(f"dx[{along(site.dims()[0], site.rank(), f'start:{end}')}]", "dy")})


@adjoint("select", lazy=True)
def _select(site: Site) -> Back:
    return Back({"x": Into(f"dx[{along(site.dims()[0], site.rank(), 'index')}]", "dy")})


@adjoint("pad")
def _pad(site: Site) -> Back:
    pads, rank = site["pad"], site.rank()
    if site["mode"] != "constant":
        return Back({"x": COUNTED}, {"taken": f"F.pad({PLACES}.double(), pad, mode).long()"})
    if "pad_0" not in site.parts:
        return Back({"x": "F.pad(dy, [-size for size in pad])"})
    ends = {rank - 1 - i // 2: (i, i + 1) for i in range(0, len(pads), 2)}
    if not site.literal("pad") or min(pads) < 0:
        return Back({"x": f"F.pad(dy, ({', '.join(f'-pad_{i}' for i in range(len(pads)))}))"})
    return Back({"x": cropped({d: (pads[i], pads[j]) for d, (i, j) in ends.items()}, rank)})


@adjoint("pad_all")
def _pad_all(site: Site) -> Back:
    pads = site["pad"]
    if site["mode"] != "constant" or not site.literal("pad"):
        raise UncoveredError("of `pad` it is covered with constants, by widths that are written out")
    if isinstance(pads, int):
        pads = (pads, pads)
    pairs = pads if isinstance(pads[0], tuple | list) else [pads]
    pairs = list(pairs) * site.rank() if len(pairs) == 1 else pairs
    return Back({"x": cropped({d: tuple(pair) for d, pair in enumerate(pairs)}, site.rank())})


def cropped(ends: dict[int, tuple[int, int]], rank: int) -> str:
    """The gradient without so many elements at both ends of some dimensions."""
    cuts = [f"{a or ''}:{-b if b else ''}" for a, b in (ends.get(d, (0, 0)) for d in range(rank))]
    if cuts.count(":") == rank - 1 and cuts[-1] != ":" and rank > 2:
        return f"dy[..., {cuts[-1]}]"
    while cuts and cuts[-1] == ":":
        cuts.pop()
    return f"dy[{', '.join(cuts)}]" if cuts else "dy"
