"""The letters in use in a minibatch, numbered, and their embeddings."""

from handgrad.engine import operations
from handgrad.engine.tape import IndexRows, Indices, Registers, Rows, kernel


@kernel
def number_letters(rows: IndexRows, letters: Indices, starts: Registers, row_of: Indices, contexts: IndexRows):
    """Number the letters in use, place after place; see `handgrad.engine.operations.number_letters`."""
    operations.number_letters(rows, letters, starts, row_of, contexts)


@kernel
def embedding_forward(emb: Rows, C: Rows, letters: Indices):
    """`emb = C[letters]`."""
    operations.embedding_forward(emb, C, letters)
