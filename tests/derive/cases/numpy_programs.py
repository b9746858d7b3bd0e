"""NumPy programs, as courses and posts write them."""

from .schema import Case

CS231N = "CS231n, assignment 1"


def _numpy(name: str, lines: str, wrt: dict, data: dict, output: str, origin: str, closed=None, sizes=None) -> Case:
    return Case(name, lines, wrt, data, output, origin, closed or {}, sizes or {}, library="numpy")


CASES = (
    _numpy("numpy-softmax-classifier", """
scores = X.dot(W)
scores = scores - np.max(scores, axis=1, keepdims=True)
exp_scores = np.exp(scores)
probs = exp_scores / np.sum(exp_scores, axis=1, keepdims=True)
loss = -np.sum(np.log(probs[np.arange(N), y])) / N
loss = loss + reg * np.sum(W * W)
""", dict(W="e v"), dict(X="n e", y="index v: n", N="size: n", reg=0.1), "loss", CS231N),
    _numpy("numpy-svm", """
scores = X.dot(W)
correct = scores[np.arange(N), y].reshape(-1, 1)
margins = np.maximum(0, scores - correct + 1)
margins[np.arange(N), y] = 0
loss = np.sum(margins) / N + reg * np.sum(W**2)
""", dict(W="e v"), dict(X="n e", y="index v: n", N="size: n", reg=0.1), "loss", CS231N),
    _numpy("numpy-two-layer", """
z1 = np.dot(X, W1) + b1
a1 = np.maximum(0, z1)
scores = np.dot(a1, W2) + b2
shift = scores - scores.max(axis=1, keepdims=True)
log_probs = shift - np.log(np.exp(shift).sum(axis=1, keepdims=True))
data_loss = -log_probs[range(N), y].mean()
reg_loss = 0.5 * reg * (np.sum(W1 * W1) + np.sum(W2 * W2))
loss = data_loss + reg_loss
""", dict(W1="e h", b1="h", W2="h v", b2="v"), dict(X="n e", y="index v: n", N="size: n", reg=0.05), "loss", CS231N),
    _numpy("numpy-batch-norm", """
mu = np.mean(x, axis=0)
xmu = x - mu
sq = xmu ** 2
var = np.mean(sq, axis=0)
sqrtvar = np.sqrt(var + eps)
ivar = 1. / sqrtvar
xhat = xmu * ivar
out = gamma * xhat + beta
""", dict(x="n h", gamma="h", beta="h"), dict(eps=1e-5), "out",
         "Kratzert, Understanding the backward pass through Batch Normalization (2016)",
           {"beta": "dout.sum(0)", "gamma": "(dout * xhat).sum(0)"}),
    _numpy("numpy-layer-norm", """
mean = x.mean(axis=-1, keepdims=True)
std = np.sqrt(x.var(axis=-1, keepdims=True) + 1e-5)
out = gamma * (x - mean) / std + beta
""", dict(x="n h", gamma="h", beta="h"), {}, "out", "CS231n, assignment 2"),
    _numpy("numpy-min-char-rnn-step", """
hs = np.tanh(np.dot(Wxh, xs) + np.dot(Whh, hprev) + bh)
ys = np.dot(Why, hs) + by
ps = np.exp(ys) / np.sum(np.exp(ys))
loss = -np.log(ps[target, 0])
""", dict(Wxh="h v", Whh="h h", Why="v h", bh="h 1", by="v 1"), dict(xs="column: v 1", hprev="h 1", target=3), "loss",
           "Karpathy, min-char-rnn (2015)"),
    _numpy("numpy-min-char-rnn", """
xs, hs, ys, ps = {}, {}, {}, {}
hs[-1] = np.copy(hprev)
loss = 0
for t in range(len(inputs)):
    xs[t] = np.zeros((vocab_size, 1))
    xs[t][inputs[t]] = 1
    hs[t] = np.tanh(np.dot(Wxh, xs[t]) + np.dot(Whh, hs[t-1]) + bh)
    ys[t] = np.dot(Why, hs[t]) + by
    ps[t] = np.exp(ys[t]) / np.sum(np.exp(ys[t]))
    loss += -np.log(ps[t][targets[t], 0])
""", dict(Wxh="h v", Whh="h h", Why="v h", bh="h 1", by="v 1"),
           dict(hprev="h 1", inputs=[3, 0, 5, 2], targets=[0, 5, 2, 7], vocab_size="size: v"), "loss",
           "Karpathy, min-char-rnn (2015)"),
    _numpy("numpy-logistic-regression", """
m = X.shape[1]
A = 1 / (1 + np.exp(-(np.dot(w.T, X) + b)))
cost = -1 / m * np.sum(Y * np.log(A) + (1 - Y) * np.log(1 - A))
""", dict(w="e 1", b="normal:"), dict(X="e n", Y="bits: 1 n"), "cost", "deeplearning.ai, course 1, week 2",
           {"w": "1 / m * np.dot(X, (A - Y).T)", "b": "1 / m * np.sum(A - Y)"}),
    _numpy("numpy-planar-layer", """
m = Y.shape[1]
Z1 = np.dot(W1, X) + b1
A1 = np.tanh(Z1)
Z2 = np.dot(W2, A1) + b2
A2 = 1 / (1 + np.exp(-Z2))
logprobs = np.multiply(np.log(A2), Y) + np.multiply((1 - Y), np.log(1 - A2))
cost = -np.sum(logprobs) / m
""", dict(W1="h e", b1="h 1", W2="1 h", b2="1 1"), dict(X="e n", Y="bits: 1 n"), "cost",
         "deeplearning.ai, course 1, week 3",
           {"Z2": "(A2 - Y) / m"}),
    _numpy("numpy-deep-layers", """
m = X.shape[1]
Z1 = W1 @ X + b1
A1 = np.maximum(0, Z1)
Z2 = W2 @ A1 + b2
A2 = np.maximum(0, Z2)
Z3 = W3 @ A2 + b3
t = np.exp(Z3 - np.max(Z3, axis=0, keepdims=True))
AL = t / np.sum(t, axis=0, keepdims=True)
cost = -np.sum(Y * np.log(AL)) / m
""", dict(W1="h e", b1="h 1", W2="d h", b2="d 1", W3="v d", b3="v 1"), dict(X="e n", Y="one-hot: v n"), "cost",
           "deeplearning.ai, course 1, week 4"),
    _numpy("numpy-l2-and-dropout", """
Z1 = np.dot(W1, X) + b1
A1 = np.maximum(Z1, 0)
A1 = np.multiply(A1, D1) / keep_prob
Z2 = np.dot(W2, A1) + b2
A2 = 1 / (1 + np.exp(-Z2))
m = Y.shape[1]
cross = -np.sum(Y * np.log(A2) + (1 - Y) * np.log(1 - A2)) / m
cost = cross + lambd / (2 * m) * (np.sum(np.square(W1)) + np.sum(np.square(W2)))
""", dict(W1="h e", b1="h 1", W2="1 h", b2="1 1"),
           dict(X="e n", Y="bits: 1 n", D1="bits: h n", keep_prob=0.8, lambd=0.7), "cost",
           "deeplearning.ai, course 2, week 1"),
    _numpy("numpy-xor-net", """
a1 = 1 / (1 + np.exp(-X @ W1))
a2 = 1 / (1 + np.exp(-a1 @ W2))
loss = np.mean((y - a2) ** 2)
""", dict(W1="e h", W2="h 1"), dict(X="n e", y="bits: n 1"), "loss",
         "Trask, A Neural Network in 11 lines of Python (2015)"),
    _numpy("numpy-two-layer-relu-mse", """
h = x.dot(w1)
h_relu = np.maximum(h, 0)
y_pred = h_relu.dot(w2)
loss = np.square(y_pred - y).sum()
""", dict(w1="e h", w2="h d"), dict(x="n e", y="n d"), "loss", "Johnson, Learning PyTorch with Examples (2017)"),
    _numpy("numpy-third-order-polynomial", """
y_pred = a + b * x + c * x ** 2 + d * x ** 3
loss = np.square(y_pred - y).sum()
""", dict(a="normal:", b="normal:", c="normal:", d="normal:"), dict(x="w", y="w"), "loss",
           "Johnson, Learning PyTorch with Examples (2020)", {"b": "(2 * (y_pred - y) * x).sum()"}),
    _numpy("numpy-lstm-step", """
z = np.concatenate((h_prev, x), axis=1)
a = z @ W + b
i, f, o, g = np.split(a, 4, axis=1)
i = 1 / (1 + np.exp(-i))
f = 1 / (1 + np.exp(-f))
o = 1 / (1 + np.exp(-o))
g = np.tanh(g)
c = f * c_prev + i * g
h = o * np.tanh(c)
""", dict(x="n e", h_prev="n h", c_prev="n h", W="h+e 4*h", b="4*h"), {}, "h", "CS231n, assignment 3"),
    _numpy("numpy-rnn-over-time", """
N, T, D = x.shape
H = np.zeros((N, T, h0.shape[1]))
h = h0
for t in range(T):
    h = np.tanh(x[:, t, :].dot(Wx) + h.dot(Wh) + b)
    H[:, t, :] = h
loss = np.sum(H * dout)
""", dict(x="n t e", h0="n h", Wx="e h", Wh="h h", b="h"), dict(dout="n t h"), "loss", "CS231n, assignment 3", None,
           dict(t=4)),
    _numpy("numpy-word-embedding", "out = W[x]", dict(W="v e"), dict(x="index v: n t"), "out", "CS231n, assignment 3"),
    _numpy("numpy-conv-by-slices", """
N, C, H, W = x.shape
F_, _, HH, WW = w.shape
out = np.zeros((N, F_, H - HH + 1, W - WW + 1))
for i in range(H - HH + 1):
    for j in range(W - WW + 1):
        out[:, :, i, j] = np.einsum("nchw,fchw->nf", x[:, :, i:i + HH, j:j + WW], w) + b
""", dict(x="n c 5 4", w="e c 3 2", b="e"), {}, "out", "CS231n, assignment 2", None, dict(n=2)),
    _numpy("numpy-im2col", """
cols = x.reshape(C, -1)[:, idx].reshape(C * K, -1)
out = (w.reshape(w.shape[0], -1) @ cols + b.reshape(-1, 1)).reshape(w.shape[0], OH, OW)
""", dict(x="c 5 6", w="e c k", b="e"),
           dict(idx="index 30: k 12", C="size: c", K="size: k", OH=3, OW=4), "out",
           "CS231n, notes on convolutional networks"),
    _numpy("numpy-max-pool", """
N, C, H, W = x.shape
xr = x.reshape(N, C, H // 2, 2, W // 2, 2)
out = xr.max(axis=3).max(axis=4)
""", dict(x="n c 2*s 2*k"), {}, "out", "CS231n, assignment 2", None, dict(n=2)),
    _numpy("numpy-attention", """
Q = X @ Wq
K = X @ Wk
V = X @ Wv
S = Q @ K.T / np.sqrt(d)
S = np.where(mask == 1, S, -1e9)
E = np.exp(S - S.max(axis=-1, keepdims=True))
P = E / E.sum(axis=-1, keepdims=True)
out = P @ V
""", dict(X="t e", Wq="e d", Wk="e d", Wv="e d"), dict(d="size: d", mask="causal: t t"), "out", "Mody, picoGPT (2023)"),
    _numpy("numpy-gelu-ffn", """
u = x @ w1 + b1
g = 0.5 * u * (1 + np.tanh(np.sqrt(2 / np.pi) * (u + 0.044715 * u**3)))
out = g @ w2 + b2
""", dict(x="t e", w1="e h", b1="h", w2="h e", b2="e"), {}, "out", "Mody, picoGPT (2023)"),
    _numpy("numpy-picogpt-norm", """
mean = np.mean(x, axis=-1, keepdims=True)
variance = np.var(x, axis=-1, keepdims=True)
out = g * ((x - mean) / np.sqrt(variance + 1e-5)) + b
""", dict(x="t e", g="e", b="e"), {}, "out", "Mody, picoGPT (2023)"),
    _numpy("numpy-linear-regression", """
y_hat = X @ theta
residual = y_hat - y
cost = (residual.T @ residual)[0, 0] / (2 * m)
""", dict(theta="e 1"), dict(X="n e", y="n 1", m="size: n"), "cost", "Ng, Machine Learning (2011)",
           {"theta": "X.T @ residual / m"}),
    _numpy("numpy-policy-gradient", """
h = np.dot(epx, W1.T)
h[h < 0] = 0
logp = np.dot(h, W2)
p = 1.0 / (1.0 + np.exp(-logp))
loss = -np.sum(adv * (epy * np.log(p) + (1 - epy) * np.log(1 - p)))
""", dict(W1="h e", W2="h"), dict(epx="n e", epy="bits: n", adv="n"), "loss", "Karpathy, Pong from Pixels (2016)"),
    _numpy("numpy-gaussian-log-likelihood", """
diff = x - mu
Sinv = np.linalg.inv(S)
ll = -0.5 * np.einsum("ni,ij,nj->n", diff, Sinv, diff)
loss = -ll.mean()
""", dict(mu="e", S="definite: e e"), dict(x="n e"), "loss", "Bishop (2006), section 2.3"),
    _numpy("numpy-skip-gram", """
h = W1[centre]
u = W2.T @ h
y = np.exp(u - u.max())
y = y / y.sum()
loss = -np.sum(np.log(y[context]))
""", dict(W1="v e", W2="e v"), dict(centre=4, context=[1, 7, 2]), "loss",
         "Rong, word2vec Parameter Learning Explained (2014)"),
)  # fmt: skip
