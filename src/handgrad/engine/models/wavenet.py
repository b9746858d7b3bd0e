"""The compiled form of the network like WaveNet: pairs are fused, level by level."""

from types import SimpleNamespace

import numpy as np

from handgrad.engine.contexts import CompiledContexts, Work
from handgrad.engine.flat import Layout, Places, rows_apart
from handgrad.engine.fusing import Fused, passes_of, reading_of
from handgrad.engine.scoring import Layer
from handgrad.engine.stepping import Passes, Reading
from handgrad.engine.tape import Buffer
from handgrad.models.wavenet import WaveNet


def compiled_contexts(network: WaveNet) -> CompiledContexts:
    """The compiled form of a model of these sizes."""

    def levels(p: SimpleNamespace, work: Work) -> list[Fused]:
        found: list[Fused] = []
        numbers, x, n_rows = work.contexts, Buffer(p.C), network.vocab_size
        transposed = rows_apart(p.W1.shape[1], 2 * max(p.W1.shape))
        for n in network.levels:
            level = Fused(f"W{n}", str(n), numbers, 2, x, n_rows, vars(p), work, transposed)
            numbers, x, n_rows = level.groups.numbers, level.h, len(level.groups.found)
            found.append(level)
        return found

    def passes(p: SimpleNamespace, d: SimpleNamespace, work: Work) -> Passes:
        return passes_of(work, levels(p, work), Layer(p.Wy, p.by, d.Wy, d.by), vars(d), network.n_hidden)

    def reading(p: SimpleNamespace, work: Work) -> Reading:
        return reading_of(work, levels(p, work), Layer(p.Wy, p.by, p.Wy, p.by))

    halves = {f"W{n}": Places.of(network.shapes[f"W{n}"][0] // 2).side_by_side(2) for n in network.levels}
    vectors = [name for name in network.shapes if name[0] == "b"]
    products = sum(int(np.prod(shape)) for name, shape in network.shapes.items() if name[0] == "W")
    buffers = dict.fromkeys(network.buffer_shapes, (1, network.n_hidden))
    return CompiledContexts(
        Layout(network.shapes, {}, vectors, rows=halves), "by", passes, reading, products, network.vocab_size,
        network.beta1, block_size=network.block_size, buffers=Layout(buffers, {}, list(buffers)),
        levels=levels,
    )  # fmt: skip
