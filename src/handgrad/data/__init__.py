"""Text with one thing a line, as tokens, contexts and targets. NumPy only."""

from handgrad.data.catalogue import CATALOGUE, Entry, cache_folder, fetch
from handgrad.data.corpus import Corpus, corpus_from_lines, read_corpus, resolve_corpus
from handgrad.data.dataset import Dataset, Splits, split
from handgrad.data.vocabulary import Vocabulary

__all__ = [
    "CATALOGUE",
    "Corpus",
    "Dataset",
    "Entry",
    "Splits",
    "Vocabulary",
    "cache_folder",
    "corpus_from_lines",
    "fetch",
    "read_corpus",
    "resolve_corpus",
    "split",
]
