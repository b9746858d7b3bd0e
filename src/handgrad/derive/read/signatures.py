"""What the functions of PyTorch and NumPy are called here, and what their arguments are.

One entry a function: its name, its arguments as PyTorch has them, and after `=` the other names it goes by. `*x` takes
all that is left, as `view(*shape)` does. An argument that NumPy calls otherwise has PyTorch's name (`axis` is `dim`).
"""

from handgrad.derive.read.layers import LAYERS

TENSORS = """
add(x, other, alpha=1)
sub(x, other, alpha=1) = subtract
rsub(x, other, alpha=1)
mul(x, other) = multiply
div(x, other) = divide true_divide
floor_divide(x, other)
remainder(x, other) = mod
fmod(x, other)
pow(x, exponent) = power float_power
neg(x) = negative
positive(x)
matmul(x, other) = mm bmm mv
dot(x, other) = vdot
inner(x, other)
vecdot(x, other, dim=-1)
outer(x, other) = ger
einsum(equation, *operands)
tensordot(x, other, dims=2)
kron(x, other)
multi_dot(tensors) = chain_matmul
matrix_power(x, n)
addmm(bias, x, other, beta=1, alpha=1) = baddbmm addmv
addr(bias, x, other, beta=1, alpha=1)
addbmm(bias, x, other, beta=1, alpha=1)
linear(x, weight, bias=None)
bilinear(x, other, weight, bias=None)

exp(x)
exp2(x)
expm1(x)
log(x)
log2(x)
log10(x)
log1p(x)
sqrt(x)
cbrt(x)
rsqrt(x)
square(x)
reciprocal(x)
abs(x) = absolute fabs
sign(x) = sgn
sin(x)
cos(x)
tan(x)
asin(x) = arcsin
acos(x) = arccos
atan(x) = arctan
sinh(x)
cosh(x)
tanh(x)
asinh(x) = arcsinh
acosh(x) = arccosh
atanh(x) = arctanh
sinc(x)
deg2rad(x) = radians
rad2deg(x) = degrees
erf(x)
erfc(x)
erfcx(x)
erfinv(x)
ndtr(x)
log_ndtr(x)
entr(x)
i0(x)
i0e(x)
lgamma(x) = gammaln
digamma(x) = psi
polygamma(n, x)
sigmoid(x) = expit
logit(x, eps=None)
logsigmoid(x)
softplus(x, beta=1, threshold=20)
relu(x)
relu6(x)
threshold(x, threshold, value)
leaky_relu(x, negative_slope=0.01)
prelu(x, weight)
elu(x, alpha=1.0)
celu(x, alpha=1.0)
selu(x)
gelu(x, approximate="none")
silu(x) = swish
mish(x)
hardtanh(x, min_val=-1.0, max_val=1.0)
hardsigmoid(x)
hardswish(x)
hardshrink(x, lambd=0.5)
softshrink(x, lambd=0.5)
softsign(x)
tanhshrink(x)
glu(x, dim=-1)
atan2(x, other) = arctan2
hypot(x, other)
logaddexp(x, other)
logaddexp2(x, other)
xlogy(x, other)
xlog1py(x, other)
maximum(x, other)
minimum(x, other)
fmax(x, other)
fmin(x, other)
clamp(x, min=None, max=None) = clip
clamp_min(x, min)
clamp_max(x, max)
lerp(x, end, weight)
addcmul(x, a, b, value=1)
addcdiv(x, a, b, value=1)
where(condition, x, other)
masked_fill(x, mask, value)
nan_to_num(x)
frac(x)
floor(x)
ceil(x)
round(x, decimals=0)
trunc(x) = fix
heaviside(x, values)
detach(x)
bernoulli(x)

sum(x, dim=None, keepdim=False)
nansum(x, dim=None, keepdim=False)
mean(x, dim=None, keepdim=False)
var(x, dim=None, correction=1, keepdim=False)
std(x, dim=None, correction=1, keepdim=False)
var_mean(x, dim=None, correction=1, keepdim=False)
std_mean(x, dim=None, correction=1, keepdim=False)
prod(x, dim=None, keepdim=False)
norm(x, p=2, dim=None, keepdim=False) = vector_norm matrix_norm
dist(x, other, p=2)
max(x, dim=None, keepdim=False)
min(x, dim=None, keepdim=False)
amax(x, dim=(), keepdim=False)
amin(x, dim=(), keepdim=False)
median(x, dim=None, keepdim=False)
nanmedian(x, dim=None, keepdim=False)
mode(x, dim=-1, keepdim=False)
kthvalue(x, k, dim=-1, keepdim=False)
logsumexp(x, dim, keepdim=False)
cumsum(x, dim)
cumprod(x, dim)
logcumsumexp(x, dim)
cummax(x, dim)
cummin(x, dim)
diff(x, n=1, dim=-1)
sort(x, dim=-1, descending=False)
msort(x)
topk(x, k, dim=-1, largest=True, sorted=True)
softmax(x, dim)
softmin(x, dim)
log_softmax(x, dim)
normalize(x, p=2.0, dim=1, eps=1e-12)
cosine_similarity(x, other, dim=1, eps=1e-8)
pairwise_distance(x, other, p=2.0, eps=1e-6, keepdim=False)
cdist(x, other, p=2.0)
trace(x)
diag(x, diagonal=0)
diagonal(x, offset=0, dim1=0, dim2=1)
diag_embed(x, offset=0, dim1=-2, dim2=-1)
tril(x, diagonal=0)
triu(x, diagonal=0)
det(x)
logdet(x)
slogdet(x)
inv(x) = inverse
pinv(x)
solve(x, other)
solve_triangular(x, other, upper, left=True, unitriangular=False)
cholesky(x)
matrix_exp(x)
eigh(x)
eigvalsh(x)
svdvals(x)
cross(x, other, dim=-1)

view(x, *shape)
reshape(x, *shape)
view_as(x, other) = reshape_as
flatten(x, start_dim=0, end_dim=-1)
ravel(x)
unflatten(x, dim, sizes)
atleast_1d(x)
atleast_2d(x)
atleast_3d(x)
squeeze(x, dim=None)
unsqueeze(x, dim) = expand_dims
transpose(x, dim0, dim1) = swapaxes swapdims
permute(x, *dims)
movedim(x, source, destination) = moveaxis
t(x)
expand(x, *sizes)
expand_as(x, other)
broadcast_to(x, size)
repeat(x, *sizes)
tile(x, *sizes)
repeat_interleave(x, repeats, dim=None)
flip(x, *dims)
fliplr(x)
flipud(x)
rot90(x, k=1, dims=(0, 1))
roll(x, shifts, dims=None)
pad(x, pad, mode="constant", value=0)
unfold(x, dimension, size, step)
cat(tensors, dim=0) = concat concatenate
stack(tensors, dim=0)
hstack(tensors)
vstack(tensors) = row_stack
split(x, split_size, dim=0) = split_with_sizes
chunk(x, chunks, dim=0)
tensor_split(x, sections, dim=0)
unbind(x, dim=0)
narrow(x, dim, start, length)
select(x, dim, index)
getitem(x, index)
setitem(x, index, values)
additem(x, index, values)
gather(x, dim, index)
take_along_dim(x, index, dim=None) = take_along_axis
index_select(x, dim, index)
take(x, index)
scatter(x, dim, index, src)
scatter_add(x, dim, index, src)
index_add(x, dim, index, source, alpha=1)
index_copy(x, dim, index, source)
index_fill(x, dim, index, value)
index_put(x, indices, values, accumulate=False)
masked_select(x, mask)
masked_scatter(x, mask, source)
embedding(index, weight, padding_idx=None)
one_hot(index, num_classes=-1)
clone(x) = copy contiguous ascontiguousarray
float(x) = double half bfloat16
type_as(x, other)
to(x, *kind)
astype(x, *kind)
asarray(x) = array
zeros_like(x)
ones_like(x)
full_like(x, value)
empty_like(x)
rand_like(x)
randn_like(x)
randint_like(x, low, high=None)
new_zeros(x, *size)
new_ones(x, *size)
new_full(x, size, value)
new_empty(x, *size)
new_tensor(x, data)
"""

SIGNATURES = TENSORS + LAYERS
"""All of them."""
