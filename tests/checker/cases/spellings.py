"""Right programs in other words: each row is a base program with some lines said otherwise, or a script of its own."""

import re
import textwrap

from .schema import PROGRAMS_FOLDER, Spelling, changed, program
from .mistakes import chunked as lines

SCRIPTS_FOLDER = PROGRAMS_FOLDER.parent / "scripts"

CROSS_ENTROPY = f"dlogits = dnorm_logits.clone()\n{lines.DLOGIT_MAXES}\n{lines.SECOND_DLOGITS}"
DCOUNTS = f"dcounts = counts_sum_inv * dprobs\n{lines.DCOUNTS_SUM}\n{lines.SECOND_DCOUNTS}"
DLOGPROBS = f"dlogprobs = torch.zeros_like(logprobs)\n{lines.DLOGPROBS}"
DBNDIFF = f"dbndiff = bnvar_inv * dbnraw\n{lines.DBNVAR_INV}\n{lines.DBNVAR}\n{lines.DBNDIFF2}\n{lines.SECOND_DBNDIFF}"
DHPREBN = f"dhprebn = dbndiff.clone()\n{lines.DBNMEANI}\n{lines.SECOND_DHPREBN}"
DC = f"dC = torch.zeros_like(C)\n{lines.DC}"
LOSS = "loss = -logprobs[range(n), Yb].mean()"
DATA = "Xb = torch.randint(0, vocab_size, (n, block_size), generator=g)"


def spelling(id: str, base: str, *replacements: tuple[str, str], in_context: tuple[str, ...] = ()) -> Spelling:
    """The program `base` with each (old, new) replaced."""
    return Spelling(f"{base}/{id}", changed(base, *replacements), in_context=in_context)


def lecture(id: str, *replacements: tuple[str, str], in_context: tuple[str, ...] = ()) -> Spelling:
    return spelling(id, "lecture_chunked", *replacements, in_context=in_context)


def renamed(id: str, base: str, prefix: str, **names: str) -> Spelling:
    """The program `base` with other forward names; the gradient of `new` is called `prefix` + `new`."""
    source = program(base)
    for old, new in names.items():
        source = re.sub(rf"\bd{old}\b", prefix + new, re.sub(rf"\b{old}\b", new, source))
    return Spelling(f"{base}/{id}", source)


def every_gradient_with(id: str, base: str, prefix: str) -> Spelling:
    """The program `base` with `prefix` in place of the d of every gradient that it writes."""
    forward, backward = program(base).split("# backward\n")
    names = set(re.findall(r"\bd(\w+)(?:\[.*\])? [-+*/]?= ", backward))
    pattern = rf"(?<!\.)\bd({'|'.join(sorted(names))})\b"
    return Spelling(f"{base}/{id}", forward + "# backward\n" + re.sub(pattern, rf"{prefix}\1", backward))


def without_autograd(base: str) -> Spelling:
    """The program `base` with its backward pass under `torch.no_grad()`."""
    forward, backward = program(base).split("# backward\n")
    return Spelling(f"{base}/no-grad", f"{forward}with torch.no_grad():\n{textwrap.indent(backward, '    ')}")


def in_double(base: str) -> Spelling:
    """The program `base` with float64 as the default."""
    return Spelling(
        f"{base}/double",
        re.sub(r"^import torch\n", "import torch\ntorch.set_default_dtype(torch.float64)\n", program(base), flags=re.M),
    )


def backward_called(id: str, base: str, marker: str, calls: str) -> Spelling:
    """The program `base` with `calls` at the `marker`: the user's own use of autograd, which must not disturb."""
    return spelling(id, base, (marker, calls))


CHUNKED = (
    lecture("dlogprobs-one-hot", (DLOGPROBS, "dlogprobs = -torch.nn.functional.one_hot(Yb, vocab_size) / n")),
    lecture("dlogprobs-scatter", (DLOGPROBS, "dlogprobs = torch.zeros_like(logprobs).scatter_(1, Yb[:, None], -1.0 / n)")),
    lecture("dlogprobs-index-put", (DLOGPROBS, """\
dlogprobs = torch.zeros(logprobs.shape)
dlogprobs.index_put_((torch.arange(n), Yb), torch.tensor(-1.0 / n))""")),
    lecture("dlogprobs-loop", (lines.DLOGPROBS, "for row, label in enumerate(Yb):\n    dlogprobs[row, label] = -1 / n")),
    lecture("dlogprobs-identity", (DLOGPROBS, "dlogprobs = -torch.eye(vocab_size)[Yb] / n")),
    lecture("dlogprobs-minus-equals", (lines.DLOGPROBS, "dlogprobs[torch.arange(n), Yb] -= 1 / len(Yb)")),
    lecture("dlogprobs-mask", (DLOGPROBS, """\
target = torch.arange(vocab_size) == Yb[:, None]
dlogprobs = torch.where(target, torch.tensor(-1.0 / n), torch.tensor(0.0))""")),
    lecture("dprobs-inverse", ("dprobs = dlogprobs / probs", "dprobs = (probs**-1) * dlogprobs")),
    lecture("dprobs-functions", ("dprobs = dlogprobs / probs", "dprobs = torch.mul(torch.reciprocal(probs), dlogprobs)")),
    lecture("dprobs-methods", ("dprobs = dlogprobs / probs", "dprobs = probs.pow(-1).mul(dlogprobs)")),
    lecture("dprobs-target-only", ("dprobs = dlogprobs / probs", """\
dprobs = torch.zeros_like(probs)
dprobs[range(n), Yb] = dlogprobs[range(n), Yb] / probs[range(n), Yb]"""), in_context=("probs",)),
    lecture("dcounts_sum_inv-torch-sum", (lines.DCOUNTS_SUM_INV, "dcounts_sum_inv = torch.sum(counts * dprobs, dim=1, keepdim=True)")),
    lecture("dcounts_sum_inv-unsqueeze", (lines.DCOUNTS_SUM_INV, "dcounts_sum_inv = (counts * dprobs).sum(axis=1).unsqueeze(1)")),
    lecture("dcounts_sum_inv-none", (lines.DCOUNTS_SUM_INV, "dcounts_sum_inv = (dprobs * counts).sum(-1)[:, None]")),
    lecture("dcounts_sum_inv-keepdims", (lines.DCOUNTS_SUM_INV, "dcounts_sum_inv = (counts * dprobs).sum(1, keepdims=True)")),
    lecture("dcounts_sum_inv-einsum", (lines.DCOUNTS_SUM_INV, 'dcounts_sum_inv = torch.einsum("nv,nv->n", counts, dprobs).view(-1, 1)')),
    lecture("dcounts_sum_inv-bmm", (lines.DCOUNTS_SUM_INV, "dcounts_sum_inv = torch.bmm(counts[:, None, :], dprobs[:, :, None]).squeeze(2)")),
    lecture("dcounts_sum_inv-ones", (lines.DCOUNTS_SUM_INV, "dcounts_sum_inv = (counts * dprobs) @ torch.ones(vocab_size, 1)")),
    lecture("dcounts_sum_inv-at-the-target", (lines.DCOUNTS_SUM_INV, """\
dcounts_sum_inv = (counts[range(n), Yb] * dprobs[range(n), Yb]).view(n, 1)"""), in_context=("counts_sum_inv",)),
    lecture("dcounts-in-one", (DCOUNTS, f"{lines.DCOUNTS_SUM}\ndcounts = counts_sum_inv * dprobs + dcounts_sum")),
    lecture("dcounts-add", (lines.SECOND_DCOUNTS, "dcounts = torch.add(dcounts, dcounts_sum.expand_as(counts))")),
    lecture("dcounts-add-in-place", (lines.SECOND_DCOUNTS, "dcounts.add_(dcounts_sum)")),
    lecture("dcounts-other-order", (DCOUNTS, f"""\
{lines.DCOUNTS_SUM}
dcounts = dcounts_sum.repeat(1, vocab_size)
dcounts += dprobs * counts_sum_inv""")),
    lecture("dcounts_sum-division", (lines.DCOUNTS_SUM, "dcounts_sum = -dcounts_sum_inv / counts_sum**2")),
    lecture("dcounts_sum-of-the-inverse", (lines.DCOUNTS_SUM, "dcounts_sum = -(counts_sum_inv**2) * dcounts_sum_inv")),
    lecture("dcounts_sum-neg", (lines.DCOUNTS_SUM, "dcounts_sum = torch.pow(counts_sum, -2).neg() * dcounts_sum_inv")),
    lecture("dnorm_logits-exp", ("dnorm_logits = counts * dcounts", "dnorm_logits = torch.exp(norm_logits) * dcounts")),
    lecture("dlogits-argmax-loop", (lines.SECOND_DLOGITS, """\
for row in range(n):
    dlogits[row, logits[row].argmax()] += dlogit_maxes[row, 0]""")),
    lecture("dlogits-scatter-add", (lines.SECOND_DLOGITS, "dlogits.scatter_add_(1, logits.argmax(1, keepdim=True), dlogit_maxes)")),
    lecture("dlogits-index", (lines.SECOND_DLOGITS, "dlogits[range(n), logits.max(1).indices] += dlogit_maxes.view(-1)")),
    lecture("dlogits-where-largest", (lines.SECOND_DLOGITS, "dlogits = dlogits + (logits == logit_maxes) * dlogit_maxes")),
    lecture("dlogits-closed-form", (CROSS_ENTROPY, f"""\
{lines.DLOGIT_MAXES}
dlogits = torch.softmax(logits, 1)
dlogits[range(n), Yb] -= 1
dlogits /= n"""), in_context=("logits",)),
    lecture("dlogits-probs-clone", (CROSS_ENTROPY, f"""\
{lines.DLOGIT_MAXES}
dlogits = probs.clone()
dlogits[range(n), Yb] -= 1
dlogits *= 1 / n"""), in_context=("logits",)),
    lecture("dlogits-one-hot", (CROSS_ENTROPY, f"""\
{lines.DLOGIT_MAXES}
dlogits = (probs - torch.nn.functional.one_hot(Yb, vocab_size)) / n"""), in_context=("logits",)),
    lecture("dh-linear", ("dh = dlogits @ W2.T", "dh = torch.nn.functional.linear(dlogits, W2)")),
    lecture("dh-einsum", ("dh = dlogits @ W2.T", 'dh = torch.einsum("nv,hv->nh", dlogits, W2)')),
    lecture("dh-transposed", ("dh = dlogits @ W2.T", "dh = (W2 @ dlogits.T).T")),
    lecture("dW2-einsum", ("dW2 = h.T @ dlogits", 'dW2 = torch.einsum("nh,nv->hv", h, dlogits)')),
    lecture("dW2-t", ("dW2 = h.T @ dlogits", "dW2 = h.t().mm(dlogits)")),
    lecture("dW2-mT", ("dW2 = h.T @ dlogits", "dW2 = torch.matmul(h.mT, dlogits)")),
    lecture("dW2-transposed", ("dW2 = h.T @ dlogits", "dW2 = (dlogits.T @ h).transpose(0, 1)")),
    lecture("dW2-outer", ("dW2 = h.T @ dlogits", """\
dW2 = torch.zeros_like(W2)
for row in range(n):
    dW2 += torch.outer(h[row], dlogits[row])""")),
    lecture("dW2-broadcast", ("dW2 = h.T @ dlogits", "dW2 = (h[:, :, None] * dlogits[:, None, :]).sum(0)")),
    lecture("db2-torch-sum", ("db2 = dlogits.sum(0)", "db2 = torch.sum(dlogits, axis=0)")),
    lecture("db2-ones", ("db2 = dlogits.sum(0)", "db2 = torch.ones(n) @ dlogits")),
    lecture("db2-mean-times", ("db2 = dlogits.sum(0)", "db2 = dlogits.mean(0) * n")),
    lecture("db2-loop", ("db2 = dlogits.sum(0)", "db2 = torch.zeros(vocab_size)\nfor row in dlogits:\n    db2 = db2 + row")),
    lecture("db2-builtin-sum", ("db2 = dlogits.sum(0)", "db2 = sum(dlogits)")),
    lecture("db2-keepdim-squeeze", ("db2 = dlogits.sum(0)", "db2 = dlogits.sum(0, keepdim=True).squeeze()")),
    lecture("several-a-line", ("dh = dlogits @ W2.T\ndW2 = h.T @ dlogits\ndb2 = dlogits.sum(0)",
        "dh, dW2, db2 = dlogits @ W2.T, h.T @ dlogits, dlogits.sum(0)")),
    lecture("semicolons", ("dh = dlogits @ W2.T\ndW2 = h.T @ dlogits\ndb2 = dlogits.sum(0)",
        "dh = dlogits @ W2.T; dW2 = h.T @ dlogits; db2 = dlogits.sum(0)")),
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
    lecture("dbndiff-in-one", (DBNDIFF, f"""\
{lines.DBNVAR_INV}
{lines.DBNVAR}
{lines.DBNDIFF2}
dbndiff = bnvar_inv * dbnraw + 2 * bndiff * dbndiff2""")),
    lecture("dbnvar-cubed", (lines.DBNVAR, "dbnvar = -0.5 * bnvar_inv**3 * dbnvar_inv")),
    lecture("dbnvar-roots", (lines.DBNVAR, "dbnvar = -dbnvar_inv / (2 * (bnvar + 1e-5) * torch.sqrt(bnvar + 1e-5))")),
    lecture("dbndiff2-expand", (lines.DBNDIFF2, "dbndiff2 = dbnvar.expand_as(bndiff2) / (n - 1)")),
    lecture("dbndiff2-repeat", (lines.DBNDIFF2, "dbndiff2 = dbnvar.repeat(n, 1) / (n - 1)")),
    lecture("dbndiff2-full", (lines.DBNDIFF2, "dbndiff2 = torch.full_like(bndiff2, 1 / (n - 1)) * dbnvar")),
    lecture("dbndiff2-added", (lines.DBNDIFF2, "dbndiff2 = torch.zeros_like(bndiff2)\ndbndiff2 += 1 / (n - 1) * dbnvar")),
    lecture("dbnmeani-positional", (lines.DBNMEANI, "dbnmeani = -torch.sum(dbndiff, 0, True)")),
    lecture("dhprebn-in-one", (DHPREBN, f"{lines.DBNMEANI}\ndhprebn = dbndiff + dbnmeani / n")),
    lecture("dhprebn-mean", (lines.SECOND_DHPREBN, "dhprebn += dbnmeani / n")),
    lecture("dhprebn-closed-form", (DHPREBN, f"""\
{lines.DBNMEANI}
dhprebn = bngain * bnvar_inv / n * (n * dhpreact - dhpreact.sum(0) - n / (n - 1) * bnraw * (dhpreact * bnraw).sum(0))""")),
    lecture("dhprebn-terms", (DHPREBN, f"""\
{lines.DBNMEANI}
A = bngain * bnvar_inv * dhpreact
B = -bngain * bnvar_inv * dhpreact.sum(0, keepdim=True) / n
D = -bngain * bnvar_inv * (bnraw * dhpreact).sum(0, keepdim=True) * bnraw / (n - 1)
dhprebn = A + B + D""")),
    lecture("demb-unflatten", ("demb = dembcat.view(emb.shape)", "demb = dembcat.unflatten(1, (block_size, n_embd))")),
    lecture("demb-reshape", ("demb = dembcat.view(emb.shape)", "demb = dembcat.reshape(-1, block_size, n_embd)")),
    lecture("demb-stack", ("demb = dembcat.view(emb.shape)", "demb = torch.stack(dembcat.chunk(block_size, dim=1), dim=1)")),
    lecture("dC-index-add", (DC, "dC = torch.zeros_like(C)\ndC.index_add_(0, Xb.view(-1), demb.view(-1, n_embd))")),
    lecture("dC-index-put", (DC, "dC = torch.zeros_like(C)\ndC.index_put_((Xb,), demb, accumulate=True)")),
    lecture("dC-index-put-out-of-place", (DC, "dC = torch.zeros_like(C).index_put((Xb,), demb, accumulate=True)")),
    lecture("dC-scatter-add", (DC, """\
dC = torch.zeros_like(C)
dC.scatter_add_(0, Xb.view(-1, 1).expand(-1, n_embd), demb.view(-1, n_embd))""")),
    lecture("dC-one-hot", (DC, """\
Xhot = torch.nn.functional.one_hot(Xb, num_classes=vocab_size).to(demb.dtype)
dC = torch.einsum("nbv,nbe->ve", Xhot, demb)""")),
    lecture("dC-one-hot-flat", (DC, "dC = torch.eye(vocab_size)[Xb.flatten()].T @ demb.flatten(0, 1)")),
    lecture("dC-a-row-a-letter", (DC, "dC = torch.stack([demb[Xb == letter].sum(0) for letter in range(vocab_size)])")),
    lecture("dC-zip", (lines.DC, """\
for context, rows in zip(Xb.tolist(), demb):
    for letter, row in zip(context, rows):
        dC[letter] += row
""")),
    lecture("dC-position-by-position", (lines.DC, """\
for position in range(block_size):
    dC.index_add_(0, Xb[:, position], demb[:, position])
""")),
    lecture("n-a-float", ("n = 32\n", "n = 32.0\n"), (DATA, DATA.replace("(n,", "(32,")), ("(0, vocab_size, (n,)", "(0, vocab_size, (32,)"),
        (lines.DLOGPROBS, "dlogprobs[range(32), Yb] = -1.0 / n"), (LOSS, "loss = -logprobs[range(32), Yb].mean()")),
    lecture("loss-by-gather", (LOSS, "loss = -logprobs.gather(1, Yb[:, None]).sum() / n")),
    lecture("small-batch", ("n = 32\n", "n = 5\n")),
    lecture("one-hidden-unit", ("n_hidden = 27, 10, 3, 64", "n_hidden = 27, 10, 3, 1")),
    lecture("other-sizes", ("n_hidden = 27, 10, 3, 64\nn = 32", "n_hidden = 12, 4, 5, 21\nn = 17")),
    lecture("one-letter-of-context", ("n_hidden = 27, 10, 3, 64\nn = 32", "n_hidden = 7, 2, 1, 3\nn = 11")),
    lecture("asserts-and-prints", ("dW2 = h.T @ dlogits", """\
assert dh.shape == h.shape, f"{dh.shape} {h.shape}"
print("dh", dh.std().item())
dW2 = h.T @ dlogits""")),
    lecture("hidden-path-is-zero", (lines.SECOND_DBNDIFF, "dbndiff += 2.0 * bndiff * dbndiff2 + 0.0 * dbnvar")),
    backward_called("backward-before", "lecture_chunked", "# backward\n",
        "for p in parameters:\n    p.grad = None\nfor t in [logprobs, probs, h, emb]:\n    t.retain_grad()\nloss.backward()\n"),
    backward_called("backward-after", "lecture_chunked", "dC = torch.zeros_like(C)\n",
        "loss.backward()\nprint((dW1 - W1.grad).abs().max())\ndC = torch.zeros_like(C)\n"),
    backward_called("backward-twice", "lecture_chunked", "# backward\n",
        "loss.backward(retain_graph=True)\nloss.backward()\n"),
    renamed("words", "lecture_chunked", "d", Xb="xs", Yb="ys", n="batch_size", bngain="gamma", bnbias="beta", C="table"),
    renamed("underscores", "lecture_chunked", "d_", logits="logits_", hpreact="h_preact", hprebn="pre_bn", W1="w_in"),
    every_gradient_with("d-underscore", "lecture_chunked", "d_"),
    without_autograd("lecture_chunked"),
    in_double("lecture_chunked"),
)  # fmt: skip

OTHERS = (
    spelling("adds-three-terms", "lecture_fused", ("""\
dhprebn = (
            bngain * bnvar_inv / n * (n * dhpreact - dhpreact.sum(0) - n / (n - 1) * bnraw * (dhpreact * bnraw).sum(0))
        )
""", """\
dhprebn = bngain * bnvar_inv * dhpreact
        dhprebn -= bngain * bnvar_inv * dhpreact.mean(0)
        dhprebn -= bngain * bnvar_inv * bnraw * (dhpreact * bnraw).sum(0) / (n - 1)
""")),
    spelling("many-steps", "lecture_fused", ("max_steps = 16, 4", "max_steps = 16, 10_000"),
        ("lossi.append(loss.log10().item())", "lossi.append(loss.log10().item())\n        if i % 1000 == 0:\n            print(f'{i:7d}/{max_steps:7d}: {loss.item():.4f}')")),
    spelling("breaks-early", "lecture_fused", ("lossi.append(loss.log10().item())", "lossi.append(loss.log10().item())\n        if i >= 1:\n            break")),
    spelling("stubs-first", "lecture_fused", ("# backward\n", """\
# backward
        dC, dW1, db1, dW2, db2, dbngain, dbnbias = None, None, None, None, None, None, None
""")),
    spelling("stddev", "lecture_fused", ("F.softmax(logits, 1)\n        dlogits[range(n), Yb] -= 1\n        dlogits /= n",
        "(F.softmax(logits, 1) - F.one_hot(Yb, vocab_size)) / Xb.shape[0]")),
    every_gradient_with("d-underscore", "lecture_fused", "d_"),
    spelling("closed-form", "layer_norm", ("dx = dxc + dmean / D",
        "dx = (dxhat - dxhat.mean(1, keepdim=True) - xhat * (dxhat * xhat).mean(1, keepdim=True)) / std")),
    spelling("none-for-keepdim", "layer_norm", ("dmean = -dxc.sum(1, keepdim=True)", "dmean = -dxc.sum(1)[:, None]")),
    spelling("std-by-sqrt", "layer_norm", ("dvar = dstd * 0.5 / std", "dvar = 0.5 * (var + eps) ** -0.5 * dstd")),
    spelling("one-row", "layer_norm", ("B, D, K = 6, 5, 3", "B, D, K = 1, 5, 3")),
    spelling("one-feature", "layer_norm", ("B, D, K = 6, 5, 3", "B, D, K = 6, 1, 3")),
    without_autograd("layer_norm"),
    in_double("layer_norm"),
    spelling("sigmoid", "rms_norm", ("dmargin = -dcost * torch.exp(-margin) / (1 + torch.exp(-margin))",
        "dmargin = -dcost * torch.sigmoid(-margin)")),
    spelling("one-line", "rms_norm", ("dx = dxn * rms_inv + 2.0 / D * x * dms",
        "dx = rms_inv * (dxn - xn * (dxn * xn).mean(-1, keepdim=True))")),
    spelling("tiny-inputs", "rms_norm", ("table = torch.randn(9, D, generator=g, requires_grad=True)",
        "table = (1e-3 * torch.randn(9, D, generator=g)).requires_grad_()")),
    spelling("autograd-jacobian", "softmax_nll", ("dlogits = probs * (dprobs - (dprobs * probs).sum(1, keepdim=True))", """\
jacobian = torch.diag_embed(probs) - probs[:, :, None] * probs[:, None, :]
dlogits = torch.einsum("nij,nj->ni", jacobian, dprobs)""")),
    spelling("target-only", "softmax_nll", ("dlogits = probs * (dprobs - (dprobs * probs).sum(1, keepdim=True))",
        "dlogits = (probs - F.one_hot(y, n_classes)) / n"), in_context=("logits",)),
    spelling("weight-decay-added-after", "softmax_nll", ("dW = x.T @ dlogits + 2 * W * dpenalty",
        "dW = x.T @ dlogits\ndW += 2 * decay * W")),
    spelling("expand", "softmax_nll", ("dnll = ddata_loss / n * torch.ones_like(nll)", "dnll = (ddata_loss / n).expand(n)")),
    spelling("no-mask-needed", "attention", ("dscaled = dmasked.masked_fill(mask, 0.0)", "dscaled = dmasked"),
        in_context=("scaled",)),
    spelling("tril", "attention", ("dscaled = dmasked.masked_fill(mask, 0.0)", "dscaled = torch.tril(dmasked)")),
    spelling("mT", "attention", ("datt = dout @ v.transpose(-2, -1)", "datt = dout @ v.mT"),
        ("dv = att.transpose(-2, -1) @ dout", "dv = att.mT.matmul(dout)")),
    spelling("weights-by-einsum", "attention", ("dWq = x.reshape(-1, D).T @ dq.reshape(-1, H)",
        'dWq = torch.einsum("btd,bth->dh", x, dq)'), ("dWv = x.reshape(-1, D).T @ dv.reshape(-1, H)",
        "dWv = (x.mT @ dv).sum(0)"), ("dWk = x.reshape(-1, D).T @ dk.reshape(-1, H)",
        "dWk = torch.tensordot(x, dk, dims=([0, 1], [0, 1]))")),
    spelling("gathered", "attention", ("dx = dq @ Wq.T + dk @ Wk.T + dv @ Wv.T",
        "dx = dq @ Wq.T\ndx += dk @ Wk.T\ndx += dv @ Wv.T")),
    spelling("row-by-row", "attention", ("dmasked = att * (datt - (datt * att).sum(-1, keepdim=True))", """\
dmasked = torch.zeros_like(att)
for i in range(B):
    for j in range(T):
        p = att[i, j]
        dmasked[i, j] = (torch.diag(p) - torch.outer(p, p)) @ datt[i, j]""")),
    in_double("attention"),
    without_autograd("attention_heads"),
    spelling("permute", "attention_heads", ("dq = dqh.transpose(1, 2).reshape(B, T, n_embd)",
        "dq = dqh.permute(0, 2, 1, 3).flatten(2)"), ("dbo = dout.sum((0, 1))", "dbo = dout.view(-1, n_embd).sum(0)")),
    spelling("filled", "attention_heads", ("dqkv = torch.cat([dq, dk, dv], dim=2)", """\
dqkv = torch.empty_like(qkv)
dqkv[..., :n_embd] = dq
dqkv[..., n_embd : 2 * n_embd] = dk
dqkv[..., 2 * n_embd :] = dv""")),
    spelling("product-rule", "gelu_mlp", ("du = 0.5 * (1 + t) * da + s * dinner + 3 * u**2 * du3", """\
du = 0.5 * (1 + t) * da
du = du + s * dinner
du += du3 * 3 * u.square()""")),
    spelling("straight-to-u", "gelu_mlp", ("du = 0.5 * (1 + t) * da + s * dinner + 3 * u**2 * du3",
        "du = (0.5 * (1 + t) + 0.5 * u * (1 - t**2) * s * (1 + 3 * 0.044715 * u**2)) * da")),
    spelling("logit-directly", "swiglu", ("dlogit = dprob * prob * (1 - prob)", "dlogit = (prob - label) / N"),
        in_context=("logit",)),
    spelling("silu-derivative", "swiglu", ("dgate = dact * sig + dsig * sig * (1 - sig)",
        "dgate = dact * (sig * (1 + gate * (1 - sig)))")),
    spelling("outer", "swiglu", ("dprod = dlogit[:, None] * Wo", "dprod = torch.outer(dlogit, Wo)"),
        ("dWo = prod.T @ dlogit", "dWo = (dlogit @ prod)")),
    spelling("gathered", "gru_cell", ("dh0 = z * dh1 + r * drh + dzpre @ Uz.T + drpre @ Ur.T", """\
dh0 = dh1 * z
dh0 += drh * r
dh0 += dzpre @ Uz.T
dh0 += drpre @ Ur.T""")),
    spelling("concatenated", "gru_cell", ("dh0 = z * dh1 + r * drh + dzpre @ Uz.T + drpre @ Ur.T",
        "dh0 = z * dh1 + r * drh + torch.cat([dzpre, drpre], 1) @ torch.cat([Uz, Ur], 1).T")),
    without_autograd("gru_cell"),
    every_gradient_with("d-underscore", "lstm_cell", "d_"),
    spelling("slices", "lstm_cell", (
        "dgates = torch.cat([di * i * (1 - i), df * f * (1 - f), do * o * (1 - o), dcc * (1 - cc**2)], dim=1)", """\
dgates = torch.zeros_like(gates)
dgates[:, :H] = i * (1 - i) * di
dgates[:, H : 2 * H] = f * (1 - f) * df
dgates[:, 2 * H : 3 * H] = o * (1 - o) * do
dgates[:, 3 * H :] = (1 - cc * cc) * dcc""")),
    spelling("loop-over-steps", "rnn_unrolled", ("dWx = x1.T @ da1 + x2.T @ da2 + x3.T @ da3", """\
dWx = torch.zeros_like(Wx)
for xt, dat in zip([x1, x2, x3], [da1, da2, da3]):
    dWx += xt.T @ dat""")),
    spelling("stacked", "rnn_unrolled", ("dWx = x1.T @ da1 + x2.T @ da2 + x3.T @ da3",
        "dWx = torch.cat([x1, x2, x3]).T @ torch.cat([da1, da2, da3])")),
    spelling("lists", "rnn_loop", ("xs, hs, ps = {}, {-1: torch.zeros(hidden, 1)}, {}",
        "xs, ps = [None] * T, [None] * T\nhs = [None] * T + [torch.zeros(hidden, 1)]")),
    spelling("taps-by-loop", "conv_time", ('dkernel = torch.einsum("btdw,btm->wdm", windows, dz)', """\
dkernel = torch.zeros_like(kernel)
for w in range(width):
    dkernel[w] = x[:, w : w + T_out].reshape(-1, D).T @ dz.reshape(-1, M)""")),
    spelling("sign-for-the-step", "conv_time", ("dz = da * (z > 0)", "dz = da * torch.sign(a)")),
    spelling("heaviside", "conv_time", ("dz = da * (z > 0)", "dz = da * torch.heaviside(z, torch.zeros(()))")),
    spelling("full-width", "conv_time", ("M, width = 3, 8, 4, 5, 2", "M, width = 3, 8, 4, 5, 8")),
    spelling("one-hot-peak", "pooling", ("dx.scatter_add_(1, where.unsqueeze(1), dpeak.unsqueeze(1))",
        "dx += torch.nn.functional.one_hot(where, T).transpose(1, 2) * dpeak.unsqueeze(1)")),
    spelling("tied-rows", "pooling", ("y = torch.randint(0, K, (N,), generator=g)",
        "y = torch.randint(0, K, (N,), generator=g)\nX[:, 1] = X[:, 0]\nX[:, 2] = X[:, 4]")),
    spelling("view-of-dx", "embedding_positional", ("dtok_emb = dx.clone()", "dtok_emb = dx")),
    spelling("padded", "embedding_positional", ("dwpe = torch.zeros_like(wpe)\ndwpe[:T] = dpos_emb",
        "dwpe = torch.cat([dpos_emb, torch.zeros(10 - T, D)])")),
    spelling("one-hot-table", "embedding_positional", (
        "dwte.index_add_(0, tokens.view(-1), dtok_emb.view(-1, D))",
        "dwte = F.one_hot(tokens.view(-1), V).to(dx.dtype).T @ dtok_emb.view(-1, D)")),
    spelling("where", "dropout", ("dpre = dact.clone()\ndpre[pre <= 0] = 0", "dpre = torch.where(pre > 0, dact, 0.0)")),
    spelling("reused-activation", "dropout", ("dpre = dact.clone()\ndpre[pre <= 0] = 0", "dpre = dact * (act > 0)")),
    spelling("dropped-tells-both", "dropout", ("dpre = dact.clone()\ndpre[pre <= 0] = 0",
        "dpre = ddropped / keep * (dropped > 0)")),
    spelling("nothing-kept", "dropout", ("generator=g) < keep", "generator=g) < 0.0")),
    spelling("everything-kept", "dropout", ("keep = 0.75", "keep = 1.0")),
    spelling("dead-units", "dropout", ("b1 = torch.randn(n_mid, generator=g, requires_grad=True)",
        "b1 = torch.full((n_mid,), -50.0, requires_grad=True)")),
    spelling("masks", "residual", ("dp2 = torch.where(p2 > 0, du2, slope * du2)",
        "dp2 = du2 * ((p2 > 0) + slope * (p2 <= 0))"), ("dp1 = torch.where(p1 > 0, du1, slope * du1)",
        "dp1 = du1.clone()\ndp1[p1 <= 0] *= slope")),
    spelling("dot", "residual", ("dscale = (f1 * dr1).sum() + (f2 * dr2).sum()",
        "dscale = torch.dot(f1.flatten(), dr1.flatten()) + torch.vdot(f2.reshape(-1), dr2.reshape(-1))")),
    spelling("added-in-place-on-a-clone", "residual", ("dr1 = dr2 + dp2 @ A2.T", "dr1 = dr2.clone()\ndr1 += dp2 @ A2.T")),
    spelling("float", "weight_tying", ("dlogp = -F.one_hot(nxt, V).to(logp.dtype) / N",
        "dlogp = -F.one_hot(nxt, V).float() / N")),
    spelling("known-sum", "weight_tying", ("logp.exp() * dlogp.sum(-1, keepdim=True)", "logp.exp() * (-1 / N)"),
        in_context=("logits",)),
    spelling("two-parts", "weight_tying", ("""\
dE = dscores.T @ hid
dE.index_add_(0, context.flatten(), demb.flatten(0, 1))
""", """\
from_output = dscores.T @ hid
from_input = torch.zeros_like(E)
from_input.index_put_((context,), demb, accumulate=True)
dE = from_input + from_output
""")),
    spelling("other-subscripts", "bilinear", ('torch.einsum("np,nqr->pqr", left, dhalf)',
        "(left[:, :, None, None] * dhalf[:, None]).sum(0)"), ('torch.einsum("nr->r", dout)', "dout.sum(0)")),
    spelling("tanh", "bilinear", ("dgap = dcosh * torch.sinh(gap)", "dgap = torch.tanh(gap) * dlogcosh")),
    spelling("opposite-order", "helpers", ("da1, dW2, db2 = linear_backward(dz2, a1, W2)",
        "grads = linear_backward(dz2, a1, W2)\nda1 = grads[0]\ndW2, db2 = grads[1:]")),
    spelling("logistic", "helpers", ("return dout * torch.sigmoid(x)", "return dout / (1 + torch.exp(-x))")),
    spelling("projection", "cosine", ("dzi = dui / norm_i + dnorm_i * zi / norm_i",
        "dzi = (dui - ui * (dui * ui).sum(1, keepdim=True)) / norm_i")),
    spelling("halves", "cosine", ("dloss_i * (logits.softmax(1) - eye) / n + dloss_t * (logits.softmax(0) - eye) / n",
        "(logits.softmax(1) + logits.softmax(0) - 2 * eye) / (2 * n)")),
    *(in_double(name) for name in ("gelu_mlp", "lstm_cell", "conv_time", "residual")),
)  # fmt: skip

NOT_GRADIENTS = {"dev_split": ("dlogits",)}

SCRIPTS = tuple(
    Spelling(path.stem, path.read_text(), NOT_GRADIENTS.get(path.stem, ()))
    for path in sorted(SCRIPTS_FOLDER.glob("*.py"))
)

SPELLINGS = CHUNKED + OTHERS + SCRIPTS
