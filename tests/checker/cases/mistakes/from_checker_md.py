"""The fifteen mistakes seen in practice with which the checker's specification begins, in its order."""

from functools import partial

from ..schema import Mistake

chunked = partial(Mistake, program="lecture_chunked")
fused = partial(Mistake, program="lecture_fused")

CROSS_ENTROPY = """\
dlogits = dnorm_logits.clone()
dlogit_maxes = -dnorm_logits.sum(1, keepdim=True)
dlogits += torch.nn.functional.one_hot(logits.max(1).indices, num_classes=logits.shape[1]) * dlogit_maxes
"""

ROWS = (
    chunked(
        id="checker-md-01",
        right="dbndiff += (2 * bndiff) * dbndiff2",
        wrong="dbndiff += (2 * bndiff2) * dbndiff2",
        variable="bndiff",
        kind="wrong-variable",
        fix="dbndiff += (2 * bndiff) * dbndiff2",
    ),
    chunked(
        id="checker-md-02",
        right=CROSS_ENTROPY,
        wrong="""\
dlogit_maxes = -dnorm_logits.sum(1, keepdim=True)
dlogits = probs
dlogits[range(n), Yb] -= 1
dlogits /= n
""",
        variable="probs",
        kind="in-place",
        fix="""\
dlogit_maxes = -dnorm_logits.sum(1, keepdim=True)
dlogits = probs.clone()
dlogits[range(n), Yb] -= 1
dlogits /= n
""",
        hazard=True,
    ),
    fused(
        id="checker-md-03",
        right="dlogits[range(n), Yb] -= 1\n        dlogits /= n\n",
        wrong="dlogits[range(n), Yb] -= 1\n",
        variable="logits",
        kind="scale",
        also=("missing-factor",),
        fix="dlogits[range(n), Yb] -= 1\n        dlogits /= n\n",
    ),
    fused(
        id="checker-md-04",
        right="n / (n - 1) * bnraw *",
        wrong="n / (n - 1) * hpreact *",
        variable="hprebn",
        kind="wrong-variable",
        fix="n / (n - 1) * bnraw *",
    ),
    fused(
        id="checker-md-05",
        right="n / (n - 1) * bnraw *",
        wrong="n / n * bnraw *",
        variable="hprebn",
        kind="bessel",
        also=("wrong-constant", "scale"),
        fix="n / (n - 1) * bnraw *",
    ),
    chunked(
        id="checker-md-06",
        right="dprobs = dlogprobs / probs",
        wrong="dprobs = dlogprobs * probs",
        variable="probs",
        kind="wrong-operator",
        fix="dprobs = dlogprobs / probs",
    ),
    chunked(
        id="checker-md-07",
        right="dcounts_sum = -(counts_sum**-2) * dcounts_sum_inv",
        wrong="dcounts_sum = (counts_sum**-2) * dcounts_sum_inv",
        variable="counts_sum",
        kind="sign",
        fix="dcounts_sum = -(counts_sum**-2) * dcounts_sum_inv",
    ),
    chunked(
        id="checker-md-08",
        right="dcounts += torch.ones_like(counts) * dcounts_sum\n",
        wrong="",
        variable="counts",
        kind="missing-path",
        also=("missing-term",),
        fix="dcounts += torch.ones_like(counts) * dcounts_sum\n",
    ),
    chunked(
        id="checker-md-09",
        right="db2 = dlogits.sum(0)",
        wrong="db2 = dlogits",
        variable="b2",
        kind="missing-sum",
        fix="db2 = dlogits.sum(0)",
    ),
    chunked(
        id="checker-md-10",
        right="dW2 = h.T @ dlogits",
        wrong="dW2 = dlogits.T @ h",
        variable="W2",
        kind="transpose",
        fix="dW2 = (dlogits.T @ h).T",
    ),
    chunked(
        id="checker-md-11",
        right="dhpreact = (1.0 - h**2) * dh",
        wrong="dhpreact = (1.0 - h) * dh",
        variable="hpreact",
        kind="wrong-constant",
        also=("missing-factor",),
        fix="dhpreact = (1.0 - h**2) * dh",
    ),
    chunked(
        id="checker-md-12",
        right="(-0.5 * (bnvar + 1e-5) ** -1.5)",
        wrong="(-0.5 * (bnvar + 1e-5) ** -0.5)",
        variable="bnvar",
        kind="wrong-constant",
        fix="(-0.5 * (bnvar + 1e-5) ** -1.5)",
    ),
    chunked(
        id="checker-md-13",
        right="(-0.5 * (bnvar + 1e-5) ** -1.5)",
        wrong="(-0.5 * bnvar**-1.5)",
        variable="bnvar",
        kind="epsilon",
        also=("missing-term",),
        fix="(-0.5 * (bnvar + 1e-5) ** -1.5)",
    ),
    chunked(
        id="checker-md-14",
        right="""\
for k in range(Xb.shape[0]):
    for j in range(Xb.shape[1]):
        ix = Xb[k, j]
        dC[ix] += demb[k, j]
""",
        wrong="dC[Xb] = demb\n",
        variable="C",
        kind="overwrite",
        fix="dC.index_put_((Xb,), demb, accumulate=True)\n",
    ),
    chunked(
        id="checker-md-15",
        right="dhprebn = dbndiff.clone()",
        wrong="dhprebn = dbndiff",
        variable="dbndiff",
        kind="in-place",
        fix="dhprebn = dbndiff.clone()",
        hazard=True,
    ),
)
