"""Proof that the table says the truth, by plain execution and autograd alone.

A script is run statement by statement as Python runs it; only three things are added. After each binding of `loss`,
autograd's gradients of every named tensor are taken. After the last statement that writes `dX`, its value is recorded
and, where asked, replaced by the true one (so that no mistake is inherited) or by a random one (so that nothing is
hidden). A `torch.no_grad()` around a forward pass is lifted, since it would hide the truth.

Run it with `python -m cases.validate` from the folder above; it prints one line a problem and a summary.
"""

import ast
import builtins
import contextlib
import io
import sys
import time
import warnings
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import torch

from . import BADLY_FORMED, MISTAKES, PROGRAMS, SECOND, SEVERAL, SPELLINGS
from .schema import KINDS, BadlyFormed, Mistake, Program, Several, Spelling, changed

PASSES = 3
"""How many forward/backward pairs of a script are looked at; a training loop is stopped after them."""

SURE = 1e-7
"""A relative difference, in float64, above which a gradient is called wrong."""


class EnoughSeen(BaseException):
    """Ends a script that would train for long; no `except Exception` of the script catches it."""


@dataclass
class Pass:
    """One forward pass with what autograd says, what the script wrote after it, and every name when it was done."""

    truth: dict[str, torch.Tensor]
    written: dict[str, object] = field(default_factory=dict)
    names: dict[str, object] = field(default_factory=dict)


def spellings(variable: str) -> tuple[str, ...]:
    """What the gradient of `variable` may be called."""
    return f"d{variable}", f"d_{variable}", f"grad_{variable}", f"{variable}_grad"


def truth_of(name: str, truth: dict[str, torch.Tensor]) -> torch.Tensor | None:
    """The true gradient of the variable whose gradient is called `name`; None where there is none."""
    return next((gradient for variable, gradient in truth.items() if name in spellings(variable)), None)


def like_a_gradient(name: str) -> bool:
    return name.startswith(("d", "grad_")) or name.endswith("_grad")


@lru_cache(maxsize=1024)
def writes(statement: ast.stmt) -> frozenset[str]:
    """The names that `statement` binds, or changes through an index or a method that ends in an underscore."""
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return frozenset()
    found = set()
    for node in ast.walk(statement):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store) and isinstance(node.value, ast.Name):
            found.add(node.value.id)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            method, owner = node.func.attr, node.func.value
            if method.endswith("_") and isinstance(owner, ast.Name):
                found.add(owner.id)
    return frozenset(found)


def home(body: list[ast.stmt], name: str) -> list[ast.stmt]:
    """The innermost list of statements that sees `name` written once and for all, after every loop that adds to it."""
    writing = [statement for statement in body if name in writes(statement)]
    only = writing[0] if len(writing) == 1 else None
    if isinstance(only, ast.With) or (isinstance(only, ast.For | ast.While) and "loss" in writes(only)):
        return home(only.body, name)
    return body


def blocks(body: list[ast.stmt]) -> Iterator[list[ast.stmt]]:
    """Every list of statements outside functions and classes, outer ones first."""
    yield body
    for statement in body:
        if not isinstance(statement, ast.FunctionDef | ast.ClassDef):
            for part in ("body", "orelse"):
                yield from blocks(getattr(statement, part, []))


def is_no_grad(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.With) and "no_grad" in ast.unparse(statement.items[0].context_expr)


def instrumented(source: str) -> ast.Module:
    """The script with the calls to `__loss__` and `__seen__` in place."""
    tree = ast.parse(source)
    for name in sorted({name for s in tree.body for name in writes(s) if like_a_gradient(name)}):
        body = home(tree.body, name)
        last = max(i for i, statement in enumerate(body) if name in writes(statement))
        body.insert(last + 1, ast.parse(f"{name} = __seen__({name!r}, {name})").body[0])
    for body in list(blocks(tree.body)):
        for i, statement in reversed(list(enumerate(body))):
            if "loss" not in writes(statement):
                continue
            if isinstance(statement, ast.Assign | ast.AugAssign | ast.AnnAssign):
                body.insert(i + 1, ast.parse("__loss__(globals())").body[0])
            elif is_no_grad(statement):
                body[i] = ast.If(ast.Constant(True), statement.body, [])
    return ast.fix_missing_locations(tree)


class Run:
    """One execution of a script; `replace(name, value, truth)` says what a gradient becomes once it is written."""

    def __init__(
        self,
        source: str,
        dtype: torch.dtype = torch.float64,
        replace: Callable[[str, torch.Tensor, torch.Tensor], torch.Tensor] | None = None,
    ):
        self.passes: list[Pass] = []
        self.error: BaseException | None = None
        self._replace = replace
        self._before: dict[str, tuple[int, int]] = {}
        self._seen: dict[str, object] = {}
        self._names = {
            "__name__": "__main__",
            "__builtins__": builtins,
            "__loss__": self._on_loss,
            "__seen__": self._on_seen,
        }
        tree = instrumented(source)
        torch.set_default_dtype(dtype)
        try:
            with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                exec(compile(tree, "<case>", "exec"), self._names)
        except EnoughSeen:
            pass
        except (Exception, SystemExit) as error:
            self.error = error
        finally:
            torch.set_default_dtype(torch.float32)
        self._settle()
        self.passes = [done for done in self.passes if done.written]

    def _on_loss(self, names: dict[str, object]) -> None:
        loss = names["loss"]
        if not isinstance(loss, torch.Tensor) or loss.numel() != 1 or not loss.requires_grad:
            return
        self._settle()
        if sum(bool(done.written) for done in self.passes) >= PASSES:
            raise EnoughSeen
        named = {k: v for k, v in names.items() if isinstance(v, torch.Tensor) and v.requires_grad and k != "loss"}
        gradients = torch.autograd.grad(loss, list(named.values()), retain_graph=True, allow_unused=True)
        self.passes.append(
            Pass({name: grad.clone() for name, grad in zip(named, gradients, strict=True) if grad is not None})
        )
        self._before = {k: fingerprint(v) for k, v in names.items()}
        self._seen = {}

    def _on_seen(self, name: str, value: object) -> object:
        truth = truth_of(name, self.passes[-1].truth) if self.passes else None
        if truth is None:
            return value
        self.passes[-1].names = self._snapshot()
        self._seen[name] = value.detach().clone() if isinstance(value, torch.Tensor) else value
        if self._replace is None or not isinstance(value, torch.Tensor):
            return value
        return self._replace(name, value, truth)

    def _snapshot(self) -> dict[str, object]:
        return {
            name: value.detach().clone() if isinstance(value, torch.Tensor) else value
            for name, value in self._names.items()
            if not name.startswith("__")
        }

    def _settle(self) -> None:
        """Close the pass that is open: keep what stands in the script's names now."""
        if not self.passes:
            return
        current = self.passes[-1]
        for name, value in self._snapshot().items():
            if truth_of(name, current.truth) is not None and fingerprint(self._names[name]) != self._before.get(name):
                current.written[name] = self._seen.get(name, value) if self._replace else value


def fingerprint(value: object) -> tuple[int, int]:
    return id(value), value._version if isinstance(value, torch.Tensor) else 0


def distance(value: object, truth: torch.Tensor, scale: float) -> float:
    """The largest difference relative to the truth; infinite where it cannot be taken."""
    if isinstance(value, int | float) and truth.ndim == 0:
        value = torch.tensor(value, dtype=torch.float64)
    value = torch.from_numpy(value) if isinstance(value, np.ndarray) else value
    if not isinstance(value, torch.Tensor) or value.shape != truth.shape or value.is_complex():
        return float("inf")
    if not truth.numel():
        return 0.0
    difference = (value.double() - truth.double()).abs().max().item()
    size = max(truth.double().abs().max().item(), scale)
    return difference / size if size else difference


def wrong_names(run: Run, tolerance: float) -> set[str]:
    """The d-names whose values differ from autograd's in any pass."""
    found = set()
    for done in run.passes:
        largest = max((t.abs().max().item() for t in done.truth.values() if t.numel()), default=0.0)
        for name, value in done.written.items():
            if not distance(value, truth_of(name, done.truth), 1e-3 * largest) <= tolerance:
                found.add(name)
    return found


def the_truth(name: str, value: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:  # noqa: ARG001
    return truth.clone()


def random_but_for(target: str) -> Callable[[str, torch.Tensor, torch.Tensor], torch.Tensor]:
    """A replacement that hides nothing: random wherever the true gradient is not exactly zero."""

    def replace(name: str, value: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
        if name in spellings(target):
            return value
        generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
        return torch.randn(truth.shape, generator=generator, dtype=truth.dtype) * (truth != 0)

    return replace


def gradient_name(run: Run, variable: str) -> str:
    names = {name for done in run.passes for name in done.written}
    return next((name for name in spellings(variable) if name in names), f"d{variable}")


def right_program(source: str, ignore: Iterable[str] = (), least: int = 1) -> list[str]:
    """What is wrong with a script that should be right: in float64, unless it asks for float32, and in float32."""
    problems = []
    precisions = {torch.float64: 1e-9, torch.float32: 3e-4}
    if any(word in source for word in ("float32", ".float()")):
        del precisions[torch.float64]
    for dtype, tolerance in precisions.items():
        run = Run(source, dtype)
        if run.error is not None:
            problems.append(f"{dtype}: stops with {type(run.error).__name__}: {run.error}")
        elif len({name for done in run.passes for name in done.written} - set(ignore)) < least:
            problems.append(f"{dtype}: computes too few gradients")
        elif bad := wrong_names(run, tolerance) - set(ignore):
            problems.append(f"{dtype}: differs from autograd: {', '.join(sorted(bad))}")
    return problems


def check_program(case: Program) -> list[str]:
    return right_program(case.source, least=5)


def check_spelling(case: Spelling) -> list[str]:
    return right_program(case.source, case.not_gradients)


def check_mistake(case: Mistake) -> list[str]:
    problems = [f"unknown kind {kind!r}" for kind in (case.kind, *case.also) if kind not in KINDS]
    run = Run(case.source)
    if (run.error is None) != case.runs:
        problems.append(f"runs={case.runs}, but it ended with {run.error!r}")
    if not case.runs and run.error is not None and not run.passes and case.kind != "missing":
        problems.append("stops before it computes anything")
    if case.kind == "missing":
        names = [done.names.get(gradient_name(run, case.variable), 0) for done in run.passes]
        if None not in names:
            problems.append(f"d{case.variable} is not None")
    elif case.hazard:
        problems += check_hazard(case)
    elif case.masked:
        problems += check_masked(case)
    else:
        blamed = wrong_names(Run(case.source, replace=the_truth), SURE)
        if blamed != {name := gradient_name(run, case.variable)}:
            problems.append(f"with true upstream gradients {sorted(blamed)} differ, expected {name}")
        if name not in wrong_names(run, SURE):
            problems.append(f"{name} is right as the script stands")
    if case.fix not in (None, case.right):
        problems += [f"fix: {text}" for text in right_program(changed(case.program, (case.right, case.fix)))]
    return problems


def check_hazard(case: Mistake) -> list[str]:
    """The named value must end up other than in the right program, within the first pass."""
    right = Run(changed(case.program)).passes[0].names.get(case.variable)
    after = Run(case.source).passes[0].names.get(case.variable)
    if isinstance(right, torch.Tensor) and isinstance(after, torch.Tensor):
        same = right.shape == after.shape and torch.allclose(right.double(), after.double(), rtol=1e-6, atol=1e-12)
    else:
        same = type(right) is type(after) and right == after
    return [f"{case.variable} keeps its value"] if same else []


def check_masked(case: Mistake) -> list[str]:
    problems = []
    if shown := wrong_names(Run(case.source), 1e-9):
        problems.append(f"not masked: {sorted(shown)} differ as the script stands")
    values = []
    for source in (changed(case.program), case.source):
        run = Run(source, replace=random_but_for(case.variable))
        values.append(run.passes[0].written[gradient_name(run, case.variable)])
    if not distance(values[1], values[0], 0.0) > 1e-3:
        problems.append(f"d{case.variable} is the same under a random upstream gradient")
    return problems


def check_several(case: Several) -> list[str]:
    problems = []
    for edit in case.edits:
        single = Mistake(case.id, case.program, **vars(edit))
        problems += [f"{edit.variable} alone: {text}" for text in check_mistake(single)]
    run = Run(case.source, replace=the_truth)
    expected = {gradient_name(run, edit.variable) for edit in case.edits if not edit.hazard and not edit.masked}
    blamed, changes_values = wrong_names(run, SURE), any(edit.hazard for edit in case.edits)
    if not (expected <= blamed if changes_values else expected == blamed):
        problems.append(f"together, with true upstream gradients: {sorted(blamed)}, expected {sorted(expected)}")
    if not 2 <= len(case.edits) <= 3:
        problems.append("expected two or three edits")
    return problems


def check_badly_formed(case: BadlyFormed) -> list[str]:
    """Where the command must not answer 'bad input', the lines at fault are those that are named, and no others."""
    problems = [] if case.expect or 0 in case.exit_codes else ["says nothing about what to expect"]
    if not set(case.exit_codes) <= {0, 1, 2}:
        problems.append(f"exit codes {case.exit_codes}, expected some of 0, 1, 2")
    if case.endless or 2 in case.exit_codes:
        return problems
    run = Run(case.source.removeprefix("\ufeff"), replace=the_truth)
    named, blamed = {f"d{variable}" for variable in case.blamed}, wrong_names(run, SURE)
    if not (blamed == named or (run.error is not None and blamed <= named)):
        problems.append(f"{sorted(blamed)} differ from the truth, expected {sorted(named)}")
    if bool(named) != (case.exit_codes == (1,)):
        problems.append(f"blames {sorted(named)} and may exit with {case.exit_codes}")
    return problems


CHECKS: tuple[tuple[tuple, Callable], ...] = (
    (PROGRAMS, check_program),
    (SPELLINGS, check_spelling),
    (MISTAKES, check_mistake),
    (SEVERAL, check_several),
    (BADLY_FORMED, check_badly_formed),
    (SECOND.programs, check_program),
    (SECOND.spellings, check_spelling),
    (SECOND.mistakes, check_mistake),
    (SECOND.several, check_several),
    (SECOND.badly_formed, check_badly_formed),
)


def main() -> int:
    torch.set_num_threads(1)
    start, failures = time.perf_counter(), 0
    for cases, check in CHECKS:
        for case in cases:
            for problem in check(case):
                failures += 1
                print(f"{type(case).__name__} {case.id}: {problem}")
    kinds = Counter(mistake.kind for mistake in MISTAKES + SECOND.mistakes)
    print(*(f"{kind} {number}" for kind, number in kinds.most_common()), sep=", ")
    print(", ".join(f"{len(cases)} {check.__name__.removeprefix('check_')}" for cases, check in CHECKS))
    print(f"{failures} problems, {time.perf_counter() - start:.0f} s")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
