"""Contexts and targets, or whole lines, read from the flat tokens as they are needed."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from handgrad.data.corpus import Corpus
from handgrad.data.cuts import MIN_LINES, are_repeated, between_kinds, shares
from handgrad.data.flat import hashes, permuted
from handgrad.data.shuffle import shuffled
from handgrad.errors import CorpusError


@dataclass(frozen=True, eq=False)
class Dataset:
    """Every token of some lines as a target, each to be predicted from the tokens before it in its line.

    Nothing is laid out in advance: a position is an index into `tokens`, and its context is read from there.

    Args:
        tokens: lines, each followed by one 0, flat, in any integer type.
        known_starts: what `starts` is, where it need not be looked for.

    Raises:
        CorpusError: `tokens` is not flat, or does not end with a boundary.

    Example:
        >>> dataset = Dataset(np.array([5, 13, 13, 1, 0]))  # emma
        >>> dataset.contexts(np.arange(5), block_size=3)
        array([[ 0,  0,  0],
               [ 0,  0,  5],
               [ 0,  5, 13],
               [ 5, 13, 13],
               [13, 13,  1]])
        >>> dataset.targets(np.arange(5))
        array([ 5, 13, 13,  1,  0])
    """

    tokens: np.ndarray
    known_starts: np.ndarray | None = None

    def __post_init__(self):
        """Check what `contexts` relies on."""
        if self.tokens.ndim != 1 or len(self.tokens) == 0 or self.tokens[-1] != 0:
            raise CorpusError(
                "these tokens are no dataset",
                got=f"shape {self.tokens.shape}, ending in {self.tokens[-1:].tolist()}",
                expected="a flat array that ends in 0",
                where="tokens",
            )

    def __len__(self) -> int:
        """How many targets there are: a letter or a boundary each."""
        return len(self.tokens)

    def contexts(self, positions: np.ndarray, block_size: int) -> np.ndarray:
        """The tokens before each position, oldest first, 0 where the line had not begun.

        Going back from the newest token, everything behind a boundary is 0. Before the first line the reading wraps
        to the last token, which is a boundary too.

        Args:
            positions: integers in [0, len(self)), of any shape.
            block_size: how many tokens make a context.

        Returns:
            (*positions.shape, block_size) of int64, which NumPy and torch take as indices.
        """
        positions = np.asarray(positions)
        contexts = np.empty((*positions.shape, block_size), np.int64)
        newer = np.True_
        for back in range(1, block_size + 1):
            token = self.tokens.take(positions - back, mode="wrap")
            newer = token * (newer != 0)
            contexts[..., -back] = newer
        return contexts

    def targets(self, positions: np.ndarray) -> np.ndarray:
        """The token at each position, as int64 of the positions' shape."""
        return self.tokens[positions].astype(np.int64)

    @cached_property
    def starts(self) -> np.ndarray:
        """Where each line starts in `tokens`, and at last where the next would: (lines + 1,) of int64."""
        return np.append(0, np.flatnonzero(self.tokens == 0) + 1) if self.known_starts is None else self.known_starts

    @property
    def n_lines(self) -> int:
        """How many lines there are."""
        return len(self.starts) - 1

    def lengths(self, numbers: np.ndarray) -> np.ndarray:
        """How many targets each of these lines has: its characters and its end."""
        return self.starts[np.asarray(numbers) + 1] - self.starts[numbers]

    def lines(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Whole lines, each from its boundary on, as long as the longest of them.

        Args:
            numbers: (N,) integers in [0, n_lines).

        Returns:
            What is read, (N, T) of int64, which begins with the boundary 0 and is 0 behind the end; and what follows,
            (N, T), which ends with the boundary, and is −1 behind it.

        Example:
            >>> Dataset(np.array([5, 13, 1, 0, 2, 0])).lines(np.array([0, 1]))
            (array([[ 0,  5, 13,  1],
                   [ 0,  2,  0,  0]]), array([[ 5, 13,  1,  0],
                   [ 2,  0, -1, -1]]))
        """
        starts, lengths = self.starts[numbers], self.lengths(numbers)
        places = np.arange(lengths.max(initial=0))
        inside = places < lengths[:, None]
        Y = np.where(inside, self.tokens.take(starts[:, None] + places, mode="clip").astype(np.int64), -1)
        X = np.zeros_like(Y)
        X[:, 1:] = np.where(inside[:, 1:], Y[:, :-1], 0)
        return X, Y

    def pieces(self, n_tokens: int) -> Iterator["Dataset"]:
        """All lines, one dataset after another, each of as many lines as `n_tokens` have room for, at least one."""
        first, starts = 0, self.starts
        while first < self.n_lines:
            stop = max(first + 1, int(np.searchsorted(starts, starts[first] + n_tokens, side="right")) - 1)
            yield Dataset(self.tokens[starts[first] : starts[stop]])
            first = stop

    def batches(self, size: int, block_size: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Contexts and targets of all positions in order, at most `size` at a time."""
        for start in range(0, len(self), size):
            positions = np.arange(start, min(start + size, len(self)))
            yield self.contexts(positions, block_size), self.targets(positions)


class Splits(NamedTuple):
    """The datasets to train on, to tune by, and to report in the end."""

    train: Dataset
    val: Dataset
    test: Dataset


def split(corpus: Corpus, order: np.ndarray | None = None, distinct: bool = False) -> Splits:
    """Shuffle the lines and cut them into 80 % to train on, 10 % to validate and 10 % to test, as the lecture does.

    Args:
        corpus: at least `MIN_LINES` lines.
        order: the permutation of the lines, (n_lines,): line `order[i]` comes i-th. By default one that depends only
            on the number of lines, so that every run of every seed holds out the same lines.
        distinct: keep equal lines together, so that no line that is held out was trained on: each moves to the first
            of its like, and a cut that would part some moves behind them. The lecture does not. A text of which
            `are_repeated` is true is cut as it comes.

    Raises:
        CorpusError: there are too few lines, or `order` is no permutation of them.

    Example:
        >>> from handgrad.data.corpus import corpus_from_lines
        >>> parts = split(corpus_from_lines(10 * ["a"] + 10 * ["b"] + list("cdefghijkl")), distinct=True)
        >>> [part.n_lines for part in parts], sum(len(set(part.tokens) - {0}) for part in parts)
        ([24, 3, 3], 12)
    """
    if (n := corpus.n_lines) < MIN_LINES:
        raise CorpusError(
            "there are too few lines to split", got=n, expected=f"at least {MIN_LINES}", where=corpus.source,
            next_step="A few hundred lines are the least from which a model learns anything.",
        )  # fmt: skip
    if order is not None and not _is_permutation(np.asarray(order), n):
        raise CorpusError("this is no permutation of the lines", expected=f"0 to {n - 1}, each once", where="order")
    if corpus.stored is not None:
        return Splits(*(Dataset(*lines) for lines in shuffled(corpus.stored, order, distinct).parts))
    starts, (n1, n2) = corpus.starts, shares(n)
    order = np.argsort(np.random.Philox(key=42).random_raw(n), kind="stable") if order is None else np.asarray(order)
    if distinct:
        together, firsts = _equal_together(corpus.tokens, starts, order)
        if not are_repeated(n, len(firsts)):
            order, (n1, n2) = together, between_kinds(firsts, (n1, n2))
    lengths = np.diff(starts)[order]
    train, val = lengths[:n1].sum(), lengths[n1:n2].sum()
    return Splits(*map(Dataset, np.split(permuted(corpus.tokens, starts, order), [train, train + val])))


def _is_permutation(order: np.ndarray, n: int) -> bool:
    if order.shape != (n,) or order.min() < 0 or order.max() >= n:
        return False
    seen = np.zeros(n, bool)
    seen[order] = True
    return bool(seen.all())


def _equal_together(tokens: np.ndarray, starts: np.ndarray, order: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The order in which each line comes right behind the first of its like, and at which places those first are."""
    _, first, kind = np.unique(hashes(tokens, starts)[order], return_index=True, return_inverse=True)
    moved = np.argsort(first[kind], kind="stable")
    together = first[kind][moved]
    return order[moved], np.flatnonzero(np.append(True, together[1:] != together[:-1]))
