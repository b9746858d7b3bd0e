"""The compiled form of the lecture's network: a context is fused at once."""

from types import SimpleNamespace

from handgrad.engine.contexts import CompiledContexts, Work
from handgrad.engine.flat import Layout, Places, rows_apart
from handgrad.engine.fusing import Fused, passes_of, reading_of
from handgrad.engine.scoring import Layer
from handgrad.engine.stepping import Passes, Reading
from handgrad.engine.tape import Buffer
from handgrad.models.mlp import MLP


def compiled_contexts(network: MLP) -> CompiledContexts:
    """The compiled form of a model of these sizes."""

    def levels(p: SimpleNamespace, work: Work) -> list[Fused]:
        x, transposed = Buffer(p.C), rows_apart(p.W1.shape[1], p.W1.shape[0])
        width, n_rows = network.block_size, network.vocab_size
        return [Fused("W1", "", work.contexts, width, x, n_rows, vars(p), work, transposed, bias=p.b1)]

    def passes(p: SimpleNamespace, d: SimpleNamespace, work: Work) -> Passes:
        return passes_of(work, levels(p, work), Layer(p.W2, p.b2, d.W2, d.b2), vars(d), network.n_hidden)

    def reading(p: SimpleNamespace, work: Work) -> Reading:
        return reading_of(work, levels(p, work), Layer(p.W2, p.b2, p.W2, p.b2))

    parts = {"W1": Places.of(network.n_embd).side_by_side(network.block_size)}
    products = network.n_hidden * (network.block_size * network.n_embd + network.vocab_size)
    buffers = dict.fromkeys(network.buffer_shapes, (1, network.n_hidden))
    return CompiledContexts(
        Layout(network.shapes, {}, ["b1", "b2", "bngain", "bnbias"], rows=parts), "b2", passes, reading, products,
        network.vocab_size, network.beta1, block_size=network.block_size, buffers=Layout(buffers, {}, list(buffers)),
        levels=levels,
    )  # fmt: skip
