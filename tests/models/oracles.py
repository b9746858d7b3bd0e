"""Each family in plain torch, for autograd to differentiate: it shares nothing with the code under test."""

import torch
from torch.nn import functional as F


def bigram(p, config, X, Y):
    return F.cross_entropy(F.one_hot(X[:, 0], config.vocab_size).to(p["W"].dtype) @ p["W"], Y)


def mlp(p, _, X, Y):
    x = F.linear(F.embedding(X, p["C"]).flatten(1), p["W1"].T, p["b1"])
    return F.cross_entropy(F.linear(torch.tanh(norm(x, p["bngain"], p["bnbias"])), p["W2"].T, p["b2"]), Y)


def wavenet(p, _, X, Y):
    x = F.embedding(X, p["C"])
    for level in (1, 2):
        pairs = torch.cat([x[:, ::2], x[:, 1::2]], 2)
        pairs = F.linear(pairs, p[f"W{level}"].T)
        flat = norm(pairs.reshape(-1, pairs.shape[2]), p[f"bngain{level}"], p[f"bnbias{level}"])
        x = torch.tanh(flat).view(pairs.shape)
    return F.cross_entropy(F.linear(x[:, 0], p["Wy"].T, p["by"]), Y)


def norm(x, gain, bias):
    variance, mean = torch.var_mean(x, 0, correction=1, keepdim=True)
    return (x - mean) / torch.sqrt(variance + 1e-5) * gain + bias


def of_lines(logits, Y):
    return F.cross_entropy(logits.flatten(0, 1), Y.flatten(), ignore_index=-1)


def bow(p, _, X, Y):
    places = X.shape[1]
    x = F.embedding(X, p["C"]) + p["P"][:places]
    equal = torch.zeros(places, places, dtype=x.dtype).masked_fill(torch.ones(places, places).tril() == 0, -torch.inf)
    x = x + equal.softmax(1) @ x
    x = x + F.linear(torch.tanh(F.linear(x, p["W1"].T, p["b1"])), p["W2"].T, p["b2"])
    return of_lines(F.linear(x, p["Wy"].T, p["by"]), Y)


def recurrent(cell):
    def loss(p, config, X, Y):
        state = tuple(p[name].expand(len(X), -1) for name in config.first)
        out = []
        for now in X.unbind(1):
            state = cell(p, F.embedding(now, p["C"]), state)
            out.append(state[0])
        return of_lines(F.linear(torch.stack(out, 1), p["Why"].T, p["by"]), Y)

    return loss


def side_by_side(p, x, h, rows):
    """makemore's layers of [x, h]: some of the outputs."""
    both = torch.cat([p["Wxh"][:, rows], p["whole"][:, rows]])
    return F.linear(torch.cat([x, h], 1), both.T, p["bh"][rows])


def rnn_cell(p, x, state):
    return (torch.rnn_tanh_cell(x, state[0], p["Wxh"].T, p["Whh"].T, p["bh"]),)


def gru_cell(p, x, state):
    (h,), size = state, p["Whh"].shape[0]
    p = {**p, "whole": torch.cat([p["Whzr"], p["Whh"]], 1)}
    z = torch.sigmoid(side_by_side(p, x, h, slice(0, size)))
    r = torch.sigmoid(side_by_side(p, x, h, slice(size, 2 * size)))
    hbar = torch.tanh(side_by_side(p, x, r * h, slice(2 * size, None)))
    return ((1 - z) * h + z * hbar,)


def lstm_cell(p, x, state):
    return torch.lstm_cell(x, state, p["Wxh"].T, p["Whh"].T, p["bh"])


def attention(q, k, v, n_head):
    q, k, v = (t.unflatten(2, (n_head, -1)).transpose(1, 2) for t in (q, k, v))
    return F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(2)


def transformer(p, config, X, Y):
    d = config.n_embd
    x = F.embedding(X, p["C"]) + p["P"][: X.shape[1]]
    for n in range(config.n_layer):
        of = {name.partition(".")[0]: value for name, value in p.items() if name.endswith(f".{n}")}
        a = F.layer_norm(x, (d,), of["gain1"], of["bias1"])
        q, k, v = F.linear(a, of["Wqkv"].T, of["bqkv"]).split(d, 2)
        x = x + F.linear(attention(q, k, v, config.n_head), of["Wo"].T, of["bo"])
        a = F.layer_norm(x, (d,), of["gain2"], of["bias2"])
        hidden = F.gelu(F.linear(a, of["W1"].T, of["b1"]), approximate="tanh")
        x = x + F.linear(hidden, of["W2"].T, of["b2"])
    weight = p["C"] if config.tied else p["Wy"].T
    return of_lines(F.linear(F.layer_norm(x, (d,), p["gain"], p["bias"]), weight), Y)


def microgpt(p, config, X, Y):
    shape = (config.n_embd,)
    x = F.rms_norm(F.embedding(X, p["C"]) + p["P"][: X.shape[1]], shape, eps=1e-5)
    for n in range(config.n_layer):
        a = F.rms_norm(x, shape, eps=1e-5)
        q, k, v = (F.linear(a, p[f"{name}.{n}"].T) for name in ("Wq", "Wk", "Wv"))
        x = x + F.linear(attention(q, k, v, config.n_head), p[f"Wo.{n}"].T)
        a = F.rms_norm(x, shape, eps=1e-5)
        x = x + F.linear(F.relu(F.linear(a, p[f"W1.{n}"].T)), p[f"W2.{n}"].T)
    return of_lines(F.linear(x, p["Wy"].T), Y)


ORACLES = {
    "bigram": bigram,
    "bow": bow,
    "mlp": mlp,
    "wavenet": wavenet,
    "rnn": recurrent(rnn_cell),
    "gru": recurrent(gru_cell),
    "lstm": recurrent(lstm_cell),
    "transformer": transformer,
    "microgpt": microgpt,
}
