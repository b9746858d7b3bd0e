"""The programs of the second set in other words, and at numerically delicate places."""

# ruff: noqa: E501

from .build import in_double, spelling

cells, train, functions, group = (
    "second/ninja_cells",
    "second/fused_train",
    "second/layernorm_functions",
    "second/group_norm",
)

EMBEDDING_LOOP = """\
for row in range(batch_size):
    for pos in range(xb.shape[1]):
        d_table[xb[row, pos]] += d_vectors[row, pos]
"""
TWO_LOSSES = "loss = F.cross_entropy(logits0, t0) + F.cross_entropy(logits1, t1)"

ROWS = (
    spelling(
        "one-hot-product",
        cells,
        (
            "d_table = torch.zeros_like(table)\n" + EMBEDDING_LOOP,
            "d_table = torch.einsum('btv,bte->ve', F.one_hot(xb, vocab).to(d_vectors.dtype), d_vectors)\n",
        ),
    ),
    spelling(
        "scatter-add",
        cells,
        (
            EMBEDDING_LOOP,
            "d_table.scatter_add_(0, xb.reshape(-1, 1).expand(-1, emb_dim), d_vectors.reshape(-1, emb_dim))\n",
        ),
    ),
    spelling(
        "table-of-index-add",
        cells,
        (EMBEDDING_LOOP, "for pos in range(xb.shape[1]):\n    d_table.index_add_(0, xb[:, pos], d_vectors[:, pos])\n"),
    ),
    spelling(
        "enumerates-rows",
        cells,
        (
            EMBEDDING_LOOP,
            "for ids, grads in zip(xb.tolist(), d_vectors):\n    for i, grad in zip(ids, grads):\n        d_table[i] += grad\n",
        ),
    ),
    spelling(
        "closed-form-softmax",
        cells,
        (
            "d_logits = d_shifted.clone()\nd_logits[torch.arange(batch_size), logits.argmax(dim=1)] += d_biggest.squeeze(1)",
            "d_logits = (F.softmax(logits, 1) - F.one_hot(yb, vocab)) / batch_size",
        ),
        in_context=("logits",),
    ),
    spelling(
        "inverse-by-power",
        cells,
        ("inv_total = 1.0 / total", "inv_total = total**-1"),
        ("d_total = -d_inv_total / (total * total)", "d_total = -1 * total.pow(-2) * d_inv_total"),
    ),
    spelling(
        "inverse-by-its-value",
        cells,
        ("d_total = -d_inv_total / (total * total)", "d_total = -d_inv_total * inv_total.square()"),
    ),
    spelling(
        "picked-by-gather",
        cells,
        (
            "loss = -logsoftmax[torch.arange(batch_size), yb].mean()",
            "loss = -logsoftmax.gather(1, yb.view(-1, 1)).sum() / batch_size",
        ),
        (
            "d_logsoftmax[torch.arange(batch_size), yb] = -1.0 / batch_size",
            "d_logsoftmax.scatter_(1, yb.view(-1, 1), -1.0 / batch_size)",
        ),
    ),
    spelling(
        "by-numpy-of-targets",
        cells,
        (
            "d_logsoftmax[torch.arange(batch_size), yb] = -1.0 / batch_size",
            "for i, target in enumerate(yb.numpy()):\n    d_logsoftmax[i, target] += -1.0 / len(yb)",
        ),
    ),
    spelling(
        "one-row-batch", cells, ("batch_size, emb_dim, hidden = 10, 3, 6", "batch_size, emb_dim, hidden = 2, 1, 1")
    ),
    spelling(
        "big-logits",
        cells,
        (
            "weight2 = torch.randn(hidden, vocab, generator=gen) * 0.4",
            "weight2 = torch.randn(hidden, vocab, generator=gen) * 3.0",
        ),
    ),
    spelling(
        "saturated",
        cells,
        (
            "weight1 = torch.randn(2 * emb_dim, hidden, generator=gen) * 0.5\n",
            "weight1 = torch.randn(2 * emb_dim, hidden, generator=gen) * 1e-3\n",
        ),
    ),
    spelling(
        "mean-by-mean",
        cells,
        ("mu = pre.mean(dim=0, keepdim=True)", "mu = 1 / batch_size * pre.sum(0, keepdim=True)"),
        ("d_pre = d_centred + d_mu / batch_size", "d_pre = d_centred + torch.ones_like(pre) * d_mu * (1 / batch_size)"),
    ),
    spelling(
        "subtracts-the-mean", cells, ("d_pre = d_centred + d_mu / batch_size", "d_pre = d_centred - d_centred.mean(0)")
    ),
    spelling(
        "asserts-against-autograd",
        cells,
        (
            'print("all done")',
            "auto = torch.autograd.grad(loss, [table, weight1, gamma])\nfor a, d in zip(auto, [d_table, d_weight1, d_gamma]):\n    assert torch.allclose(a, d, atol=1e-5), (a - d).abs().max()",
        ),
    ),
    spelling("probabilities-used-up", train, ("dlogits = probs.clone()", "dlogits = probs")),
    spelling("sqrt-of-var-once-more", train, ("istd = 1 / torch.sqrt(var + 1e-5)", "istd = (var + 1e-5) ** -0.5")),
    spelling(
        "one-line-norm",
        train,
        (
            "dhpre = istd * (dxhat - dxhat.mean(0) - xhat * (dxhat * xhat).sum(0) / (bs - 1))",
            "dhpre = gain * istd / bs * (bs * dhbn - dhbn.sum(0) - bs / (bs - 1) * xhat * (dhbn * xhat).sum(0))",
        ),
    ),
    spelling("small-batch", train, ("bs = 16", "bs = 3")),
    spelling("adam", train, ("            p.data += -lr * grad\n", "            p.data.add_(grad, alpha=-lr)\n")),
    spelling(
        "momentum",
        train,
        ("history = []", "history = []\nvelocity = [torch.zeros_like(p) for p in parameters]"),
        (
            "        for p, grad in zip(parameters, grads, strict=True):\n            p.data += -lr * grad",
            "        for p, v, grad in zip(parameters, velocity, grads):\n            v.mul_(0.9).add_(grad)\n            p.data -= lr * v",
        ),
    ),
    spelling(
        "clipped-afterwards",
        train,
        (
            "        grads = [dC, dW1, dW2, db2, dgain, dbias]\n",
            "        grads = [g.clamp(-1.0, 1.0) for g in [dC, dW1, dW2, db2, dgain, dbias]]\n",
        ),
    ),
    spelling(
        "progress-by-while", train, ("for step in range(400):\n", "step = -1\nwhile step < 400:\n    step += 1\n")
    ),
    spelling(
        "evaluates-inside",
        train,
        (
            "    if step % 100 == 0:\n",
            "    if step % 100 == 0:\n        with torch.no_grad():\n            dev = F.cross_entropy(torch.tanh(gain * (C[X].view(N, -1) @ W1 - mean) / (var + 1e-5).sqrt() + bias) @ W2 + b2, Y)\n            print(dev.item())\n",
        ),
    ),
    spelling(
        "loop-over-tokens",
        functions,
        (
            'dw = torch.einsum("btc,btd->cd", x, dout)',
            "dw = torch.zeros_like(w)\n    for xi, di in zip(x, dout):\n        dw += xi.T @ di",
        ),
    ),
    spelling(
        "flattened",
        functions,
        (
            'dw = torch.einsum("btc,btd->cd", x, dout)',
            "dw = x.reshape(-1, x.shape[-1]).T @ dout.reshape(-1, dout.shape[-1])",
        ),
    ),
    spelling("one-feature", functions, ("B, T, D, K = 2, 3, 5, 4", "B, T, D, K = 2, 3, 1, 4")),
    spelling(
        "constant-rows",
        functions,
        ("inputs = torch.randn(B, T, D, requires_grad=True)", "inputs = torch.ones(B, T, D, requires_grad=True)"),
    ),
    spelling("one-group", group, ("N, C, H, W, G = 2, 6, 3, 2, 3", "N, C, H, W, G = 2, 4, 2, 2, 1")),
    spelling("instance-norm", group, ("N, C, H, W, G = 2, 6, 3, 2, 3", "N, C, H, W, G = 2, 4, 3, 2, 4")),
    spelling(
        "nearly-constant-image",
        group,
        (
            "x = torch.randn(N, C, H, W, requires_grad=True)",
            "x = (1 + 1e-3 * torch.randn(N, C, H, W)).requires_grad_()",
        ),
    ),
    spelling(
        "swish-in-one",
        group,
        (
            "grad_affine = grad_out * sig\ngrad_affine += grad_sig * sig * (1 - sig)",
            "grad_affine = grad_out * (sig + out * (1 - sig))",
        ),
    ),
    spelling(
        "mean-in-one",
        group,
        (
            "grad_grouped = grad_centered + grad_mean / m",
            "grad_grouped = grad_centered - grad_centered.mean(dim=(2, 3, 4), keepdim=True)",
        ),
    ),
    spelling(
        "numbers-as-tensors",
        "second/distillation",
        ("d_kl_mean = alpha\nd_ce = 1 - alpha", "d_kl_mean = torch.tensor(alpha)\nd_ce = torch.tensor(1 - alpha)"),
        ("torch.full((batch,), d_kl_mean * temp**2 / batch)", "torch.ones(batch) * d_kl_mean * temp**2 / batch"),
    ),
    spelling(
        "difference-of-softmaxes",
        "second/distillation",
        (
            "d_soft = d_log_q - log_q.exp() * d_log_q.sum(-1, keepdim=True)",
            "d_soft = alpha * temp**2 / batch * (F.softmax(soft, -1) - p_teacher)",
        ),
    ),
    spelling(
        "hot-teacher",
        "second/distillation",
        ("temp, alpha, smoothing = 2.5, 0.7, 0.1", "temp, alpha, smoothing = 20.0, 0.7, 0.0"),
    ),
    spelling(
        "matmul-heads",
        "second/attention_einsum",
        ('dq = torch.einsum("bhts,bhsd->bhtd", dscores, k) / math.sqrt(hs)', "dq = (dscores @ k) * hs**-0.5"),
        (
            'dk = torch.einsum("bhts,bhtd->bhsd", dscores, q) / math.sqrt(hs)',
            "dk = dscores.transpose(-1, -2) @ q * hs**-0.5",
        ),
    ),
    spelling(
        "mask-not-needed-backward",
        "second/attention_einsum",
        ("dscores = dmasked.masked_fill(future, 0.0)", "dscores = dmasked"),
    ),
    spelling(
        "where-for-the-mask",
        "second/attention_einsum",
        ("dscores = dmasked.masked_fill(future, 0.0)", "dscores = torch.where(future, torch.zeros(()), dmasked)"),
    ),
    spelling(
        "jacobian-of-softmax",
        "second/attention_einsum",
        (
            "dmasked = att * (datt - (datt * att).sum(dim=-1, keepdim=True))",
            "jac = torch.diag_embed(att) - att[..., :, None] * att[..., None, :]\ndmasked = (jac @ datt[..., None]).squeeze(-1)",
        ),
    ),
    spelling("one-head-one-token", "second/attention_einsum", ("B, T, C, nh = 2, 4, 6, 2", "B, T, C, nh = 1, 1, 3, 1")),
    spelling(
        "lists-of-parts",
        "second/attention_einsum",
        (
            'dx = dres.clone()\ndx += torch.einsum("bhtd,chd->btc", dq, Wq)\ndx += torch.einsum("bhtd,chd->btc", dk, Wk)\ndx += torch.einsum("bhtd,chd->btc", dv, Wv)',
            'dx = dres + sum(torch.einsum("bhtd,chd->btc", up, w) for up, w in ((dq, Wq), (dk, Wk), (dv, Wv)))',
        ),
    ),
    spelling(
        "mask-not-needed", "second/attention_pool", ("denergy = denergy_m * valid", "denergy = denergy_m.clone()")
    ),
    spelling(
        "filled-by-index",
        "second/attention_pool",
        ("denergy = denergy_m * valid", "denergy = denergy_m.clone()\ndenergy[~valid] = 0"),
    ),
    spelling(
        "full-lengths",
        "second/attention_pool",
        ("lengths = torch.tensor([4, 2, 3])", "lengths = torch.tensor([4, 4, 4])"),
    ),
    spelling(
        "rotation-by-minus-angle",
        "second/rotary",
        (
            "dq = torch.cat([dq1, dq2], dim=-1)",
            "dq = dqr * torch.cat([cos, cos], -1) + torch.cat([dqr[:, half:], -dqr[:, :half]], -1) * torch.cat([sin, sin], -1)",
        ),
    ),
    spelling(
        "filled-in-parts",
        "second/rotary",
        ("dk = torch.cat([dk1, dk2], dim=-1)", "dk = torch.zeros_like(k)\ndk[:, :half] = dk1\ndk[:, half:] = dk2"),
    ),
    spelling(
        "norm-in-one",
        "second/rotary",
        (
            "dh = dhn * w * r\ndh = dh - dr * r**3 * h / d",
            "dh = r * (dhn * w - h * r * r * (dhn * w * h).mean(-1, keepdim=True))",
        ),
    ),
    spelling(
        "tiny",
        "second/rotary",
        (
            "h = torch.randn(T, d, generator=g, requires_grad=True)",
            "h = (torch.randn(T, d, generator=g) * 1e-2).requires_grad_()",
        ),
    ),
    spelling(
        "slope-in-one",
        "second/ffn_block",
        ("d_gate = d_act * s + d_s * s * (1 - s)", "d_gate = d_act * s * (1 + gate * (1 - s))"),
    ),
    spelling(
        "density-by-distribution",
        "second/ffn_block",
        (
            "pdf = torch.exp(-0.5 * u * u) / math.sqrt(2.0 * math.pi)",
            "pdf = torch.distributions.Normal(0.0, 1.0).log_prob(u).exp()",
        ),
    ),
    spelling(
        "zero-stream",
        "second/ffn_block",
        (
            "stream = torch.randn(n_tok, d_model, requires_grad=True)",
            "stream = torch.zeros(n_tok, d_model, requires_grad=True)",
        ),
    ),
    spelling(
        "backward-through-indices",
        "second/gru_time",
        ("for t in range(steps - 1, -1, -1):", "for t in reversed(range(steps)):"),
    ),
    spelling(
        "carries-renamed",
        "second/gru_time",
        (
            "carry = carry * zs[t] + gz @ Uz.T + gr @ Ur.T + gu @ Un.T",
            "down = gz @ Uz.T\n    down += gr @ Ur.T\n    down += gu @ Un.T\n    carry = down + zs[t] * carry",
        ),
    ),
    spelling("one-step", "second/gru_time", ("steps, nb, ni, nh = 4, 3, 2, 5", "steps, nb, ni, nh = 1, 1, 1, 1")),
    spelling(
        "split-of-gates",
        "second/lstm_time",
        ("dh0 += dcat1[:, ni:]", "_, dh_back = dcat1.split([ni, nh], dim=1)\ndh0 += dh_back"),
    ),
    spelling(
        "weights-stacked",
        "second/lstm_time",
        ("dW = cat0.T @ da0 + cat1.T @ da1", "dW = torch.cat((cat0, cat1)).T @ torch.cat((da0, da1))"),
    ),
    spelling(
        "filled-gates",
        "second/lstm_time",
        (
            "da1 = torch.cat((di1 * i1 * (1 - i1), df1 * f1 * (1 - f1), do1 * o1 * (1 - o1), dg1 * (1 - g1**2)), 1)",
            "da1 = torch.empty_like(a1)\nda1[:, :nh] = i1 * (1 - i1) * di1\nda1[:, nh : 2 * nh] = f1 * (1 - f1) * df1\nda1[:, 2 * nh : 3 * nh] = o1 * (1 - o1) * do1\nda1[:, 3 * nh :] = (1 - g1 * g1) * dg1",
        ),
    ),
    spelling("stacked-states", "second/vanilla_rnn", ("dbh = dbh + draw.sum(0)", "dbh += draw.sum(axis=0)")),
    spelling("long-sequence", "second/vanilla_rnn", ("T, B, I, H = 4, 2, 3, 5", "T, B, I, H = 25, 1, 2, 3")),
    spelling(
        "fold",
        "second/conv1d_unfold",
        (
            "dsignal = torch.zeros_like(signal)\nfor j in range(K):\n    dsignal[:, :, j : j + Lout] += dwindows[:, :, :, j]\n",
            "dsignal = F.fold(dcols.permute(0, 2, 1), (1, L), (1, K)).squeeze(2)\n",
        ),
    ),
    spelling(
        "transposed-convolution",
        "second/conv1d_unfold",
        (
            "dsignal = torch.zeros_like(signal)\nfor j in range(K):\n    dsignal[:, :, j : j + Lout] += dwindows[:, :, :, j]\n",
            "dsignal = F.conv_transpose1d(dconv.transpose(1, 2), kernel.view(Cout, Cin, K))\n",
        ),
    ),
    spelling(
        "slope-by-ones",
        "second/conv1d_unfold",
        (
            "dconv = dact * torch.where(conv > 0, 1.0, 0.1)",
            "slope = torch.ones_like(conv)\nslope[conv <= 0] = 0.1\ndconv = dact * slope",
        ),
    ),
    spelling(
        "flipped-filter",
        "second/cnn_loops",
        (
            "dfilt = torch.zeros_like(filt)\nfor f in range(F_num):\n    for a in range(HH):\n        for c in range(HH):\n            dfilt[f, 0, a, c] = (img_pad[:, 0, a : a + H, c : c + W] * dmaps[:, f]).sum()\n",
            "dfilt = F.conv2d(img_pad.transpose(0, 1), dmaps.transpose(0, 1)).transpose(0, 1)\n",
        ),
    ),
    spelling(
        "unpooled",
        "second/cnn_loops",
        ("pool = F.max_pool2d(leaky, 2, 2)", "pool, where = F.max_pool2d(leaky, 2, 2, return_indices=True)"),
        (
            "dleaky = torch.zeros_like(leaky)\nfor a in range(2):\n    for c in range(2):\n        window = leaky[:, :, 2 * a : 2 * a + 2, 2 * c : 2 * c + 2]\n        peak = window == window.amax(dim=(2, 3), keepdim=True)\n        dleaky[:, :, 2 * a : 2 * a + 2, 2 * c : 2 * c + 2] += peak * dpool[:, :, a, c][:, :, None, None]\n",
            "dleaky = F.max_unpool2d(dpool, where, 2, 2, output_size=leaky.shape)\n",
        ),
    ),
    spelling("no-dropout-at-all", "second/dropout_residual", ("p_drop, wd = 0.3, 0.01", "p_drop, wd = 0.0, 0.01")),
    spelling("nearly-all-dropped", "second/dropout_residual", ("p_drop, wd = 0.3, 0.01", "p_drop, wd = 0.9, 0.0")),
    spelling("all-active", "second/triplet", ("margin = 8, 5, 3, 0.4", "margin = 8, 5, 3, 40.0")),
    spelling("none-active", "second/triplet", ("margin = 8, 5, 3, 0.4", "margin = 8, 5, 3, -400.0")),
    spelling(
        "gathered-rows",
        "second/triplet",
        (
            "dW = anchor.T @ dea + positive.T @ dep + negative.T @ den",
            "dW = torch.cat((anchor, positive, negative)).T @ torch.cat((dea, dep, den))",
        ),
    ),
    spelling(
        "projection",
        "second/triplet",
        (
            "dea = dza / na - za * (dza * za).sum(1, keepdim=True) / na",
            "dea = dza / na - ea * (dza * ea).sum(1, keepdim=True) / na**3",
        ),
    ),
    spelling(
        "huber-by-clamp",
        "second/matrix_factorisation",
        ("torch.where(small, resid, delta * resid.sign())", "resid.clamp(-delta, delta)"),
    ),
    spelling(
        "bincount",
        "second/matrix_factorisation",
        (
            "dbu = torch.zeros_like(bu).index_add_(0, users, dpred)",
            "dbu = torch.bincount(users, weights=dpred.detach(), minlength=n_users).to(bu.dtype)",
        ),
    ),
    spelling(
        "one-hot-users",
        "second/matrix_factorisation",
        (
            "dP = torch.zeros_like(P)\ndP.scatter_add_(0, users.unsqueeze(1).expand(-1, rank), dpu)",
            "picked = (users[:, None] == torch.arange(n_users)).to(dpu.dtype)\ndP = picked.t() @ dpu",
        ),
    ),
    spelling(
        "mean-as-size-one",
        "second/matrix_factorisation",
        ("mu = torch.tensor(3.0, requires_grad=True)", "mu = torch.full((1,), 3.0, requires_grad=True)"),
        ("dmu = dpred.sum()", "dmu = dpred.sum().view(1)"),
    ),
    spelling("no-variance", "second/vae", ("noise = torch.randn(bs, nz)", "noise = torch.zeros(bs, nz)")),
    spelling(
        "variance-in-one",
        "second/vae",
        (
            "dlogvar = 0.5 * std * dstd\ndlogvar += kl_weight * 0.5 * (logvar.exp() - 1) / bs",
            "dlogvar = 0.5 * ((z - mean) * dz + kl_weight / bs * (std**2 - 1))",
        ),
    ),
    spelling(
        "dead-hidden",
        "second/vae",
        ("enc = (torch.randn(nx, nhid) * 0.6).requires_grad_()", "enc = (-torch.rand(nx, nhid)).requires_grad_()"),
    ),
    spelling(
        "deltas",
        "second/mlp_sigmoid",
        (
            "        output_sum_grad = output_grad * output * (1 - output)\n",
            "        output_sum_grad = -(targets - output) / len(inputs) * torch.sigmoid(output_sum) * torch.sigmoid(-output_sum)\n",
        ),
    ),
    spelling(
        "zero-weights",
        "second/mlp_sigmoid",
        ("hidden_weights = torch.rand(2, 3)", "hidden_weights = torch.zeros(2, 3)"),
        ("output_weights = torch.rand(3, 1)", "output_weights = torch.zeros(3, 1)"),
    ),
    spelling("whole-gamma", "second/focal", ("alpha, gamma = 0.25, 2.0", "alpha, gamma = 0.25, 1")),
    spelling("no-positives", "second/focal", ("target = (torch.rand(n) < 0.3).float()", "target = torch.zeros(n)")),
    spelling(
        "columns-by-loop",
        "second/skipgram",
        (
            "d_emb_out.index_add_(0, neg.flatten(), d_un.reshape(-1, D))",
            "for j in range(K):\n    d_emb_out.index_add_(0, neg[:, j], d_un[:, j])",
        ),
    ),
    spelling(
        "einsum-of-negatives",
        "second/skipgram",
        (
            "d_vc += torch.bmm(d_neg_score.unsqueeze(1), un).squeeze(1)",
            'd_vc = d_vc + torch.einsum("bk,bkd->bd", d_neg_score, un)',
        ),
    ),
    spelling(
        "gate-by-loop",
        "second/moe_gate",
        (
            'dexpert_out = torch.einsum("te,td->etd", gates, dmixed)',
            "dexpert_out = torch.stack([gates[:, e : e + 1] * dmixed for e in range(experts)])",
        ),
    ),
    spelling(
        "one-expert",
        "second/moe_gate",
        ("tokens, dm, experts, dh = 6, 4, 3, 5", "tokens, dm, experts, dh = 6, 4, 1, 5"),
    ),
    in_double("second/moe_gate"),
    in_double("second/lstm_time"),
)
