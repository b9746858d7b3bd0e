"""What a case is: the lines of a forward pass, what they start from with sizes as letters, and where it is from."""

import io
import tokenize
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from handgrad.derive.read.program import Program
from handgrad.derive.read.statements import read_program

SIZES = dict(n=7, v=11, e=5, b=3, h=13, t=9, s=8, d=6, k=4, c=3, w=12, m=15, l=5, nh=2, hd=10)
"""What the letters stand for, unless a case says otherwise."""


@dataclass(frozen=True)
class Case:
    """A forward pass.

    `wrt` are the float arrays to differentiate by, `data` all else that the lines read. Each is written as a kind and
    sizes, `normal: n h`, or sizes alone for normal values; `draw` lists the kinds. What is no text is taken as it is.
    `closed` gives a person's closed form of some gradients, in whose text letters are sizes; `x from y` is the
    gradient of x where that of y is given. `origin` is the paper, book or program that the pass is from.
    """

    name: str
    lines: str
    wrt: Mapping[str, Any]
    data: Mapping[str, Any]
    output: str
    origin: str
    closed: Mapping[str, str] = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)
    library: str = "torch"

    @property
    def letters(self) -> dict[str, int]:
        """What the letters stand for in this case."""
        return {**SIZES, **self.sizes}

    def before(self, seed: int = 0) -> dict[str, Any]:
        """What every name is before the lines run."""
        random = np.random.default_rng([seed, len(self.name)])
        modules = {"np": np} if self.library == "numpy" else {"torch": torch, "F": F}
        made = {name: draw(spec, self.letters, random) for name, spec in {**self.wrt, **self.data}.items()}
        if self.library == "torch":
            made = {name: torch.from_numpy(v) if isinstance(v, np.ndarray) else v for name, v in made.items()}
        else:
            made = {name: v[()] if isinstance(v, np.ndarray) and v.ndim == 0 else v for name, v in made.items()}
        return {**modules, **made}

    def program(self, output: str | None = None, inputs: tuple[str, ...] | None = None) -> Program:
        """The lines as they are read, up to the line that makes `output` last."""
        return read_program(
            self.lines.strip("\n"), self.before(), inputs=inputs or tuple(self.wrt), output=output or self.output
        )


def draw(spec: Any, letters: Mapping[str, int], random: np.random.Generator) -> Any:
    """A value as a case describes it: `kind: sizes`, where a size is a letter, a number or an expression of them."""
    if not isinstance(spec, str):
        return spec
    kind, _, text = spec.rpartition(":")
    kind, *more = (kind or "normal").split()
    shape = tuple(eval(size, {}, dict(letters)) for size in text.split())
    return KINDS[kind](shape, random, *(eval(m, {}, dict(letters)) for m in more))


def _softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x)
    return e / e.sum(-1, keepdims=True)


def _positive_definite(shape: tuple[int, ...], random: np.random.Generator) -> np.ndarray:
    root = random.normal(size=shape)
    return root @ np.swapaxes(root, -1, -2) / shape[-1] + np.eye(shape[-1])


KINDS: dict[str, Any] = {
    "normal": lambda shape, random: random.normal(size=shape),
    "small": lambda shape, random: random.normal(size=shape) * 0.1,
    "positive": lambda shape, random: random.uniform(0.5, 1.5, shape),
    "unit": lambda shape, random: random.uniform(0.05, 0.95, shape),
    "probabilities": lambda shape, random: _softmax(random.normal(size=shape)),
    "one-hot": lambda shape, random: np.eye(shape[-1])[random.integers(shape[-1], size=shape[:-1])],
    "column": lambda shape, random: np.eye(shape[0])[:, random.integers(shape[0], size=1)],
    "signs": lambda shape, random: random.choice([-1.0, 1.0], shape),
    "bits": lambda shape, random: random.choice([0.0, 1.0], shape),
    "kept": lambda shape, random: random.choice([0.0, 1.25], shape, p=[0.2, 0.8]),
    "counts": lambda shape, random: random.poisson(2.0, shape).astype(float),
    "index": lambda shape, random, top: random.integers(top, size=shape),
    "ignoring": lambda shape, random, top: np.where(random.random(shape) < 0.2, -1, random.integers(top, size=shape)),
    "permutation": lambda shape, random: random.permutation(shape[0]),
    "positions": lambda shape, random: np.arange(shape[0]),
    "steps": lambda shape, random: np.arange(shape[0], dtype=float),
    "causal": lambda shape, random: np.tril(np.ones(shape)),
    "future": lambda shape, random: np.triu(np.ones(shape, dtype=bool), 1),
    "band": lambda shape, random: np.tril(np.triu(np.ones(shape), -2)),
    "eye": lambda shape, random: np.eye(*shape),
    "same": lambda shape, random: np.eye(*shape, dtype=bool),
    "graph": lambda shape, random: np.eye(*shape, dtype=bool) | (random.random(shape) < 0.4),
    "bools": lambda shape, random: random.random(shape) < 0.5,
    "definite": lambda shape, random: _positive_definite(shape, random),
    "rising": lambda shape, random: np.sort(random.uniform(0, 3, shape)),
    "falling": lambda shape, random: -np.sort(-random.uniform(0, 3, shape)),
    "size": lambda shape, random: shape[0],
}
"""How values are drawn, by the name of their kind."""


def tokens(source: str) -> int:
    """The length of source: its names, numbers, operators and strings, not its brackets, commas, colons and dots."""
    kinds = (tokenize.NAME, tokenize.NUMBER, tokenize.OP, tokenize.STRING)
    found = tokenize.generate_tokens(io.StringIO(source).readline)
    return sum(token.type in kinds and token.string not in "()[],:." for token in found)
