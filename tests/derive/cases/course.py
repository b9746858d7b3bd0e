"""The exercises of the course as cases: their own setup, their forward lines, and the variables that they ask for."""

import contextlib
import functools
import io
import re
import tempfile
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

import handgrad.learn.course
from handgrad.data.catalogue import CATALOGUE
from handgrad.derive.read.program import Program
from handgrad.derive.read.statements import read_program

FOLDER = Path(handgrad.learn.course.__file__).parent / "course" / "solutions"
NAMES = "ssa_names_2018"


@dataclass(frozen=True)
class Exercise:
    """The forward pass of an exercise of the course, with the interface of a `Case`.

    `setup` is what stands before it in the file `path`, `answer` the solution, whose `d` names say
    what to differentiate by.
    """

    name: str
    setup: str
    path: str
    lines: str
    answer: str
    output: str = "loss"
    origin: str = "the course"
    library: str = "torch"
    closed: Mapping[str, str] = ()  # type: ignore[assignment]

    def before(self, seed: int = 0) -> dict[str, Any]:
        """What every name is before the lines run; the exercise has its own seed."""
        del seed
        return dict(_ran(self.setup, self.path))

    def program(self) -> Program:
        """The lines as they are read."""
        before = self.before()
        asked = {name[1:] for name in re.findall(r"\bd\w+", self.answer)}
        floats = (
            name for name, value in before.items() if isinstance(value, torch.Tensor) and value.is_floating_point()
        )
        inputs = tuple(name for name in floats if name in asked and re.search(rf"\b{name}\b", self.lines))
        return read_program(self.lines, before, inputs=inputs, output=self.output)


@functools.cache
def _ran(setup: str, path: str) -> dict[str, Any]:
    values: dict[str, Any] = {"__name__": "exercise"}
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder), contextlib.redirect_stdout(io.StringIO()):
        Path("names.txt").symlink_to(CATALOGUE[NAMES].path())
        exec(compile(setup, path, "exec"), values)
    values.pop("__builtins__")
    return values


def _exercise(path: Path) -> Exercise:
    """An exercise from its file: in a training loop, the lines are those of its first round."""
    before, rest = re.split(r"^ *# Forward pass.*\n", path.read_text(), maxsplit=1, flags=re.M)
    lines, answer = re.split(r"^ *# (?:Backward pass|YOUR CODE HERE).*\n", rest, maxsplit=1, flags=re.M)
    answer = answer.split("# END OF YOUR CODE")[0]
    outside, loop, inside = before.rpartition("\nfor i in range(max_steps):\n")
    setup = f"{outside}\ni = 0\n{textwrap.dedent(inside)}" if loop else before
    name = "/".join(path.with_suffix("").parts[-2:])
    return Exercise(name, setup, str(path), textwrap.dedent(lines).strip(), answer)


CASES = tuple(_exercise(path) for path in sorted(FOLDER.glob("*/*.py")))
