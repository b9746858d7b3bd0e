"""Programs as people write them, in each of which the lines of the forward pass are marked."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from textwrap import dedent

MARK = "  #!"
DATA = """\
import torch
import torch.nn.functional as F
torch.manual_seed(1)
X, Y = torch.randn(8, 5), torch.randint(3, (8,))
"""
WANTED = "W = torch.randn(5, 3, requires_grad=True)\n"
PLAIN = "W = torch.randn(5, 3)\n"
NUMPY = """\
import numpy as np
rng = np.random.default_rng(0)
X, W = rng.normal(size=(8, 5)), rng.normal(size=(5, 3)) * 0.1
"""


@dataclass(frozen=True)
class Program:
    """A program with marks, what to differentiate by, where the pass ends, and which part of it is asked for."""

    text: str
    inputs: str
    output: str
    part: Mapping[str, object]

    @property
    def lines(self) -> str:
        """The marked lines, without their indentation."""
        marked = [line.removesuffix(MARK) for line in self.text.split("\n") if line.endswith(MARK)]
        return "\n".join(line for block in _blocks(marked) for line in dedent(block).split("\n"))


def _blocks(lines: list[str]) -> list[str]:
    """The lines, those that are indented deeper with the one above them."""
    blocks: list[str] = []
    for line in lines:
        deeper = blocks and len(line) - len(line.lstrip()) > len(blocks[-1]) - len(blocks[-1].lstrip())
        blocks = [*blocks[:-1], f"{blocks[-1]}\n{line}"] if deeper else [*blocks, line]
    return blocks


def program(before: str, text: str, inputs: str, output: str = "loss", **part: object) -> Program:
    return Program(before + dedent(text).lstrip("\n"), inputs, output, part)


def bare(text: str) -> str:
    """The text without marks and empty lines."""
    return re.sub(r"\n+", "\n", text.replace(MARK, "")).strip("\n")


PROGRAMS = {
    "what is computed from parameters": program(
        DATA + WANTED,
        """
        n = len(X)
        Xn = X / X.std()
        z = Xn @ W  #!
        print(z)
        mask = z > 0
        loss = F.cross_entropy(z, Y)  #!
        """,
        "W",
    ),
    "with a backward pass below": program(
        DATA + WANTED,
        """
        z = X @ W  #!
        loss = F.cross_entropy(z, Y)  #!
        loss.backward()
        dz = F.softmax(z, 1)
        dW = X.T @ dz
        loss = 0
        """,
        "W",
    ),
    "parameters that require gradients later": program(
        DATA + PLAIN,
        """
        W *= 0.1
        for p in [W]:
            p.requires_grad = True
        z = X @ W  #!
        loss = z.sum()  #!
        """,
        "W",
    ),
    "nothing requires gradients": program(
        DATA + PLAIN,
        """
        W = W * 0.1
        z = X @ W  #!
        loss = (z**2).mean()  #!
        """,
        "X W",
    ),
    "what is updated is a parameter": program(
        DATA + PLAIN,
        """
        z = X @ W  #!
        loss = (z**2).mean()  #!
        dz = 2 * z / z.numel()
        W -= 0.1 * X.T @ dz
        """,
        "W",
    ),
    "updated in a loop over a list": program(
        DATA + PLAIN,
        """
        b = torch.zeros(3)
        params = [W, b]
        z = X @ W + b  #!
        loss = z.sum()  #!
        for p, g in zip(params, [X.T @ torch.ones(8, 3), torch.ones(3)]):
            p.data += -0.1 * g
        """,
        "W b",
    ),
    "a training loop under no_grad": program(
        DATA + WANTED,
        """
        lossi = []
        with torch.no_grad():
            for i in range(1_000_000):
                ix = torch.randint(0, 8, (4,))
                xb, yb = X[ix], Y[ix]
                z = xb @ W  #!
                loss = F.cross_entropy(z, yb)  #!
                W.grad = None
                lossi.append(loss.item())
        """,
        "W",
    ),
    "epochs of batches": program(
        DATA + WANTED,
        """
        for epoch in range(10**6):
            for xb in X.split(4):
                z = xb @ W  #!
                loss = z.pow(2).sum()  #!
                loss.backward()
        """,
        "W",
    ),
    "a main function": program(
        DATA,
        """
        def main(steps, lr=0.1):
            W = torch.randn(5, 3, requires_grad=True)
            for _ in range(steps):
                z = X @ W  #!
                loss = z.sum()  #!
                loss.backward()
            return loss

        if __name__ == "__main__":
            main(10**6)
        """,
        "W",
    ),
    "a method": program(
        DATA,
        """
        class Net:
            def __init__(self):
                self.params = {"W": torch.randn(5, 3)}
            def loss(self, X, Y=None):
                W = self.params["W"]
                z = X @ W  #!
                if Y is None:
                    return z
                loss = F.cross_entropy(z, Y)  #!
                return loss

        out = Net().loss(X, Y)
        """,
        "X W",
    ),
    "a function of what was computed is a line": program(
        DATA + WANTED,
        """
        def mean_loss(z, y):
            loss = F.cross_entropy(z, y)
            return loss

        z = X @ W  #!
        loss = mean_loss(z, Y)  #!
        """,
        "W",
    ),
    "a loss of several terms": program(
        DATA + WANTED,
        """
        data_loss = F.cross_entropy(X @ W, Y)  #!
        penalty = (W**2).sum()  #!
        loss = data_loss + 0.1 * penalty  #!
        loss.backward()
        """,
        "W",
    ),
    "a loss that is added to": program(
        DATA + WANTED,
        """
        loss = F.cross_entropy(X @ W, Y)  #!
        loss = loss + 0.1 * (W**2).sum()  #!
        print(loss.item())
        """,
        "W",
    ),
    "a loop over time": program(
        DATA + WANTED,
        """
        U = torch.randn(3, 3, requires_grad=True)
        h = torch.zeros(3)
        loss = 0
        for x in X:  #!
            h = torch.tanh(x @ W + h @ U)  #!
            loss += (h**2).sum()  #!
        loss = loss / len(X)  #!
        """,
        "W U",
    ),
    "lists that a loop fills": program(
        DATA + WANTED,
        """
        hs = [torch.zeros(3)]  #!
        for x in X:  #!
            hs.append(torch.tanh(x @ W + hs[-1]))  #!
        loss = hs[-1].sum()  #!
        """,
        "W",
    ),
    "a constant that changes between the lines": program(
        DATA + WANTED,
        """
        n = 2
        a = X @ W / n  #!
        n = 3  #!
        loss = (a * n).sum()  #!
        """,
        "W",
    ),
    "another name for the loss": program(
        DATA + WANTED,
        """
        z = X @ W  #!
        error = (z**2).mean()  #!
        error.backward()
        """,
        "W",
        "error",
    ),
    "no name that tells": program(
        DATA + WANTED,
        """
        z = X @ W  #!
        s = z.sum()  #!
        """,
        "W",
        "s",
    ),
    "a loop that trains by another name": program(
        DATA + PLAIN,
        """
        for epoch in range(10**6):
            z = X @ W  #!
            mse = (z**2).mean()  #!
            grad_W = 2 * X.T @ z / z.numel()
            W = W - 0.1 * grad_W
        """,
        "W",
        "mse",
    ),
    "parameters in a module": program(
        DATA,
        """
        model = torch.nn.Sequential(torch.nn.Linear(5, 4), torch.nn.ReLU(), torch.nn.Linear(4, 3))
        criterion = torch.nn.CrossEntropyLoss()
        for epoch in range(10**6):
            out = model(X)  #!
            loss = criterion(out, Y)  #!
            loss.backward()
        """,
        "",
    ),
    "NumPy": program(
        NUMPY,
        """
        for i in range(10**6):
            z = np.maximum(X @ W, 0)  #!
            loss = np.mean(z**2)  #!
            dz = 2 * z * (z > 0) / z.size
            W -= 0.1 * X.T @ dz
        """,
        "W",
    ),
    "what raises is left out": program(
        DATA + WANTED,
        """
        import nowhere
        open("no.txt")
        z = X @ W  #!
        loss = z.sum()  #!
        1 / 0
        """,
        "W",
    ),
    "the loss by name": program(
        DATA + WANTED,
        """
        loss = (X @ W).sum()
        other = ((X @ W)**2).sum()  #!
        """,
        "W",
        "other",
        loss="other",
    ),
    "a part by names": program(
        DATA + WANTED,
        """
        z = X @ W
        a = z.tanh()  #!
        b = a * 2  #!
        loss = b.sum()
        """,
        "z",
        "b",
        start=("z",),
        end="b",
    ),
    "a part by lines": program(
        DATA + WANTED,
        """
        z = X @ W
        a = z.tanh()  #!
        b = a * 2  #!
        loss = b.sum()
        """,
        "z",
        "b",
        lines=(7, 8),
    ),
}

NOT_THERE = f"{DATA}import nowhere\nW = nowhere.W\nloss = W.sum()\n"
REFUSED = {
    "no loss": ("x = 1\n", {}, "no loss was found", "--of NAME"),
    "numbers of Python": ("a = 2.0\nL = a * 3\n", {}, "got L, a plain number of Python", "torch.tensor(2.0)"),
    "nothing of that name": ("loss = 1\n", {"loss": "cost"}, "nothing is called 'cost'"),
    "no tensor of that name": ("loss = 1\n", {"loss": "loss"}, "no float tensor called 'loss' is made"),
    "raises before": (NOT_THERE, {}, "line 5", "No module named 'nowhere'"),
    "not Python": ("x = = 1\n", {}, "line 1", "SyntaxError"),
    "endless": ("while True:\n    pass\nloss = 1\n", {}, "line 1", "time limit", "--timeout"),
    "independent": (f"{DATA}{WANTED}z = X.sum()\nloss = W.sum()\n", {"start": ("z",)}, "loss does not depend", "'z'"),
    "no such lines": (f"{DATA}{WANTED}loss = W.sum()\n", {"lines": (40, 50)}, "no statement that makes a float"),
}
