"""Exercise 1 in other words, in the order of the backward pass."""

from ..mistakes import chunked as lines
from ..schema import Spelling
from .build import every_gradient_with, in_double, renamed, spelling, without_autograd

CROSS_ENTROPY = f"dlogits = dnorm_logits.clone()\n{lines.DLOGIT_MAXES}\n{lines.SECOND_DLOGITS}"
DCOUNTS = f"dcounts = counts_sum_inv * dprobs\n{lines.DCOUNTS_SUM}\n{lines.SECOND_DCOUNTS}"
DLOGPROBS = f"dlogprobs = torch.zeros_like(logprobs)\n{lines.DLOGPROBS}"
DBNDIFF = f"dbndiff = bnvar_inv * dbnraw\n{lines.DBNVAR_INV}\n{lines.DBNVAR}\n{lines.DBNDIFF2}\n{lines.SECOND_DBNDIFF}"
DHPREBN = f"dhprebn = dbndiff.clone()\n{lines.DBNMEANI}\n{lines.SECOND_DHPREBN}"
DC = f"dC = torch.zeros_like(C)\n{lines.DC}"
LOSS = "loss = -logprobs[range(n), Yb].mean()"
DATA = "Xb = torch.randint(0, vocab_size, (n, block_size), generator=g)"


def lecture(id: str, *replacements: tuple[str, str], in_context: tuple[str, ...] = ()) -> Spelling:
    return spelling(id, "lecture_chunked", *replacements, in_context=in_context)


ROWS = (
    lecture("dlogprobs-one-hot", (DLOGPROBS, "dlogprobs = -torch.nn.functional.one_hot(Yb, vocab_size) / n")),
    lecture(
        "dlogprobs-scatter", (DLOGPROBS, "dlogprobs = torch.zeros_like(logprobs).scatter_(1, Yb[:, None], -1.0 / n)")
    ),
    lecture(
        "dlogprobs-index-put",
        (
            DLOGPROBS,
            """\
dlogprobs = torch.zeros(logprobs.shape)
dlogprobs.index_put_((torch.arange(n), Yb), torch.tensor(-1.0 / n))""",
        ),
    ),
    lecture(
        "dlogprobs-loop", (lines.DLOGPROBS, "for row, label in enumerate(Yb):\n    dlogprobs[row, label] = -1 / n")
    ),
    lecture("dlogprobs-identity", (DLOGPROBS, "dlogprobs = -torch.eye(vocab_size)[Yb] / n")),
    lecture("dlogprobs-minus-equals", (lines.DLOGPROBS, "dlogprobs[torch.arange(n), Yb] -= 1 / len(Yb)")),
    lecture(
        "dlogprobs-mask",
        (
            DLOGPROBS,
            """\
target = torch.arange(vocab_size) == Yb[:, None]
dlogprobs = torch.where(target, torch.tensor(-1.0 / n), torch.tensor(0.0))""",
        ),
    ),
    lecture("dprobs-inverse", ("dprobs = dlogprobs / probs", "dprobs = (probs**-1) * dlogprobs")),
    lecture(
        "dprobs-functions", ("dprobs = dlogprobs / probs", "dprobs = torch.mul(torch.reciprocal(probs), dlogprobs)")
    ),
    lecture("dprobs-methods", ("dprobs = dlogprobs / probs", "dprobs = probs.pow(-1).mul(dlogprobs)")),
    lecture(
        "dprobs-target-only",
        (
            "dprobs = dlogprobs / probs",
            """\
dprobs = torch.zeros_like(probs)
dprobs[range(n), Yb] = dlogprobs[range(n), Yb] / probs[range(n), Yb]""",
        ),
        in_context=("probs",),
    ),
    lecture(
        "dcounts_sum_inv-torch-sum",
        (lines.DCOUNTS_SUM_INV, "dcounts_sum_inv = torch.sum(counts * dprobs, dim=1, keepdim=True)"),
    ),
    lecture(
        "dcounts_sum_inv-unsqueeze",
        (lines.DCOUNTS_SUM_INV, "dcounts_sum_inv = (counts * dprobs).sum(axis=1).unsqueeze(1)"),
    ),
    lecture("dcounts_sum_inv-none", (lines.DCOUNTS_SUM_INV, "dcounts_sum_inv = (dprobs * counts).sum(-1)[:, None]")),
    lecture(
        "dcounts_sum_inv-keepdims", (lines.DCOUNTS_SUM_INV, "dcounts_sum_inv = (counts * dprobs).sum(1, keepdims=True)")
    ),
    lecture(
        "dcounts_sum_inv-einsum",
        (lines.DCOUNTS_SUM_INV, 'dcounts_sum_inv = torch.einsum("nv,nv->n", counts, dprobs).view(-1, 1)'),
    ),
    lecture(
        "dcounts_sum_inv-bmm",
        (lines.DCOUNTS_SUM_INV, "dcounts_sum_inv = torch.bmm(counts[:, None, :], dprobs[:, :, None]).squeeze(2)"),
    ),
    lecture(
        "dcounts_sum_inv-ones",
        (lines.DCOUNTS_SUM_INV, "dcounts_sum_inv = (counts * dprobs) @ torch.ones(vocab_size, 1)"),
    ),
    lecture(
        "dcounts_sum_inv-at-the-target",
        (
            lines.DCOUNTS_SUM_INV,
            """\
dcounts_sum_inv = (counts[range(n), Yb] * dprobs[range(n), Yb]).view(n, 1)""",
        ),
        in_context=("counts_sum_inv",),
    ),
    lecture("dcounts-in-one", (DCOUNTS, f"{lines.DCOUNTS_SUM}\ndcounts = counts_sum_inv * dprobs + dcounts_sum")),
    lecture("dcounts-add", (lines.SECOND_DCOUNTS, "dcounts = torch.add(dcounts, dcounts_sum.expand_as(counts))")),
    lecture("dcounts-add-in-place", (lines.SECOND_DCOUNTS, "dcounts.add_(dcounts_sum)")),
    lecture(
        "dcounts-other-order",
        (
            DCOUNTS,
            f"""\
{lines.DCOUNTS_SUM}
dcounts = dcounts_sum.repeat(1, vocab_size)
dcounts += dprobs * counts_sum_inv""",
        ),
    ),
    lecture("dcounts_sum-division", (lines.DCOUNTS_SUM, "dcounts_sum = -dcounts_sum_inv / counts_sum**2")),
    lecture("dcounts_sum-of-the-inverse", (lines.DCOUNTS_SUM, "dcounts_sum = -(counts_sum_inv**2) * dcounts_sum_inv")),
    lecture("dcounts_sum-neg", (lines.DCOUNTS_SUM, "dcounts_sum = torch.pow(counts_sum, -2).neg() * dcounts_sum_inv")),
    lecture("dnorm_logits-exp", ("dnorm_logits = counts * dcounts", "dnorm_logits = torch.exp(norm_logits) * dcounts")),
    lecture(
        "dlogits-argmax-loop",
        (
            lines.SECOND_DLOGITS,
            """\
for row in range(n):
    dlogits[row, logits[row].argmax()] += dlogit_maxes[row, 0]""",
        ),
    ),
    lecture(
        "dlogits-scatter-add",
        (lines.SECOND_DLOGITS, "dlogits.scatter_add_(1, logits.argmax(1, keepdim=True), dlogit_maxes)"),
    ),
    lecture(
        "dlogits-index", (lines.SECOND_DLOGITS, "dlogits[range(n), logits.max(1).indices] += dlogit_maxes.view(-1)")
    ),
    lecture(
        "dlogits-where-largest", (lines.SECOND_DLOGITS, "dlogits = dlogits + (logits == logit_maxes) * dlogit_maxes")
    ),
    lecture(
        "dlogits-closed-form",
        (
            CROSS_ENTROPY,
            f"""\
{lines.DLOGIT_MAXES}
dlogits = torch.softmax(logits, 1)
dlogits[range(n), Yb] -= 1
dlogits /= n""",
        ),
        in_context=("logits",),
    ),
    lecture(
        "dlogits-probs-clone",
        (
            CROSS_ENTROPY,
            f"""\
{lines.DLOGIT_MAXES}
dlogits = probs.clone()
dlogits[range(n), Yb] -= 1
dlogits *= 1 / n""",
        ),
        in_context=("logits",),
    ),
    lecture(
        "dlogits-one-hot",
        (
            CROSS_ENTROPY,
            f"""\
{lines.DLOGIT_MAXES}
dlogits = (probs - torch.nn.functional.one_hot(Yb, vocab_size)) / n""",
        ),
        in_context=("logits",),
    ),
    lecture("dh-linear", ("dh = dlogits @ W2.T", "dh = torch.nn.functional.linear(dlogits, W2)")),
    lecture("dh-einsum", ("dh = dlogits @ W2.T", 'dh = torch.einsum("nv,hv->nh", dlogits, W2)')),
    lecture("dh-transposed", ("dh = dlogits @ W2.T", "dh = (W2 @ dlogits.T).T")),
    lecture("dW2-einsum", ("dW2 = h.T @ dlogits", 'dW2 = torch.einsum("nh,nv->hv", h, dlogits)')),
    lecture("dW2-t", ("dW2 = h.T @ dlogits", "dW2 = h.t().mm(dlogits)")),
    lecture("dW2-mT", ("dW2 = h.T @ dlogits", "dW2 = torch.matmul(h.mT, dlogits)")),
    lecture("dW2-transposed", ("dW2 = h.T @ dlogits", "dW2 = (dlogits.T @ h).transpose(0, 1)")),
    lecture(
        "dW2-outer",
        (
            "dW2 = h.T @ dlogits",
            """\
dW2 = torch.zeros_like(W2)
for row in range(n):
    dW2 += torch.outer(h[row], dlogits[row])""",
        ),
    ),
    lecture("dW2-broadcast", ("dW2 = h.T @ dlogits", "dW2 = (h[:, :, None] * dlogits[:, None, :]).sum(0)")),
    lecture("db2-torch-sum", ("db2 = dlogits.sum(0)", "db2 = torch.sum(dlogits, axis=0)")),
    lecture("db2-ones", ("db2 = dlogits.sum(0)", "db2 = torch.ones(n) @ dlogits")),
    lecture("db2-mean-times", ("db2 = dlogits.sum(0)", "db2 = dlogits.mean(0) * n")),
    lecture(
        "db2-loop", ("db2 = dlogits.sum(0)", "db2 = torch.zeros(vocab_size)\nfor row in dlogits:\n    db2 = db2 + row")
    ),
    lecture("db2-builtin-sum", ("db2 = dlogits.sum(0)", "db2 = sum(dlogits)")),
    lecture("db2-keepdim-squeeze", ("db2 = dlogits.sum(0)", "db2 = dlogits.sum(0, keepdim=True).squeeze()")),
    lecture(
        "several-a-line",
        (
            "dh = dlogits @ W2.T\ndW2 = h.T @ dlogits\ndb2 = dlogits.sum(0)",
            "dh, dW2, db2 = dlogits @ W2.T, h.T @ dlogits, dlogits.sum(0)",
        ),
    ),
    lecture(
        "semicolons",
        (
            "dh = dlogits @ W2.T\ndW2 = h.T @ dlogits\ndb2 = dlogits.sum(0)",
            "dh = dlogits @ W2.T; dW2 = h.T @ dlogits; db2 = dlogits.sum(0)",
        ),
    ),
    lecture("brackets-over-lines", ("dW2 = h.T @ dlogits", "dW2 = (\n    h.T  # (n_hidden, n)\n    @ dlogits\n)")),
    lecture("dhpreact-difference", (lines.DHPREACT, "dhpreact = dh - h * h * dh")),
    lecture("dhpreact-square", (lines.DHPREACT, "dhpreact = dh * (1 - h.square())")),
    lecture("dhpreact-cosh", (lines.DHPREACT, "dhpreact = dh / torch.cosh(hpreact) ** 2")),
    lecture("dhpreact-tanh-again", (lines.DHPREACT, "dhpreact = (1 - torch.tanh(hpreact) ** 2) * dh")),
    lecture("dhpreact-in-place-on-a-clone", (lines.DHPREACT, "dhpreact = dh.clone()\ndhpreact *= 1 - h**2")),
    lecture("dhpreact-factors", (lines.DHPREACT, "dhpreact = (1 - h) * (1 + h) * dh")),
    lecture("dhpreact-rows", (lines.DHPREACT, "dhpreact = torch.stack([(1 - h[i] ** 2) * dh[i] for i in range(n)])")),
    lecture("dbngain-einsum", (lines.DBNGAIN, 'dbngain = torch.einsum("nh,nh->h", bnraw, dhpreact).unsqueeze(0)')),
    lecture("dbngain-view", (lines.DBNGAIN, "dbngain = (dhpreact * bnraw).sum(0).view(1, -1)")),
    lecture("dbnbias-sum-to-size", (lines.DBNBIAS, "dbnbias = dhpreact.sum_to_size(1, n_hidden)")),
    lecture(
        "dbndiff-in-one",
        (
            DBNDIFF,
            f"""\
{lines.DBNVAR_INV}
{lines.DBNVAR}
{lines.DBNDIFF2}
dbndiff = bnvar_inv * dbnraw + 2 * bndiff * dbndiff2""",
        ),
    ),
    lecture("dbnvar-cubed", (lines.DBNVAR, "dbnvar = -0.5 * bnvar_inv**3 * dbnvar_inv")),
    lecture("dbnvar-roots", (lines.DBNVAR, "dbnvar = -dbnvar_inv / (2 * (bnvar + 1e-5) * torch.sqrt(bnvar + 1e-5))")),
    lecture("dbndiff2-expand", (lines.DBNDIFF2, "dbndiff2 = dbnvar.expand_as(bndiff2) / (n - 1)")),
    lecture("dbndiff2-repeat", (lines.DBNDIFF2, "dbndiff2 = dbnvar.repeat(n, 1) / (n - 1)")),
    lecture("dbndiff2-full", (lines.DBNDIFF2, "dbndiff2 = torch.full_like(bndiff2, 1 / (n - 1)) * dbnvar")),
    lecture(
        "dbndiff2-added", (lines.DBNDIFF2, "dbndiff2 = torch.zeros_like(bndiff2)\ndbndiff2 += 1 / (n - 1) * dbnvar")
    ),
    lecture("dbnmeani-positional", (lines.DBNMEANI, "dbnmeani = -torch.sum(dbndiff, 0, True)")),
    lecture("dhprebn-in-one", (DHPREBN, f"{lines.DBNMEANI}\ndhprebn = dbndiff + dbnmeani / n")),
    lecture("dhprebn-mean", (lines.SECOND_DHPREBN, "dhprebn += dbnmeani / n")),
    lecture(
        "dhprebn-closed-form",
        (
            DHPREBN,
            f"""\
{lines.DBNMEANI}
projected = n / (n - 1) * bnraw * (bnraw * dhpreact).sum(0)
dhprebn = bngain * bnvar_inv / n * (n * dhpreact - dhpreact.sum(0) - projected)""",
        ),
    ),
    lecture(
        "dhprebn-terms",
        (
            DHPREBN,
            f"""\
{lines.DBNMEANI}
A = bngain * bnvar_inv * dhpreact
B = -bngain * bnvar_inv * dhpreact.sum(0, keepdim=True) / n
D = -bngain * bnvar_inv * (bnraw * dhpreact).sum(0, keepdim=True) * bnraw / (n - 1)
dhprebn = A + B + D""",
        ),
    ),
    lecture("demb-unflatten", ("demb = dembcat.view(emb.shape)", "demb = dembcat.unflatten(1, (block_size, n_embd))")),
    lecture("demb-reshape", ("demb = dembcat.view(emb.shape)", "demb = dembcat.reshape(-1, block_size, n_embd)")),
    lecture(
        "demb-stack", ("demb = dembcat.view(emb.shape)", "demb = torch.stack(dembcat.chunk(block_size, dim=1), dim=1)")
    ),
    lecture("dC-index-add", (DC, "dC = torch.zeros_like(C)\ndC.index_add_(0, Xb.view(-1), demb.view(-1, n_embd))")),
    lecture("dC-index-put", (DC, "dC = torch.zeros_like(C)\ndC.index_put_((Xb,), demb, accumulate=True)")),
    lecture("dC-index-put-out-of-place", (DC, "dC = torch.zeros_like(C).index_put((Xb,), demb, accumulate=True)")),
    lecture(
        "dC-scatter-add",
        (
            DC,
            """\
dC = torch.zeros_like(C)
dC.scatter_add_(0, Xb.view(-1, 1).expand(-1, n_embd), demb.view(-1, n_embd))""",
        ),
    ),
    lecture(
        "dC-one-hot",
        (
            DC,
            """\
Xhot = torch.nn.functional.one_hot(Xb, num_classes=vocab_size).to(demb.dtype)
dC = torch.einsum("nbv,nbe->ve", Xhot, demb)""",
        ),
    ),
    lecture("dC-one-hot-flat", (DC, "dC = torch.eye(vocab_size)[Xb.flatten()].T @ demb.flatten(0, 1)")),
    lecture("dC-a-row-a-letter", (DC, "dC = torch.stack([demb[Xb == letter].sum(0) for letter in range(vocab_size)])")),
    lecture(
        "dC-zip",
        (
            lines.DC,
            """\
for context, rows in zip(Xb.tolist(), demb):
    for letter, row in zip(context, rows):
        dC[letter] += row
""",
        ),
    ),
    lecture(
        "dC-position-by-position",
        (
            lines.DC,
            """\
for position in range(block_size):
    dC.index_add_(0, Xb[:, position], demb[:, position])
""",
        ),
    ),
    lecture(
        "n-a-float",
        ("n = 32\n", "n = 32.0\n"),
        (DATA, DATA.replace("(n,", "(32,")),
        ("(0, vocab_size, (n,)", "(0, vocab_size, (32,)"),
        (lines.DLOGPROBS, "dlogprobs[range(32), Yb] = -1.0 / n"),
        (LOSS, "loss = -logprobs[range(32), Yb].mean()"),
    ),
    lecture("loss-by-gather", (LOSS, "loss = -logprobs.gather(1, Yb[:, None]).sum() / n")),
    lecture("small-batch", ("n = 32\n", "n = 5\n")),
    lecture("one-hidden-unit", ("n_hidden = 27, 10, 3, 64", "n_hidden = 27, 10, 3, 1")),
    lecture("other-sizes", ("n_hidden = 27, 10, 3, 64\nn = 32", "n_hidden = 12, 4, 5, 21\nn = 17")),
    lecture("one-letter-of-context", ("n_hidden = 27, 10, 3, 64\nn = 32", "n_hidden = 7, 2, 1, 3\nn = 11")),
    lecture(
        "asserts-and-prints",
        (
            "dW2 = h.T @ dlogits",
            """\
assert dh.shape == h.shape, f"{dh.shape} {h.shape}"
print("dh", dh.std().item())
dW2 = h.T @ dlogits""",
        ),
    ),
    lecture("hidden-path-is-zero", (lines.SECOND_DBNDIFF, "dbndiff += 2.0 * bndiff * dbndiff2 + 0.0 * dbnvar")),
    lecture(
        "names-used-again-at-the-end",
        (
            lines.DC,
            lines.DC
            + """\
grads = [dC, dW1, db1, dW2, db2, dbngain, dbnbias]
for p, g in zip(parameters, grads):
    print(tuple(p.shape), g.std().item())
for n, h in enumerate(grads):
    print(n, h.shape)
""",
        ),
    ),
    lecture(
        "a-step-and-a-second-loss",
        (
            lines.DC,
            lines.DC
            + """\
with torch.no_grad():
    for p, dp in zip(parameters, [dC, dW1, db1, dW2, db2, dbngain, dbnbias]):
        p -= 0.1 * dp
    emb = C[Xb]
    print(emb.std())
""",
        ),
    ),
    lecture(
        "backward-before",
        ("# backward\n", "for t in [logprobs, probs, h, emb]:\n    t.retain_grad()\nloss.backward()\n"),
    ),
    lecture(
        "backward-after",
        (
            "dC = torch.zeros_like(C)\n",
            "loss.backward()\nprint((dW1 - W1.grad).abs().max())\ndC = torch.zeros_like(C)\n",
        ),
    ),
    lecture("backward-twice", ("# backward\n", "loss.backward(retain_graph=True)\nloss.backward()\n")),
    renamed(
        "words", "lecture_chunked", "d", Xb="xs", Yb="ys", n="batch_size", bngain="gamma", bnbias="beta", C="table"
    ),
    renamed("underscores", "lecture_chunked", "d_", logits="logits_", hpreact="h_preact", hprebn="pre_bn", W1="w_in"),
    every_gradient_with("d-underscore", "lecture_chunked", "d_"),
    without_autograd("lecture_chunked"),
    in_double("lecture_chunked"),
)
