"""What is true of each right program of the third set: the gradients it made, beside the loss they are of."""

# ruff: noqa: E501

PROOFS = {
    "adam_minibatch": """
old = {k: params[k] + lr * m[k] / (1 - beta1**t) / ((v[k] / (1 - beta2**t)).sqrt() + eps) for k in params}
def f(): return F.cross_entropy(torch.relu(xb @ old["W1"] + old["b1"]) @ old["W2"] + old["b2"], yb)
same(f, [(old[k], grads[k]) for k in old])
""",
    "affine_relu_softmax": """
f = lambda: softmax_loss(affine_forward(relu_forward(affine_forward(X, W1, b1)[0])[0], W2, b2)[0], y)[0]
same(f, [(X, dX), (W1, dW1), (b1, db1), (W2, dW2), (b2, db2)])
""",
    "any_number_of_layers": """
l, g = model.loss(X, y)
same(lambda: model.loss(X, y)[0], [(model.params[k], g[k]) for k in g])
""",
    "args_lambda_ops": """
same(lambda: chain(x @ w, "sin", "softplus", "square")[0].sum(), [(x, dx), (w, dw)])
""",
    "assert_allclose_autograd": """
same(lambda: ((torch.sigmoid(x @ W + b) - t) ** 2).mean(), [(W, dW), (b, db)])
""",
    "attention_class": """
same(lambda: (attn.forward(x) - t).pow(2).sum() / 2, [(x, dx)] + [(getattr(attn, n), getattr(attn, "d" + n)) for n in ("Wq", "Wk", "Wv", "Wo")])
""",
    "autoencoder_tied": """
ae.loss(data); ae.backward()
same(lambda: ae.loss(data), [(ae.W, ae.dW), (ae.b, ae.db), (ae.c, ae.dc)])
""",
    "autograd_function": """
f = lambda: ((x @ W) * torch.sigmoid(beta * (x @ W))).pow(3).mean()
same(f, [(W, dW), (beta, dbeta)])
""",
    "batchnorm_class": """
bn.training = True
f = lambda: F.cross_entropy(torch.relu(bn(x @ W)) @ V_, y)
same(f, [(W, dW), (V_, dV_), (bn.gamma, bn.dgamma), (bn.beta, bn.dbeta)])
""",
    "bn_running_stats_dict": """
same(lambda: F.cross_entropy(F.relu(batchnorm_forward(X @ W1, gamma, beta, {"mode": "train"})[0]) @ W2, y), [(W1, dW1), (gamma, dgamma), (beta, dbeta), (W2, dW2)])
""",
    "contrastive_siamese": """
f = lambda: F.cross_entropy(enc.forward(xa)[0] @ enc.forward(xb)[0].T / tau, target)
same(f, [(xa, dxa), (xb, dxb), (enc.W, enc.dW)])
""",
    "conv_layer_loops": """
same(lambda: (conv_forward_naive(x, w, b, {"stride": 2, "pad": 1})[0] ** 2).sum((1, 2, 3)).mean(), [(x, dx), (w, dw), (b, db)])
""",
    "custom_exception_validation": """
same(lambda: F.smooth_l1_loss(fwd(fwd(x, W1, b1)[0], W2, b2, activation="tanh")[0], y), [(x, dx), (W1, dW1), (b1, db1), (W2, dW2), (b2, db2)])
""",
    "dataclass_cache": """
same(lambda: (layernorm_forward(x @ W, gamma, beta)[0] - target).pow(2).mean(), [(W, grads.W), (gamma, grads.gamma), (beta, grads.beta)])
""",
    "decorator_timer": """
same(lambda: forward(x, W, v)[0].abs().sum(), [(x, dx), (W, dW), (v, dv)])
""",
    "deep_net_in_dicts": """
Y = Y.double(); AL, caches = L_model_forward(X, parameters); g = L_model_backward(AL, Y, caches, parameters)
same(lambda: compute_cost(L_model_forward(X, parameters)[0], Y), [(parameters[k], g["d" + k]) for k in parameters])
""",
    "dropout_train_test": """
m = drop_cache[1]
same(lambda: F.cross_entropy((F.relu(x @ W1) * m) @ W2, y), [(W1, dW1), (W2, dW2)])
""",
    "flow_logdet": """
def f():
    z, L = x, 0
    for c in flow:
        z, ld = c.forward(z); L = L + ld
    return (0.5 * (z**2).sum(1) - L).mean()
same(f, [(x, dx)] + [p for c in flow for p in ((c.Ws, c.dWs), (c.Wt, c.dWt))])
""",
    "gan_two_losses": """
G0 = G + 0.1 * dG
same(lambda: F.softplus(-(noise @ G0 @ D + d)).mean(), [(G0, dG)])
D0 = D + 0.1 * dD; d0 = d + 0.1 * dd
same(lambda: F.softplus(-(real @ D0 + d0)).mean() + F.softplus(noise @ G0 @ D0 + d0).mean(), [(D0, dD), (d0, dd)])
""",
    "grads_append_reverse": """
ws = [w + 0.1 * g for w, g in zip(weights, grads)]
def f():
    a = x
    for w in ws[:-1]: a = torch.relu(a @ w)
    return ((a @ ws[-1] - y) ** 2).mean()
same(f, list(zip(ws, grads)))
""",
    "groupnorm_module_like": """
same(lambda: F.silu(norm(torch.einsum("bcl,cd->bdl", x, k))).pow(2).sum() / 2, [(x, dx), (k, dk), (norm.g, norm.dg), (norm.b, norm.db)])
""",
    "gru_cell_class": """
f = lambda: ((cell.forward(x, h0)[0] - t) ** 2).mean()
same(f, [(x, dx), (h0, dh0), (cell.Wz, dWz), (cell.Wr, dWr), (cell.Wh, dWh)])
""",
    "inheritance_super_backward": """
f = lambda: (l3.forward(l2.forward(l1.forward(x))) - y).abs().mean()
same(f, [(x, dx)] + [p for l in (l1, l2, l3) for p in ((l.W, l.dW), (l.b, l.db))])
""",
    "layer_registry_params_grads": """
for l in net.layers: l.zero_grad()
net.backward((F.softmax(net.forward(X), 1) - F.one_hot(y, 3)) / 12)
same(lambda: F.cross_entropy(net.forward(X), y), [(l.params[k], l.grads[k]) for l in net.layers for k in l.params])
""",
    "list_of_grads_insert": """
a, z = forward(X); dWs, dbs = backward(a, z, Y)
same(lambda: ((forward(X)[0][-1] - Y) ** 2).sum() / 9, list(zip(Ws, dWs)) + list(zip(bs, dbs)))
""",
    "main_guard_train": """
x = torch.randn(8, 4); y = torch.randint(0, 3, (8,))
params = {"W1": torch.randn(4, 5), "b1": torch.zeros(5), "W2": torch.randn(5, 3)}
lo, c = forward(x, params); g = backward(y, params, c)
same(lambda: F.cross_entropy(forward(x, params)[0], y), [(params[k], g[k]) for k in g])
""",
    "makemore_layers": """
def f(): return F.cross_entropy(model(X), Y)
logits = model(X); d = F.softmax(logits, 1); d[range(12), Y] -= 1; model.backward(d / 12)
same(f, list(zip(model.parameters(), model.gradients())))
""",
    "maxpool_argmax": """
same(lambda: torch.logsumexp(pool.forward(img * scale).flatten(), 0), [(img, dimg), (scale, dscale)])
""",
    "momentum_class_optimizer": """
old = [p + opt.lr * v for p, v in zip(opt.params, opt.velocity)]
yb = yb.double()
def f(): return F.binary_cross_entropy_with_logits((xb @ old[0] + old[1]).sigmoid() @ old[2] + old[3], yb)
same(f, list(zip(old, [dW1, db1, dW2, db2])))
""",
    "nested_dicts": """
p = params
def f(): return F.cross_entropy(torch.tanh(x @ p0["W"] + p0["b"]) @ p1["W"] + p1["b"], y)
p0 = {k: p["layer1"][k] + 0.1 * clip * grads["layer1"][k] for k in "Wb"}
p1 = {k: p["layer2"][k] + 0.1 * clip * grads["layer2"][k] for k in "Wb"}
same(f, [(p0[k], grads["layer1"][k]) for k in "Wb"] + [(p1[k], grads["layer2"][k]) for k in "Wb"])
""",
    "no_grad_decorator": """
dW, db = backward(x, y, x @ W + b)
same(lambda: F.cross_entropy(x @ W + b, y), [(W, dW), (b, db)])
""",
    "numeric_gradcheck_decimal": """
same(lambda: svm_loss(W, X, y)[0], [(W, dW)])
""",
    "recursion_tree": """
same(lambda: ((encode(tree)[0] - target) ** 2).sum(), [(W, dW)] + [(leaves[w], dleaves[w]) for w in leaves])
""",
    "residual_blocks": """
def f():
    o = x
    for b in blocks:
        o = b.forward(o)
    return ((o - y) ** 2).mean()
out = x
for b in blocks:
    out = b.forward(out)
dout = 2 * (out - y) / out.numel()
for b in blocks[::-1]:
    dout = b.backward(dout)
same(f, [(x, dout)] + [(b.W1, b.dW1) for b in blocks] + [(b.W2, b.dW2) for b in blocks])
""",
    "rnn_clipped_gradients": """
start = state.clone()
made = loss_and_gradients([0, 3, 1], [3, 1, 1], start)
same(lambda: loss_and_gradients([0, 3, 1], [3, 1, 1], start)[0], list(zip([U, R, O, shift], made[1:5])))
""",
    "rnn_lists": """
def f(): return ((rnn_forward(x, Wx, Wh, b)[-1] @ Wo - y) ** 2).mean()
hs = rnn_forward(x, Wx, Wh, b); out = hs[-1] @ Wo; dout = 2 * (out - y) / B
same(f, list(zip([Wx, Wh, b, Wo], [*rnn_backward(dout @ Wo.T, hs, x, Wh), hs[-1].T @ dout])))
""",
    "rnn_many_outputs_reversed": """
for p, dp in ((C, dC), (Wh, dWh), (b, db), (Wo, dWo)): p.add_(0.1 * dp)
def f():
    h = torch.zeros(B, H); L = 0
    for t in range(T):
        h = torch.tanh(C[idx[:, t]] + h @ Wh + b); L = L + F.cross_entropy(h @ Wo, idx[:, t + 1]) / T
    return L
same(f, [(C, dC), (Wh, dWh), (b, db), (Wo, dWo)])
""",
    "selfcache_layers": """
def f():
    a = x
    for layer in net: a = layer(a)
    return criterion(a, t)
f(); d = criterion.backward()
for layer in net[::-1]: d = layer.backward(d)
same(f, [(l.params[k], l.grads[k]) for l in net for k in l.params])
""",
    "steps_carry_class": """
same(lambda: ((cell.forward(xs) - y) ** 2).sum() / 4, [(cell.W, cell.dW)])
""",
    "transformer_block_functions": """
same(lambda: F.mse_loss(block_fwd(x, p)[0], y), [(x, dx)] + [(p[k], grads[k]) for k in p])
""",
    "two_layer_gradcheck": """
l, g = net.loss(X, y)
same(lambda: net.loss(X, y)[0], [(net.params[k], g[k]) for k in g])
""",
    "two_layer_net": """
l, g = net.loss(X, y, 0.1)
same(lambda: net.loss(X, y, 0.1)[0], [(net.params[k], g[k]) for k in g])
""",
    "vae_class": """
l, g = vae.loss(x, eps)
same(lambda: vae.loss(x, eps)[0], [(getattr(vae, k), g[k]) for k in g])
""",
    "word_embedding_sum": """
model.forward(ctx, tgt); model.backward()
same(lambda: model.forward(ctx, tgt), [(model.params[k], model.grads[k]) for k in "EU"])
""",
    "zip_params_grads": """
l, gr = loss_and_grads(params, x, y)
same(lambda: loss_and_grads(params, x, y)[0], list(zip(params, gr)))
""",
}
"""Run after the program: `same(loss, pairs)` holds where each (tensor, gradient) agrees with finite differences."""
