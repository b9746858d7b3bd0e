"""Exercises 1 to 3 in the lecture's manner, as a script and as a notebook, and the fifteen mistakes to begin with."""

import json

SETUP = """\
import torch
import torch.nn.functional as F
import matplotlib.pyplot as plt # for making figures

vocab_size, block_size = 27, 3
g = torch.Generator().manual_seed(2147483647)
Xtr = torch.randint(0, vocab_size, (500, block_size), generator=g)
Ytr = torch.randint(0, vocab_size, (500,), generator=g)

def cmp(s, dt, t):
  ex = torch.all(dt == t.grad).item()
  app = torch.allclose(dt, t.grad)
  maxdiff = (dt - t.grad).abs().max().item()
  print(f'{s:15s} | exact: {str(ex):5s} | approximate: {str(app):5s} | maxdiff: {maxdiff}')
"""

PARAMETERS = """\
n_embd = 10
n_hidden = 64
C  = torch.randn((vocab_size, n_embd),            generator=g)
W1 = torch.randn((n_embd * block_size, n_hidden), generator=g) * (5/3)/((n_embd * block_size)**0.5)
b1 = torch.randn(n_hidden,                        generator=g) * 0.1
W2 = torch.randn((n_hidden, vocab_size),          generator=g) * 0.1
b2 = torch.randn(vocab_size,                      generator=g) * 0.1
bngain = torch.randn((1, n_hidden))*0.1 + 1.0
bnbias = torch.randn((1, n_hidden))*0.1
parameters = [C, W1, b1, W2, b2, bngain, bnbias]
for p in parameters:
  p.requires_grad = True
batch_size = 32
n = batch_size
ix = torch.randint(0, Xtr.shape[0], (batch_size,), generator=g)
Xb, Yb = Xtr[ix], Ytr[ix]
"""

FORWARD = """\
emb = C[Xb]
embcat = emb.view(emb.shape[0], -1)
hprebn = embcat @ W1 + b1
bnmeani = 1/n*hprebn.sum(0, keepdim=True)
bndiff = hprebn - bnmeani
bndiff2 = bndiff**2
bnvar = 1/(n-1)*(bndiff2).sum(0, keepdim=True)
bnvar_inv = (bnvar + 1e-5)**-0.5
bnraw = bndiff * bnvar_inv
hpreact = bngain * bnraw + bnbias
h = torch.tanh(hpreact)
logits = h @ W2 + b2
logit_maxes = logits.max(1, keepdim=True).values
norm_logits = logits - logit_maxes
counts = norm_logits.exp()
counts_sum = counts.sum(1, keepdims=True)
counts_sum_inv = counts_sum**-1
probs = counts * counts_sum_inv
logprobs = probs.log()
loss = -logprobs[range(n), Yb].mean()

for p in parameters:
  p.grad = None
for t in [logprobs, probs, counts, logits, h, hpreact]:
  t.retain_grad()
loss.backward()
loss
"""

CHUNKED = """\
dlogprobs = torch.zeros_like(logprobs)
dlogprobs[range(n), Yb] = -1.0/n
dprobs = (1.0 / probs) * dlogprobs
dcounts_sum_inv = (counts * dprobs).sum(1, keepdim=True)
dcounts = counts_sum_inv * dprobs
dcounts_sum = (-counts_sum**-2) * dcounts_sum_inv
dcounts += torch.ones_like(counts) * dcounts_sum
dnorm_logits = counts * dcounts
dlogits = dnorm_logits.clone()
dlogit_maxes = (-dnorm_logits).sum(1, keepdim=True)
dlogits += F.one_hot(logits.max(1).indices, num_classes=logits.shape[1]) * dlogit_maxes
dh = dlogits @ W2.T
dW2 = h.T @ dlogits
db2 = dlogits.sum(0)
dhpreact = (1.0 - h**2) * dh
dbngain = (bnraw * dhpreact).sum(0, keepdim=True)
dbnraw = bngain * dhpreact
dbnbias = dhpreact.sum(0, keepdim=True)
dbndiff = bnvar_inv * dbnraw
dbnvar_inv = (bndiff * dbnraw).sum(0, keepdim=True)
dbnvar = (-0.5*(bnvar + 1e-5)**-1.5) * dbnvar_inv
dbndiff2 = (1.0/(n-1))*torch.ones_like(bndiff2) * dbnvar
dbndiff += (2*bndiff) * dbndiff2
dhprebn = dbndiff.clone()
dbnmeani = (-dbndiff).sum(0, keepdim=True)
dhprebn += 1.0/n * (torch.ones_like(hprebn) * dbnmeani)
dembcat = dhprebn @ W1.T
dW1 = embcat.T @ dhprebn
db1 = dhprebn.sum(0)
demb = dembcat.view(emb.shape) # unpack the views
dC = torch.zeros_like(C)
for k in range(Xb.shape[0]):
  for j in range(Xb.shape[1]):
    ix = Xb[k,j]
    dC[ix] += demb[k,j]

cmp('C', dC, C)
cmp('logits', dlogits, logits)
"""

FUSED_SOFTMAX = """\
loss_fast = F.cross_entropy(logits, Yb)
print(loss_fast.item(), 'diff:', (loss_fast - loss).item())

dlogits = None # TODO. my solution is 3 lines
dlogits = F.softmax(logits, 1)
dlogits[range(n), Yb] -= 1
dlogits /= n
"""

FUSED_BATCH_NORM = """\
hpreact_fast = bngain * (hprebn - hprebn.mean(0, keepdim=True)) / (hprebn.var(0, keepdim=True) + 1e-5)**0.5 + bnbias
print('max diff:', (hpreact_fast - hpreact).abs().max())

A = bngain*bnvar_inv*dhpreact
B = (-bngain*bnvar_inv*dhpreact.sum(0, keepdim=True))/n
C = (-bngain*bnvar_inv)*(bnraw*dhpreact).sum(0, keepdim=True)*(bnraw/(n-1))
dhprebn = A + B + C
"""

CELLS = (SETUP, PARAMETERS, FORWARD, CHUNKED, FUSED_SOFTMAX, FUSED_BATCH_NORM)
SCRIPT = "\n".join(CELLS)

MISTAKES = {
    "wrong-square": (
        "dbndiff += (2*bndiff) * dbndiff2",
        "dbndiff += (2*bndiff2) * dbndiff2",
        "bndiff",
        "wrong-variable",
    ),
    "softmax-in-place": ("dlogits = F.softmax(logits, 1)", "dlogits = probs", "probs", "in-place"),
    "not-divided": ("dlogits /= n\n", "", "logits", "scale"),
    "hpreact-for-bnraw": ("*(bnraw*dhpreact)", "*(hpreact*dhpreact)", "hprebn", "wrong-variable"),
    "biased": ("(bnraw/(n-1))", "(bnraw/n)", "hprebn", "bessel"),
    "times-probs": ("dprobs = (1.0 / probs) * dlogprobs", "dprobs = dlogprobs * probs", "probs", "wrong-operator"),
    "lost-minus": ("(-counts_sum**-2)", "(counts_sum**-2)", "counts_sum", "sign"),
    "one-branch": ("dcounts += torch.ones_like(counts) * dcounts_sum\n", "", "counts", "missing-path"),
    "bias-not-summed": ("db2 = dlogits.sum(0)", "db2 = dlogits", "b2", "missing-sum"),
    "other-way-round": ("dW2 = h.T @ dlogits", "dW2 = dlogits.T @ h", "W2", "transpose"),
    "not-squared": ("(1.0 - h**2) * dh", "(1.0 - h) * dh", "hpreact", "missing-factor"),
    "power": ("(bnvar + 1e-5)**-1.5", "(bnvar + 1e-5)**-0.5", "bnvar", "wrong-constant"),
    "no-epsilon": ("(-0.5*(bnvar + 1e-5)**-1.5)", "(-0.5*bnvar**-1.5)", "bnvar", "epsilon"),
    "embedding": (CHUNKED[CHUNKED.index("for k in") : CHUNKED.index("\ncmp")], "dC[Xb] = demb\n", "C", "overwrite"),
    "alias": ("dhprebn = dbndiff.clone()", "dhprebn = dbndiff", "dbndiff", "in-place"),
}
"""By id: what stands there, what is planted, the variable to be blamed or, for a hazard, changed, and the kind."""


def planted(text: str, name: str) -> str:
    """The text with one mistake, which must fit exactly once."""
    right, wrong, _, _ = MISTAKES[name]
    assert text.count(right) == 1
    return text.replace(right, wrong)


def notebook(cells=CELLS) -> str:
    """A notebook of these cells, with the lecture's shell line and magic in front."""
    first = ("!wget https://example.org/names.txt", "%matplotlib inline")
    rows = [
        {
            "cell_type": "code",
            "execution_count": i,
            "metadata": {},
            "outputs": [],
            "source": cell.splitlines(keepends=True),
        }
        for i, cell in enumerate((*first, *cells), start=1)
    ]
    return json.dumps({"cells": rows, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
