"""The families that read the last characters."""

import torch
from torch import Tensor, nn

from handgrad.exporting.modules.base import LanguageModel, contexts_of


class Bigram(LanguageModel):
    """A row of scores for each last character."""

    def __init__(self, vocab_size: int):
        super().__init__()
        self.table = nn.Embedding(vocab_size, vocab_size)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.table(tokens).log_softmax(2)


class MLP(LanguageModel):
    """A multilayer perceptron over the last characters, with batch norm: Bengio et al. 2003, and makemore part 4."""

    def __init__(self, vocab_size: int, block_size: int, n_embd: int, n_hidden: int):
        super().__init__()
        self.block_size = block_size
        self.embedding = nn.Embedding(vocab_size, n_embd)
        self.hidden = nn.Linear(block_size * n_embd, n_hidden)
        self.norm = nn.BatchNorm1d(n_hidden)
        self.scores = nn.Linear(n_hidden, vocab_size)

    def forward(self, tokens: Tensor) -> Tensor:
        contexts = contexts_of(tokens, self.block_size)
        hidden = self.hidden(self.embedding(contexts).flatten(2))
        normed = self.norm(hidden.flatten(0, 1)).unflatten(0, tokens.shape)
        return self.scores(normed.tanh()).log_softmax(2)


class Level(nn.Module):
    """Neighbours fused two by two."""

    def __init__(self, inputs: int, n_hidden: int):
        super().__init__()
        self.linear = nn.Linear(2 * inputs, n_hidden, bias=False)
        self.norm = nn.BatchNorm1d(n_hidden)

    def forward(self, x: Tensor) -> Tensor:
        pairs = x.unflatten(1, (-1, 2)).flatten(2)
        return self.norm(self.linear(pairs).flatten(0, 1)).tanh().unflatten(0, pairs.shape[:2])


class WaveNet(LanguageModel):
    """The last characters fused two by two, level by level, with batch norm: makemore part 5."""

    def __init__(self, vocab_size: int, block_size: int, n_embd: int, n_hidden: int):
        super().__init__()
        self.block_size = block_size
        self.embedding = nn.Embedding(vocab_size, n_embd)
        n_levels = block_size.bit_length() - 1
        self.levels = nn.Sequential(*(Level(n_hidden if level else n_embd, n_hidden) for level in range(n_levels)))
        self.scores = nn.Linear(n_hidden, vocab_size)

    def forward(self, tokens: Tensor) -> Tensor:
        contexts = contexts_of(tokens, self.block_size).flatten(0, 1)
        hidden = self.levels(self.embedding(contexts)).flatten(1)
        return self.scores(hidden).log_softmax(1).unflatten(0, tokens.shape)


class NGram(LanguageModel):
    """Counts of what followed what, with modified Kneser-Ney smoothing: Chen and Goodman 1999, eq. 22, interpolated.

    Contexts are nodes, the empty one first. A node is found by its parent, the context without its oldest letter, and
    that letter; what followed it, by the node and the letter that did. Both are pairs, sorted.
    """

    def __init__(self, vocab_size: int, block_size: int, n_nodes: int, n_entries: int):
        super().__init__()
        self.vocab_size, self.block_size = vocab_size, block_size
        self.register_buffer("pairs", torch.zeros(n_nodes, dtype=torch.int64))  # parent * vocab_size + oldest letter
        self.register_buffer("nodes", torch.zeros(n_nodes, dtype=torch.int64))  # of these pairs
        self.register_buffer("followed", torch.zeros(n_entries, dtype=torch.int64))  # node * vocab_size + letter
        self.register_buffer("shares", torch.zeros(n_entries, dtype=torch.float64))  # what the discount leaves of it
        self.register_buffer("left", torch.zeros(n_nodes, dtype=torch.float64))  # the share of the shorter context

    def forward(self, tokens: Tensor) -> Tensor:
        older = contexts_of(tokens, self.block_size).flatten(0, 1).flip(1)  # the last character first
        node, reached = torch.zeros_like(older[:, 0]), torch.ones_like(older[:, 0], dtype=torch.bool)
        letters = torch.arange(self.vocab_size, device=tokens.device)
        probs = torch.full(
            (len(older), self.vocab_size), 1 / self.vocab_size, dtype=torch.float64, device=tokens.device
        )
        for length in range(self.block_size + 1):
            entry, seen = found(self.followed, node[:, None] * self.vocab_size + letters)
            longer = self.shares[entry] * seen + self.left[node][:, None] * probs
            probs = torch.where(reached[:, None], longer, probs)
            if length < self.block_size:
                place, known = found(self.pairs, node * self.vocab_size + older[:, length])
                node, reached = self.nodes[place], reached & known
        return probs.log().float().unflatten(0, tokens.shape)


def found(keys: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """Where each wanted number stands among sorted keys, and whether it does."""
    place = torch.searchsorted(keys, wanted).clamp(max=len(keys) - 1)
    return place, keys[place] == wanted
