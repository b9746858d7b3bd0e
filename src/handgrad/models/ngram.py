"""N-grams: counted, not trained; the floor for all other families."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from handgrad.models.family import Normal, OfContexts


@dataclass(frozen=True)
class NGram(OfContexts):
    """How often each character followed the characters before it, smoothed by interpolated modified Kneser-Ney.

    It has no parameters and takes no steps: all it knows is counted on the training split, and so are its buffers.

    Args:
        vocab_size: distinct characters, plus one for the boundary of a line.
        block_size: characters of the longest context: the order less one.

    Source: Chen and Goodman 1999, "An Empirical Study of Smoothing Techniques for Language Modeling", sec. 4.1.6;
    Kneser and Ney 1995, "Improved backing-off for m-gram language modeling".

    Example:
        >>> NGram(vocab_size=27).n_parameters
        0
    """

    name = "ngram"
    title = "counted characters after characters, with modified Kneser-Ney smoothing"
    counted = True
    recipe = {"steps": 0, "block_size": 5}  # noqa: RUF012

    block_size: int = 5

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Nothing is trained."""
        return {}

    @property
    def buffer_shapes(self) -> dict[str, tuple[int | None, ...]]:
        """The contexts and what followed them: as `handgrad.engine.ngram.Counted`, as many as the text has."""
        return dict.fromkeys(("parents", "olders", "starts", "letters", "counts"), (None,))

    def initial(self, normal: Normal) -> dict[str, Any]:  # noqa: ARG002
        """Nothing."""
        return {}
