"""The splits of a large text: its lines in another order, made with a few megabytes of memory, however many there are.

Lines that belong together are dealt into buckets, files each of which has room in memory: first by their hash, so that
equal ones meet, and then by the key that says when they come. The result is that of `handgrad.data.dataset.split`.
"""

import hashlib
import shutil
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from handgrad.data.cuts import are_repeated, between_kinds, shares
from handgrad.data.flat import hashes, permuted, rearranged
from handgrad.data.kept import Lines, LinesWriter, kept, lines_in, mapped
from handgrad.data.large import Stored
from handgrad.preparing import tell

LINES_AT_ONCE, TOKENS_AT_ONCE = 1 << 18, 1 << 22
"""What is in memory at once, about."""
KIND = np.dtype([("key", np.uint64), ("hash", np.uint64), ("count", np.uint32), ("length", np.uint32)])
"""Equal lines: the least of their keys, their hash, how many there are, and how many tokens each has."""


class Shuffled(NamedTuple):
    """The splits.

    Args:
        parts: lines to train on, to validate and to test.
        n_distinct: how many different lines there are, where that was asked.
    """

    parts: tuple[Lines, Lines, Lines]
    n_distinct: int


class Kinds(NamedTuple):
    """Some lines, the equal ones among them once, or not yet.

    Args:
        about: (kinds,) of `KIND`.
        tokens: of each one line, flat.
    """

    about: np.ndarray
    tokens: np.ndarray

    @property
    def starts(self) -> np.ndarray:
        """Where each line starts in `tokens`, and at last where the next would."""
        return np.append(0, np.cumsum(self.about["length"], dtype=np.int64))

    def sorted_by(self, name: str) -> "Kinds":
        """In the order of a field."""
        return self.taken(np.argsort(self.about[name], kind="stable"))

    def taken(self, order: np.ndarray) -> "Kinds":
        """Those of these numbers."""
        return Kinds(self.about.take(order), permuted(self.tokens, self.starts, order))

    def merged(self) -> "Kinds":
        """Sorted by hash, and equal ones once: with the least of their keys, and as many as they are together."""
        order = np.argsort(self.about["hash"], kind="stable")
        about = self.about.take(order)
        firsts = np.flatnonzero(np.append(True, about["hash"][1:] != about["hash"][:-1]))
        merged = self.taken(order[firsts])
        merged.about["key"] = np.minimum.reduceat(about["key"], firsts)
        merged.about["count"] = np.add.reduceat(about["count"], firsts)
        return merged


class _Buckets:
    """Lines on the disk, dealt out by the upper bits of a field.

    Args:
        folder: that is made, of their files.
        name: of the field.
        bits: so many; there are two to the power of it.
    """

    def __init__(self, folder: Path, name: str, bits: int):
        folder.mkdir()
        self._folder, self._name, self._shift = folder, name, np.uint64(64 - bits)

    def deal(self, kinds: Kinds) -> None:
        """Some more lines, sorted by the field."""
        buckets, starts = kinds.about[self._name] >> self._shift, kinds.starts
        bounds = [0, *(np.flatnonzero(np.diff(buckets)) + 1).tolist(), len(buckets)]
        for first, stop in pairwise(bounds):
            name = f"{int(buckets[first]):08}"
            with (self._folder / f"{name}.about").open("ab") as file:
                file.write(kinds.about[first:stop].tobytes())
            with (self._folder / f"{name}.tokens").open("ab") as file:
                file.write(kinds.tokens[starts[first] : starts[stop]].tobytes())

    def each(self, dtype: np.dtype) -> Iterator[Kinds]:
        """The lines of one bucket after another, rising in the field from one to the next; their files are removed."""
        for path in sorted(self._folder.glob("*.about")):
            tokens = path.with_suffix(".tokens")
            yield Kinds(np.fromfile(path, KIND), np.fromfile(tokens, dtype))
            path.unlink()
            tokens.unlink()
        self._folder.rmdir()


def shuffled(text: Stored, order: np.ndarray | None, distinct: bool) -> Shuffled:
    """The splits of a large text, made if they are not kept yet; see `handgrad.data.dataset.split`."""
    name = f"{text.name}-{'distinct' if distinct else 'lines'}"
    if order is not None:
        order = np.ascontiguousarray(order, np.int64)
        name += f"-{hashlib.sha256(order.data).hexdigest()[:16]}"
    folder, facts = kept(name, lambda folder: _shuffle(folder, text, order, distinct))
    tokens, starts = lines_in(folder, "all", text.vocabulary.dtype)
    n1, n2 = facts["cuts"]
    return Shuffled(
        (
            Lines(tokens[: starts[n1]], starts[: n1 + 1]),
            Lines(tokens[starts[n1] : starts[n2]], mapped(folder / "val.starts", starts.dtype)),
            Lines(tokens[starts[n2] :], mapped(folder / "test.starts", starts.dtype)),
        ),
        facts["n_distinct"],
    )


def _shuffle(folder: Path, text: Stored, order: np.ndarray | None, distinct: bool) -> dict[str, Any]:
    """Write the lines in their order, and say where they are cut."""
    size = max(text.n_lines // LINES_AT_ONCE, len(text.lines.tokens) // TOKENS_AT_ONCE)
    bits, n_distinct = max(1, size.bit_length()), 0
    by_key = _Buckets(folder / "by-key", "key", bits)
    if distinct:
        for kinds in _equal_together(folder, text, order, bits):
            n_distinct += len(kinds.about)
            by_key.deal(kinds.sorted_by("key"))
        if are_repeated(text.n_lines, n_distinct):
            shutil.rmtree(folder / "by-key")
            return _shuffle(folder, text, order, distinct=False) | {"n_distinct": n_distinct}
    else:
        for kinds in _kinds(text, order, hashed=False):
            by_key.deal(kinds.sorted_by("key"))
    firsts = folder / "firsts"
    _write(folder, firsts, by_key, text)
    cuts = shares(text.n_lines)
    if distinct:
        cuts = between_kinds(mapped(firsts, np.dtype(np.int64)), cuts)
    firsts.unlink()
    starts = lines_in(folder, "all", text.vocabulary.dtype).starts
    for name, first, stop in (("val", *cuts), ("test", cuts[1], text.n_lines)):
        with (folder / f"{name}.starts").open("xb") as file:
            for now in range(first, stop + 1, LINES_AT_ONCE):
                file.write((starts[now : min(now + LINES_AT_ONCE, stop + 1)] - starts[first]).tobytes())
    return {"cuts": cuts, "n_distinct": n_distinct}


def _equal_together(folder: Path, text: Stored, order: np.ndarray | None, bits: int) -> Iterator[Kinds]:
    """All lines, some at a time, equal ones once."""
    by_hash = _Buckets(folder / "by-hash", "hash", bits)
    for kinds in _kinds(text, order, hashed=True):
        by_hash.deal(kinds.merged())
    for kinds in by_hash.each(text.vocabulary.dtype):
        merged = kinds.merged()
        yield merged
        tell("looking for equal lines", int(merged.about["hash"][-1]) / 2**64)


def _write(folder: Path, firsts: Path, by_key: _Buckets, text: Stored) -> None:
    """Write the lines by their keys, each as often as it comes, and the places of the first of each kind."""
    with LinesWriter(folder, "all") as writer, firsts.open("xb") as file:
        for kinds in by_key.each(text.vocabulary.dtype):
            order = np.argsort(kinds.about["key"], kind="stable")
            counts = kinds.about["count"][order].astype(np.int64)
            file.write((writer.n_lines + np.cumsum(counts) - counts).tobytes())
            for tokens, lengths in rearranged(kinds.tokens, kinds.starts, np.repeat(order, counts)):
                writer.add(tokens, lengths)
            tell("sorting its lines", writer.n_lines / text.n_lines)


def _kinds(text: Stored, order: np.ndarray | None, hashed: bool) -> Iterator[Kinds]:
    """The lines in the order of the file, some at a time, each with its key."""
    (tokens, starts), random, first = text.lines, np.random.Philox(key=42), 0
    ranks = None if order is None else _ranks(order)
    while first < text.n_lines:
        stop = int(np.searchsorted(starts[first : first + LINES_AT_ONCE + 1], starts[first] + TOKENS_AT_ONCE, "right"))
        stop = first + max(1, stop - 1)
        here = starts[first : stop + 1] - starts[first]
        some = np.array(tokens[starts[first] : starts[stop]])
        about = np.zeros(stop - first, KIND)
        about["key"] = random.random_raw(stop - first) if ranks is None else ranks[first:stop]
        about["hash"] = hashes(some, here) if hashed else 0
        about["count"], about["length"] = 1, np.diff(here)
        yield Kinds(about, some)
        first = stop
        tell("dealing its lines", first / text.n_lines)


def _ranks(order: np.ndarray) -> np.ndarray:
    """When each line comes, in all of 64 bits."""
    ranks, shift = np.empty(len(order), np.uint64), np.uint64(64 - len(order).bit_length())
    for first in range(0, len(order), LINES_AT_ONCE):
        some = order[first : first + LINES_AT_ONCE]
        ranks[some] = np.arange(first, first + len(some), dtype=np.uint64) << shift
    return ranks
