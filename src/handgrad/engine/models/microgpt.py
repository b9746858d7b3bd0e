"""The compiled form of microgpt."""

from types import SimpleNamespace
from typing import NamedTuple

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
from handgrad.engine.kernels.products import add_product, matmul
from handgrad.engine.kernels.relu import relu_backward, relu_forward
from handgrad.engine.kernels.rmsnorm import rmsnorm_backward, rmsnorm_forward
from handgrad.engine.kernels.rows import clear_rows
from handgrad.engine.lines import NODES, CompiledLines, Passes, Reading, Work
from handgrad.engine.scoring import Layer, log_probabilities, scores, without_bias
from handgrad.engine.tape import Buffer, Operation
from handgrad.engine.vectors import padded
from handgrad.models.microgpt import MicroGPT


def compiled_lines(network: MicroGPT) -> CompiledLines:
    """The compiled form of a model of these sizes."""
    of_heads = ["Wq", "Wk", "Wv"]
    layout = layout_of(network, heads=of_heads, joined={"Wqkv": of_heads})
    return CompiledLines(
        layout, None, lambda p, d, work: _passes(network, p, d, work), lambda p, work: _reading(network, p, work),
        network.n_parameters, network.vocab_size, network.beta1, network.block_size, read_at_once(network),
    )  # fmt: skip


def _passes(network: MicroGPT, p: SimpleNamespace, d: SimpleNamespace, work: Work) -> Passes:
    nodes, embeddings, norm, size = (
        of_tree(network, work),
        Embeddings(work),
        _Norm(network, work),
        padded(network.n_embd),
    )
    x, dx, demb, way_back = work.rows(size), work.rows(size), work.rows(size), _WayBack(network, p, work, nodes)
    forward = [nodes.note, *embeddings.forward(x, p), norm.forward(x), nodes.copy(x, norm.y)]
    backward = [
        clear_rows(demb[NODES]),
        norm.backward(demb, dx),
        clear_rows(d.C),
        *embeddings.backward(d, demb),
    ]
    for n in range(network.n_layer):
        block = _Block(of_block(p, n), _Arrays(network, work, nodes), nodes.memory())
        forward += block.forward(x)
        backward = [*block.backward(dx, of_block(d, n), way_back), *backward]
    layer = Layer(p.Wy, without_bias(network.vocab_size), d.Wy, None)
    return Passes(forward, [], scores(work, layer, x, dx, network.n_embd), [], backward)


def _reading(network: MicroGPT, p: SimpleNamespace, work: Work) -> Reading:
    nodes, norm, x = of_level(network, work), _Norm(network, work), work.rows(padded(network.n_embd))
    arrays = _Arrays(network, work, nodes)
    operations = [nodes.note, *Embeddings(work).forward(x, p), norm.forward(x), nodes.copy(x, norm.y)]
    for n in range(network.n_layer):
        operations += _Block(of_block(p, n), arrays, nodes.memory()).forward(x)
    scored = log_probabilities(work, p.Wy, without_bias(network.vocab_size), x[NODES])
    return Reading([*operations, *scored.operations], scored.log_probabilities, is_kept=True)


class _Norm:
    """A norm, whose result is `y`."""

    def __init__(self, network: MicroGPT, work: Work):
        self.y, self._rms_inv, self._n_columns = work.rows(padded(network.n_embd)), work.numbers(), network.n_embd

    def forward(self, x: Buffer) -> Operation:
        return rmsnorm_forward(self.y[NODES], self._rms_inv, x[NODES], self._n_columns)

    def backward(self, dx: Buffer, dy: Buffer) -> Operation:
        return rmsnorm_backward(dx[NODES], dy[NODES], self.y[NODES], self._rms_inv, self._n_columns)


class _Arrays:
    """What lies between the operations of a block."""

    def __init__(self, network: MicroGPT, work: Work, nodes: Nodes):
        self.norm1, self.norm2 = _Norm(network, work), _Norm(network, work)
        self.attention, self.h = Attention(work, nodes), work.rows(padded(4 * network.n_embd))


class _WayBack:
    """Gradients within a block, and weights transposed: the same arrays for all blocks."""

    def __init__(self, network: MicroGPT, p: SimpleNamespace, work: Work, nodes: Nodes):
        self.dnormed, self.dy = work.rows(padded(network.n_embd)), work.rows(nodes.heads.width)
        self.dqkv, self.dh = work.rows(3 * nodes.heads.width), work.rows(padded(4 * network.n_embd))
        of_first = vars(of_block(p, 0))
        self.transposed = {name: rows_apart(*of_first[name].T.shape) for name in ("Wqkv", "Wo", "W1", "W2")}


class _Block(NamedTuple):
    """A block: its parameters and its arrays."""

    p: SimpleNamespace
    w: _Arrays
    kv: Buffer

    def forward(self, x: Buffer) -> list[Operation]:
        p, w = self.p, self.w
        return [
            w.norm1.forward(x),
            *w.attention.forward(self.kv, w.norm1.y, p.Wqkv),
            add_product(x[NODES], w.attention.y[NODES], p.Wo),
            w.norm2.forward(x),
            matmul(w.h[NODES], w.norm2.y[NODES], p.W1),
            relu_forward(w.h[NODES]),
            add_product(x[NODES], w.h[NODES], p.W2),
        ]

    def backward(self, dx: Buffer, d: SimpleNamespace, back: _WayBack) -> list[Operation]:
        """`dx` is the gradient of the rows that the block made, and then of those that it was given."""
        p, w, turned = self.p, self.w, back.transposed
        return [
            *linear_backward(back.dh, d.W2, dx, w.h, p.W2, turned["W2"]),
            relu_backward(back.dh[NODES], w.h[NODES]),
            *linear_backward(back.dnormed, d.W1, back.dh, w.norm2.y, p.W1, turned["W1"]),
            w.norm2.backward(dx, back.dnormed),
            *linear_backward(back.dy, d.Wo, dx, w.attention.y, p.Wo, turned["Wo"]),
            *w.attention.backward(back.dqkv, back.dy, self.kv),
            *linear_backward(back.dnormed, d.Wqkv, back.dqkv, w.norm1.y, p.Wqkv, turned["Wqkv"]),
            w.norm1.backward(dx, back.dnormed),
        ]
