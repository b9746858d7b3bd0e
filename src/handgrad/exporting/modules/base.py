"""What all models have."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

LETTERS = ""
"""An exported file has those of the model."""


class LanguageModel(nn.Module):
    """Draws lines from what `forward` says of each next token."""

    longest: int | None = None  # the most tokens that can be read, if there is a limit

    @torch.no_grad()
    def sample(self, n: int = 20, prefix: str = "", temperature: float = 1.0, max_length: int = 100) -> list[str]:
        """Lines that begin with a prefix, of at least one letter and at most `max_length`."""
        tokens = torch.tensor([[0, *(LETTERS.index(letter) + 1 for letter in prefix)]]).repeat(n, 1)
        going = torch.ones(n, dtype=torch.bool)
        while going.any() and tokens.shape[1] <= min(max_length, self.longest or max_length):
            scores = self(tokens)[:, -1] / temperature
            if tokens.shape[1] == 1:
                scores[:, 0] = -torch.inf
            drawn = torch.multinomial(scores.softmax(1), 1)
            going &= drawn[:, 0] > 0
            tokens = torch.cat([tokens, drawn * going[:, None]], 1)
        return ["".join(LETTERS[token - 1] for token in line if token) for line in tokens.tolist()]


def contexts_of(tokens: Tensor, block_size: int) -> Tensor:
    """The last `block_size` tokens at each place, (N, T, block_size), oldest first, 0 before the line."""
    return F.pad(tokens, (block_size - 1, 0)).unfold(1, block_size, 1)
