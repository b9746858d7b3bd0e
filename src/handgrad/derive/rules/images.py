"""Convolutions, pools, and what moves the elements of images."""

from handgrad.derive.rules.adjoint import Back, Site, UncoveredError, adjoint
from handgrad.derive.rules.joining import COUNTED, PLACES

DEFAULTS = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1}


def _options(site: Site) -> str:
    """The options of a convolution that are not its defaults, as keywords."""
    given = {option: site[option] for option in DEFAULTS}
    if isinstance(given["padding"], str) and given["padding"] != "valid":
        raise UncoveredError("a convolution is covered where its padding is a number")
    if given["padding"] == "valid":
        given["padding"] = 0
    return "".join(f", {option}={option}" for option, value in given.items() if not _is_all(value, DEFAULTS[option]))


def _is_all(value: object, number: int) -> bool:
    return all(part == number for part in value) if isinstance(value, tuple | list) else value == number


def _dimensions(site: Site) -> int:
    """How many dimensions the images have."""
    count = int(site.name[-2])
    if site.rank() != count + 2:
        raise UncoveredError(f"`{site.name}` is covered of batches: give a single one a dimension")
    return count


@adjoint("conv1d", "conv2d", "conv3d")
def _conv(site: Site) -> Back:
    count, options = _dimensions(site), _options(site)
    x = f"torch.nn.grad.conv{count}d_input(x.shape, weight, dy{options})"
    if _is_all(site["stride"], 1):
        x = f"F.conv_transpose{count}d(dy, weight{options})"
    return Back(
        {
            "x": x,
            "weight": f"torch.nn.grad.conv{count}d_weight(x, weight.shape, dy{options})",
            "bias": f"dy.sum({(0, *range(2, count + 2))})",
        }
    )


@adjoint("conv_transpose1d", "conv_transpose2d", "conv_transpose3d")
def _conv_transpose(site: Site) -> Back:
    count, options = _dimensions(site), _options(site)
    return Back(
        {
            "x": f"F.conv{count}d(dy, weight{options})",
            "weight": f"torch.nn.grad.conv{count}d_weight(dy, weight.shape, x{options})",
            "bias": f"dy.sum({(0, *range(2, count + 2))})",
        }
    )


@adjoint("max_pool1d", "max_pool2d", "max_pool3d")
def _max_pool(site: Site) -> Back:
    count = int(site.name[-2])
    arguments = "x, kernel_size, stride, padding, dilation, ceil_mode"
    return _unpooled(count, f"F.{site.name}({arguments}, return_indices=True)[1]")


@adjoint("adaptive_max_pool1d", "adaptive_max_pool2d")
def _adaptive_max_pool(site: Site) -> Back:
    return _unpooled(int(site.name[-2]), f"F.{site.name}(x, output_size, return_indices=True)[1]")


def _unpooled(count: int, picked: str) -> Back:
    where = {"picked": picked}
    if count == 1:
        return Back({"x": "torch.zeros_like(x).scatter_add(-1, picked, dy)"}, where)
    flat = f"flatten(-{count})"
    return Back({"x": f"torch.zeros_like(x).{flat}.scatter_add(-1, picked.{flat}, dy.{flat}).view(x.shape)"}, where)


@adjoint("avg_pool1d", "avg_pool2d")
def _avg_pool(site: Site) -> Back:
    """Each window adds its share to all elements in it: `fold` adds up windows."""
    count = _dimensions(site)
    if site["ceil_mode"] or (not site["count_include_pad"] and not _is_all(site["padding"], 0)):
        raise UncoveredError(f"`{site.name}` is covered where all windows have as many elements")
    kernel = _pair("kernel_size", site, count)
    stride = kernel if site["stride"] in (None, ()) else _pair("stride", site, count)
    padding = "" if _is_all(site["padding"], 0) else f", padding={_tuple(_pair('padding', site, count), count, 0)}"
    window = " * ".join(kernel)
    sizes = ["1"] * (2 - count) + [f"x.shape[{d + 2}]" for d in range(count)]
    shares = f"(dy / ({window})).flatten(2).repeat_interleave({window}, 1)"
    folded = f"F.fold({shares}, ({', '.join(sizes)}), {_tuple(kernel, count)}{padding}, stride={_tuple(stride, count)})"
    return Back({"x": folded if count == 2 else f"{folded}.squeeze(2)"})


def _pair(argument: str, site: Site, count: int) -> list[str]:
    """The size of a window along each dimension."""
    if f"{argument}_0" in site.parts:
        return [f"{argument}_{i}" for i in range(count)] if len(site[argument]) == count else [f"{argument}_0"] * count
    return [argument] * count


def _tuple(sizes: list[str], count: int, lead: int = 1) -> str:
    return f"({', '.join([str(lead)] * (2 - count) + sizes)})"


@adjoint("adaptive_avg_pool1d", "adaptive_avg_pool2d", lazy=True)
def _adaptive_avg_pool(site: Site) -> Back:
    if not _is_all(site["output_size"], 1):
        raise UncoveredError(f"`{site.name}` is covered to the size 1: write `{site.name[9:]}` for windows of one size")
    count = int(site.name[-2])
    sizes = " * ".join(f"x.shape[{site.rank() - count + i}]" for i in range(count))
    return Back({"x": f"dy / ({sizes})"})


@adjoint("interpolate")
def _interpolate(site: Site) -> Back:
    if site["mode"] not in ("nearest", "nearest-exact"):
        raise UncoveredError("`interpolate` is covered by the nearest element")
    return Back({"x": COUNTED}, {"taken": f"F.interpolate({PLACES}.double(), size, scale_factor, mode).long()"})


@adjoint("pixel_shuffle")
def _pixel_shuffle(_: Site) -> Back:
    return Back({"x": "F.pixel_unshuffle(dy, upscale_factor)"})


@adjoint("pixel_unshuffle")
def _pixel_unshuffle(_: Site) -> Back:
    return Back({"x": "F.pixel_shuffle(dy, downscale_factor)"})


@adjoint("unfold_images")
def _unfold_images(site: Site) -> Back:
    rank = site.rank()
    return Back({"x": f"F.fold(dy, (x.shape[{rank - 2}], x.shape[{rank - 1}]), kernel_size{_windows(site)})"})


@adjoint("fold")
def _fold(site: Site) -> Back:
    return Back({"x": f"F.unfold(dy, kernel_size{_windows(site)})"})


def _windows(site: Site) -> str:
    options = {option: DEFAULTS[option] for option in ("dilation", "padding", "stride")}
    return "".join(f", {option}={option}" for option, value in options.items() if not _is_all(site[option], value))
