"""Put the pieces together, and train the lecture's network without autograd.

First your gradients are checked on two small minibatches; then the loop really trains. This is
a program like any other: when it is solved, set max_steps to the lecture's 200_000 and run it.
"""

import random
from pathlib import Path

import torch
from torch.nn import functional as F

# Setup: words, contexts of three characters, parameters.
words = Path("names.txt").read_text().split()
random.seed(42)
random.shuffle(words)
stoi = {s: i for i, s in enumerate([".", *sorted(set("".join(words)))])}
vocab_size, block_size = len(stoi), 3
padded = [stoi[s] for word in words[: int(0.8 * len(words))] for s in "..." + word + "."]
rows = torch.tensor(padded).unfold(0, block_size + 1, 1)  # each with its next character
rows = rows[(rows[:, -2:] != 0).any(1)]  # without those that reach across two words
Xtr, Ytr = rows[:, :block_size], rows[:, block_size]

n_embd, n_hidden, batch_size, max_steps = 10, 200, 32, 1000
g = torch.Generator().manual_seed(2147483647)
C = torch.randn(vocab_size, n_embd, generator=g)
W1 = torch.randn(n_embd * block_size, n_hidden, generator=g) * (5 / 3) / (n_embd * block_size) ** 0.5
b1 = torch.randn(n_hidden, generator=g) * 0.1
W2 = torch.randn(n_hidden, vocab_size, generator=g) * 0.1
b2 = torch.randn(vocab_size, generator=g) * 0.1
bngain = torch.randn(1, n_hidden, generator=g) * 0.1 + 1.0
bnbias = torch.randn(1, n_hidden, generator=g) * 0.1
parameters = [C, W1, b1, W2, b2, bngain, bnbias]
n = batch_size
losses = []

for i in range(max_steps):
    ix = torch.randint(0, len(Xtr), (batch_size,), generator=g)
    Xb, Yb = Xtr[ix], Ytr[ix]

    # Forward pass.
    emb = C[Xb]  # (n, block_size, n_embd)
    embcat = emb.view(n, -1)  # (n, block_size * n_embd)
    hprebn = embcat @ W1 + b1  # (n, n_hidden)
    bnvar_inv = (hprebn.var(0, keepdim=True) + 1e-5) ** -0.5  # (1, n_hidden)
    bnraw = (hprebn - hprebn.mean(0, keepdim=True)) * bnvar_inv  # (n, n_hidden)
    hpreact = bngain * bnraw + bnbias  # (n, n_hidden)
    h = torch.tanh(hpreact)  # (n, n_hidden)
    logits = h @ W2 + b2  # (n, vocab_size)
    loss = F.cross_entropy(logits, Yb)

    # YOUR CODE HERE
    dC = None
    dW1 = None
    db1 = None
    dW2 = None
    db2 = None
    dbngain = None
    dbnbias = None
    # END OF YOUR CODE

    lr = 0.1 if i < 100_000 else 0.01
    for p, grad in zip(parameters, [dC, dW1, db1, dW2, db2, dbngain, dbnbias], strict=True):
        p.data += -lr * grad
    losses.append(loss.item())
    if i % 10_000 == 0:
        print(f"{i:7d}/{max_steps:7d}: {loss.item():.4f}")

if max_steps > 10_000:  # a real run: the loss with the mean and variance of the whole training set
    hidden = C[Xtr].view(len(Xtr), -1) @ W1 + b1
    hidden = bngain * (hidden - hidden.mean(0)) * (hidden.var(0) + 1e-5) ** -0.5 + bnbias
    print("training loss:", F.cross_entropy(torch.tanh(hidden) @ W2 + b2, Ytr).item())
