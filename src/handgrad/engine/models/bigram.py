"""The compiled form of bigrams."""

from types import SimpleNamespace

from handgrad.engine.contexts import CompiledContexts, Work
from handgrad.engine.flat import Layout, rows_apart
from handgrad.engine.kernels.cross_entropy import cross_entropy, log_softmax
from handgrad.engine.kernels.rows import add_rows, clear_rows, take_rows
from handgrad.engine.registers import NODES, TARGETS
from handgrad.engine.stepping import Passes, Reading
from handgrad.engine.tape import Buffer
from handgrad.engine.vectors import padded
from handgrad.models.bigram import Bigram


def compiled_contexts(network: Bigram) -> CompiledContexts:
    """The compiled form of a model of these sizes; rows are distinct letters."""

    def passes(p: SimpleNamespace, d: SimpleNamespace, work: Work) -> Passes:
        rows = _Rows(network, p, work)
        backward = [
            cross_entropy(work.loss, rows.logits, work.counts[NODES], work.places[TARGETS], work.targets[TARGETS]),
            clear_rows(d.W),
            add_rows(d.W, rows.letters, rows.logits),
        ]
        return Passes(rows.forward, [], backward, [], [])

    def reading(p: SimpleNamespace, work: Work) -> Reading:
        rows = _Rows(network, p, work)
        return Reading([*rows.forward, log_softmax(rows.logits)], rows.logits.value)

    return CompiledContexts(
        Layout(network.shapes, {}, []), "W", passes, reading, network.vocab_size, network.vocab_size, network.beta1,
        block_size=1, buffers=Layout({}, {}, []),
    )  # fmt: skip


class _Rows:
    """The rows of the table that belong to the letters in use."""

    def __init__(self, network: Bigram, p: SimpleNamespace, work: Work):
        distinct = work.distinct(work.contexts, 1, network.vocab_size)
        self.letters = Buffer(distinct.found[:, 0])[NODES]
        self.logits = Buffer(rows_apart(len(distinct.found), padded(network.vocab_size)))[NODES]
        self.forward = [distinct.operation, take_rows(self.logits, p.W, self.letters)]
