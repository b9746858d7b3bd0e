"""Write the derivations of docs/derivations/generated from forward lines: python docs/derivation_pages.py."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from handgrad.derive.explain import explain, explain_lines
from handgrad.derive.read.program import Program
from handgrad.derive.read.statements import read_program

FOLDER = Path(__file__).parent / "derivations" / "generated"
SIZES = {"N": 5, "D": 7, "V": 11, "E": 6, "T": 8, "K": 3, "P": 4, "O": 9, "n": 5, "h": 13, "v": 11, "e": 3, "b": 2}


@dataclass(frozen=True)
class Page:
    """An operation: its forward lines, what they read as sizes by name, and what is derived, from which end.

    `data` are what is not differentiated by; `names` are sizes that the lines call by name.
    """

    title: str
    words: str
    lines: str
    inputs: dict[str, str]
    data: dict[str, Any] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    see: str = ""
    lecture: bool = False

    def program(self) -> Program:
        """The lines as they are read."""
        generator = torch.Generator().manual_seed(1)
        before: dict[str, Any] = {"torch": torch, "F": F, "math": math, **{n: SIZES[n] for n in self.names}}
        for name, value in self.data.items():
            before[name] = value(generator) if callable(value) else value
        for name, sizes in self.inputs.items():
            shape = [SIZES[s] if s in SIZES else int(s) for s in sizes.split()]
            before[name] = torch.randn(shape, generator=generator, dtype=torch.float64)
        return read_program(self.lines.strip(), before, inputs=list(self.inputs))


def _angles(turned: str) -> Any:
    places = torch.arange(SIZES["T"], dtype=torch.float64)[:, None]
    return getattr(places * 0.5 ** torch.arange(SIZES["E"], dtype=torch.float64), turned)()


LECTURE = """
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
"""


def _lecture(first: str, last: str) -> str:
    lines = LECTURE.strip().split("\n")
    names = [line.split(" =")[0] for line in lines]
    return "\n".join(lines[names.index(first) : names.index(last) + 1])


LECTURE_DATA = {
    "Xb": lambda g: torch.randint(SIZES["v"], (SIZES["n"], SIZES["b"]), generator=g),
    "Yb": lambda g: torch.randint(SIZES["v"], (SIZES["n"],), generator=g),
}
TARGETS = {"Yb": LECTURE_DATA["Yb"]}

PAGES = {
    "batchnorm": Page(
        "Batch norm", "The lecture's exercise 3: seven lines, and one for `dhprebn`.",
        _lecture("bnmeani", "hpreact"), {"hprebn": "n h", "bngain": "1 h", "bnbias": "1 h"}, names=("n",),
        see="batchnorm.md",
    ),
    "cross_entropy": Page(
        "Cross-entropy", "The lecture's exercise 2: eight lines, and one for `dlogits`.",
        _lecture("logit_maxes", "loss"), {"logits": "n v"}, TARGETS, names=("n",), see="cross_entropy.md",
    ),
    "softmax": Page(
        "Softmax", "Each row is shifted by its maximum, as it is in practice. The shift turns out to change nothing.",
        """
m = x.max(1, keepdim=True).values
e = (x - m).exp()
s = e.sum(1, keepdim=True)
p = e / s
""",
        {"x": "N D"}, see="attention.md",
    ),
    "log_softmax": Page(
        "Log-softmax", "The logarithm of a softmax, without forming it.",
        """
m = x.max(1, keepdim=True).values
z = x - m
y = z - z.exp().sum(1, keepdim=True).log()
""",
        {"x": "N D"}, see="cross_entropy.md",
    ),
    "layernorm": Page(
        "Layer norm", "Batch norm turned by a right angle: each row has a mean and a variance of its own.",
        """
mean = x.mean(-1, keepdim=True)
diff = x - mean
var = (diff**2).mean(-1, keepdim=True)
inv = (var + 1e-5)**-0.5
xhat = diff * inv
y = gain * xhat + bias
""",
        {"x": "N D", "gain": "D", "bias": "D"}, see="layernorm.md",
    ),
    "rmsnorm": Page(
        "RMS norm", "Layer norm without the mean.",
        """
ms = (x**2).mean(-1, keepdim=True)
r = (ms + 1e-5)**-0.5
xhat = x * r
y = gain * xhat
""",
        {"x": "N D", "gain": "D"}, see="rmsnorm.md",
    ),
    "gelu": Page(
        "GELU", "In its exact form, with the error function.",
        """
phi = 0.5 * (1 + torch.erf(x / 2**0.5))
y = x * phi
""",
        {"x": "N D"}, see="gelu.md",
    ),
    "silu": Page(
        "SiLU", "A sigmoid gate that a variable opens for itself.",
        """
s = torch.sigmoid(x)
y = x * s
""",
        {"x": "N D"}, see="gelu.md",
    ),
    "attention": Page(
        "Attention", "One causal head. `future` is true above the diagonal.",
        """
S = q @ k.T * E**-0.5
A = S.masked_fill(future, -torch.inf)
P = torch.softmax(A, 1)
O = P @ v
""",
        {"q": "T E", "k": "T E", "v": "T E"},
        {"future": torch.ones(SIZES["T"], SIZES["T"]).triu(1).bool()}, ("E",), "attention.md",
    ),
    "rnn": Page(
        "A recurrent layer", "One step. Through time, `dh0` of a step is a term of `dh` of the step before.",
        """
a = x @ Wx + h0 @ Wh + bias
h = torch.tanh(a)
""",
        {"x": "N E", "h0": "N D", "Wx": "E D", "Wh": "D D", "bias": "D"}, see="rnn.md",
    ),
    "gru": Page(
        "A gated recurrent layer", "One step, with the reset gate before the product, as in the paper.",
        """
z = torch.sigmoid(x @ Wz + h0 @ Uz)
r = torch.sigmoid(x @ Wr + h0 @ Ur)
kept = r * h0
candidate = torch.tanh(x @ Wc + kept @ Uc)
h = (1 - z) * h0 + z * candidate
""",
        {"x": "N E", "h0": "N D", **{f"W{g}": "E D" for g in "zrc"}, **{f"U{g}": "D D" for g in "zrc"}}, see="gru.md",
    ),
    "lstm": Page(
        "Long short-term memory", "One step, from the sums at the gates on.",
        """
i = torch.sigmoid(ai)
f = torch.sigmoid(af)
o = torch.sigmoid(ao)
g = torch.tanh(ag)
c = f * c0 + i * g
t = torch.tanh(c)
h = o * t
""",
        {"ai": "N D", "af": "N D", "ao": "N D", "ag": "N D", "c0": "N D"}, see="lstm.md",
    ),
    "convolution": Page(
        "Convolution", "Over one dimension: `y` at `t` sees `x` from `t` on.",
        "y = F.conv1d(x, W, bias)",
        {"x": "N E T", "W": "O E K", "bias": "O"},
    ),
    "max_pooling": Page(
        "Max pooling", "Windows that do not overlap, as a view.",
        """
windows = x.view(N, P, K)
y = windows.max(2).values
""",
        {"x": "N 12"}, names=("N", "P", "K"),
    ),
    "average_pooling": Page(
        "Average pooling", "Windows that do not overlap, as a view.",
        """
windows = x.view(N, P, K)
y = windows.mean(2)
""",
        {"x": "N 12"}, names=("N", "P", "K"),
    ),
    "rotary": Page(
        "Rotary positions", "Pairs of features are turned by an angle: the gradient is turned back.",
        """
x1 = x[:, :E]
x2 = x[:, E:]
y1 = x1 * cos - x2 * sin
y2 = x1 * sin + x2 * cos
y = torch.cat([y1, y2], 1)
""",
        {"x": "T 12"}, {"cos": _angles("cos"), "sin": _angles("sin")}, ("E",),
    ),
    "lecture": Page(
        "The lecture, line by line", "Exercise 1: what each of the forward lines gives back.",
        LECTURE,
        {"C": "v e", "W1": "6 h", "b1": "h", "bngain": "1 h", "bnbias": "1 h", "W2": "h v", "b2": "v"},
        LECTURE_DATA, ("n",), lecture=True,
    ),
}  # fmt: skip
"""The pages by name; those of the lecture first."""


def written(page: Page) -> str:
    """A page as Markdown; how far from autograd's a gradient is depends on the machine, and is left out."""
    program = page.program()
    explained = explain_lines(program) if page.lecture else explain(program, program.inputs)
    steps = re.sub(r"(✓ as \w+), .*", r"\1", explained.markdown())
    see = f" What it means, with code and an example: [{page.title.lower()}](../{page.see})." if page.see else ""
    return "\n".join(_parts(page, steps, see))


def _parts(page: Page, steps: str, see: str) -> Iterator[str]:
    yield f"# {page.title}\n"
    yield "<!-- Written by docs/derivation_pages.py from the lines below: change those, not this file. -->\n"
    yield f"{page.words}{see}\n"
    yield f"```python\n{page.lines.strip()}\n```\n"
    yield steps.rstrip("\n") + "\n"


def main() -> None:
    """Write all pages, and take away those that are no more."""
    FOLDER.mkdir(exist_ok=True)
    for path in FOLDER.glob("*.md"):
        if path.stem not in PAGES:
            path.unlink()
    for name, page in PAGES.items():
        (FOLDER / f"{name}.md").write_text(written(page), encoding="utf-8")


if __name__ == "__main__":
    main()
