"""The letters in use in a minibatch, numbered."""

from handgrad.engine import operations
from handgrad.engine.tape import IndexRows, Indices, Registers, kernel


@kernel
def number_letters(rows: IndexRows, letters: Indices, starts: Registers, row_of: Indices, contexts: IndexRows):
    """Number the letters in use, place after place; see `handgrad.engine.operations.number_letters`."""
    operations.number_letters(rows, letters, starts, row_of, contexts)
