"""How functions are spelled elsewhere than in PyTorch, or under a name that others have; see `signatures`."""

NUMPY = """
sum(x, dim=None, dtype=None, out=None, keepdim=False)
nansum(x, dim=None, dtype=None, out=None, keepdim=False)
mean(x, dim=None, dtype=None, out=None, keepdim=False)
prod(x, dim=None, dtype=None, out=None, keepdim=False)
var(x, dim=None, dtype=None, out=None, correction=0, keepdim=False)
std(x, dim=None, dtype=None, out=None, correction=0, keepdim=False)
amax(x, dim=None, out=None, keepdim=False) = max
amin(x, dim=None, out=None, keepdim=False) = min
median_of(x, dim=None, out=None, overwrite=False, keepdim=False) = median
cumsum(x, dim=None)
cumprod(x, dim=None)
diff(x, n=1, dim=-1)
sort(x, dim=-1)
norm(x, p=None, dim=None, keepdim=False)
permute(x, *dims) = transpose
cat(tensors, dim=0) = concatenate
tensor_split(x, sections, dim=0) = split array_split
repeat_interleave(x, repeats, dim=None) = repeat
pad_all(x, pad, mode="constant", value=0) = pad
select_along(x, index, dim=None) = take
diag(x, diagonal=0)
sinc(x)
flatten(x)
round(x, decimals=0)
nan_to_num(x)
"""
"""Where NumPy's function of a name has other arguments, or another meaning, than PyTorch's."""

QUALIFIED = """
torch.nn.functional.unfold: unfold_images(x, kernel_size, dilation=1, padding=0, stride=1)
torch.linalg.diagonal: diagonal(x, offset=0, dim1=-2, dim2=-1)
torch.linalg.matrix_norm: norm(x, p="fro", dim=(-2, -1), keepdim=False)
torch.cross: cross(x, other, dim=None)
numpy.select: choose(conditions, choices, default=0)
numpy.inner: inner(x, other)
numpy.vdot: vdot(x, other)
numpy.outer: outer(x, other)
numpy.trace: trace(x)
"""
"""Functions that have a name, but not the arguments or the meaning, of another."""

OTHER_WORDS = {
    "axis": "dim",
    "axes": "dims",
    "axis1": "dim0",
    "axis2": "dim1",
    "keepdims": "keepdim",
    "input": "x",
    "self": "x",
    "a": "x",
    "ord": "p",
    "k": "diagonal",
    "ddof": "correction",
    "unbiased": "correction",
    "a_min": "min",
    "a_max": "max",
    "shift": "shifts",
    "indices_or_sections": "sections",
    "split_size_or_sections": "split_size",
    "constant_values": "value",
    "pad_width": "pad",
    "weights": "weight",
    "indices": "index",
}
"""Keywords that stand for an argument by another name."""
