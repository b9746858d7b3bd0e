"""The forward passes of modules that run over time, in lines: PyTorch's own are written in C++.

Source: the formulas in the documentation of `torch.nn.RNN`, `GRU`, `LSTM` and their cells.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def rnn_cell(self: Any, input: Tensor, hx: Tensor | None = None) -> Tensor:
    """A step of an RNN: (N, D), (N, H) to (N, H)."""
    h = torch.zeros(input.shape[0], self.hidden_size) if hx is None else hx
    a = F.linear(input, self.weight_ih, self.bias_ih) + F.linear(h, self.weight_hh, self.bias_hh)
    return torch.tanh(a) if self.nonlinearity == "tanh" else torch.relu(a)


def gru_cell(self: Any, input: Tensor, hx: Tensor | None = None) -> Tensor:
    """A step of a GRU: (N, D), (N, H) to (N, H)."""
    h = torch.zeros(input.shape[0], self.hidden_size) if hx is None else hx
    xr, xz, xn = F.linear(input, self.weight_ih, self.bias_ih).chunk(3, 1)
    hr, hz, hn = F.linear(h, self.weight_hh, self.bias_hh).chunk(3, 1)
    r = torch.sigmoid(xr + hr)
    z = torch.sigmoid(xz + hz)
    n = torch.tanh(xn + r * hn)
    return (1 - z) * n + z * h


def lstm_cell(self: Any, input: Tensor, hx: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
    """A step of an LSTM: (N, D), two of (N, H) to two of (N, H)."""
    zeros = torch.zeros(input.shape[0], self.hidden_size)
    h, c = (zeros, zeros) if hx is None else hx
    a = F.linear(input, self.weight_ih, self.bias_ih) + F.linear(h, self.weight_hh, self.bias_hh)
    ai, af, ag, ao = a.chunk(4, 1)
    c = torch.sigmoid(af) * c + torch.sigmoid(ai) * torch.tanh(ag)
    h = torch.sigmoid(ao) * torch.tanh(c)
    return h, c


def rnn(self: Any, input: Tensor, hx: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Layers of an RNN over time: (T, N, D) to (T, N, H) and (layers, N, H)."""
    x = input.transpose(0, 1) if self.batch_first else input
    ends = []
    for k in range(self.num_layers):
        W, U = getattr(self, f"weight_ih_l{k}"), getattr(self, f"weight_hh_l{k}")
        b, d = getattr(self, f"bias_ih_l{k}", None), getattr(self, f"bias_hh_l{k}", None)
        h = torch.zeros(x.shape[1], self.hidden_size) if hx is None else hx[k]
        hs = []
        for t in range(x.shape[0]):
            a = F.linear(x[t], W, b) + F.linear(h, U, d)
            h = torch.tanh(a) if self.nonlinearity == "tanh" else torch.relu(a)
            hs.append(h)
        ends.append(h)
        x = torch.stack(hs)
    return x.transpose(0, 1) if self.batch_first else x, torch.stack(ends)


def gru(self: Any, input: Tensor, hx: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Layers of a GRU over time: (T, N, D) to (T, N, H) and (layers, N, H)."""
    x = input.transpose(0, 1) if self.batch_first else input
    ends = []
    for k in range(self.num_layers):
        W, U = getattr(self, f"weight_ih_l{k}"), getattr(self, f"weight_hh_l{k}")
        b, d = getattr(self, f"bias_ih_l{k}", None), getattr(self, f"bias_hh_l{k}", None)
        h = torch.zeros(x.shape[1], self.hidden_size) if hx is None else hx[k]
        hs = []
        for t in range(x.shape[0]):
            xr, xz, xn = F.linear(x[t], W, b).chunk(3, 1)
            hr, hz, hn = F.linear(h, U, d).chunk(3, 1)
            r = torch.sigmoid(xr + hr)
            z = torch.sigmoid(xz + hz)
            n = torch.tanh(xn + r * hn)
            h = (1 - z) * n + z * h
            hs.append(h)
        ends.append(h)
        x = torch.stack(hs)
    return x.transpose(0, 1) if self.batch_first else x, torch.stack(ends)


def lstm(self: Any, input: Tensor, hx: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """Layers of an LSTM over time: (T, N, D) to (T, N, H) and two of (layers, N, H)."""
    x = input.transpose(0, 1) if self.batch_first else input
    ends, cells = [], []
    for k in range(self.num_layers):
        W, U = getattr(self, f"weight_ih_l{k}"), getattr(self, f"weight_hh_l{k}")
        b, d = getattr(self, f"bias_ih_l{k}", None), getattr(self, f"bias_hh_l{k}", None)
        h = torch.zeros(x.shape[1], self.hidden_size) if hx is None else hx[0][k]
        c = torch.zeros(x.shape[1], self.hidden_size) if hx is None else hx[1][k]
        hs = []
        for t in range(x.shape[0]):
            ai, af, ag, ao = (F.linear(x[t], W, b) + F.linear(h, U, d)).chunk(4, 1)
            c = torch.sigmoid(af) * c + torch.sigmoid(ai) * torch.tanh(ag)
            h = torch.sigmoid(ao) * torch.tanh(c)
            hs.append(h)
        ends.append(h)
        cells.append(c)
        x = torch.stack(hs)
    return x.transpose(0, 1) if self.batch_first else x, (torch.stack(ends), torch.stack(cells))


def attention(
    self: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    key_padding_mask: Tensor | None = None,
    need_weights: bool = True,
    attn_mask: Tensor | None = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """Multi-head attention: (T, N, D), or (N, T, D) where the batch comes first."""
    del is_causal  # the mask says it
    if not self.batch_first:
        query, key, value = query.transpose(0, 1), key.transpose(0, 1), value.transpose(0, 1)
    N, T, _ = query.shape
    Wq, Wk, Wv = self.in_proj_weight.chunk(3)
    bq, bk, bv = self.in_proj_bias.chunk(3) if self.in_proj_bias is not None else (None, None, None)
    q = F.linear(query, Wq, bq).view(N, T, self.num_heads, self.head_dim).transpose(1, 2)
    k = F.linear(key, Wk, bk).view(N, key.shape[1], self.num_heads, self.head_dim).transpose(1, 2)
    v = F.linear(value, Wv, bv).view(N, key.shape[1], self.num_heads, self.head_dim).transpose(1, 2)
    scores = q @ k.transpose(-2, -1) * self.head_dim**-0.5
    for mask in (attn_mask, None if key_padding_mask is None else key_padding_mask[:, None, None, :]):
        if mask is not None:
            scores = scores.masked_fill(mask, -torch.inf) if mask.dtype == torch.bool else scores + mask
    att = torch.softmax(scores, -1)
    mixed = (att @ v).transpose(1, 2).reshape(N, T, self.embed_dim)
    out = F.linear(mixed, self.out_proj.weight, self.out_proj.bias)
    if not self.batch_first:
        out = out.transpose(0, 1)
    if not need_weights:
        return out, None
    return out, att.mean(1) if average_attn_weights else att


FORWARD: dict[type, Any] = {
    nn.MultiheadAttention: attention,
    nn.RNNCell: rnn_cell,
    nn.GRUCell: gru_cell,
    nn.LSTMCell: lstm_cell,
    nn.RNN: rnn,
    nn.GRU: gru,
    nn.LSTM: lstm,
}


def equivalent(module: nn.Module) -> Any:
    """The forward pass of a module in lines; None where there is none here."""
    found = FORWARD.get(type(module))
    if isinstance(module, nn.RNNBase):
        plain = not (module.bidirectional or module.proj_size or (module.dropout and module.training))
    elif isinstance(module, nn.MultiheadAttention):
        plain = module.in_proj_weight is not None and module.bias_k is None and not module.add_zero_attn
        plain = plain and not (module.dropout and module.training)
    else:
        plain = True
    return found if plain else None
