"""What the recurrent families share in a training step: all but the recurrence itself."""

from typing import NamedTuple

import numpy as np

from handgrad.engine.compiling import composed
from handgrad.engine.flat import Arrays, rows_apart
from handgrad.engine.kernels.cross_entropy import cross_entropy
from handgrad.engine.kernels.dropout import draw_mask, dropout
from handgrad.engine.kernels.rows import add_rows, add_taken_rows, clear_rows, sum_rows, take_rows
from handgrad.engine.kernels.tree import Tree, tree_for
from handgrad.engine.lines import CompiledLines
from handgrad.engine.matmul import matmul, transpose
from handgrad.engine.operations import bias_forward, embedding_forward, log_softmax, number_letters
from handgrad.engine.vectors import aligned_zeros, padded
from handgrad.models.recurrent import Recurrent


class Work(NamedTuple):
    """Arrays for what lies between the operations.

    Rows are nodes of the tree, or letters in use. What a letter contributes to a state is made once for each, in
    `table`, and so is what a state contributes to those that follow it, in `onward`. `a` is the sum of both, then what
    becomes of it in the recurrence, and its gradient in the end. States and their gradients, `h` and `dh`, and
    `onward`, which has its gradient in the end, have a row more, the first, for what lines begin with. `before` has
    the states before the nodes, for those who need them.

    With dropout the scores are made for each target on its own, since each has its own mask: then `seen` has the rows
    of `h` with what is left of them, and `each` and `ones` stand for the places and counts of the tree.
    """

    tree: Tree
    row_of: np.ndarray
    letters: np.ndarray
    letter_starts: np.ndarray
    letter_rows: np.ndarray
    emb: np.ndarray
    demb: np.ndarray
    table: np.ndarray
    dtable: np.ndarray
    a: np.ndarray
    onward: np.ndarray
    before: np.ndarray
    h: np.ndarray
    dh: np.ndarray
    logits: np.ndarray
    logit_maxes: np.ndarray
    counts_sum: np.ndarray
    mask: np.ndarray
    seen: np.ndarray
    dseen: np.ndarray
    each: np.ndarray
    ones: np.ndarray
    Wxh_transposed: np.ndarray
    Why_transposed: np.ndarray


def work_for(network: Recurrent, n_targets: int, dropping: bool, onward: int, before: bool = False) -> Work:
    """The arrays for minibatches of lines with so many targets in all.

    Args:
        network: the sizes.
        n_targets: of a minibatch, at most.
        dropping: whether there is dropout.
        onward: how many numbers a state contributes to those that follow it.
        before: whether states before nodes are needed.
    """
    embd, hidden, vocab = (padded(size) for size in (network.n_embd, network.n_hidden, network.vocab_size))
    gates, n_letters, n_dropped = network.gates * hidden, min(n_targets, network.vocab_size), n_targets * dropping
    return Work(
        tree=tree_for(n_targets),
        row_of=np.empty(network.vocab_size, np.int32),
        letters=np.empty(n_letters, np.int32),
        letter_starts=np.empty(2, np.int64),
        letter_rows=np.empty((n_targets, 1), np.int32),
        emb=rows_apart(n_letters, embd),
        demb=rows_apart(n_letters, embd),
        table=rows_apart(n_letters, gates),
        dtable=rows_apart(n_letters, gates),
        a=rows_apart(n_targets, gates),
        onward=rows_apart(n_targets + 1, onward),
        before=rows_apart(n_targets * before, hidden),
        h=rows_apart(n_targets + 1, hidden),
        dh=rows_apart(n_targets + 1, hidden),
        logits=aligned_zeros(n_targets, vocab),
        logit_maxes=aligned_zeros(n_targets),
        counts_sum=aligned_zeros(n_targets),
        mask=aligned_zeros((n_dropped + 1) * hidden),
        seen=rows_apart(n_dropped, hidden),
        dseen=rows_apart(n_dropped, hidden),
        each=np.arange(n_targets, dtype=np.int32),
        ones=np.ones(n_targets, np.float32),
        Wxh_transposed=rows_apart(gates, embd),
        Why_transposed=rows_apart(vocab, hidden),
    )


@composed
def inputs_forward(w, p, n):
    """What each letter in use contributes: `table = C[letters] @ Wxh + bh`."""
    number_letters(w.letter_rows[:n], w.letters, w.letter_starts, w.row_of, w.tree.tokens[:n])
    u = w.letter_starts[1]
    embedding_forward(w.emb[:u], p.C, w.letters)
    matmul(w.table[:u], w.emb[:u], p.Wxh)
    bias_forward(w.table[:u], p.bh)


@composed
def enter(w, start, stop):
    """What the letters of some nodes and the states before them contribute, into `a`."""
    take_rows(w.a[start:stop], w.table, w.letter_rows[start:stop, 0])
    add_taken_rows(w.a[start:stop], w.onward, w.tree.parents[start:stop])


@composed
def inputs_backward(w, d, p, n):
    """Gradients of `C`, `Wxh` and `bh` from that of `a`."""
    u = w.letter_starts[1]
    clear_rows(w.dtable[:u])
    add_rows(w.dtable, w.letter_rows[:n, 0], w.a[:n])
    sum_rows(d.bh, w.dtable[:u])
    matmul(d.Wxh, w.emb[:u].T, w.dtable[:u])
    transpose(w.Wxh_transposed, p.Wxh)
    matmul(w.demb[:u], w.dtable[:u], w.Wxh_transposed)
    clear_rows(d.C)
    add_rows(d.C, w.letters[:u], w.demb[:u])


@composed
def scores(w, d, p, n, targets, n_hidden, dropping, step):
    """The mean loss; on the way gradients of `Why`, `by` and the states."""
    m, drops = targets.size, dropping.share > 0
    h, dh, places = w.h[1 : n + 1], w.dh[1 : n + 1], w.tree.places[:m]
    seen, dseen, rows, counts = h, dh, places, w.tree.counts[:n]
    if drops:
        seen, dseen, rows, counts = w.seen[:m], w.dseen[:m], w.each[:m], w.ones[:m]
        draw_mask(w.mask, m * n_hidden, dropping.share, dropping.seed, dropping.first + step, dropping.place)
        take_rows(seen, h, places)
        dropout(seen, seen, w.mask, n_hidden)
    logits = w.logits[: counts.size]
    matmul(logits, seen, p.Why)
    bias_forward(logits, p.by)
    loss = cross_entropy(logits, counts, rows, targets, w.logit_maxes, w.counts_sum)

    sum_rows(d.by, logits)
    matmul(d.Why, seen.T, logits)
    transpose(w.Why_transposed, p.Why)
    matmul(dseen, logits, w.Why_transposed)
    clear_rows(w.dh[: n + 1 if drops else 1])
    if drops:
        dropout(dseen, dseen, w.mask, n_hidden)
        add_rows(dh, places, dseen)
    return loss


@composed
def log_probabilities_of(w, p, n):
    """Of what follows n states, in `logits`."""
    logits = w.logits[:n]
    matmul(logits, w.h[1 : n + 1], p.Why)
    bias_forward(logits, p.by)
    log_softmax(logits)


class Reader:
    """Reads lines token by token; see `handgrad.engine.reading`.

    Rows do not depend on each other, to the last bit.
    """

    def __init__(self, compiled: CompiledLines, parameters: Arrays, at_once: int):  # noqa: D107
        self._compiled = compiled
        flat = compiled.layout.pack(parameters, compiled.never)
        self._parameters = compiled.arrange(**compiled.layout.views(flat))
        self._work = compiled.work_for(at_once, False)

    def begin(self) -> np.ndarray:
        """Of what follows the boundary, (1, vocab_size)."""
        return self._read(np.zeros(1, np.int32), np.zeros(1, np.int32))

    def read(self, rows: np.ndarray, tokens: np.ndarray) -> np.ndarray:
        """Of what follows each token, after the beginning of that row of the last ones: (N, vocab_size)."""
        return self._read(rows + 1, tokens)

    def _read(self, parents: np.ndarray, tokens: np.ndarray) -> np.ndarray:
        n, tree = len(tokens), self._work[0].tree
        tree.parents[:n], tree.tokens[:n, 0] = parents, tokens
        self._compiled.read(self._parameters, self._work, n)
        return self._work[0].logits[:n, : self._compiled.vocab_size]
