"""What the transformer and microgpt share on the tape: embeddings, attention over a node's ancestors, and scores."""

from collections.abc import Mapping, Sequence
from types import SimpleNamespace

import numpy as np

from handgrad.engine.flat import Layout, Places, rows_apart
from handgrad.engine.kernels.attention import attention_backward, attention_forward, note_ancestors
from handgrad.engine.kernels.products import bias_forward, matmul, matmul_transposed, transpose
from handgrad.engine.kernels.rows import add_rows, add_taken_rows, clear_rows, take_rows
from handgrad.engine.lines import LEVEL, NODES, Work
from handgrad.engine.tape import Argument, Buffer, Extent, Operation, Register
from handgrad.engine.vectors import WIDE, padded
from handgrad.models.gpt import GPT

LINES_AT_ONCE = 2**9
"""Read together: more gain nothing."""
NUMBERS_KEPT = 2**25
"""Of keys, values and ancestors of the beginnings that are read together, at most, about: 128 MB."""


INTERLEAVED = 8


class Heads:
    """How heads share the columns of queries, keys and values.

    Up to INTERLEAVED heads are interleaved: feature c of each head are neighbours, so that a vector has the same
    number of features of each. Heads that are missing to a power of two only pad. Where there are more heads than that,
    such parts lie side by side.

    Args:
        n_head: how many.
        n_embd: features of all of them.

    Example:
        >>> Heads(n_head=2, n_embd=6).places.numbers
        array([0, 2, 4, 1, 3, 5])
    """

    def __init__(self, n_head: int, n_embd: int):  # noqa: D107
        self.interleaved = min(INTERLEAVED, 2 ** (n_head - 1).bit_length())
        features = n_embd // n_head
        part = padded(features * self.interleaved)
        n_parts = -(-n_head // self.interleaved)
        self.parts = [slice(n * part, (n + 1) * part) for n in range(n_parts)]
        self.width = n_parts * part
        self.scale = 1 / features**0.5
        heads, columns = np.arange(n_head)[:, None], np.arange(features) * self.interleaved
        numbers = heads // self.interleaved * part + heads % self.interleaved + columns
        self.places = Places(self.width, numbers.reshape(-1))


class Nodes:
    """The nodes at hand, and those among which they find their ancestors: in training all of the tree.

    In reading they are a level, whose keys and values are kept behind those of earlier ones.

    Args:
        network: the sizes.
        work: of the tapes.
        kept: the rows of their keys and values.
        n_kept: how many such rows there may be.
    """

    def __init__(self, network: GPT, work: Work, kept: Extent, n_kept: int):  # noqa: D107
        self.kept, self.n_kept, self.heads = kept, n_kept, Heads(network.n_head, network.n_embd)
        known, self.depths = Buffer(np.zeros((n_kept, network.block_size), np.int32)), work.depths[NODES]
        self.ancestors = known[kept]
        self.note = note_ancestors(self.ancestors, known, work.parents[NODES], self.depths, Register(kept.first))
        self.weights, self._numbers = rows_apart(network.block_size, WIDE), np.arange(work.n_targets, dtype=np.int32)
        self.query, self.coming = np.zeros((2, self.heads.width), np.float32)

    def copy(self, out: Buffer, x: Buffer) -> Operation:
        """`out = x`, their rows."""
        return take_rows(out[NODES], x[NODES], self._numbers)

    def memory(self) -> Buffer:
        """Room for keys and values, side by side, of one block."""
        return Buffer(rows_apart(self.n_kept, 2 * self.heads.width))


def of_tree(network: GPT, work: Work) -> Nodes:
    """All nodes of a minibatch."""
    return Nodes(network, work, NODES, work.n_targets)


def of_level(network: GPT, work: Work) -> Nodes:
    """The nodes that are read."""
    return Nodes(network, work, LEVEL, work.n_targets * network.block_size)


class Attention:
    """Attention of nodes to their ancestors; `y` has the result."""

    def __init__(self, work: Work, nodes: Nodes):  # noqa: D107
        self._nodes, self._q, self.y = nodes, work.rows(nodes.heads.width), work.rows(nodes.heads.width)
        self._softmax = [work.rows(2 * WIDE) for _ in nodes.heads.parts]

    def forward(
        self, kv: Buffer, normed: Buffer, weight: np.ndarray, bias: np.ndarray | None = None
    ) -> list[Operation]:
        """From the rows of the nodes, by the layer of queries, keys and values; `kv` gains those of the nodes."""
        nodes, width = self._nodes, self._nodes.heads.width
        q, own = self._q[NODES], kv[nodes.kept]
        products = [matmul(q, normed[NODES], weight[:, :width]), matmul(own, normed[NODES], weight[:, width:])]
        if bias is not None:
            products += [bias_forward(q, bias[:width]), bias_forward(own, bias[width:])]
        return products + [
            attention_forward(
                self.y[NODES, part],
                softmax[NODES],
                *self._seen(kv, part),
                nodes.ancestors,
                nodes.depths,
                nodes.weights,
                nodes.query,
                nodes.heads.interleaved,
                nodes.heads.scale,
            )
            for part, softmax in zip(nodes.heads.parts, self._softmax, strict=True)
        ]

    def backward(self, dqkv: Buffer, dy: Buffer, kv: Buffer) -> list[Operation]:
        """From the gradient of `y` to those of queries, keys and values, side by side."""
        nodes, width = self._nodes, self._nodes.heads.width
        return [
            attention_backward(
                *(dqkv[NODES, _moved(part, n * width)] for n in range(3)),
                dy[NODES, part],
                self.y[NODES, part],
                softmax[NODES],
                *self._seen(kv, part),
                nodes.ancestors,
                nodes.depths,
                nodes.query,
                nodes.coming,
                nodes.heads.interleaved,
                nodes.heads.scale,
            )
            for part, softmax in zip(nodes.heads.parts, self._softmax, strict=True)
        ]

    def _seen(self, kv: Buffer, part: slice) -> tuple[Argument, Argument, Argument]:
        """Queries of the nodes, and all keys and values."""
        return self._q[NODES, part], kv[:, part], kv[:, _moved(part, self._nodes.heads.width)]


def _moved(part: slice, by: int) -> slice:
    return slice(part.start + by, part.stop + by)


class Embeddings:
    """Embeddings of characters and of places, added."""

    def __init__(self, work: Work):  # noqa: D107
        self._tokens, self._depths = work.tokens[NODES], work.depths[NODES]

    def forward(self, x: Buffer, p: SimpleNamespace) -> list[Operation]:
        """Into the rows of the nodes."""
        return [take_rows(x[NODES], p.C, self._tokens), add_taken_rows(x[NODES], p.P, self._depths)]

    def backward(self, d: SimpleNamespace, dx: Buffer) -> list[Operation]:
        """From the gradient of the rows; `d.C` is added to."""
        return [
            add_rows(d.C, self._tokens, dx[NODES]),
            clear_rows(d.P),
            add_rows(d.P, self._depths, dx[NODES]),
        ]


def linear_backward(
    dx: Buffer, dweight: np.ndarray, dy: Buffer, x: Buffer, weight: np.ndarray, transposed: np.ndarray
) -> list[Operation]:
    """`dx = dy @ weight.T` and `dweight = x.T @ dy`; `transposed` is scratch for the former."""
    return [
        matmul_transposed(dweight, x[NODES], dy[NODES]),
        transpose(transposed, weight),
        matmul(dx[NODES], dy[NODES], transposed),
    ]


def layout_of(
    network: GPT,
    vectors: Sequence[str] = (),
    groups: Mapping[str, int] | None = None,
    heads: Sequence[str] = (),
    joined: Mapping[str, Sequence[str]] | None = None,
) -> Layout:
    """The places of parameters, whose names are of blocks where they are given here.

    Args:
        network: the sizes.
        vectors: names of those that are not matrices.
        groups: as for `Layout`.
        heads: names of those whose columns are the features of heads; rows of `Wo` are it too.
        joined: as for `Layout`.
    """
    places, blocks = Heads(network.n_head, network.n_embd).places, range(network.n_layer)

    def each(names: Sequence[str]) -> list[str]:
        return [f"{name}.{layer}" for name in names for layer in blocks]

    return Layout(
        network.shapes,
        {f"{name}.{layer}": n for name, n in (groups or {}).items() for layer in blocks},
        [name for name in network.shapes if name.partition(".")[0] in vectors],
        columns=dict.fromkeys(each(heads), places),
        rows=dict.fromkeys(each(["Wo"]), places),
        joined={
            f"{name}.{layer}": [f"{part}.{layer}" for part in parts]
            for name, parts in (joined or {}).items()
            for layer in blocks
        },
    )


def of_block(parameters: SimpleNamespace, layer: int) -> SimpleNamespace:
    """The parameters of a block, by their names without its number."""
    parts = ((name.partition("."), value) for name, value in vars(parameters).items())
    return SimpleNamespace(**{kind: value for (kind, _, number), value in parts if number == str(layer)})


def read_at_once(network: GPT) -> int:
    """How many lines can be read together."""
    a_place = 2 * Heads(network.n_head, network.n_embd).width * network.n_layer + network.block_size
    return max(1, min(LINES_AT_ONCE, NUMBERS_KEPT // (a_place * network.block_size)))
