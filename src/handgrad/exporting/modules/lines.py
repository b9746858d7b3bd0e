"""The families that read a line from its beginning on."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from handgrad.exporting.modules.base import LanguageModel


class BoW(LanguageModel):
    """A bag of words: the last character and the mean of all so far, and a multilayer perceptron."""

    def __init__(self, vocab_size: int, block_size: int, n_embd: int, n_hidden: int):
        super().__init__()
        self.longest = block_size
        self.embedding = nn.Embedding(vocab_size, n_embd)
        self.places = nn.Embedding(block_size, n_embd)
        self.perceptron = nn.Sequential(nn.Linear(n_embd, n_hidden), nn.Tanh(), nn.Linear(n_hidden, n_embd))
        self.scores = nn.Linear(n_embd, vocab_size)

    def forward(self, tokens: Tensor) -> Tensor:
        place = torch.arange(tokens.shape[1], device=tokens.device)
        x = self.embedding(tokens) + self.places(place)
        x = x + x.cumsum(1) / (place + 1)[:, None]
        return self.scores(x + self.perceptron(x)).log_softmax(2)


class RNN(LanguageModel):
    """A state carried along the line."""

    def __init__(self, vocab_size: int, n_embd: int, n_hidden: int):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, n_embd)
        self.recurrence = nn.RNN(n_embd, n_hidden, batch_first=True)
        self.h0 = nn.Parameter(torch.zeros(1, 1, n_hidden))
        self.scores = nn.Linear(n_hidden, vocab_size)

    def forward(self, tokens: Tensor) -> Tensor:
        h0 = self.h0.expand(1, len(tokens), -1).contiguous()
        h, _ = self.recurrence(self.embedding(tokens), h0)
        return self.scores(h).log_softmax(2)


class LSTM(LanguageModel):
    """A state and a memory with gates carried along the line."""

    def __init__(self, vocab_size: int, n_embd: int, n_hidden: int):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, n_embd)
        self.recurrence = nn.LSTM(n_embd, n_hidden, batch_first=True)
        self.h0 = nn.Parameter(torch.zeros(1, 1, n_hidden))
        self.c0 = nn.Parameter(torch.zeros(1, 1, n_hidden))
        self.scores = nn.Linear(n_hidden, vocab_size)

    def forward(self, tokens: Tensor) -> Tensor:
        first = (self.h0.expand(1, len(tokens), -1).contiguous(), self.c0.expand(1, len(tokens), -1).contiguous())
        h, _ = self.recurrence(self.embedding(tokens), first)
        return self.scores(h).log_softmax(2)


class GRU(LanguageModel):
    """A state with gates carried along the line.

    The reset gate acts before the product with the weight, as in Cho et al. 2014; that of `torch.nn.GRU`, behind it.
    """

    def __init__(self, vocab_size: int, n_embd: int, n_hidden: int):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, n_embd)
        self.inputs = nn.Linear(n_embd, 3 * n_hidden)
        self.gates = nn.Linear(n_hidden, 2 * n_hidden, bias=False)
        self.new = nn.Linear(n_hidden, n_hidden, bias=False)
        self.h0 = nn.Parameter(torch.zeros(1, n_hidden))
        self.scores = nn.Linear(n_hidden, vocab_size)

    def forward(self, tokens: Tensor) -> Tensor:
        h, states = self.h0.expand(len(tokens), -1), []
        for z, r, new in (a.chunk(3, 1) for a in self.inputs(self.embedding(tokens)).unbind(1)):
            of_z, of_r = self.gates(h).chunk(2, 1)
            z, r = torch.sigmoid(z + of_z), torch.sigmoid(r + of_r)
            h = h + z * (torch.tanh(new + self.new(r * h)) - h)
            states.append(h)
        return self.scores(torch.stack(states, 1)).log_softmax(2)


class Attention(nn.Module):
    """Causal attention of several heads."""

    def __init__(self, n_embd: int, n_head: int, bias: bool):
        super().__init__()
        self.n_head = n_head
        self.qkv = nn.Linear(n_embd, 3 * n_embd, bias=bias)
        self.out = nn.Linear(n_embd, n_embd, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (part.unflatten(2, (self.n_head, -1)).transpose(1, 2) for part in self.qkv(x).chunk(3, 2))
        return self.out(F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(2))


class Block(nn.Module):
    """Attention and a multilayer perceptron, each of them added, each behind a norm."""

    def __init__(self, attention: Attention, perceptron: nn.Module, norms: list[nn.Module]):
        super().__init__()
        self.attention, self.perceptron = attention, perceptron
        self.norm1, self.norm2 = norms

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.norm1(x))
        return x + self.perceptron(self.norm2(x))


class Transformer(LanguageModel):
    """Blocks with GELU and layer norm, as GPT-2's, on a small scale."""

    def __init__(self, vocab_size: int, block_size: int, n_embd: int, n_layer: int, n_head: int, tied: bool):
        super().__init__()
        self.longest = block_size
        self.embedding = nn.Embedding(vocab_size, n_embd)
        self.places = nn.Embedding(block_size, n_embd)
        self.blocks = nn.Sequential(*(self.block(n_embd, n_head) for _ in range(n_layer)))
        self.norm = nn.LayerNorm(n_embd)
        self.scores = nn.Linear(n_embd, vocab_size, bias=False)
        if tied:
            self.scores.weight = self.embedding.weight

    def block(self, n_embd: int, n_head: int) -> Block:
        layers = nn.Linear(n_embd, 4 * n_embd), nn.GELU(approximate="tanh"), nn.Linear(4 * n_embd, n_embd)
        norms: list[nn.Module] = [nn.LayerNorm(n_embd), nn.LayerNorm(n_embd)]
        return Block(Attention(n_embd, n_head, bias=True), nn.Sequential(*layers), norms)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embedding(tokens) + self.places.weight[: tokens.shape[1]]
        return self.scores(self.norm(self.blocks(x))).log_softmax(2)


class MicroGPT(LanguageModel):
    """Blocks with ReLU and an RMS norm without parameters, and no biases: microgpt.py."""

    def __init__(self, vocab_size: int, block_size: int, n_embd: int, n_layer: int, n_head: int):
        super().__init__()
        self.longest = block_size
        self.embedding = nn.Embedding(vocab_size, n_embd)
        self.places = nn.Embedding(block_size, n_embd)
        self.norm = nn.RMSNorm(n_embd, eps=1e-5, elementwise_affine=False)
        self.blocks = nn.Sequential(*(self.block(n_embd, n_head) for _ in range(n_layer)))
        self.scores = nn.Linear(n_embd, vocab_size, bias=False)

    def block(self, n_embd: int, n_head: int) -> Block:
        layers = nn.Linear(n_embd, 4 * n_embd, bias=False), nn.ReLU(), nn.Linear(4 * n_embd, n_embd, bias=False)
        return Block(Attention(n_embd, n_head, bias=False), nn.Sequential(*layers), [self.norm, self.norm])

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.norm(self.embedding(tokens) + self.places.weight[: tokens.shape[1]])
        return self.scores(self.blocks(x)).log_softmax(2)
