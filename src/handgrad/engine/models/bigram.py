"""The compiled form of bigrams."""

from types import SimpleNamespace

from handgrad.engine.contexts import CompiledContexts, Work
from handgrad.engine.flat import Layout, rows_apart
from handgrad.engine.kernels.cross_entropy import cross_entropy, log_softmax
from handgrad.engine.kernels.rows import add_rows, clear_rows, take_rows
from handgrad.engine.stepping import NODES, TARGETS, Passes
from handgrad.engine.tape import Buffer
from handgrad.engine.vectors import padded
from handgrad.models.bigram import Bigram


def compiled_contexts(network: Bigram) -> CompiledContexts:
    """The compiled form of a model of these sizes; rows are distinct letters."""

    def passes(p: SimpleNamespace, d: SimpleNamespace, work: Work) -> Passes:
        distinct = work.distinct(work.contexts, 1, network.vocab_size)
        letters, n_letters = Buffer(distinct.found[:, 0]), len(distinct.found)
        logits = Buffer(rows_apart(n_letters, padded(network.vocab_size)))
        forward = [distinct.operation, take_rows(logits[NODES], p.W, letters[NODES])]
        backward = [
            cross_entropy(work.loss, logits[NODES], work.counts[NODES], work.places[TARGETS], work.targets[TARGETS]),
            clear_rows(d.W),
            add_rows(d.W, letters[NODES], logits[NODES]),
        ]
        return Passes(forward, [], backward, [], [], [*forward, log_softmax(logits[NODES])], logits.array)

    return CompiledContexts(
        Layout(network.shapes, {}, []), "W", passes, network.vocab_size, network.vocab_size, network.beta1,
        block_size=1, buffers=Layout({}, {}, []),
    )  # fmt: skip
