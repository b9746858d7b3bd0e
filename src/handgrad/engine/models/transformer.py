"""The compiled form of the transformer."""

from types import SimpleNamespace
from typing import NamedTuple

import numpy as np

from handgrad.engine.flat import rows_apart
from handgrad.engine.gpt import (
    Attention,
    Embeddings,
    Nodes,
    layout_of,
    linear_backward,
    of_block,
    of_level,
    of_tree,
    read_at_once,
)
from handgrad.engine.kernels.dropout import add_dropped, dropout
from handgrad.engine.kernels.gelu import gelu_backward, gelu_forward
from handgrad.engine.kernels.layernorm import layernorm_backward, layernorm_forward
from handgrad.engine.kernels.products import add_product, bias_forward, matmul, transpose
from handgrad.engine.kernels.rows import clear_rows, sum_rows
from handgrad.engine.lines import NODES, CompiledLines, Passes, Reading, Work
from handgrad.engine.scoring import Layer, Mask, log_probabilities, scores, without_bias
from handgrad.engine.tape import Buffer, Operation
from handgrad.engine.vectors import aligned_zeros, padded
from handgrad.models.transformer import Transformer

VECTORS = ("gain1", "bias1", "bqkv", "bo", "gain2", "bias2", "b1", "b2", "gain", "bias")


def compiled_lines(network: Transformer) -> CompiledLines:
    """The compiled form of a model of these sizes."""
    layout = layout_of(network, VECTORS, {"Wqkv": 3, "bqkv": 3}, heads=["Wqkv", "bqkv"])
    return CompiledLines(
        layout, None, lambda p, d, work: _passes(network, p, d, work), lambda p, work: _reading(network, p, work),
        network.n_parameters, network.vocab_size, network.beta1, network.block_size, read_at_once(network),
    )  # fmt: skip


def _passes(network: Transformer, p: SimpleNamespace, d: SimpleNamespace, work: Work) -> Passes:
    nodes, embeddings, norm = of_tree(network, work), Embeddings(work), _Norm(network, work)
    x, dx = work.rows(padded(network.n_embd)), work.rows(padded(network.n_embd))
    way_back, head, dhead = _WayBack(network, p, work, nodes), _Head(network, p), _Head(network, d)
    forward = [nodes.note, *embeddings.forward(x, p), *head.take()]
    backward = [dhead.give(), *embeddings.backward(d, dx)]
    if work.dropping.share:
        mask = Mask(work, "embedding", network.n_embd, work.firsts[NODES])
        forward += [mask.draw, dropout(x[NODES], x[NODES], mask.rows)]
        backward = [dropout(dx[NODES], dx[NODES], mask.rows), *backward]
    for n in range(network.n_layer):
        added = [_Added(work, f"{branch}.{n}", network.n_embd) for branch in ("attention", "perceptron")]
        block = _Block(of_block(p, n), _Arrays(network, work, nodes), nodes.memory(), *added)
        forward += block.forward(x)
        backward = [*block.backward(dx, of_block(d, n), way_back), *backward]
    turn = [
        norm.forward(x, p.gain, p.bias),
        *scores(work, Layer(head.weight, head.bias, dhead.weight, None), norm.y, way_back.dnormed, network.n_embd),
        clear_rows(dx[NODES]),
        norm.backward(dx, d.gain, d.bias, way_back.dnormed, p.gain),
    ]
    return Passes(forward, [], turn, [], backward)


def _reading(network: Transformer, p: SimpleNamespace, work: Work) -> Reading:
    nodes, x, norm = of_level(network, work), work.rows(padded(network.n_embd)), _Norm(network, work)
    arrays, added = _Arrays(network, work, nodes), _Added(work, "", network.n_embd)
    head = _Head(network, p)
    operations = [nodes.note, *Embeddings(work).forward(x, p), *head.take()]
    for n in range(network.n_layer):
        operations += _Block(of_block(p, n), arrays, nodes.memory(), added, added).forward(x)
    operations.append(norm.forward(x, p.gain, p.bias))
    scored = log_probabilities(work, head.weight, head.bias, norm.y[NODES])
    return Reading([*operations, *scored.operations], scored.log_probabilities, is_kept=True)


class _Head:
    """The layer that ends in the scores, or its gradient: a matrix of its own, or the embeddings of the characters."""

    def __init__(self, network: Transformer, parameters: SimpleNamespace):
        self._tied, self._C, self.bias = network.tied, parameters.C, without_bias(network.vocab_size)
        self.weight = rows_apart(*parameters.C.T.shape) if network.tied else parameters.Wy

    def take(self) -> list[Operation]:
        """Make it of the embeddings where it is theirs."""
        return [transpose(self.weight, self._C)] if self._tied else []

    def give(self) -> Operation:
        """Begin the gradient of the embeddings with it, or with nothing."""
        return transpose(self._C, self.weight) if self._tied else clear_rows(self._C)


class _Arrays:
    """What lies between the operations of a block."""

    def __init__(self, network: Transformer, work: Work, nodes: Nodes):
        self.norm1, self.norm2 = _Norm(network, work), _Norm(network, work)
        self.attention = Attention(work, nodes)
        self.h, self.slope = work.rows(padded(4 * network.n_embd)), work.rows(padded(4 * network.n_embd))


class _WayBack:
    """Gradients within a block, and weights transposed: the same arrays for all blocks."""

    def __init__(self, network: Transformer, p: SimpleNamespace, work: Work, nodes: Nodes):
        self.dnormed, self.dy = work.rows(padded(network.n_embd)), work.rows(nodes.heads.width)
        self.dqkv, self.dh = work.rows(3 * nodes.heads.width), work.rows(padded(4 * network.n_embd))
        of_first = vars(of_block(p, 0))
        self.transposed = {name: rows_apart(*of_first[name].T.shape) for name in ("Wqkv", "Wo", "W1", "W2")}


class _Norm:
    """A layer norm, whose result is `y`."""

    def __init__(self, network: Transformer, work: Work):
        size, self._n_columns = padded(network.n_embd), network.n_embd
        self.y, self._raw, self._std_inv, self._real = (
            work.rows(size),
            work.rows(size),
            work.numbers(),
            aligned_zeros(size),
        )
        self._real[: network.n_embd] = 1

    def forward(self, x: Buffer, gain: np.ndarray, bias: np.ndarray) -> Operation:
        rows = self.y[NODES], self._raw[NODES], self._std_inv, x[NODES]
        return layernorm_forward(*rows, gain, bias, self._real, self._n_columns)

    def backward(self, dx: Buffer, dgain: np.ndarray, dbias: np.ndarray, dy: Buffer, gain: np.ndarray) -> Operation:
        rows = dy[NODES], self._raw[NODES], self._std_inv
        return layernorm_backward(dx[NODES], dgain, dbias, *rows, gain, self._real, self._n_columns)


class _Added:
    """What a branch adds to the rows, `h @ weight + bias`, some of it dropped."""

    def __init__(self, work: Work, name: str, n_embd: int):
        self._mask = Mask(work, name, n_embd, work.firsts[NODES]) if work.dropping.share else None
        self._added = work.rows(padded(n_embd))

    def forward(self, x: Buffer, h: Buffer, weight: np.ndarray, bias: np.ndarray) -> list[Operation]:
        if self._mask is None:
            return [add_product(x[NODES], h[NODES], weight), bias_forward(x[NODES], bias)]
        added = self._added[NODES]
        return [
            self._mask.draw,
            matmul(added, h[NODES], weight),
            bias_forward(added, bias),
            add_dropped(x[NODES], added, self._mask.rows),
        ]

    def backward(self, dx: Buffer) -> tuple[list[Operation], Buffer]:
        """Its gradient, after these operations."""
        if self._mask is None:
            return [], dx
        return [dropout(self._added[NODES], dx[NODES], self._mask.rows)], self._added


class _Block(NamedTuple):
    """A block: its parameters and its arrays."""

    p: SimpleNamespace
    w: _Arrays
    kv: Buffer
    added1: _Added
    added2: _Added

    def forward(self, x: Buffer) -> list[Operation]:
        p, w = self.p, self.w
        return [
            w.norm1.forward(x, p.gain1, p.bias1),
            *w.attention.forward(self.kv, w.norm1.y, p.Wqkv, p.bqkv),
            *self.added1.forward(x, w.attention.y, p.Wo, p.bo),
            w.norm2.forward(x, p.gain2, p.bias2),
            matmul(w.slope[NODES], w.norm2.y[NODES], p.W1),
            gelu_forward(w.h[NODES], w.slope[NODES], p.b1),
            *self.added2.forward(x, w.h, p.W2, p.b2),
        ]

    def backward(self, dx: Buffer, d: SimpleNamespace, back: _WayBack) -> list[Operation]:
        """`dx` is the gradient of the rows that the block made, and then of those that it was given."""
        p, w, turned = self.p, self.w, back.transposed
        dropped2, dadded2 = self.added2.backward(dx)
        dropped1, dadded1 = self.added1.backward(dx)
        return [
            *dropped2,
            sum_rows(d.b2, dadded2[NODES]),
            *linear_backward(back.dh, d.W2, dadded2, w.h, p.W2, turned["W2"]),
            gelu_backward(back.dh[NODES], d.b1, w.slope[NODES]),
            *linear_backward(back.dnormed, d.W1, back.dh, w.norm2.y, p.W1, turned["W1"]),
            w.norm2.backward(dx, d.gain2, d.bias2, back.dnormed, p.gain2),
            *dropped1,
            sum_rows(d.bo, dadded1[NODES]),
            *linear_backward(back.dy, d.Wo, dadded1, w.attention.y, p.Wo, turned["Wo"]),
            *w.attention.backward(back.dqkv, back.dy, self.kv),
            sum_rows(d.bqkv, back.dqkv[NODES]),
            *linear_backward(back.dnormed, d.Wqkv, back.dqkv, w.norm1.y, p.Wqkv, turned["Wqkv"]),
            w.norm1.backward(dx, d.gain1, d.bias1, back.dnormed, p.gain1),
        ]
