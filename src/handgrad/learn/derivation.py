"""The derivation of an exercise: how its gradients come about, step by step."""

import contextlib
from pathlib import Path

from handgrad.learn.course import FOLDER, Exercise


def derivation(exercise: Exercise, folder: Path) -> str:
    """The chain rule, what is put in, and each simplification, for the gradients that an exercise asks for.

    A loop over time is undone line by line instead, each line beside the forward line that it undoes.

    Args:
        exercise: the exercise, whose forward pass is derived from.
        folder: the course folder, with the files that it reads.
    """
    from handgrad.checker.run.machine import Machine
    from handgrad.derive.derivation import derived
    from handgrad.derive.explain import explain
    from handgrad.errors import DeriveError
    from handgrad.forward.deriving import placed, read_forward
    from handgrad.forward.program import Part, forward_of_source, read_program_file

    source = read_program_file(FOLDER / "exercises" / exercise.file)
    with contextlib.chdir(folder):
        forward = forward_of_source(source, Machine(folder), Part(), exercise.time_limit)
    wanted = [name.removeprefix("d") for name in exercise.gradients]
    with forward.holding():
        try:
            explanation = explain(read_forward(forward), wanted)
        except DeriveError:
            leaves = [name for name in wanted if name in forward.lines.inputs]
            return derived(read_forward(forward, leaves)).quoted()
    return placed(explanation, forward).text().rstrip()
