"""What PyTorch's functions are in NumPy: one entry a function, its arguments, and after `:` the same in NumPy.

After `where`, on the same line or the next, stands what is computed first, under a name. `*x` takes all arguments
that are left, as a tuple.
"""

SAME = frozenset(
    {
        *("exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sqrt", "sin"),
        *("cos", "tan", "sinh", "cosh", "tanh", "sign", "abs", "floor", "ceil"),
        *("trunc", "square", "where", "zeros_like", "ones_like", "full_like", "maximum", "minimum", "fmax"),
        *("fmin", "stack", "outer", "isfinite", "isnan", "isinf", "einsum", "logaddexp", "logaddexp2"),
        *("hypot", "tril", "triu", "rot90", "kron", "reciprocal", "sinc", "deg2rad", "rad2deg"),
        "cumsum",
    }
)
"""Functions that have the same name, and arguments in the same order."""

SAME_IN_LINALG = frozenset(["inv", "solve", "det", "cholesky", "eigh", "eigvalsh", "svd", "slogdet"])

SAME_METHODS = frozenset(
    {
        *("sum", "mean", "prod", "cumsum", "cumprod", "argmax", "argmin", "argsort", "reshape"),
        *("squeeze", "flatten", "copy", "dot", "astype", "ravel", "all", "any", "round"),
        *(
            "append",
            "items",
            "diagonal",
            "swapaxes",
            "tolist",
            "item",
            "take",
            "clip",
            "trace",
            "nonzero",
            "searchsorted",
        ),
    }
)
"""Methods that have the same name; their `dim` is `axis` and their `keepdim` is `keepdims`."""

FUNCTIONS = """
cat(tensors, dim=0): np.concatenate(tensors, dim)
asin(x): np.arcsin(x)
acos(x): np.arccos(x)
atan(x): np.arctan(x)
asinh(x): np.arcsinh(x)
acosh(x): np.arccosh(x)
atanh(x): np.arctanh(x)
atan2(x, other): np.arctan2(x, other)
sigmoid(x): 1 / (1 + np.exp(-x))
logsigmoid(x): -np.logaddexp(0, -x)
softplus(x): np.logaddexp(0, x)
relu(x): np.maximum(x, 0)
rsqrt(x): 1 / np.sqrt(x)
erf(x): np.vectorize(math.erf)(x)
erfc(x): np.vectorize(math.erfc)(x)
lgamma(x): np.vectorize(math.lgamma)(x)
softmax(x, dim): e / e.sum(dim, keepdims=True) where e = np.exp(x - x.max(dim, keepdims=True))
log_softmax(x, dim): z - np.log(np.exp(z).sum(dim, keepdims=True)) where z = x - x.max(dim, keepdims=True)
one_hot(index, num_classes): np.eye(num_classes)[index]
clamp(x, min=None, max=None): np.clip(x, min, max)
norm(x, p=2, dim=None, keepdim=False): np.linalg.norm(x, axis=dim, keepdims=keepdim)
vector_norm(x, ord=2, dim=None, keepdim=False): np.linalg.norm(x, axis=dim, keepdims=keepdim)
cross(x, other, dim=-1): np.cross(x, other, axis=dim)
tensor(x): np.array(x)
arange(*x, device=None): np.arange(*x)
ones(*size, dtype=float, device=None): np.ones(size, dtype=dtype)
zeros(*size, dtype=float, device=None): np.zeros(size, dtype=dtype)
eye(n, dtype=float, device=None): np.eye(n)
tensordot(x, other, dims=2): np.tensordot(x, other, dims)
prod(x): np.prod(x)
flip(x, dims): np.flip(x, dims)
"""

METHODS = """
clone(x): x.copy()
contiguous(x): x
detach(x): x
numel(x): x.size
size(x, dim): x.shape[dim]
dim(x): x.ndim
to(x, kind): x.astype(kind)
type_as(x, other): x.astype(other.dtype)
double(x): x.astype(np.float64)
float(x): x.astype(np.float32)
long(x): x.astype(np.int64)
bool(x): x.astype(bool)
view(x, *shape): x.reshape(shape)
unsqueeze(x, dim): np.expand_dims(x, dim)
transpose(x, dim0, dim1): x.swapaxes(dim0, dim1)
permute(x, *dims): x.transpose(dims)
movedim(x, source, destination): np.moveaxis(x, source, destination)
expand(x, *size): np.broadcast_to(x, size)
expand_as(x, other): np.broadcast_to(x, other.shape)
flip(x, *dims): np.flip(x, dims)
roll(x, shifts, dims=None): np.roll(x, shifts, dims)
clamp(x, min=None, max=None): np.clip(x, min, max)
masked_fill(x, mask, value): np.where(mask, value, x)
index_select(x, dim, index): x.take(index, dim)
index_fill(x, dim, index, value): np.where(np.isin(np.arange(x.shape[dim]), index), value, x)
gather(x, dim, index): np.take_along_axis(x, index, dim)
amax(x, dim=None, keepdim=False): x.max(axis=dim, keepdims=keepdim)
amin(x, dim=None, keepdim=False): x.min(axis=dim, keepdims=keepdim)
norm(x, p=2, dim=None, keepdim=False): np.linalg.norm(x, axis=dim, keepdims=keepdim)
var(x, dim=None, correction=1, keepdim=False): x.var(axis=dim, ddof=correction, keepdims=keepdim)
std(x, dim=None, correction=1, keepdim=False): x.std(axis=dim, ddof=correction, keepdims=keepdim)
repeat_interleave(x, repeats, dim=None): x.repeat(repeats, dim)
unbind(x, dim=0): np.moveaxis(x, dim, 0)
split(x, sizes, dim=0): np.split(x, np.cumsum(sizes)[:-1], dim)
chunk(x, chunks, dim=0): np.split(x, chunks, dim)
new_zeros(x, *size): np.zeros(size)
new_ones(x, *size): np.ones(size)
new_full(x, size, value): np.full(size, value)
pow(x, exponent): x**exponent
softmax(x, dim): e / e.sum(dim, keepdims=True) where e = np.exp(x - x.max(dim, keepdims=True))
sigmoid(x): 1 / (1 + np.exp(-x))
"""

IN_PLACE = """
index_put_(x, indices, values, accumulate): np.add.at(x, indices, values)
scatter_add_(x, dim, index, source): x += np.bincount(taken.ravel(), source.ravel(), x.size).reshape(x.shape)
 where taken = np.take_along_axis(np.arange(x.size).reshape(x.shape), index, dim)
"""
"""Methods that change what they are called on, as statements."""
