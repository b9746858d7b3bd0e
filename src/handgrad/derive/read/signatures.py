"""What the functions of PyTorch and NumPy are called here, and what their arguments are.

One entry a function: its name, its arguments as PyTorch has them, and after `=` the other names it goes by. `*x` takes
all that is left, as `view(*shape)` does. An argument that NumPy calls otherwise has PyTorch's name (`axis` is `dim`).
"""

SIGNATURES = """
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

cross_entropy(x, target, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0)
nll_loss(x, target, weight=None, ignore_index=-100, reduction="mean")
mse_loss(x, target, reduction="mean")
l1_loss(x, target, reduction="mean")
smooth_l1_loss(x, target, reduction="mean", beta=1.0)
huber_loss(x, target, reduction="mean", delta=1.0)
binary_cross_entropy(x, target, weight=None, reduction="mean")
binary_cross_entropy_with_logits(x, target, weight=None, reduction="mean", pos_weight=None)
kl_div(x, target, reduction="mean", log_target=False)
gaussian_nll_loss(x, target, var, full=False, eps=1e-6, reduction="mean")
poisson_nll_loss(x, target, log_input=True, full=False, eps=1e-8, reduction="mean")
hinge_embedding_loss(x, target, margin=1.0, reduction="mean")
margin_ranking_loss(x, other, target, margin=0.0, reduction="mean")
cosine_embedding_loss(x, other, target, margin=0.0, reduction="mean")
triplet_margin_loss(anchor, positive, negative, margin=1.0, p=2.0, eps=1e-6, swap=False, reduction="mean")
soft_margin_loss(x, target, reduction="mean")
multi_margin_loss(x, target, p=1, margin=1.0, weight=None, reduction="mean")
multilabel_soft_margin_loss(x, target, weight=None, reduction="mean")

layer_norm(x, normalized_shape, weight=None, bias=None, eps=1e-5)
rms_norm(x, normalized_shape, weight=None, eps=None)
batch_norm(x, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5)
group_norm(x, num_groups, weight=None, bias=None, eps=1e-5)
instance_norm(x, running_mean=None, running_var=None, weight=None, bias=None, use_input_stats=True, momentum=0.1, eps=1e-5)
local_response_norm(x, size, alpha=1e-4, beta=0.75, k=1.0)
dropout(x, p=0.5, training=True) = dropout1d dropout2d dropout3d alpha_dropout feature_alpha_dropout
scaled_dot_product_attention(query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None)
conv1d(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1)
conv2d(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1)
conv3d(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1)
conv_transpose1d(x, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1)
conv_transpose2d(x, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1)
conv_transpose3d(x, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1)
max_pool1d(x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False)
max_pool2d(x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False)
max_pool3d(x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False)
avg_pool1d(x, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True)
avg_pool2d(x, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True)
adaptive_avg_pool1d(x, output_size)
adaptive_avg_pool2d(x, output_size)
adaptive_max_pool1d(x, output_size)
adaptive_max_pool2d(x, output_size)
interpolate(x, size=None, scale_factor=None, mode="nearest")
fold(x, output_size, kernel_size, dilation=1, padding=0, stride=1)
pixel_shuffle(x, upscale_factor)
pixel_unshuffle(x, downscale_factor)
"""

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
