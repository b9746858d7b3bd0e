"""The letters in use in a minibatch, numbered."""

from handgrad.engine.tape import IndexRows, Indices, Registers, kernel


@kernel
def number_letters(rows: IndexRows, letters: Indices, starts: Registers, row_of: Indices, contexts: IndexRows):
    """Number the letters in use, place after place, in the order in which they come.

    Args:
        rows: (N, block_size), receives the number of each letter of `contexts` at its place.
        letters: (N · block_size,), receives the letter of each number.
        starts: (block_size + 1,), receives the first number of each place, and how many there are.
        row_of: (vocab_size,), scratch.
        contexts: (N, block_size).
    """
    n_examples, block_size = contexts.shape
    count = 0
    for place in range(block_size):
        starts[place] = count
        for letter in range(row_of.size):
            row_of[letter] = -1
        for n in range(n_examples):
            letter = contexts[n, place]
            if row_of[letter] < 0:
                row_of[letter] = count
                letters[count] = letter
                count += 1
            rows[n, place] = row_of[letter]
    starts[block_size] = count
