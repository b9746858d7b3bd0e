"""Text with one thing a line, as tokens, contexts and targets. NumPy only."""

from handgrad.data.corpus import Corpus, corpus_from_lines, read_corpus
from handgrad.data.dataset import Dataset, Splits, split
from handgrad.data.vocabulary import Vocabulary

__all__ = ["Corpus", "Dataset", "Splits", "Vocabulary", "corpus_from_lines", "read_corpus", "split"]
