"""A model as a Python file that needs nothing but PyTorch, and its weights beside it."""

import importlib.util
import inspect
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from handgrad.exporting.modules import base, contexts, lines, mix
from handgrad.exporting.weights import state_dict
from handgrad.models.family import Family
from handgrad.models.mix import Mix, parts_of
from handgrad.models.trained import Model

NEEDS = {
    "WaveNet": [contexts.Level],
    "NGram": [contexts.found],
    "Transformer": [lines.Attention, lines.Block],
    "MicroGPT": [lines.Attention, lines.Block],
}
"""What a class needs of its module, in the order in which a reader needs it."""
OF_CONTEXTS = frozenset({"MLP", "WaveNet", "NGram"})

PROGRAM = '''"""{title}, trained on {text} with handgrad.

    python {name}.py        twenty new lines
    python {name}.py 5 {prefix}    five that begin with {prefix}

It needs PyTorch and safetensors. The weights are in {name}.safetensors, beside this file.
In Python: `from {name} import load`, then `load().sample(5)`, or `load()(tokens)` for the log-probability of each next
token: (N, T, {vocab_size}) from tokens, (N, T), lines with the boundary 0 before them.
"""

{imports}

LETTERS = {letters!r}
"""Token i + 1 stands for LETTERS[i]; 0 is the boundary before and after a line."""


{classes}


def load() -> {main}:
    """The trained model."""
    model = {model}
    model.load_state_dict(load_file(Path(__file__).with_suffix(".safetensors")))
    return model.eval()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Draw new lines.")
    parser.add_argument("n", type=int, nargs="?", default=20, help="how many")
    parser.add_argument("prefix", nargs="?", default="", help="what each begins with")
    parser.add_argument("--temperature", type=float, default=1.0, help="below 1 the likely gets likelier")
    given = parser.parse_args()
    if unseen := sorted(set(given.prefix) - set(LETTERS)):
        parser.error(f"the model has not seen these letters: {{''.join(unseen)}}")
    print("\\n".join(load().sample(given.n, given.prefix, given.temperature)))
'''
IMPORTS = {
    "import argparse": "",
    "import math": "math.",
    "from pathlib import Path": "",
    "": "",
    "import torch": "",
    "from safetensors.torch import load_file": "",
    "from torch import Tensor, nn": "",
    "from torch.nn import functional as F": "F.",
}
"""What a file imports, and the word in its classes that asks for it; nothing for what every file needs."""


def write(model: Model, path: Path) -> list[Path]:
    """Write a Python file, and the weights beside it."""
    from safetensors.numpy import save

    weights = path.with_suffix(".safetensors")
    weights.write_bytes(save(state_dict(model)))
    path.write_text(source(model, path.stem), encoding="utf-8")
    return [path, weights]


def source(model: Model, name: str) -> str:
    """The text of the file."""
    classes = "\n\n\n".join(inspect.getsource(each).rstrip() for each in _classes(model.config))
    imports = [line for line, asks in IMPORTS.items() if asks in classes]
    prefix = next(filter(str.isalnum, model.vocabulary.chars), "a")
    text = model.text.name.replace("\\", "/").replace('"', "'")
    return PROGRAM.format(
        title=_title(model.config), text=text, name=name, prefix=prefix,
        vocab_size=model.config.vocab_size, imports="\n".join(imports), letters=model.vocabulary.chars, classes=classes,
        main=_class(model.config).__name__, model=_made(model),
    )  # fmt: skip


def log_probabilities(path: Path, tokens: np.ndarray) -> np.ndarray:
    """What the file says of each next token, (N, T, vocab_size), from tokens, (N, T)."""
    import torch

    with torch.no_grad():
        return _loaded(path).load()(torch.from_numpy(tokens)).numpy()


def _loaded(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location("handgrad_exported", path)
    assert spec
    assert spec.loader
    module: ModuleType = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _class(sizes: Family) -> type:
    """The module of a family, which has the name that its class has here."""
    name = type(sizes).__name__
    return next(getattr(module, name) for module in (contexts, lines, mix) if hasattr(module, name))


def _classes(sizes: Family) -> list[Any]:
    """All that the file needs, each once, what is needed first."""
    needed: list[Any] = [base.LanguageModel]
    for part in _parts(sizes):
        found = _class(part)
        needed += [base.contexts_of] * (found.__name__ in OF_CONTEXTS) + [*NEEDS.get(found.__name__, ()), found]
    return list(dict.fromkeys(needed))


def _parts(sizes: Family) -> Iterator[Family]:
    if isinstance(sizes, Mix):
        for part in sizes.parts:
            yield from _parts(part)
    yield sizes


def _made(model: Model) -> str:
    """The expression that makes the module."""
    sizes = model.config
    if isinstance(sizes, Mix):
        parts = "".join(f"            {_made(part)},\n" for part in parts_of(model))
        weights = ", ".join(f"{weight:.9g}" for weight in sizes.weights)
        return f"Mix(\n        [\n{parts}        ],\n        [{weights}],\n    )"
    given = {field.name: getattr(sizes, field.name) for field in fields(sizes) if field.name != "dropout"}
    if "parents" in model.buffers:
        given |= {"n_nodes": len(model.buffers["parents"]), "n_entries": len(model.buffers["letters"])}
    return f"{type(sizes).__name__}({', '.join(f'{name}={value!r}' for name, value in given.items())})"


def _title(sizes: Family) -> str:
    if isinstance(sizes, Mix):
        weighted = zip(sizes.weights, sizes.parts, strict=True)
        return "A mixture: " + ", ".join(f"{weight:.3f} of {part.name}" for weight, part in weighted)
    return f"{type(sizes).__name__}: {sizes.title}"
