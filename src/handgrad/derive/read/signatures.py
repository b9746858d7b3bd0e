"""What the functions of PyTorch and NumPy are called here, and what their arguments are.

One entry a function: its name, its arguments as PyTorch has them, and after `=` the other names it goes by. `*x` takes
all that is left, as `view(*shape)` does. An argument that NumPy calls otherwise has PyTorch's name (`axis` is `dim`).
"""

SIGNATURES = """
add(x, other, alpha=1)
sub(x, other, alpha=1) = subtract
mul(x, other) = multiply
div(x, other) = divide true_divide
pow(x, exponent) = power float_power
neg(x) = negative
positive(x)
matmul(x, other) = mm bmm
dot(x, other) = inner vdot
mv(x, other)
outer(x, other)
einsum(equation, *operands)
addmm(bias, x, other, beta=1, alpha=1) = baddbmm
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
rsqrt(x)
square(x)
reciprocal(x)
abs(x) = absolute
sign(x)
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
erf(x)
erfc(x)
sigmoid(x) = expit
logit(x, eps=None)
logsigmoid(x)
softplus(x, beta=1, threshold=20)
relu(x)
relu6(x)
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
softsign(x)
tanhshrink(x)
glu(x, dim=-1)
lgamma(x)
digamma(x)
atan2(x, other) = arctan2
hypot(x, other)
logaddexp(x, other)
maximum(x, other)
minimum(x, other)
fmax(x, other)
fmin(x, other)
clamp(x, min=None, max=None) = clip
lerp(x, end, weight)
addcmul(x, a, b, value=1)
addcdiv(x, a, b, value=1)
where(condition, x, other)
masked_fill(x, mask, value)
floor(x)
ceil(x)
round(x)
detach(x)

sum(x, dim=None, keepdim=False)
mean(x, dim=None, keepdim=False)
var(x, dim=None, correction=1, keepdim=False)
std(x, dim=None, correction=1, keepdim=False)
var_mean(x, dim=None, correction=1, keepdim=False)
std_mean(x, dim=None, correction=1, keepdim=False)
prod(x, dim=None, keepdim=False)
norm(x, p=2, dim=None, keepdim=False) = vector_norm
max(x, dim=None, keepdim=False)
min(x, dim=None, keepdim=False)
amax(x, dim=None, keepdim=False)
amin(x, dim=None, keepdim=False)
median(x, dim=None, keepdim=False)
logsumexp(x, dim, keepdim=False)
cumsum(x, dim)
cumprod(x, dim)
logcumsumexp(x, dim)
sort(x, dim=-1, descending=False)
topk(x, k, dim=-1)
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
inv(x) = inverse
solve(x, other)
cross(x, other, dim=-1)

view(x, *shape)
reshape(x, *shape)
view_as(x, other) = reshape_as
flatten(x, start_dim=0, end_dim=-1)
ravel(x)
unflatten(x, dim, sizes)
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
roll(x, shifts, dims=None)
pad(x, pad, mode="constant", value=0)
unfold(x, dimension, size, step)
cat(tensors, dim=0) = concat concatenate
stack(tensors, dim=0)
hstack(tensors)
vstack(tensors)
split(x, split_size, dim=0)
chunk(x, chunks, dim=0)
unbind(x, dim=0)
narrow(x, dim, start, length)
select(x, dim, index)
getitem(x, index)
gather(x, dim, index)
take_along_dim(x, index, dim=None) = take_along_axis
index_select(x, dim, index)
take(x, index)
scatter(x, dim, index, src)
scatter_add(x, dim, index, src)
index_add(x, dim, index, source, alpha=1)
index_put(x, indices, values, accumulate=False)
masked_select(x, mask)
embedding(index, weight)
one_hot(index, num_classes=-1)
clone(x) = copy contiguous
float(x)
double(x)
type_as(x, other)
to(x, *kind)
astype(x, *kind)
asarray(x) = array

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
poisson_nll_loss(x, target, log_input=True, reduction="mean")
hinge_embedding_loss(x, target, margin=1.0, reduction="mean")
margin_ranking_loss(x, other, target, margin=0.0, reduction="mean")
cosine_embedding_loss(x, other, target, margin=0.0, reduction="mean")
triplet_margin_loss(anchor, positive, negative, margin=1.0, p=2.0, eps=1e-6, reduction="mean")
soft_margin_loss(x, target, reduction="mean")

layer_norm(x, normalized_shape, weight=None, bias=None, eps=1e-5)
rms_norm(x, normalized_shape, weight=None, eps=None)
batch_norm(x, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5)
group_norm(x, num_groups, weight=None, bias=None, eps=1e-5)
instance_norm(x, running_mean=None, running_var=None, weight=None, bias=None, eps=1e-5)
dropout(x, p=0.5, training=True)
scaled_dot_product_attention(query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None)
conv1d(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1)
conv2d(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1)
conv_transpose1d(x, weight, bias=None, stride=1, padding=0)
conv_transpose2d(x, weight, bias=None, stride=1, padding=0)
max_pool1d(x, kernel_size, stride=None, padding=0)
max_pool2d(x, kernel_size, stride=None, padding=0)
avg_pool1d(x, kernel_size, stride=None, padding=0)
avg_pool2d(x, kernel_size, stride=None, padding=0)
adaptive_avg_pool2d(x, output_size)
interpolate(x, size=None, scale_factor=None, mode="nearest")
pixel_shuffle(x, upscale_factor)
"""

NUMPY = """
sum(x, dim=None, dtype=None, out=None, keepdim=False)
mean(x, dim=None, dtype=None, out=None, keepdim=False)
prod(x, dim=None, dtype=None, out=None, keepdim=False)
var(x, dim=None, dtype=None, out=None, correction=0, keepdim=False)
std(x, dim=None, dtype=None, out=None, correction=0, keepdim=False)
amax(x, dim=None, out=None, keepdim=False) = max
amin(x, dim=None, out=None, keepdim=False) = min
cumsum(x, dim=None)
cumprod(x, dim=None)
sort(x, dim=-1)
norm(x, p=None, dim=None, keepdim=False)
permute(x, *dims) = transpose
concatenate(tensors, dim=0)
split(x, sections, dim=0)
repeat(x, repeats, dim=None)
pad(x, pad, mode="constant", value=0)
take(x, index, dim=None)
diag(x, diagonal=0)
matmul(x, other)
dot(x, other)
"""
"""Where NumPy's function of a name has other arguments, or another meaning, than PyTorch's."""

OTHER_WORDS = {
    "axis": "dim",
    "axes": "dims",
    "keepdims": "keepdim",
    "input": "x",
    "self": "x",
    "a": "x",
    "ddof": "correction",
    "unbiased": "correction",
    "a_min": "min",
    "a_max": "max",
    "min_val": "min_val",
    "constant_values": "value",
    "pad_width": "pad",
}
"""Keywords that stand for an argument by another name."""
