"""Mistakes in exercises 2 to 4: cross-entropy and batch norm in closed form, in a training loop."""

from functools import partial

from ..schema import planted

row = partial(planted, "lecture_fused")

DLOGITS = """\
dlogits = F.softmax(logits, 1)
        dlogits[range(n), Yb] -= 1
        dlogits /= n
"""
BATCH_NORM = "(n * dhpreact - dhpreact.sum(0) - n / (n - 1) * bnraw * (dhpreact * bnraw).sum(0))"
DHPREBN = f"""\
dhprebn = (
            bngain * bnvar_inv / n * {BATCH_NORM}
        )
"""

ROWS = (
    row(
        "dlogits-plus-one",
        "logits",
        "sign",
        "dlogits[range(n), Yb] -= 1",
        "dlogits[range(n), Yb] += 1",
        "wrong-operator",
    ),
    row("dlogits-no-target", "logits", "missing-term", "dlogits[range(n), Yb] -= 1\n        ", "", "missing-path"),
    row("dlogits-wrong-axis", "logits", "wrong-dim", "F.softmax(logits, 1)", "F.softmax(logits, 0)", "wrong-constant"),
    row(
        "dlogits-log", "logits", "wrong-operator", "F.softmax(logits, 1)", "F.log_softmax(logits, 1)", "wrong-variable"
    ),
    row("dlogits-every-row", "logits", "wrong-index", "dlogits[range(n), Yb] -= 1", "dlogits[:, Yb] -= 1"),
    row("dlogits-of-h", "logits", "wrong-constant", "dlogits /= n", "dlogits /= vocab_size", "wrong-variable", "scale"),
    row(
        "dlogits-assigned",
        "logits",
        "overwrite",
        "dlogits[range(n), Yb] -= 1",
        "dlogits[range(n), Yb] = -1",
        "wrong-operator",
    ),
    row("dlogits-bessel", "logits", "bessel", "dlogits /= n", "dlogits /= n - 1", "scale"),
    row("dlogits-sign", "logits", "sign", "dlogits /= n", "dlogits /= -n"),
    row(
        "dhprebn-hpreact-twice",
        "hprebn",
        "wrong-variable",
        BATCH_NORM,
        "(n * dhpreact - dhpreact.sum(0) - n / (n - 1) * hpreact * (dhpreact * hpreact).sum(0))",
        fix=None,
    ),
    row(
        "dhprebn-no-mean-term",
        "hprebn",
        "missing-term",
        BATCH_NORM,
        "(n * dhpreact - n / (n - 1) * bnraw * (dhpreact * bnraw).sum(0))",
        "missing-path",
    ),
    row(
        "dhprebn-no-variance-term",
        "hprebn",
        "missing-term",
        BATCH_NORM,
        "(n * dhpreact - dhpreact.sum(0))",
        "missing-path",
    ),
    row(
        "dhprebn-no-n",
        "hprebn",
        "missing-factor",
        BATCH_NORM,
        "(dhpreact - dhpreact.sum(0) - n / (n - 1) * bnraw * (dhpreact * bnraw).sum(0))",
    ),
    row("dhprebn-no-division", "hprebn", "scale", "bngain * bnvar_inv / n *", "bngain * bnvar_inv *", "missing-factor"),
    row("dhprebn-no-gain", "hprebn", "missing-factor", "bngain * bnvar_inv / n *", "bnvar_inv / n *"),
    row("dhprebn-variance", "hprebn", "wrong-variable", "bngain * bnvar_inv / n *", "bngain * bnvar / n *"),
    row("dhprebn-plus", "hprebn", "sign", "- n / (n - 1) * bnraw", "+ n / (n - 1) * bnraw", "wrong-operator"),
    row("dhprebn-summed-rows", "hprebn", "wrong-dim", "- dhpreact.sum(0) -", "- dhpreact.sum(1, keepdim=True) -"),
    row(
        "dhprebn-sum-of-products",
        "hprebn",
        "misplaced-sum",
        "bnraw * (dhpreact * bnraw).sum(0)",
        "bnraw * dhpreact.sum(0) * bnraw.sum(0)",
        "missing-term",
    ),
    row("dhprebn-unsummed", "hprebn", "missing-sum", "bnraw * (dhpreact * bnraw).sum(0)", "bnraw * (dhpreact * bnraw)"),
    row(
        "dhprebn-inverse-bessel",
        "hprebn",
        "bessel",
        "n / (n - 1) * bnraw",
        "(n - 1) / n * bnraw",
        "wrong-operator",
        "wrong-constant",
        "scale",
    ),
    row(
        "dbnbias-forgets-tanh",
        "bnbias",
        "wrong-variable",
        "dbnbias = dhpreact.sum(0, keepdim=True)",
        "dbnbias = dh.sum(0, keepdim=True)",
    ),
    row(
        "dbngain-one-dim",
        "bngain",
        "shape",
        "dbngain = (bnraw * dhpreact).sum(0, keepdim=True)",
        "dbngain = (bnraw * dhpreact).sum(0)",
        warning=True,
    ),
    row(
        "dC-kept-over-steps",
        "C",
        "stale",
        "dC = torch.zeros_like(C)",
        "dC = torch.zeros_like(C) if i == 0 else dC",
        "bad-start",
        "extra-path",
        "extra-term",
        "in-place",
    ),
    row(
        "dC-index-add-once",
        "C",
        "overwrite",
        """\
for k in range(Xb.shape[0]):
            for j in range(Xb.shape[1]):
                dC[Xb[k, j]] += demb[k, j]
""",
        "dC[Xb] += demb\n",
        fix="dC.index_put_((Xb,), demb, accumulate=True)\n",
    ),
    row("db1-stub", "b1", "missing", "db1 = dhprebn.sum(0)", "db1 = None", runs=False),
    row("dW1-stub", "W1", "missing", "dW1 = embcat.T @ dhprebn", "dW1 = None", runs=False),
    row(
        "logits-as-dlogits",
        "logits",
        "in-place",
        "dlogits = F.softmax(logits, 1)\n",
        "dlogits = logits\n        dlogits[:] = F.softmax(logits, 1)\n",
        hazard=True,
    ),
    row(
        "n-of-a-loop",
        "n",
        "shadowed",
        "dlogits[range(n), Yb] -= 1",
        "for n in range(batch_size):\n            dlogits[n, Yb[n]] -= 1",
        "in-place",
        hazard=True,
        fix=None,
    ),
    row(
        "weights-updated-before-use",
        "W2",
        "in-place",
        "dh = dlogits @ W2.T\n        dW2 = h.T @ dlogits\n",
        "dW2 = h.T @ dlogits\n        W2.data += -0.1 * dW2\n        dh = dlogits @ W2.T\n",
        "stale",
        hazard=True,
    ),
    row(
        "batch-drawn-too-soon",
        "Xb",
        "stale",
        "dC = torch.zeros_like(C)",
        """\
ix = torch.randint(0, Xtr.shape[0], (batch_size,), generator=g)
        Xb, Yb = Xtr[ix], Ytr[ix]
        dC = torch.zeros_like(C)""",
        "shadowed",
        hazard=True,
    ),
    row("db1-mean", "b1", "scale", "db1 = dhprebn.sum(0)", "db1 = dhprebn.mean(0)", "wrong-operator", masked=True),
    row("db1-sign", "b1", "sign", "db1 = dhprebn.sum(0)", "db1 = -dhprebn.sum(0)", masked=True),
)
