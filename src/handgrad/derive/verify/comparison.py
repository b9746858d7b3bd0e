"""Whether a derived backward pass is right: it is run below the forward pass and compared with references."""

import ast
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from handgrad.derive.backward import Backward
from handgrad.derive.read.calls import is_array
from handgrad.derive.read.program import Program
from handgrad.derive.verify.layout import as_numpy
from handgrad.derive.verify.references import Reference, references, rounding
from handgrad.derive.verify.running import copied, quietly
from handgrad.derive.verify.truths import Elements, Truth

TOLERANCES = {"torch": 1e-8, "numpy": 1e-6}
"""The largest error of a right gradient, relative to its largest element."""
SEEN = 1e-6
"""The same where facts are used that were seen in numbers, perhaps in float32."""
SLIGHT, ROUNDING = 1e-3, 100
"""An error below the first may be rounding: as many times what the right gradient changes by with its inputs."""
FLOOR = 1e-4
"""A gradient smaller than this share of the largest one is compared relative to that share: it may be rounding."""


@dataclass(frozen=True)
class Draw:
    """The values at which gradients were compared: see `Reference`."""

    own: bool
    sizes: Mapping[str, tuple[int, ...]]
    fixed: tuple[int, ...]
    kept: tuple[str, ...]


@dataclass(frozen=True)
class Check:
    """How the gradient of one variable compares with the right one.

    `errors` has one for each draw, the largest relative to the right gradient's largest element; `exact` says that all
    are bit for bit the same; `skipped` counts elements where the right gradient is no finite number; `problem` says
    what is wrong where that is no number: a shape, a name that is not there.
    """

    variable: str
    gradient: str
    shape: tuple[int, ...]
    errors: tuple[float, ...]
    exact: bool
    skipped: int
    problem: str
    tolerance: float

    @property
    def error(self) -> float:
        """The largest of all draws."""
        return max(self.errors, default=0.0)

    @property
    def right(self) -> bool:
        """Whether the gradient is right in every draw."""
        return not self.problem and self.error <= self.tolerance


@dataclass(frozen=True)
class Verification:
    """What came of comparing a backward pass with autograd, or with central differences.

    `failure` is the error that running it raised, `changed` are variables of the program that it changed, `unchecked`
    gives for each variable without a comparison the reason, and `missing` are inputs that the output depends on and
    that it has no gradient of.
    """

    checks: tuple[Check, ...]
    draws: tuple[Draw, ...]
    unchecked: Mapping[str, str]
    changed: tuple[str, ...]
    failure: str
    missing: tuple[str, ...]

    @property
    def right(self) -> bool:
        """Whether nothing speaks against the backward pass."""
        return not self.failure and not self.changed and bool(self.checks) and all(c.right for c in self.checks)

    @property
    def complete(self) -> bool:
        """Whether it is right and has the gradients of all inputs."""
        return self.right and not self.missing

    @property
    def wrong(self) -> tuple[Check, ...]:
        """The gradients that are not right."""
        return tuple(check for check in self.checks if not check.right)


def verify(program: Program, backward: Backward, *, against: Sequence[Reference] | None = None) -> Verification:
    """Compare a backward pass with what the gradients are, at the program's values and at fresh ones of other sizes.

    Args:
        program: the forward pass.
        backward: what was derived from it.
        against: the references, where they are at hand: those of `references`.

    Example:
        >>> import torch
        >>> from handgrad.derive.backward import GradientLine
        >>> from handgrad.derive.read.statements import read_program
        >>> program = read_program("y = x * w", {"x": torch.randn(4, 3), "w": torch.randn(3)})
        >>> lines = GradientLine("dx", "dx = dy * w"), GradientLine("dw", "dw = (dy * x).sum(0)")
        >>> found = verify(program, Backward(lines, {"x": "dx", "w": "dw"}, "dy"))
        >>> found.right, [draw.sizes["x"] for draw in found.draws]
        (True, [(4, 3), (7, 5), (7, 5), (11, 7)])
        >>> wrong = GradientLine("dw", "dw = (dy * x).sum(0, keepdim=True)")
        >>> verify(program, Backward((lines[0], wrong), {"x": "dx", "w": "dw"}, "dy")).wrong[0].problem
        'shape (1, 3) where the variable has (3,)'
    """
    program = backward.below or program
    known = references(program, kinds=bool(backward.facts)) if against is None else against
    try:
        tree = ast.parse(backward.source)
    except SyntaxError as error:
        return Verification((), (), {}, (), f"SyntaxError: {error}", ())
    code = compile(tree, "<backward>", "exec")
    assigned = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    runs: list[_Run] = []
    with quietly():
        for reference in known:
            runs.append(_Run(program, backward, reference, code, assigned))
            if runs[-1].failure:
                break
    unchecked = dict.fromkeys(backward.gradients, "it is made anew in each round of a loop")
    for reference in known:
        unchecked |= reference.unchecked
    names = [name for name in backward.gradients if any(name in reference.gradients for reference in known)]
    tolerance = max(TOLERANCES[program.library], SEEN if backward.facts else 0.0)
    failure = next((run.failure for run in runs if run.failure), "")
    checks = () if failure else tuple(_checked(program, name, backward, runs, tolerance) for name in names)
    return Verification(
        checks,
        tuple(Draw(r.own, r.sizes, r.fixed, r.kept) for r in known),
        {name: reason for name, reason in unchecked.items() if name in backward.gradients and name not in names},
        tuple(sorted({name for run in runs for name in run.changed})),
        failure,
        tuple(name for name in program.inputs if name not in backward.gradients and _matters(name, known)),
    )


def _matters(name: str, known: Sequence[Reference]) -> bool:
    """Whether the output depends on a variable, by more than rounding."""
    return any(name in r.gradients and r.gradients[name].largest > 1e-8 * _floor(r) for r in known)


def _floor(reference: Reference) -> float:
    """The size below which a gradient may be rounding."""
    finite = [truth.largest for truth in reference.gradients.values() if np.isfinite(truth.largest)]
    return FLOOR * max(finite, default=0.0) or 1e-300


class _Run:
    """A run of the backward pass below the forward pass."""

    def __init__(
        self, program: Program, backward: Backward, reference: Reference, code: types.CodeType, assigned: set[str]
    ):
        self.reference, self.failure, self.changed = reference, "", list[str]()
        self.unsure: Mapping[str, np.ndarray] = {}
        self.floor = _floor(reference)
        self.values = _namespace(program, reference)
        if backward.upstream is not None:
            self.values[backward.upstream] = copied(reference.cotangent)
        elif np.shape(as_numpy(reference.cotangent)):
            self.failure = "the output is no single number, and no gradient of it is asked for"
            return
        try:
            exec(code, self.values)
        except Exception as error:  # whatever the derived source raises
            sizes = ", ".join(f"{name} {shape}" for name, shape in reference.sizes.items())
            self.failure = f"{type(error).__name__}: {error} (at the sizes {sizes})"
            return
        made = {*backward.gradients.values(), backward.upstream, *assigned}
        for name, before in reference.values.items():
            if is_array(before) and name not in made and not _same(before, self.values.get(name)):
                self.changed.append(name)

    def error(self, name: str, truth: Truth, given: np.ndarray) -> float:
        """How far a gradient is from the right one, beyond what may be rounding."""
        if isinstance(truth, Elements) and name in self.unsure:
            return truth.error(given, self.floor, ROUNDING * self.unsure[name])
        return truth.error(given, self.floor)


def _namespace(program: Program, reference: Reference) -> dict[str, Any]:
    import math

    values: dict[str, Any] = {"math": math}
    if program.library == "numpy":
        values["np"] = np
    else:
        import torch
        from torch.nn import functional

        values |= {"torch": torch, "F": functional}
    own = {name: value for name, value in reference.values.items() if not name.startswith("__")}
    return values | {name: copied(value) if _has_arrays(value) else value for name, value in own.items()}


def _has_arrays(value: Any) -> bool:
    return is_array(value) or type(value) in (list, tuple, dict)


def _same(before: Any, after: Any) -> bool:
    if not is_array(after):
        return False
    old, new = as_numpy(before), as_numpy(after)
    return old.shape == new.shape and bool(np.array_equal(old, new, equal_nan=old.dtype.kind == "f"))


def _checked(program: Program, name: str, backward: Backward, runs: Sequence[_Run], tolerance: float) -> Check:
    """A gradient compared; where it is slightly off, compared again as exactly as rounding allows for."""
    found = _check(name, backward, runs, tolerance)
    if program.library == "numpy" or found.problem or not tolerance < found.error < SLIGHT:
        return found
    with quietly():
        for run in runs:
            run.unsure = run.unsure or rounding(program, run.reference)
    return _check(name, backward, runs, tolerance)


def _check(name: str, backward: Backward, runs: Sequence[_Run], tolerance: float) -> Check:
    gradient = backward.gradients[name]
    errors: list[float] = []
    exact, skipped, problem = True, 0, ""
    known = [(run, run.reference.gradients[name]) for run in runs if name in run.reference.gradients]
    for run, truth in known:
        skipped += truth.skipped
        if gradient not in run.values:
            problem = problem or f"{gradient} is not made"
            continue
        given = as_numpy(run.values[gradient])
        if given.shape != truth.shape:
            problem = problem or f"shape {given.shape} where the variable has {truth.shape}"
        elif given.dtype.kind != "f" and is_array(run.values[gradient]):
            problem = problem or f"{given.dtype}, which is no kind of float"
        else:
            errors.append(run.error(name, truth, given))
            exact = exact and isinstance(truth, Elements) and bool(np.array_equal(given, truth.values, equal_nan=True))
    shape = known[0][1].shape if known else ()
    return Check(name, gradient, shape, tuple(errors), exact and not problem, skipped, problem, tolerance)
