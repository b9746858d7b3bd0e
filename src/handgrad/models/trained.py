"""A trained model as its users hold it: NumPy in, NumPy out."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from handgrad.data.corpus import Corpus, read_corpus, resolve_corpus
from handgrad.data.dataset import Splits, split
from handgrad.data.python_random import PythonRandom
from handgrad.data.vocabulary import Vocabulary
from handgrad.errors import CorpusError
from handgrad.models.family import Family

BUILT_IN = "built-in:"
MOVED = "Say where the unchanged file is, with --corpus FILE or 'train FILE --resume RUN', or train anew."


@dataclass(frozen=True)
class TextReference:
    """Which text a model was trained on, so that it can be found again and recognised.

    Args:
        name: short name, as used for run folders.
        source: absolute path, or 'built-in:NAME'.
        sha256: of the file's bytes, in hexadecimal.
        n_lines: how many lines it has; None in a run folder of before that was written down.
        shuffle_seed: the seed with which Python's `random` shuffled the lines before they were split; None for the
            usual order.
        distinct: whether equal lines are held out together; not so in a run folder of before there was a choice.
    """

    name: str
    source: str
    sha256: str
    n_lines: int | None = None
    shuffle_seed: int | None = None
    distinct: bool = False

    @classmethod
    def to(cls, corpus: Corpus, shuffle_seed: int | None = None, distinct: bool = False) -> "TextReference":
        """The reference by which `corpus` is found again."""
        return cls(corpus.name, corpus.source, corpus.sha256, corpus.n_lines, shuffle_seed, distinct)

    def split(self, corpus: Corpus) -> Splits:
        """The lines of the corpus, which is this text, to train on, to validate and to test."""
        if self.shuffle_seed is None:
            return split(corpus, distinct=self.distinct)
        return split(corpus, PythonRandom(self.shuffle_seed, corpus.n_lines).order)

    def read(self) -> Corpus:
        """The text again.

        Raises:
            CorpusError: it is not there, or is not the same text any more.
        """
        if not self.source.startswith(BUILT_IN) and not Path(self.source).exists():
            raise CorpusError(
                "there is no such file any more: the text of this run", where=self.source, next_step=MOVED
            )
        corpus = resolve_corpus(None) if self.source.startswith(BUILT_IN) else read_corpus(self.source)
        if corpus.sha256 != self.sha256:
            raise CorpusError(
                "this is not the text the model was trained on",
                where=self.source,
                got=f"sha256 {corpus.sha256[:12]}…",
                expected=f"{self.sha256[:12]}…",
                next_step=MOVED,
            )
        return corpus


@dataclass(frozen=True)
class Model:
    """Parameters, buffers and vocabulary: all that sampling and evaluation need.

    Args:
        config: the family, and its sizes.
        vocabulary: the letters it knows.
        parameters: float32 arrays by name, shapes as in `config.shapes`.
        buffers: what was measured after training, by name, shapes as in `config.buffer_shapes`; of the MLP `bnmean` and
            `bnvar`, mean and variance (with Bessel's correction) of `hprebn` over the training split.
        text: the text it was trained on.
        steps: training steps taken.
        run: the run folder it was trained in or read from; it does not depend on it any more.

    `handgrad.train` and `handgrad.load` make one.

    Example:
        >>> import handgrad
        >>> model = handgrad.train(model="mlp", steps=20, batch_size=8, n_hidden=16, block_size=3, out=folder / "run")
        >>> beginnings = np.exp(model.log_probabilities(np.array([[0, 0, 0]])))
        >>> beginnings.shape, round(float(beginnings.sum()), 3)
        ((1, 27), 1.0)
    """

    config: Family
    vocabulary: Vocabulary
    parameters: dict[str, np.ndarray]
    buffers: dict[str, np.ndarray]
    text: TextReference
    steps: int
    run: Path | None = None

    def __repr__(self) -> str:
        """In three lines: the network, the text, and the run."""
        from handgrad.models.shown import facts

        return "\n".join(facts(self))

    def _repr_html_(self) -> str:
        """For a notebook: the same, the loss curves of its run, and some samples."""
        from handgrad.models.shown import html

        return html(self)

    def log_probabilities(self, contexts: np.ndarray) -> np.ndarray:
        """Natural logarithm of the probability of each next token.

        Args:
            contexts: (N, K) integers, oldest first, 0 where the line had not begun; K is the `block_size` of a family
                that has one, and any number for those that read whole lines.

        Returns:
            (N, vocab_size) float32; the exponentials of a row add up to 1.
        """
        from handgrad.models.forms import form_of

        return form_of(self.config.name).log_probabilities(self, contexts)
