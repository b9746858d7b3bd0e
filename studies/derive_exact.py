"""How many of the lecture's 26 gradients, derived line by line, are autograd's bit for bit in float32.

    python studies/derive_exact.py [--seeds N]

Each line by itself, given autograd's own gradients of what it reads; and all of them in a chain, each from the ones
before it. Parameters and batches are drawn anew for each seed, at the lecture's sizes.
"""

import argparse
import statistics
import sys
from collections import Counter
from pathlib import Path

import torch
import torch.nn.functional as F

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "derive"))

from cases.first import LECTURE

from handgrad.derive.backward import Backward
from handgrad.derive.lines import lines_backward
from handgrad.derive.read.statements import read_program

BATCH, BLOCK, EMBEDDING, HIDDEN, VOCABULARY = 32, 3, 10, 64, 27


def main() -> None:
    """Print how many are exact, and which are not."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=25)
    each: list[int] = []
    chained: list[int] = []
    missed: Counter[str] = Counter()
    for seed in range(parser.parse_args().seeds):
        by_itself, in_a_chain, total = exact(seed)
        each.append(len(by_itself))
        chained.append(len(in_a_chain))
        missed.update(total - by_itself)
    print(f"each line by itself: {statistics.median(each):g} of 26 in the median, {min(each)} to {max(each)}")
    print(f"in a chain: {statistics.median(chained):g} of 26 in the median, {min(chained)} to {max(chained)}")
    print(
        "not exact by itself:", ", ".join(f"{name} in {count} of {len(each)}" for name, count in missed.most_common())
    )


def drawn(seed: int) -> dict[str, object]:
    """Parameters as the lecture draws them, and a batch."""
    g = torch.Generator().manual_seed(seed)
    inside = BLOCK * EMBEDDING
    parameters = {
        "C": torch.randn(VOCABULARY, EMBEDDING, generator=g),
        "W1": torch.randn(inside, HIDDEN, generator=g) * (5 / 3) / inside**0.5,
        "b1": torch.randn(HIDDEN, generator=g) * 0.1,
        "W2": torch.randn(HIDDEN, VOCABULARY, generator=g) * 0.1,
        "b2": torch.randn(VOCABULARY, generator=g) * 0.1,
        "bngain": torch.randn(1, HIDDEN, generator=g) * 0.1 + 1.0,
        "bnbias": torch.randn(1, HIDDEN, generator=g) * 0.1,
    }
    batch = {
        "n": BATCH,
        "Xb": torch.randint(0, VOCABULARY, (BATCH, BLOCK), generator=g),
        "Yb": torch.randint(0, VOCABULARY, (BATCH,), generator=g),
    }
    return {**parameters, **batch}


def exact(seed: int) -> tuple[set[str], set[str], set[str]]:
    """The gradients that are autograd's by themselves, those that are in a chain, and all of them."""
    values = drawn(seed)
    program = read_program(LECTURE.strip(), {"torch": torch, "F": F, **values})
    backward = lines_backward(program)
    names: dict[str, object] = {"torch": torch, "F": F}
    for name, value in values.items():
        names[name] = value.requires_grad_() if name in program.inputs and isinstance(value, torch.Tensor) else value
    for line in program.lines:
        exec(line.source, names)
    tensors = {name: value for name, value in names.items() if isinstance(value, torch.Tensor)}
    for tensor in tensors.values():
        if tensor.requires_grad:
            tensor.retain_grad()
    tensors["loss"].backward()
    autograd = {g: grad for name, g in backward.gradients.items() if (grad := tensors[name].grad) is not None}
    detached = {name: value.detach() if isinstance(value, torch.Tensor) else value for name, value in names.items()}
    exec(backward.source, chain := dict(detached))
    in_a_chain = {name for name, right in autograd.items() if torch.equal(chain[name], right)}
    by_itself = {name for name in autograd if torch.equal(given(name, backward, detached, autograd), autograd[name])}
    return by_itself, in_a_chain, set(autograd)


def given(name: str, backward: Backward, values: dict[str, object], autograd: dict[str, torch.Tensor]) -> torch.Tensor:
    """A gradient by the lines that make it, where all others are autograd's."""
    found: dict[str, object] = {**values, **{other: right.clone() for other, right in autograd.items()}}
    for line in backward.lines:
        if line.gradient == name:
            exec(line.source, found)
    made = found[name]
    assert isinstance(made, torch.Tensor)
    return made


if __name__ == "__main__":
    main()
