"""The backward pass of a user's program or function: forward lines found, read, derived from, told where they stand."""

import ast
import builtins
import contextlib
import re
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from handgrad.checker.guard import OURS, said
from handgrad.derive import Form, Style
from handgrad.derive.derivation import Derivation, derived
from handgrad.derive.explain import Explanation
from handgrad.derive.functions import FunctionDerivation, derive_function
from handgrad.derive.read.program import Program
from handgrad.derive.read.statements import read_program
from handgrad.derive.read.steps import names_used
from handgrad.errors import ConfigError, DeriveError, HandgradError
from handgrad.forward.function import Given, function_of_file, function_of_module
from handgrad.forward.program import Forward, Part, forward_of_file, read_program_file
from handgrad.forward.writing import write_below

_LINE = re.compile(r"line (\d+)(?=: |$)")


@dataclass(frozen=True)
class Wish:
    """What is to be derived, and in which form."""

    form: Form = "lines"
    style: Style | None = None
    part: Part = field(default_factory=Part)
    given: Given = field(default_factory=Given)


@dataclass(frozen=True)
class Target:
    """What a user names on the command line: a file, or a function of a file or of a module."""

    path: Path | None
    module: str | None = None
    function: str | None = None

    @staticmethod
    def parse(text: str) -> "Target":
        """From `FILE`, `FILE:FUNCTION` or `MODULE:FUNCTION`.

        >>> Target.parse("mlp.py:forward"), Target.parse("nets.mlp:forward").module
        (Target(path=PosixPath('mlp.py'), module=None, function='forward'), 'nets.mlp')
        """
        before, colon, function = text.rpartition(":")
        if not colon or Path(text).exists():
            return Target(Path(text))
        if not function.isidentifier():
            raise ConfigError("this is no name of a function", got=function, expected="FILE:FUNCTION", where=text)
        if before.endswith((".py", ".ipynb")):
            return Target(Path(before), None, function)
        return Target(None, before, function)

    def __str__(self) -> str:
        """As it was written."""
        return f"{self.path or self.module}{':' * bool(self.function)}{self.function or ''}"


@dataclass(frozen=True)
class Derived:
    """A derivation and the forward lines or the function that it comes from."""

    target: Target
    derivation: Derivation
    forward: Forward | None = None

    def to_json(self) -> dict[str, Any]:
        """The fields for a program; each line that is undone with its cell, where there are cells."""
        found = self.derivation.to_json()
        for line in found["lines"]:
            if (undone := line["undoes"]) and self.forward is not None:
                place = self.forward.place_of(undone["line"])
                line["undoes"] = {"line": place.line, "cell": place.cell, "text": undone["text"]}
        return {"program": str(self.target), **found}

    def explained(self, as_text: bool) -> str:
        """The derivation, step by step, as a terminal shows it or as Markdown.

        Raises:
            DeriveError: a line on the way has no index notation.
        """
        with contained_faults(str(self.target)):
            explanation = explained(self.derivation, self.forward)
            return (explanation.text() if as_text else explanation.markdown()).rstrip()

    def write(self, text: str) -> Path:
        """Put the text below the forward pass in its file; the copy of the old file.

        Raises:
            DeriveError: there is no place for it, or it stands there already.
        """
        path = self.target.path
        if path is None:
            raise ConfigError("a module is not written into", where="--write", next_step="Name its file.")
        if self.forward is not None:
            self._see_what_is_left()
            return write_below(path, self.forward.lines.statements[-1], text)
        statements = read_program_file(path).statements
        named = {getattr(s.node, "name", None): s for s in statements}
        if "backward" in named:
            raise DeriveError("there is a function called 'backward' already", where=path)
        if self.target.function not in named:
            raise DeriveError(f"{self.target.function} is not defined at the top of the file", where=path)
        return write_below(path, named[self.target.function], f"\n{text}")

    def _see_what_is_left(self) -> None:
        """See that the forward pass can run once more below itself, where the lines begin with it.

        Raises:
            DeriveError: something that it starts from is overwritten in it.
        """
        program = self.derivation.program
        kept = (program.looped or program).kept
        gone = sorted(name for name in names_used(program.lines) if name in program.before and name not in kept)
        if self.derivation.written.recomputed and gone:
            what = f"{gone[0]} is overwritten in the forward pass, so that its first value is gone below it"
            raise DeriveError(what, where=self.target.path, next_step="Put what is printed in their place.")


def explained(derivation: Derivation, forward: Forward | None) -> Explanation:
    """The derivation, its lines with the numbers that they have in the program.

    Raises:
        DeriveError: a line on the way has no index notation.
    """
    found = derivation.explain()
    return found if forward is None else placed(found, forward)


def placed(found: Explanation, forward: Forward) -> Explanation:
    """The same derivation, its lines with the numbers that they have in the program."""
    steps = [
        replace(step, uses=tuple(replace(use, number=forward.place_of(use.number).line) for use in step.uses))
        for step in found.steps
    ]
    return replace(found, steps=tuple(steps))


def derive_target(target: Target, wish: Wish, *, data: Path | None = None, timeout: float | None = 60.0) -> Derived:
    """Derive the backward pass of what a user names.

    Raises:
        SourceError: a file that cannot be read.
        DeriveError: there is no forward pass, one with a line that cannot be differentiated, or a fault of handgrad.
    """
    with contained_faults(str(target)):
        if target.function is None:
            assert target.path is not None
            forward = forward_of_file(target.path, wish.part, data=data, timeout=timeout)
            return Derived(target, derive_forward(forward, wish), forward)
        if target.path is not None:
            function, arguments = function_of_file(target.path, target.function, wish.given, data=data, timeout=timeout)
        else:
            function, arguments = function_of_module(str(target.module), target.function, wish.given)
        return Derived(target, _derive_called(function, arguments, wish, target))


def derive_forward(forward: Forward, wish: Wish) -> Derivation:
    """Derive the backward pass of forward lines that have been found."""
    with _placed(forward), forward.holding():
        found = derived(read_forward(forward), wish.form, wish.style)
        _require_names(found, forward.machine.namespace)
        return found


def read_forward(forward: Forward, inputs: Sequence[str] | None = None) -> Program:
    """Forward lines that have been found, in single assignment, by `inputs` or by all; to be called where they hold.

    Raises:
        DeriveError: a line that cannot be read.
    """
    lines = forward.lines
    inputs = inputs or (None if lines.containers else lines.inputs)
    return read_program(forward.source, lines.before, inputs=inputs, output=lines.output).noting(lines.notes)


def _require_names(found: Derivation, namespace: Mapping[str, Any]) -> None:
    """See that the program has all that the lines read.

    Raises:
        DeriveError: there is a name that it has not.
    """
    parts = list(ast.walk(ast.parse(found.source)))
    nodes = [node for node in parts if isinstance(node, ast.Name)]
    made = {node.id for node in nodes if isinstance(node.ctx, ast.Store)} | {found.written.upstream}
    made |= {alias.asname or alias.name for part in parts if isinstance(part, ast.Import) for alias in part.names}
    for node in nodes:
        if node.id not in made and node.id not in namespace and not hasattr(builtins, node.id):
            what = f"the lines would need {node.id}, for which the program has no name"
            raise DeriveError(what, next_step=f"Make it in a line of its own, {node.id} = ...")


def _derive_called(function: Any, arguments: dict[str, Any], wish: Wish, target: Target) -> FunctionDerivation:
    part = wish.part
    if part.lines is not None:
        raise ConfigError("a function is derived as a whole", where="--from", next_step="Leave out --from and --to.")
    try:
        return derive_function(
            function,
            (),
            arguments,
            form=wish.form,
            of=part.end or part.loss,
            names=part.start or None,
            style=wish.style,
        )
    except DeriveError as error:
        raise _elsewhere(error, ", ".join(filter(None, [str(target), str(error.where or "")]))) from error


@contextlib.contextmanager
def _placed(forward: Forward) -> Iterator[None]:
    """Say in the program's own file, cell and line where something went wrong."""
    try:
        yield
    except HandgradError as error:
        told = str(error.where) if error.where is not None else ""
        if found := _LINE.match(told):
            told = f"{forward.place_of(int(found[1]))}{told[found.end() :]}"
        raise _elsewhere(error, ", ".join(filter(None, [str(forward.path or ""), told]))) from error


def _elsewhere(error: HandgradError, where: str) -> DeriveError:
    first, *more = where.split("\n")
    where = f"{first.rstrip(' :')} …" if more else first
    return DeriveError(
        error.what, got=error.got, expected=error.expected, where=where or None, next_step=error.next_step
    )


@contextlib.contextmanager
def contained_faults(where: str) -> Iterator[None]:
    """Say an exception of handgrad's own in one sentence.

    Raises:
        DeriveError: with the exception as its cause.
    """
    try:
        yield
    except (HandgradError, MemoryError):
        raise
    except Exception as error:
        frame = [f for f in traceback.extract_tb(error.__traceback__) if OURS in Path(f.filename).parents][-1]
        what = f"handgrad itself failed: {said(error)} ({Path(frame.filename).name}, line {frame.lineno})"
        raise DeriveError(what, where=where, next_step="Please report it, with the program.") from error
