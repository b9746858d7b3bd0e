"""Go through forward lines as Python would, and write down each value that the inputs reach under a name of its own."""

import ast
import contextlib
import io
import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from handgrad.derive.read.calls import is_array
from handgrad.derive.read.names import Names, Scope, copied
from handgrad.derive.read.program import Line, Loop
from handgrad.errors import DeriveError

MOST_ROUNDS = 24
"""How often the lines of a loop are written out at most."""
_SHAPES = {"shape", "dtype", "device", "ndim", "is_cuda"}
_PLAIN = (ast.Constant, ast.Attribute, ast.Subscript, ast.Tuple, ast.List, ast.Dict, ast.Lambda)
_OF_SHAPES = {"len", "size", "dim", "numel", "nelement", "detach", "item"}


@dataclass(frozen=True)
class Returned:
    """A function has come to its end with this expression, None where it returns nothing, in a line of its own."""

    node: ast.expr | None
    text: str = ""
    number: int = 0


@dataclass
class Reader:
    """What has been read so far: the lines, and the value of each name; `active` are those that the inputs reach."""

    values: dict[str, Any]
    names: Names
    active: set[str]
    lines: list[Line | Loop] = field(default_factory=list)
    leaves: list[str] = field(default_factory=list)
    """The inputs, in the order in which they were met."""
    anything: bool = False
    """Whether every float tensor that is found in an object is an input, and not only those that require gradients."""
    bindings: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    stored: dict[tuple[int, str], ast.expr] = field(default_factory=dict)
    """What stands for an attribute that the lines have written, by its object and name."""
    drawn: list[str] = field(default_factory=list)
    """The names of random numbers."""
    randomness: int | None = None
    written: list[tuple[str, int]] = field(default_factory=list)
    """The user's own statements that are being read, the outermost first: text and line number."""

    def reached(self, node: ast.AST) -> bool:
        """Whether an expression computes with a value that the inputs reach, and not only with its shape."""
        if isinstance(node, ast.Name):
            return node.id in self.active
        if isinstance(node, ast.Attribute) and node.attr in _SHAPES:
            return False
        called = node.func if isinstance(node, ast.Call) else None
        word = getattr(called, "attr", getattr(called, "id", ""))
        if word in _OF_SHAPES or word.endswith("_like"):
            return False
        return any(self.reached(part) for part in ast.iter_child_nodes(node))

    def evaluate(self, node: ast.expr) -> Any:
        """The value of an expression.

        Raises:
            DeriveError: the user's expression raises.
        """
        code = compile(ast.fix_missing_locations(ast.Expression(node)), "<forward>", "eval")
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                return eval(code, self.values)
        except Exception as error:
            raise DeriveError(f"{type(error).__name__}: {error}".rstrip("."), where=self.where) from error
        finally:
            self.values.pop("__builtins__", None)

    @property
    def where(self) -> str:
        """The statement that is being read, for errors."""
        text, number = self.written[-1]
        return f"line {number}: {text.splitlines()[0].rstrip(':') if text else ''}"

    def refusal(self, what: str, next_step: str) -> DeriveError:
        """An error that names the statement."""
        return DeriveError(what, where=self.where, next_step=next_step)

    def line(self, wanted: Iterable[str], node: ast.expr, scope: Scope | None) -> tuple[str, ...]:
        """Write down a line that gives new names to a value, or to its parts; in a scope they stand for the wanted."""
        value = self.evaluate(node)
        names = tuple(wanted)
        single = len(names) == 1
        parts = [value] if single else list(value)
        if len(parts) != len(names):
            raise self.refusal(f"{len(parts)} values for {len(names)} names", "Give each value a name.")
        draws = self.has_drawn()
        if draws and self.reached(node):
            raise self.refusal("this line draws random numbers", "Draw them in a line of their own.")
        targets = tuple(self.names.fresh(name) for name in names)
        for name, target, part in zip(names, targets, parts, strict=True):
            self.values[target] = part
            if is_float(part) and self.reached(node):
                self.active.add(target)
            if scope is not None:
                scope.meanings[name] = ast.Name(target, ast.Load())
        if draws:
            self.drawn += targets
            return targets
        text, number = self.written[-1]
        self.lines.append(Line(targets, copied(node), text, number))
        return targets

    def bound(self, wanted: str, value: Any) -> str:
        """A name for a value."""
        name = self.names.fresh(wanted)
        self.values[name] = value
        return name

    def has_drawn(self) -> bool:
        """Whether random numbers have been drawn since this was asked last."""
        import numpy as np
        import torch

        legacy = np.random.get_state(legacy=False)["state"]  # noqa: NPY002 - the user's own
        numpy_state = (legacy["key"].tobytes(), legacy["pos"])
        state = hash((random.getstate(), numpy_state, torch.get_rng_state().numpy().tobytes()))
        before, self.randomness = self.randomness, state
        return before is not None and before != self.randomness

    def wanted_leaf(self, value: Any) -> bool:
        """Whether a tensor that is found in an object is an input."""
        return self.anything or bool(getattr(value, "requires_grad", False))

    def named(self, node: ast.expr, wanted: str) -> ast.expr:
        """A name for an expression: the name that it is, or a new line's; what only lies somewhere needs none."""
        if isinstance(node, ast.Name) or (isinstance(node, _PLAIN) and not self.reached(node)):
            return node
        return ast.Name(self.line([wanted], node, None)[0], ast.Load())


def is_float(value: Any) -> bool:
    """Whether the value is a tensor or an array of floats."""
    if not is_array(value):
        return False
    return value.is_floating_point() if hasattr(value, "is_floating_point") else value.dtype.kind == "f"


def in_float64(value: Any) -> Any:
    """A float tensor or array in float64 and outside every graph; anything else as it is."""
    if not is_float(value):
        return value
    return value.detach().double() if hasattr(value, "detach") else value.astype("float64")
