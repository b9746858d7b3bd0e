"""The parameters of `torch.nn` modules as names: `l2.weight` is `l2·weight`, also where nobody writes it.

So the forward pass is cut at them, and a gradient that is called by a name of its own, as `dW2` beside `l2 =
nn.Linear(4, 3)`, finds its variable by its number, its kind and its shape.
"""

import ast
import re
from collections.abc import Iterator

from torch import Tensor
from torch.nn import Module

from handgrad.checker.read.names import variables_of
from handgrad.checker.read.spelling import DOT, bare, seems_a_gradient
from handgrad.checker.run.flat.entries import Entries, assignment

MOST = 256
"""How many parameters of one module are given names."""


class Parameters:
    """The parameters met so far, and for each gradient without a known variable those that it may belong to.

    `guesses` has them, the likeliest first, each with whether its name says so too.
    """

    def __init__(self, entries: Entries):
        """None yet."""
        self.entries, self.namespace = entries, entries.machine.namespace
        self.guesses: dict[str, tuple[list[str], bool]] = {}

    def named(self, at: ast.AST) -> Iterator[ast.stmt]:
        """Names for those that have none."""
        modules = {n: v for n, v in self.namespace.items() if isinstance(v, Module) and not n.startswith("__")}
        known = {id(v) for v in self.namespace.values() if isinstance(v, Tensor)} if modules else set()
        for name, module in sorted(modules.items(), key=lambda pair: DOT in pair[0]):
            for i, (path, parameter) in enumerate(module.named_parameters()):
                if id(parameter) not in known and i < MOST:
                    known.add(id(parameter))
                    access = ast.parse(f"{name}{_access(path)}", mode="eval").body
                    if found := self.entries.at(access):
                        yield assignment(found[0], access, at)

    def variables(self, name: str, known: set[str]) -> Iterator[str]:
        """The parameters that a name may be the gradient of, as far as its spelling and its shape tell."""
        value = self.namespace.get(name)
        if not (seems_a_gradient(name) and DOT not in name and isinstance(value, Tensor) and value.dim()):
            return
        ours = self._ours(known)
        called = [n for n in ours if _is_called(name, n, self._places()) and not _is_turned(self.namespace[n], value)]
        alike = [n for n in ours if self.namespace[n].shape == value.shape]
        candidates = [*(n for n in called if n in alike), *(n for n in called if n not in alike and len(called) == 1)]
        if candidates := [*candidates, *(n for n in alike if n not in candidates)]:
            self.guesses[name] = candidates, len(called) == 1
            yield candidates[0]

    def _ours(self, known: set[str]) -> list[str]:
        holders = [v for v in self.namespace.values() if isinstance(v, Module)]
        tensors = {id(p) for module in holders for p in module.parameters()}
        return [n for n in self.namespace if n in known and DOT in n and id(self.namespace[n]) in tensors]

    def _places(self) -> dict[str, int]:
        """Which of its kind each parameter is, counted from 1: the second weight of a model belongs to `dW2`."""
        names = [n for n in self.namespace if DOT in n and n in self.entries.found]
        kinds = {kind: [n for n in names if n.endswith(f"{DOT}{kind}")] for kind in ("weight", "bias")}
        return {name: i for found in kinds.values() for i, name in enumerate(found, start=1)}


def _is_turned(parameter: Tensor, value: Tensor) -> bool:
    """Whether a value is as large as the transposed parameter: the gradient of `W2 = l2.weight.T` may be meant."""
    return value.shape != parameter.shape and value.shape == parameter.T.shape


def has_hooks(module: Module) -> bool:
    """Whether a call of the module does more than its forward."""
    return any(held for key, held in vars(module).items() if key.endswith("_hooks"))


def _access(path: str) -> str:
    """How a parameter is reached: `[0].weight` for `0.weight`."""
    return "".join(f"[{part}]" if part.isdigit() else f".{part}" for part in path.split("."))


def _is_called(gradient: str, parameter: str, places: dict[str, int]) -> bool:
    """Whether the kind and the number in a gradient's name are those of a parameter."""
    variable = next(iter(variables_of(bare(gradient))), "")
    kind = "bias" if re.match(r"_?b", variable) else "weight" if re.match(r"_?w", variable, re.IGNORECASE) else ""
    path, _, key = parameter.rpartition(DOT)
    number = re.search(r"\d+", variable)
    numbers = re.findall(r"\d+", path.replace(f"{DOT}at", " at"))
    said = number is None or number[0] in numbers or (not numbers and places.get(parameter) == int(number[0]))
    return kind == key and said
