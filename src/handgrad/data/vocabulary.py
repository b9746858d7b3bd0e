"""The letters a model knows, and the integers that stand for them."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from handgrad.errors import CorpusError

_CODE_POINTS = 0x110000


def _code_points(text: str) -> np.ndarray:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")


def _text(code_points: np.ndarray) -> str:
    return code_points.astype("<u4").tobytes().decode("utf-32-le", "surrogatepass")


def spell(letters: Iterable[str], limit: int = 10) -> str:
    """Letters as a message shows them: quoted, by code point where they do not print, the first `limit` only.

    Example:
        >>> spell(["é", "\\u200b"])
        "'é', U+200B"
    """
    shown = [f"'{c}'" if c.isprintable() and not c.isspace() else f"U+{ord(c):04X}" for c in letters]
    more = [f"{len(shown) - limit} more"] if len(shown) > limit else []
    return ", ".join(shown[:limit] + more)


@dataclass(frozen=True)
class Vocabulary:
    """The distinct letters of a corpus, sorted; token `i + 1` stands for `chars[i]`.

    Token 0 is the boundary before and after every line. It is no letter (the lecture prints it as a full stop), so a
    line may hold a full stop of its own.

    Args:
        chars: the letters, sorted, each once.

    Raises:
        CorpusError: `chars` is empty, unsorted, repeats a letter, or holds a line end.

    Example:
        >>> vocabulary = Vocabulary.of(["emma", "ava"])
        >>> vocabulary
        Vocabulary(chars='aemv')
        >>> vocabulary.encode("eve")
        array([2, 4, 2], dtype=uint8)
        >>> vocabulary.decode([2, 4, 2])
        'eve'
    """

    chars: str

    def __post_init__(self):
        """Check what the look-up tables rely on."""
        if not self.chars or "".join(sorted(set(self.chars))) != self.chars or self.chars.splitlines() != [self.chars]:
            raise CorpusError(
                "these letters are no vocabulary",
                got=repr(self.chars) if len(self.chars) <= 40 else f"{self.chars[:40]!r}...",
                expected="at least one letter, sorted, each once, no line end",
                where="chars",
            )

    def __str__(self) -> str:
        """The letters in a row, those that do not print by code point at the end; the first hundred of each."""
        printing = "".join(char for char in self.chars if char.isprintable() and not char.isspace())
        others = spell(char for char in self.chars if char not in printing)
        return ", ".join(filter(None, [printing[:100] + "…" * (len(printing) > 100), others]))

    @classmethod
    def of(cls, texts: Iterable[str]) -> "Vocabulary":
        """The vocabulary of all letters in `texts`; line feeds are left out."""
        seen = np.zeros(_CODE_POINTS, bool)
        for text in texts:
            seen[_code_points(text)] = True
        seen[ord("\n")] = False
        return cls(_text(np.flatnonzero(seen)))

    @property
    def size(self) -> int:
        """How many tokens there are, the boundary included: the lecture's `vocab_size`."""
        return len(self.chars) + 1

    @property
    def dtype(self) -> np.dtype:
        """The smallest unsigned type that holds every token."""
        return np.min_scalar_type(len(self.chars))

    @cached_property
    def stoi(self) -> dict[str, int]:
        """Letter to token, without the boundary."""
        return {char: token for token, char in enumerate(self.chars, 1)}

    @cached_property
    def itos(self) -> dict[int, str]:
        """Token to letter, without the boundary."""
        return dict(enumerate(self.chars, 1))

    @cached_property
    def _token_of(self) -> np.ndarray:
        """Token by code point; 0 where there is none, and the last entry, to which greater code points are clipped."""
        code_points = _code_points(self.chars)
        table = np.zeros(int(code_points[-1]) + 2, self.dtype)
        table[code_points] = np.arange(1, self.size)
        return table

    @cached_property
    def _code_point_of(self) -> np.ndarray:
        return np.append(np.uint32(ord("\n")), _code_points(self.chars))

    def encode_lines(self, text: str) -> np.ndarray:
        """Tokens of a text: 0 for a line feed, and 0 for a letter that is not in the vocabulary.

        Args:
            text: lines, each followed by a line feed.

        Returns:
            One token a character, in `dtype`. `unseen` tells whether a letter is missing.
        """
        return self._token_of.take(_code_points(text), mode="clip")

    def unseen(self, text: str) -> str:
        """The letters of `text` that are not in the vocabulary, sorted, each once; line feeds are left out."""
        code_points = _code_points(text)
        missing = np.unique(code_points[self._token_of.take(code_points, mode="clip") == 0])
        return _text(missing[missing != ord("\n")])

    def encode(self, text: str) -> np.ndarray:
        """Tokens of a text that holds letters only.

        Args:
            text: letters of the vocabulary.

        Returns:
            (len(text),) in `dtype`.

        Raises:
            CorpusError: a letter is not in the vocabulary.
        """
        tokens = self.encode_lines(text)
        if not tokens.all():
            missing = _text(np.unique(_code_points(text)[tokens == 0]))
            raise CorpusError(
                "the text has letters that the vocabulary lacks",
                got=spell(missing),
                expected=f"only {self}",
                where=repr(text) if len(text) <= 40 else f"{text[:40]!r}...",
            )
        return tokens

    def decode(self, tokens: np.ndarray | list[int]) -> str:
        """Text of a flat array of tokens; a boundary becomes a line feed.

        Example:
            >>> Vocabulary("am").decode([1, 2, 1, 0, 2, 1, 0])
            'ama\\nma\\n'
        """
        return _text(self._code_point_of[np.asarray(tokens, dtype=np.int64)])
