"""Counting n-grams and reading their probabilities, compiled.

Contexts are the nodes of a tree that is read backwards: the child of a node is the same context with one older letter
before it. A context goes back to the boundary before its line at most. Each letter that followed a context is an entry
of its node.
"""

import math
from typing import NamedTuple

import numpy as np

from handgrad.engine.compiling import compiled, entry_point
from handgrad.errors import RunError

POSITIONS_AT_ONCE = 2**12


class Counted(NamedTuple):
    """What was counted: nodes numbered as they came, the root first, and the entries of each, its letters rising.

    Args:
        parents: (nodes,) int32, the node of the context without its oldest letter; −1 of the root.
        olders: (nodes,) int32, that oldest letter.
        starts: (nodes + 1,) int64, where the entries of each node begin.
        letters: (entries,) int32.
        counts: (entries,) int32: how often the letter followed, where the context is as long as it can be, or goes back
            to the boundary; else after how many different older letters it did.
    """

    parents: np.ndarray
    olders: np.ndarray
    starts: np.ndarray
    letters: np.ndarray
    counts: np.ndarray


class Tree(NamedTuple):
    """Compiled code's view of the counts: children found by hash, and the numbers that the formula needs."""

    slots: np.ndarray
    parents: np.ndarray
    olders: np.ndarray
    starts: np.ndarray
    letters: np.ndarray
    shares: np.ndarray
    totals: np.ndarray
    left: np.ndarray


def count(tokens: np.ndarray, block_size: int) -> Counted:
    """Count which letter follows which context of up to `block_size` letters.

    Args:
        tokens: lines, each followed by one 0, flat.
        block_size: letters of the longest context: the order less one.
    """
    nodes, entries = _Pairs(), _Pairs()
    sizes = np.array([1, 0])  # nodes, entries
    counts = np.zeros(len(entries.firsts), np.int32)
    nodes.firsts[0] = nodes.seconds[0] = -1  # the root
    for begin in range(0, len(tokens), POSITIONS_AT_ONCE):
        end = min(begin + POSITIONS_AT_ONCE, len(tokens))
        first = max(0, begin - block_size)
        now = np.ascontiguousarray(tokens[first:end], np.int32)
        most = (end - begin) * (block_size + 1)
        nodes.make_room(int(sizes[0]), most)
        entries.make_room(int(sizes[1]), most)
        if more := len(entries.firsts) - len(counts):
            counts = np.concatenate([counts, np.zeros(more, np.int32)])
        _count(now, begin - first, block_size, nodes.arrays, entries.arrays, counts, sizes)
    n_nodes, n_entries = sizes.tolist()
    owners, letters = entries.firsts[:n_entries], entries.seconds[:n_entries]
    order = np.lexsort((letters, owners))
    starts = np.searchsorted(owners[order], np.arange(n_nodes + 1))
    return Counted(
        nodes.firsts[:n_nodes], nodes.seconds[:n_nodes], starts.astype(np.int64), letters[order], counts[order]
    )


def discounts(counted: Counted) -> np.ndarray:
    r"""What is taken off counts of 1, of 2, and of 3 or more, for contexts of each length, (lengths, 3).

    With $n_c$ entries that were counted c times and $Y = n_1 / (n_1 + 2 n_2)$,

    $$ D_1 = 1 - 2 Y \frac{n_2}{n_1}, \qquad D_2 = 2 - 3 Y \frac{n_3}{n_2}, \qquad D_{3+} = 3 - 4 Y \frac{n_4}{n_3}, $$

    kept off both ends, where a small text would put them beyond what is possible.

    Source: Chen and Goodman 1999, "An Empirical Study of Smoothing Techniques for Language Modeling", eq. 26.
    """
    lengths = _lengths(counted.parents)
    of_entries = np.repeat(lengths, np.diff(counted.starts))
    found = []
    for length in range(lengths.max(initial=0) + 1):
        counts = counted.counts[of_entries == length]
        n = [max(1, int((counts == c).sum())) for c in (1, 2, 3, 4)]
        share = n[0] / (n[0] + 2 * n[1])
        raw = [c + 1 - (c + 2) * share * n[c + 1] / n[c] for c in range(3)]
        found.append([min(max(raw[c], 0.05 * (c + 1)), c + 1 - 0.05 * (c + 1)) for c in range(3)])
    return np.array(found)


def require_sound(counted: Counted, vocab_size: int) -> None:
    """Raise RunError unless all that compiled code follows leads somewhere: it does not look."""
    n_nodes, n_entries = len(counted.parents), len(counted.letters)
    before, starts = np.arange(n_nodes), counted.starts
    sound = (
        n_nodes > 0
        and counted.parents[0] == -1
        and ((counted.parents[1:] >= 0) & (counted.parents < before)[1:]).all()
        and len(counted.olders) == n_nodes == len(starts) - 1
        and starts[0] == 0
        and (np.diff(starts) > 0).all()
        and starts[-1] == n_entries == len(counted.counts)
        and ((counted.letters >= 0) & (counted.letters < vocab_size)).all()
        and (counted.counts > 0).all()
    )
    if not sound:
        raise RunError("these are no counts of n-grams", next_step="Take the model from a backup, or train anew.")


def tree_of(counted: Counted) -> Tree:
    """What `probabilities` and `log_likelihood` read."""
    by_length, lengths = discounts(counted), _lengths(counted.parents)
    owners = np.repeat(np.arange(len(counted.parents)), np.diff(counted.starts))
    off = by_length[lengths[owners], np.minimum(counted.counts, 3) - 1]
    totals = np.bincount(owners, counted.counts, len(counted.parents))
    left = np.bincount(owners, off, len(counted.parents))
    slots = np.zeros(_room(len(counted.parents)), np.int32)
    _number(slots, counted.parents, counted.olders, len(counted.parents))
    return Tree(
        slots, counted.parents, counted.olders, counted.starts, counted.letters, counted.counts - off, totals, left
    )


def log_likelihood(tree: Tree, tokens: np.ndarray, vocab_size: int, block_size: int) -> float:
    """Natural logarithm of the probability of some lines, each followed by one 0, flat."""
    total = 0.0
    for begin in range(0, len(tokens), POSITIONS_AT_ONCE):
        first = max(0, begin - block_size)
        now = np.ascontiguousarray(tokens[first : begin + POSITIONS_AT_ONCE], np.int32)
        total += _log_likelihood(tree, now, begin - first, vocab_size, block_size)
    return total


def probabilities(tree: Tree, contexts: np.ndarray, vocab_size: int) -> np.ndarray:
    r"""The probability of each next letter, (N, vocab_size), after the contexts, (N, block_size), oldest letter first.

    From the shortest context to the longest that was seen, with the discounted counts and what the discounts left,

    $$ p(x \mid c) = \frac{\max(N(cx) - D, 0) + p(x \mid c') \sum_y \min(N(cy), D)}{\sum_y N(cy)}, $$

    where $c'$ is c without its oldest letter, and before the empty context all letters are equally likely.

    Source: Chen and Goodman 1999, eq. 22, interpolated, with the counts of eq. 23 for all but the longest contexts.
    """
    out = np.empty((len(contexts), vocab_size))
    _probabilities(out, tree, np.ascontiguousarray(contexts, np.int32))
    return out


class _Pairs:
    """Pairs of numbers, numbered as they come, found again by hash."""

    def __init__(self) -> None:
        self.firsts, self.seconds = (np.empty(POSITIONS_AT_ONCE, np.int32) for _ in range(2))
        self.slots = np.zeros(_room(POSITIONS_AT_ONCE), np.int32)

    def make_room(self, size: int, more: int) -> None:
        """For so many more than there are."""
        if size + more > len(self.firsts):
            room = 2 * (size + more)
            self.firsts, self.seconds = (np.resize(array, room) for array in (self.firsts, self.seconds))
            self.slots = np.zeros(_room(room), np.int32)
            _number(self.slots, self.firsts, self.seconds, size)

    @property
    def arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """As compiled code takes them."""
        return self.slots, self.firsts, self.seconds


def _room(n: int) -> int:
    """A power of two, at most half of which n would fill."""
    return 1 << (2 * n - 1).bit_length()


def _lengths(parents: np.ndarray) -> np.ndarray:
    lengths = np.zeros(len(parents), np.int64)
    _measure(lengths, parents)
    return lengths


@compiled
def _find(slots, firsts, seconds, first, second):
    """The slot that holds the pair's number and one more, or the free one where it belongs.

    Source: Steele, Lea and Flood 2014, "Fast Splittable Pseudorandom Number Generators", whose mixing function this is.
    """
    value = (np.uint64(first) << np.uint64(32)) ^ np.uint64(second)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    last = slots.size - 1
    slot = np.int64((value ^ (value >> np.uint64(31))) & np.uint64(last))
    while slots[slot] != 0 and (firsts[slots[slot] - 1] != first or seconds[slots[slot] - 1] != second):
        slot = (slot + 1) & last
    return slot


@entry_point
def _number(slots, firsts, seconds, size):
    """Fill empty slots with the pairs there are."""
    for i in range(size):
        slots[_find(slots, firsts, seconds, firsts[i], seconds[i])] = i + 1


@entry_point
def _measure(lengths, parents):
    """How many letters each context has; a node comes after its parent."""
    for node in range(1, parents.size):
        lengths[node] = lengths[parents[node]] + 1


@compiled
def _older(tokens, i, length):
    """The letter before a context of `length` letters before position i."""
    place = i - 1 - length
    return tokens[place] if place >= 0 else np.int32(0)


@entry_point
def _count(tokens, begin, block_size, nodes, entries, counts, sizes):
    """Count the positions from `begin` on: a context as long as it can be always, others for each new older letter."""
    slots, parents, olders = nodes
    entry_slots, owners, letters = entries
    path = np.zeros(block_size + 1, np.int64)
    for i in range(begin, tokens.size):
        length = 0
        while length < block_size:
            older = _older(tokens, i, length)
            slot = _find(slots, parents, olders, path[length], older)
            if slots[slot] == 0:
                parents[sizes[0]], olders[sizes[0]] = path[length], older
                sizes[0] += 1
                slots[slot] = sizes[0]
            length += 1
            path[length] = slots[slot] - 1
            if older == 0:
                break
        new = True
        while new and length >= 0:
            slot = _find(entry_slots, owners, letters, path[length], tokens[i])
            new = entry_slots[slot] == 0
            if new:
                owners[sizes[1]], letters[sizes[1]] = path[length], tokens[i]
                sizes[1] += 1
                entry_slots[slot] = sizes[1]
            counts[entry_slots[slot] - 1] += 1
            length -= 1


@entry_point
def _log_likelihood(tree, tokens, begin, vocab_size, block_size):
    total = 0.0
    for i in range(begin, tokens.size):
        node, p = np.int64(0), 1.0 / vocab_size
        for length in range(block_size + 1):
            share = 0.0
            for entry in range(tree.starts[node], tree.starts[node + 1]):
                if tree.letters[entry] >= tokens[i]:
                    if tree.letters[entry] == tokens[i]:
                        share = tree.shares[entry]
                    break
            p = (share + tree.left[node] * p) / tree.totals[node]
            older = _older(tokens, i, length)
            slot = _find(tree.slots, tree.parents, tree.olders, node, older)
            if tree.slots[slot] == 0:
                break
            node = np.int64(tree.slots[slot] - 1)
        total += math.log(p)
    return total


@entry_point
def _probabilities(out, tree, contexts):
    for n in range(out.shape[0]):
        row, node = out[n], np.int64(0)
        row[:] = 1.0 / row.size
        for length in range(contexts.shape[1] + 1):
            keep = tree.left[node] / tree.totals[node]
            for j in range(row.size):
                row[j] *= keep
            for entry in range(tree.starts[node], tree.starts[node + 1]):
                row[tree.letters[entry]] += tree.shares[entry] / tree.totals[node]
            older = _older(contexts[n], contexts.shape[1], length)
            slot = _find(tree.slots, tree.parents, tree.olders, node, older)
            if tree.slots[slot] == 0:
                break
            node = np.int64(tree.slots[slot] - 1)
