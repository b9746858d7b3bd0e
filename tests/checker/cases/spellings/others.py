"""The other programs in other words."""

from .build import every_gradient_with, in_double, spelling, without_autograd

ROWS = (
    spelling(
        "adds-three-terms",
        "lecture_fused",
        (
            """\
dhprebn = (
            bngain * bnvar_inv / n * (n * dhpreact - dhpreact.sum(0) - n / (n - 1) * bnraw * (dhpreact * bnraw).sum(0))
        )
""",
            """\
dhprebn = bngain * bnvar_inv * dhpreact
        dhprebn -= bngain * bnvar_inv * dhpreact.mean(0)
        dhprebn -= bngain * bnvar_inv * bnraw * (dhpreact * bnraw).sum(0) / (n - 1)
""",
        ),
    ),
    spelling(
        "many-steps",
        "lecture_fused",
        ("max_steps = 16, 4", "max_steps = 16, 10_000"),
        (
            "lossi.append(loss.log10().item())",
            "lossi.append(loss.log10().item())\n        if i % 1000 == 0:\n            print(i, loss.item())",
        ),
    ),
    spelling(
        "breaks-early",
        "lecture_fused",
        (
            "lossi.append(loss.log10().item())",
            "lossi.append(loss.log10().item())\n        if i >= 1:\n            break",
        ),
    ),
    spelling(
        "stubs-first",
        "lecture_fused",
        (
            "# backward\n",
            """\
# backward
        dC, dW1, db1, dW2, db2, dbngain, dbnbias = None, None, None, None, None, None, None
""",
        ),
    ),
    spelling(
        "one-hot",
        "lecture_fused",
        (
            "F.softmax(logits, 1)\n        dlogits[range(n), Yb] -= 1\n        dlogits /= n",
            "(F.softmax(logits, 1) - F.one_hot(Yb, vocab_size)) / Xb.shape[0]",
        ),
    ),
    spelling(
        "calibrates-evaluates-and-samples",
        "lecture_fused",
        (
            "        lossi.append(loss.log10().item())\n",
            """\
        lossi.append(loss.log10().item())

with torch.no_grad():
    emb = C[Xtr]
    embcat = emb.view(emb.shape[0], -1)
    hpreact = embcat @ W1 + b1
    bnmean = hpreact.mean(0, keepdim=True)
    bnvar = hpreact.var(0, keepdim=True, unbiased=True)


@torch.no_grad()
def split_loss(x, y):
    h = torch.tanh(bngain * (C[x].flatten(1) @ W1 + b1 - bnmean) * (bnvar + 1e-5) ** -0.5 + bnbias)
    loss = F.cross_entropy(h @ W2 + b2, y)
    print(loss.item())


split_loss(Xtr, Ytr)
g = torch.Generator().manual_seed(10)
context = [0] * block_size
for _ in range(5):
    emb = C[torch.tensor([context])]
    h = torch.tanh(bngain * (emb.view(1, -1) @ W1 + b1 - bnmean) * (bnvar + 1e-5) ** -0.5 + bnbias)
    probs = F.softmax(h @ W2 + b2, dim=1)
    ix = torch.multinomial(probs, num_samples=1, generator=g).item()
    context = context[1:] + [ix]
""",
        ),
    ),
    every_gradient_with("d-underscore", "lecture_fused", "d_"),
    spelling(
        "closed-form",
        "layer_norm",
        (
            "dx = dxc + dmean / D",
            "dx = (dxhat - dxhat.mean(1, keepdim=True) - xhat * (dxhat * xhat).mean(1, keepdim=True)) / std",
        ),
    ),
    spelling("none-for-keepdim", "layer_norm", ("dmean = -dxc.sum(1, keepdim=True)", "dmean = -dxc.sum(1)[:, None]")),
    spelling("std-by-sqrt", "layer_norm", ("dvar = dstd * 0.5 / std", "dvar = 0.5 * (var + eps) ** -0.5 * dstd")),
    spelling("one-row", "layer_norm", ("B, D, K = 6, 5, 3", "B, D, K = 1, 5, 3")),
    spelling("one-feature", "layer_norm", ("B, D, K = 6, 5, 3", "B, D, K = 6, 1, 3")),
    without_autograd("layer_norm"),
    in_double("layer_norm"),
    spelling(
        "sigmoid",
        "rms_norm",
        (
            "dmargin = -dcost * torch.exp(-margin) / (1 + torch.exp(-margin))",
            "dmargin = -dcost * torch.sigmoid(-margin)",
        ),
    ),
    spelling(
        "one-line",
        "rms_norm",
        ("dx = dxn * rms_inv + 2.0 / D * x * dms", "dx = rms_inv * (dxn - xn * (dxn * xn).mean(-1, keepdim=True))"),
    ),
    spelling(
        "tiny-inputs",
        "rms_norm",
        (
            "table = torch.randn(9, D, generator=g, requires_grad=True)",
            "table = (1e-3 * torch.randn(9, D, generator=g)).requires_grad_()",
        ),
    ),
    spelling(
        "jacobian",
        "softmax_nll",
        (
            "dlogits = probs * (dprobs - (dprobs * probs).sum(1, keepdim=True))",
            """\
jacobian = torch.diag_embed(probs) - probs[:, :, None] * probs[:, None, :]
dlogits = torch.einsum("nij,nj->ni", jacobian, dprobs)""",
        ),
    ),
    spelling(
        "target-only",
        "softmax_nll",
        (
            "dlogits = probs * (dprobs - (dprobs * probs).sum(1, keepdim=True))",
            "dlogits = (probs - F.one_hot(y, n_classes)) / n",
        ),
        in_context=("logits",),
    ),
    spelling(
        "weight-decay-added-after",
        "softmax_nll",
        ("dW = x.T @ dlogits + 2 * W * dpenalty", "dW = x.T @ dlogits\ndW += 2 * decay * W"),
        in_context=("W",),
    ),
    spelling(
        "expand", "softmax_nll", ("dnll = ddata_loss / n * torch.ones_like(nll)", "dnll = (ddata_loss / n).expand(n)")
    ),
    spelling(
        "no-mask-needed",
        "attention",
        ("dscaled = dmasked.masked_fill(mask, 0.0)", "dscaled = dmasked"),
        in_context=("scaled",),
    ),
    spelling("tril", "attention", ("dscaled = dmasked.masked_fill(mask, 0.0)", "dscaled = torch.tril(dmasked)")),
    spelling(
        "mT",
        "attention",
        ("datt = dout @ v.transpose(-2, -1)", "datt = dout @ v.mT"),
        ("dv = att.transpose(-2, -1) @ dout", "dv = att.mT.matmul(dout)"),
    ),
    spelling(
        "weights-by-einsum",
        "attention",
        ("dWq = x.reshape(-1, D).T @ dq.reshape(-1, H)", 'dWq = torch.einsum("btd,bth->dh", x, dq)'),
        ("dWv = x.reshape(-1, D).T @ dv.reshape(-1, H)", "dWv = (x.mT @ dv).sum(0)"),
        ("dWk = x.reshape(-1, D).T @ dk.reshape(-1, H)", "dWk = torch.tensordot(x, dk, dims=([0, 1], [0, 1]))"),
    ),
    spelling(
        "gathered",
        "attention",
        ("dx = dq @ Wq.T + dk @ Wk.T + dv @ Wv.T", "dx = dq @ Wq.T\ndx += dk @ Wk.T\ndx += dv @ Wv.T"),
    ),
    spelling(
        "row-by-row",
        "attention",
        (
            "dmasked = att * (datt - (datt * att).sum(-1, keepdim=True))",
            """\
dmasked = torch.zeros_like(att)
for i in range(B):
    for j in range(T):
        p = att[i, j]
        dmasked[i, j] = (torch.diag(p) - torch.outer(p, p)) @ datt[i, j]""",
        ),
    ),
    in_double("attention"),
    without_autograd("attention_heads"),
    spelling(
        "permute",
        "attention_heads",
        ("dq = dqh.transpose(1, 2).reshape(B, T, n_embd)", "dq = dqh.permute(0, 2, 1, 3).flatten(2)"),
        ("dbo = dout.sum((0, 1))", "dbo = dout.view(-1, n_embd).sum(0)"),
    ),
    spelling(
        "filled",
        "attention_heads",
        (
            "dqkv = torch.cat([dq, dk, dv], dim=2)",
            """\
dqkv = torch.empty_like(qkv)
dqkv[..., :n_embd] = dq
dqkv[..., n_embd : 2 * n_embd] = dk
dqkv[..., 2 * n_embd :] = dv""",
        ),
    ),
    spelling(
        "product-rule",
        "gelu_mlp",
        (
            "du = 0.5 * (1 + t) * da + s * dinner + 3 * u**2 * du3",
            """\
du = 0.5 * (1 + t) * da
du = du + s * dinner
du += du3 * 3 * u.square()""",
        ),
    ),
    spelling(
        "straight-to-u",
        "gelu_mlp",
        (
            "du = 0.5 * (1 + t) * da + s * dinner + 3 * u**2 * du3",
            "du = (0.5 * (1 + t) + 0.5 * u * (1 - t**2) * s * (1 + 3 * 0.044715 * u**2)) * da",
        ),
    ),
    spelling(
        "logit-directly",
        "swiglu",
        ("dlogit = dprob * prob * (1 - prob)", "dlogit = (prob - label) / N"),
        in_context=("logit",),
    ),
    spelling(
        "silu-derivative",
        "swiglu",
        ("dgate = dact * sig + dsig * sig * (1 - sig)", "dgate = dact * (sig * (1 + gate * (1 - sig)))"),
    ),
    spelling(
        "outer",
        "swiglu",
        ("dprod = dlogit[:, None] * Wo", "dprod = torch.outer(dlogit, Wo)"),
        ("dWo = prod.T @ dlogit", "dWo = (dlogit @ prod)"),
    ),
    spelling(
        "gathered",
        "gru_cell",
        (
            "dh0 = z * dh1 + r * drh + dzpre @ Uz.T + drpre @ Ur.T",
            """\
dh0 = dh1 * z
dh0 += drh * r
dh0 += dzpre @ Uz.T
dh0 += drpre @ Ur.T""",
        ),
    ),
    spelling(
        "concatenated",
        "gru_cell",
        (
            "dh0 = z * dh1 + r * drh + dzpre @ Uz.T + drpre @ Ur.T",
            "dh0 = z * dh1 + r * drh + torch.cat([dzpre, drpre], 1) @ torch.cat([Uz, Ur], 1).T",
        ),
    ),
    without_autograd("gru_cell"),
    every_gradient_with("d-underscore", "lstm_cell", "d_"),
    spelling(
        "slices",
        "lstm_cell",
        (
            "dgates = torch.cat([di * i * (1 - i), df * f * (1 - f), do * o * (1 - o), dcc * (1 - cc**2)], dim=1)",
            """\
dgates = torch.zeros_like(gates)
dgates[:, :H] = i * (1 - i) * di
dgates[:, H : 2 * H] = f * (1 - f) * df
dgates[:, 2 * H : 3 * H] = o * (1 - o) * do
dgates[:, 3 * H :] = (1 - cc * cc) * dcc""",
        ),
    ),
    spelling(
        "loop-over-steps",
        "rnn_unrolled",
        (
            "dWx = x1.T @ da1 + x2.T @ da2 + x3.T @ da3",
            """\
dWx = torch.zeros_like(Wx)
for xt, dat in zip([x1, x2, x3], [da1, da2, da3]):
    dWx += xt.T @ dat""",
        ),
    ),
    spelling(
        "stacked",
        "rnn_unrolled",
        ("dWx = x1.T @ da1 + x2.T @ da2 + x3.T @ da3", "dWx = torch.cat([x1, x2, x3]).T @ torch.cat([da1, da2, da3])"),
    ),
    spelling(
        "lists",
        "rnn_loop",
        (
            "xs, hs, ps = {}, {-1: torch.zeros(hidden, 1)}, {}",
            "xs, ps = [None] * T, [None] * T\nhs = [None] * T + [torch.zeros(hidden, 1)]",
        ),
    ),
    spelling(
        "taps-by-loop",
        "conv_time",
        (
            'dkernel = torch.einsum("btdw,btm->wdm", windows, dz)',
            """\
dkernel = torch.zeros_like(kernel)
for w in range(width):
    dkernel[w] = x[:, w : w + T_out].reshape(-1, D).T @ dz.reshape(-1, M)""",
        ),
    ),
    spelling("sign-for-the-step", "conv_time", ("dz = da * (z > 0)", "dz = da * torch.sign(a)")),
    spelling("heaviside", "conv_time", ("dz = da * (z > 0)", "dz = da * torch.heaviside(z, torch.zeros(()))")),
    spelling("full-width", "conv_time", ("M, width = 3, 8, 4, 5, 2", "M, width = 3, 8, 4, 5, 8")),
    spelling(
        "one-hot-peak",
        "pooling",
        (
            "dx.scatter_add_(1, where.unsqueeze(1), dpeak.unsqueeze(1))",
            "dx += torch.nn.functional.one_hot(where, T).transpose(1, 2) * dpeak.unsqueeze(1)",
        ),
    ),
    spelling(
        "tied-rows",
        "pooling",
        (
            "y = torch.randint(0, K, (N,), generator=g)",
            "y = torch.randint(0, K, (N,), generator=g)\nX[:, 1] = X[:, 0]\nX[:, 2] = X[:, 4]",
        ),
    ),
    spelling("view-of-dx", "embedding_positional", ("dtok_emb = dx.clone()", "dtok_emb = dx")),
    spelling(
        "padded",
        "embedding_positional",
        ("dwpe = torch.zeros_like(wpe)\ndwpe[:T] = dpos_emb", "dwpe = torch.cat([dpos_emb, torch.zeros(10 - T, D)])"),
    ),
    spelling(
        "one-hot-table",
        "embedding_positional",
        (
            "dwte.index_add_(0, tokens.view(-1), dtok_emb.view(-1, D))",
            "dwte = F.one_hot(tokens.view(-1), V).to(dx.dtype).T @ dtok_emb.view(-1, D)",
        ),
    ),
    spelling("where", "dropout", ("dpre = dact.clone()\ndpre[pre <= 0] = 0", "dpre = torch.where(pre > 0, dact, 0.0)")),
    spelling("reused-activation", "dropout", ("dpre = dact.clone()\ndpre[pre <= 0] = 0", "dpre = dact * (act > 0)")),
    spelling(
        "dropped-tells-both",
        "dropout",
        ("dpre = dact.clone()\ndpre[pre <= 0] = 0", "dpre = ddropped / keep * (dropped > 0)"),
    ),
    spelling("nothing-kept", "dropout", ("generator=g) < keep", "generator=g) < 0.0")),
    spelling("everything-kept", "dropout", ("keep = 0.75", "keep = 1.0")),
    spelling(
        "dead-units",
        "dropout",
        (
            "b1 = torch.randn(n_mid, generator=g, requires_grad=True)",
            "b1 = torch.full((n_mid,), -50.0, requires_grad=True)",
        ),
    ),
    spelling(
        "masks",
        "residual",
        ("dp2 = torch.where(p2 > 0, du2, slope * du2)", "dp2 = du2 * ((p2 > 0) + slope * (p2 <= 0))"),
        ("dp1 = torch.where(p1 > 0, du1, slope * du1)", "dp1 = du1.clone()\ndp1[p1 <= 0] *= slope"),
    ),
    spelling(
        "dot",
        "residual",
        (
            "dscale = (f1 * dr1).sum() + (f2 * dr2).sum()",
            "dscale = torch.dot(f1.flatten(), dr1.flatten()) + torch.vdot(f2.reshape(-1), dr2.reshape(-1))",
        ),
    ),
    spelling(
        "added-in-place-on-a-clone", "residual", ("dr1 = dr2 + dp2 @ A2.T", "dr1 = dr2.clone()\ndr1 += dp2 @ A2.T")
    ),
    spelling(
        "float",
        "weight_tying",
        ("dlogp = -F.one_hot(nxt, V).to(logp.dtype) / N", "dlogp = -F.one_hot(nxt, V).float() / N"),
    ),
    spelling(
        "known-sum",
        "weight_tying",
        ("logp.exp() * dlogp.sum(-1, keepdim=True)", "logp.exp() * (-1 / N)"),
        in_context=("logits",),
    ),
    spelling(
        "two-parts",
        "weight_tying",
        (
            """\
dE = dscores.T @ hid
dE.index_add_(0, context.flatten(), demb.flatten(0, 1))
""",
            """\
from_output = dscores.T @ hid
from_input = torch.zeros_like(E)
from_input.index_put_((context,), demb, accumulate=True)
dE = from_input + from_output
""",
        ),
    ),
    spelling(
        "other-subscripts",
        "bilinear",
        ('torch.einsum("np,nqr->pqr", left, dhalf)', "(left[:, :, None, None] * dhalf[:, None]).sum(0)"),
        ('torch.einsum("nr->r", dout)', "dout.sum(0)"),
    ),
    spelling("tanh", "bilinear", ("dgap = dcosh * torch.sinh(gap)", "dgap = torch.tanh(gap) * dlogcosh")),
    spelling(
        "a-tuple-of-gradients",
        "helpers",
        (
            "da1, dW2, db2 = linear_backward(dz2, a1, W2)",
            "grads = linear_backward(dz2, a1, W2)\nda1 = grads[0]\ndW2, db2 = grads[1:]",
        ),
    ),
    spelling("logistic", "helpers", ("return dout * torch.sigmoid(x)", "return dout / (1 + torch.exp(-x))")),
    spelling(
        "projection",
        "cosine",
        ("dzi = dui / norm_i + dnorm_i * zi / norm_i", "dzi = (dui - ui * (dui * ui).sum(1, keepdim=True)) / norm_i"),
    ),
    spelling(
        "halves",
        "cosine",
        (
            "dloss_i * (logits.softmax(1) - eye) / n + dloss_t * (logits.softmax(0) - eye) / n",
            "(logits.softmax(1) + logits.softmax(0) - 2 * eye) / (2 * n)",
        ),
        in_context=("logits",),
    ),
    *(in_double(name) for name in ("gelu_mlp", "lstm_cell", "conv_time", "residual")),
)
