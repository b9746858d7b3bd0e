"""Say why a line is wrong: hypotheses from the numbers, then a search over single edits of the user's own lines."""

import ast
import itertools
import math
import textwrap
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from handgrad.checker.blame import Case, Judge, Judgement, Plan, evaluate
from handgrad.checker.compare import agrees, align, as_tensor
from handgrad.checker.derive import terms
from handgrad.checker.edits import Context, Edit, edits, in_place, scales, simple_statements
from handgrad.checker.flat.spelling import in_sight
from handgrad.checker.machine import compile_statement
from handgrad.checker.names import uses
from handgrad.checker.report import Diagnosis
from handgrad.checker.source import Place, around, segment
from handgrad.checker.trace import Step, is_float

TIME_FOR_ONE_LINE = 0.9

MESSAGES = {
    "sign": "the sign is wrong",
    "scale": "it is off by a constant factor",
    "bessel": "n and n - 1 are confused (Bessel's correction)",
    "missing-path": "a path is missing",
    "extra-path": "a path is counted twice",
    "missing-sum": "a sum is missing: a value that was broadcast collects the gradients of all its copies",
    "misplaced-sum": "the sum stands in the wrong place: multiply first, then sum",
    "extra-sum": "there is a sum too many",
    "wrong-dim": "the dimension is wrong",
    "transpose": "a transpose, or the order of the factors, is wrong",
    "shape": "the shape is not that of the variable",
    "wrong-variable": "the wrong variable is used",
    "wrong-constant": "a constant is wrong",
    "wrong-operator": "an operator or function is wrong",
    "wrong-index": "the index is wrong",
    "missing-factor": "a factor is missing",
    "extra-factor": "there is a factor too many",
    "missing-term": "a term is missing",
    "extra-term": "there is a term too many",
    "epsilon": "the epsilon is not that of the forward pass",
    "overwrite": "it overwrites where it should add",
    "bad-start": "it starts from the wrong values",
    "stale": "it is left over from an earlier pass",
    "missing": "not written yet",
    "unknown": "it is wrong, and no single edit that was tried repairs it",
}


def diagnose(judge: Judge, judgement: Judgement) -> Diagnosis:
    """Why the chain is at fault, as simply as it can be said."""
    chain = judgement.chain
    if judgement.fault == "missing":
        return Diagnosis("missing", f"{chain.name} is not written yet.", place=chain.last.statement.place)
    search = _Search(judge, judgement)
    if chain.refused and search.passes():
        message = f"this line raises {chain.refused.message} Put it under torch.no_grad()."
        return Diagnosis("unknown", message, place=chain.refused.place)
    return search.run()


class _Search:
    """One line's diagnosis."""

    def __init__(self, judge: Judge, judgement: Judgement):
        self.judge, self.judgement = judge, judgement
        self.machine, self.plan, self.chain = judge.machine, judgement.plan, judgement.chain
        self.case = judgement.failing or judgement.cases[0]
        self.others = [c for c in judgement.cases if c is not self.case]
        self.deadline, self.tries = time.process_time() + TIME_FOR_ONE_LINE, 0
        self.late = False
        self.candidates: dict[bool, list[tuple[float, Edit, Step, Plan]]] = {}
        self.failed: set[int] = set()
        self.outcome = evaluate(self.machine, self.plan, self.case)
        self.got = as_tensor(self.outcome.got, self.case.want)
        reads = set().union(*(s.reads for s in self.plan.steps))
        at_hand = reads | judge.names_at_hand(self.chain)
        forward = {n: v for n, v in self.case.values.items() if n in at_hand}
        self.values = {**{n: v for n, v in forward.items() if not n.startswith("__")}, **self.case.gradients}
        self.gradients = set(self.case.gradients) - {self.chain.name}
        consumers = judge.between(self.plan) | {n for n, _ in self.case.parts}
        makers = [s for n in consumers for s in judge.makers(n)]
        self.related = {self.chain.variable, *consumers, *(n for s in makers for n in s.reads)}
        self.values.update({n: v for n, v in self.machine.namespace.items() if n in reads and n not in self.values})
        near = set().union(*(s.reads | s.writes for s in self.chain.steps))
        self.values = {n: v for n, v in self.values.items() if in_sight(n, reads | near)}

    def run(self) -> Diagnosis:
        if (found := self._not_a_tensor()) is not None:
            return found
        attempts = [
            *(self._overwrites, self._paths, self._plain_edits, self._scaled, self._edits),
            *(self._late_edits, self._later_statements, self._numbers),
        ]
        if self.chain.last.statement.place.line == 0:  # a function whose lines are not at hand
            attempts = [self._numbers]
        for attempt in attempts:
            if (found := attempt()) is not None:
                return found
        return self._unknown()

    def passes(self) -> bool:
        """Whether the lines as they stand give the right values."""
        return all(self._right(self.plan, {}, case) for case in (self.case, *self.others))

    def _late(self) -> bool:
        """Whether the time for this line is over; the clock is read now and then, since it is slow."""
        self.tries += 1
        if self.tries % 32 == 0 and not self.late:
            self.late = time.process_time() > self.deadline
        return self.late

    # --- trying --------------------------------------------------------------------------------------------------

    def _right(self, plan: Plan, codes: dict, case: Case) -> bool:
        got = evaluate(self.machine, plan, case, codes).got
        if got is None:
            return False
        tensor = as_tensor(got, case.want)
        if tensor is None or (tensor.shape != case.want.shape and not tensor.numel() == case.want.numel() == 1):
            return False
        return agrees(tensor, case.want, case.noise, self.judge.tolerance)

    def _try(self, step: Step, node: ast.AST, new: ast.AST, plan: Plan | None = None) -> bool:
        """Whether the plan is right in every case once the step runs `node`, in which only `new` is not the user's."""
        plan = plan or self.plan
        try:
            code = compile_statement(node, step.statement.place.file)
        except (SyntaxError, ValueError, TypeError):
            return False
        reads = {n.id for n in ast.walk(new) if isinstance(n, ast.Name)} - step.reads
        reads |= self.machine.names_read_by_functions(reads)
        codes = {step: (code, reads | step.reads)}
        if not self._right(plan, codes, self.case):
            return False
        return all(self._right(plan, codes, other) for other in self.others)

    # --- edits ---------------------------------------------------------------------------------------------------

    def _candidates(self, late: bool) -> Iterator[tuple[float, Edit, Step, Plan]]:
        constants = self.judge.constants
        for position, (step, plan) in enumerate(self._editable()):
            own = step in self.chain.steps
            values = {n: v for n, v in self.values.items() if in_sight(n, step.reads | step.writes)}
            for simple in simple_statements(step.statement.node):
                context = Context(
                    self.chain.name,
                    self.chain.variable,
                    values,
                    self.gradients,
                    constants,
                    continues=own and step is not self.chain.steps[0],
                    related=self.related,
                    accumulates=own and step is not self.chain.last,
                    locals=_locals(step.statement.node),
                    counters=uses(step.statement.node).counters,
                )
                written = uses(simple).binds & self.gradients
                if written and not own:
                    continue
                for edit in edits(simple, context, late):
                    yield edit.cost + (0 if own else 0.05) + 0.001 * position, edit, step, plan

    def _editable(self) -> Iterator[tuple[Step, Plan]]:
        """The plan's steps, last first, then the definitions of the user's functions they call."""
        for step in reversed(self.plan.steps):
            if step.statement.role != "entry":
                yield step, self.plan
        reads = set().union(*(s.reads for s in self.plan.steps))
        for step in self.chain.region.steps:
            if isinstance(step.statement.node, ast.FunctionDef) and step.binds & reads:
                p = self.plan
                yield step, Plan(p.chain, [step, *p.steps], p.gradients, p.shadowed, p.clean)

    def _edits(self, only: Callable[[Edit], bool] | None = None, late: bool = False) -> Diagnosis | None:
        if late not in self.candidates:
            self.candidates[late] = sorted(self._candidates(late), key=lambda c: c[0])
        candidates = [c for c in self.candidates[late] if only is None or only(c[1])]
        for _, edit, step, plan in candidates:
            if self._late():
                return None
            if id(edit) in self.failed:
                continue
            if self._try_edit(edit, step, plan):
                return self._repaired(edit, step)
            self.failed.add(id(edit))
        return None

    def _try_edit(self, edit: Edit, step: Step, plan: Plan) -> bool:
        whole = step.statement.node
        if edit.old is whole:
            return self._try(step, ast.fix_missing_locations(ast.copy_location(edit.new, whole)), edit.new, plan)
        with in_place(whole, edit.old, edit.new) as found:
            return found and self._try(step, whole, edit.new, plan)

    def _overwrites(self) -> Diagnosis | None:
        return self._edits(lambda e: e.kind == "overwrite" and e.cost < 0.95)

    def _late_edits(self) -> Diagnosis | None:
        return self._edits(late=True)

    def _plain_edits(self) -> Diagnosis | None:
        return self._edits(lambda e: e.cost < 1.35)

    def _repaired(self, edit: Edit, step: Step) -> Diagnosis:
        simple = edit.statement
        statement = step.statement
        old, new = (statement.spelled(_shown(node)) for node in (edit.old, edit.new))
        kind = edit.kind
        if self.judgement.fault == "shape":
            kind = (
                "shape" if kind in ("wrong-dim", "extra-sum", "missing-sum", "missing-factor", "missing-term") else kind
            )
        if isinstance(edit.new, ast.Pass):
            message = f"{MESSAGES[kind]}: leave this line out"
        else:
            message = f"{MESSAGES[kind]}: {new} in place of {old}" if len(old) + len(new) < 90 else MESSAGES[kind]
        place = Place(statement.place.file, simple.lineno, statement.place.cell)
        fix = edited_text(statement.code, simple, edit, statement.spelled) if statement.role != "argument" else None
        kept = around(statement.code, simple)
        end = simple.end_lineno or simple.lineno
        return Diagnosis(kind, self._worded(message), fix, place, simple.lineno, end, kept)

    def _worded(self, message: str) -> str:
        if self.judgement.fault == "masked":
            return f"invisible here, wrong in general: {message}."
        if isinstance(self.outcome.got, Tensor) and not self.outcome.got.is_floating_point():
            message = f"the dtype is {str(self.outcome.got.dtype).removeprefix('torch.')}, not a float one; {message}"
        if self.outcome.error is not None:
            return f"{type(self.outcome.error).__name__}: {str(self.outcome.error).splitlines()[0]} ({message})."
        return f"{message}."

    # --- paths ---------------------------------------------------------------------------------------------------

    def _paths(self) -> Diagnosis | None:
        """A consumer's share that is missing, or there twice."""
        case = self.case
        got = align(self.got, case.want) if self.got is not None else None
        if got is None or not bool(torch.isfinite(got).all()) or got.is_complex():
            return None
        difference = case.want - got.to(case.want.dtype)
        many = len(case.parts) > 1
        for size in (1, 2):
            for chosen in itertools.combinations(case.parts, size):
                if len(chosen) == len(case.parts):
                    continue
                part = torch.stack([p for _, p in chosen]).sum(0)
                names = [n for n, _ in chosen]
                if not bool((part != 0).any()):
                    continue
                if agrees(difference, part, case.noise, 1e-6):
                    return self._missing_path(names)
                if many and size == 1 and agrees(-difference, part, case.noise, 1e-6):
                    return self._extra_path(names)
        return None

    def _missing_path(self, names: list[str]) -> Diagnosis:
        variable = self.chain.variable
        through = " and ".join(names)
        message = f"a path is missing: {variable} also reaches the loss through {through}"
        found = self._added_terms(names)
        if found is None:
            again = self._edits(_brings_a_path) or self._edits(_brings_a_path, late=True)
            if again is not None:
                return replace(again, kind="missing-path", message=self._worded(message))
        return self._diagnosis("missing-path", message, found)

    def _extra_path(self, names: list[str]) -> Diagnosis:
        message = f"the path through {names[0]} is counted twice"
        found = self._edits(lambda e: e.kind in ("extra-term", "extra-factor", "scale", "wrong-constant"))
        if found is not None and found.kind in ("scale", "wrong-constant"):
            return found
        if found is not None:
            return replace(found, kind="extra-path", message=self._worded(message))
        return self._diagnosis("extra-path", message, None)

    def _added_terms(self, names: list[str]) -> tuple[str, int] | None:
        """A line to add that brings the missing path, and the line after which it belongs."""
        if len(names) != 1:
            return None
        for text in self._terms_through(names[0]):
            for template in (
                "{0}",
                "({0}).sum(0)",
                "({0}).sum(0, keepdim=True)",
                "({0}).sum(1, keepdim=True)",
                "({0}).sum(-1, keepdim=True)",
                "({0}).sum()",
            ):
                if self._late():
                    return None
                line = f"{self.chain.name} += {template.format(text)}"
                if self._try_after(line) or self._try_after(line := line.replace("+=", f"= {self.chain.name} +")):
                    return line, self._after(line)
        return None

    def _terms_through(self, consumer: str) -> Iterator[str]:
        upstream = next(
            (g for g, v in self.judge.gradient_names.items() if v == consumer and g in self.gradients), None
        )
        if upstream is None and consumer in self.judge.trace.losses:
            upstream = "1.0"
        if upstream is None:
            return
        yield upstream
        for step in self.judge.makers(consumer):
            node = step.statement.node
            if isinstance(node, ast.Assign) and node.value is not None:
                yield from terms(node.value, self.chain.variable, upstream)
        for other in self.values:
            if is_float(self.values[other]) and other not in self.gradients and upstream != "1.0":
                yield f"{upstream} * {other}"

    def _try_after(self, line: str) -> bool:
        last = self.chain.last
        try:
            addition = ast.parse(line).body[0]
        except SyntaxError:
            return False
        both = ast.If(ast.Constant(True), [last.statement.node, addition], [])
        return self._try(last, ast.fix_missing_locations(ast.copy_location(both, last.statement.node)), addition)

    def _after(self, line: str) -> int:
        """The last line that has to have run before the added one can."""
        reads = uses(ast.parse(line)).reads & self.gradients
        steps = [s for s in self.chain.region.steps if set(s.gradients) & reads] + [self.chain.last]
        here = self.chain.last.statement.place
        return max(s.statement.node.end_lineno or 0 for s in steps if s.statement.place.cell == here.cell)

    def _diagnosis(self, kind: str, message: str, added: tuple[str, int] | None) -> Diagnosis:
        place = self.chain.last.statement.place
        if added is None:
            return Diagnosis(kind, self._worded(message), place=place)
        line, after = added
        message = f"{message}; add a line after line {after}" if after != place.line else f"{message}; add a line"
        return Diagnosis(kind, self._worded(message), line, place, after + 1, after)

    # --- later statements and numbers -----------------------------------------------------------------------------

    def _scaled(self) -> Diagnosis | None:
        """A line that divides or multiplies by a size, where all elements are off by the same factor."""
        got = align(self.got, self.case.want) if self.got is not None and not self.got.is_complex() else None
        if got is None or _constant_ratio(got.double(), self.case.want.double(), self.judge.tolerance) is None:
            return None
        gradient = self.chain.name
        context = Context(gradient, self.chain.variable, self.values, self.gradients, self.judge.constants)
        for factor in scales(context):
            text = ast.unparse(factor)
            for op in ("/", "*"):
                kind = "bessel" if "/" in text else "scale"
                if (found := self._try_line(kind, f"{gradient} = {gradient} {op} {_factor(text)}")) is not None:
                    return found
        return None

    def _later_statements(self) -> Diagnosis | None:
        """A line that has to be added: a factor, a sum, another path."""
        self.late, self.deadline = False, time.process_time() + TIME_FOR_ONE_LINE / 3
        for consumer in dict.fromkeys(n for n, _ in self.case.parts):
            if (added := self._added_terms([consumer])) is not None:
                return self._diagnosis("missing-term", MESSAGES["missing-term"], added)
        gradient = self.chain.name
        context = Context(gradient, self.chain.variable, self.values, self.gradients, self.judge.constants)
        names = [n for n in context.tensors if n not in self.gradients]
        for name in names:
            for text in (
                f"{gradient} * {name}",
                f"{gradient} / {name}",
                f"{gradient} * ({name} > 0)",
                f"{gradient} * (1 - {name}**2)",
            ):
                if (found := self._try_line("missing-factor", f"{gradient} = {text}")) is not None:
                    return found
        for upstream in sorted(self.gradients):
            for text in (upstream, f"-{upstream}", *(f"{upstream} * {n}" for n in names)):
                if (found := self._try_line("missing-term", f"{gradient} = {gradient} + {text}")) is not None:
                    return found
        for name in names:
            for text in (f"2 * {name}", name):
                if (found := self._try_line("missing-term", f"{gradient} = {gradient} + {text}")) is not None:
                    return found
        return None

    def _try_line(self, kind: str, line: str) -> Diagnosis | None:
        if self._late() or not self._try_after(line):
            return None
        return self._diagnosis(kind, MESSAGES[kind], (line, self._after(line)))

    def _numbers(self) -> Diagnosis | None:
        """What the values alone say, where no edit repairs the line."""
        got, want = self.got, self.case.want
        place = self.chain.last.statement.place
        if got is None:
            return None
        if got.shape != want.shape and (fixed := self._by_shape(got, want)) is not None:
            return Diagnosis(*fixed, place=place)
        aligned = align(got, want)
        if aligned is None:
            return None
        ratio = _constant_ratio(aligned.double(), want.double(), self.judge.tolerance)
        if ratio is not None:
            if math.isclose(ratio, -1, rel_tol=1e-6):
                return Diagnosis("sign", self._worded(MESSAGES["sign"]), place=place)
            return Diagnosis("scale", self._worded(f"it has to be multiplied by {ratio:.6g}"), place=place)
        return None

    def _by_shape(self, got: Tensor, want: Tensor) -> tuple[str, str] | None:
        dims = range(got.dim())
        for count in (1, 2, 3):
            for chosen in itertools.combinations(dims, count):
                for keep in (False, True):
                    summed = got.sum(chosen, keepdim=keep)
                    if agrees(summed, want, self.case.noise, self.judge.tolerance):
                        return "missing-sum", self._worded(f"{MESSAGES['missing-sum']} (over dimensions {chosen})")
        if got.dim() == 2 and agrees(got.T, want, self.case.noise, self.judge.tolerance):
            return "transpose", self._worded(MESSAGES["transpose"])
        return None

    def _not_a_tensor(self) -> Diagnosis | None:
        got, want = self.outcome.got, self.case.want
        if isinstance(got, Tensor) or self.outcome.error is not None or got is None:
            return None
        if isinstance(got, int | float) and want.numel() == 1:
            return None
        kind = "shape" if self.got is not None or isinstance(got, int | float | list) else "unknown"
        message = f"{self.chain.name} is of type {type(got).__name__}, not a tensor of shape {tuple(want.shape)}."
        return Diagnosis(kind, message, place=self.chain.last.statement.place)

    def _unknown(self) -> Diagnosis:
        place = self.chain.last.statement.place
        if self.outcome.error is not None:
            error = f"{type(self.outcome.error).__name__}: {str(self.outcome.error).splitlines()[0]}"
            return Diagnosis("unknown", f"this line raises {error}", place=place)
        want = self.case.want
        if self.got is None:
            kind = type(self.outcome.got).__name__
            return Diagnosis("unknown", f"this is a {kind}, not a tensor of shape {tuple(want.shape)}.", place=place)
        if align(self.got, want) is None:
            message = f"the shape is {tuple(self.got.shape)}, that of {self.chain.variable} {tuple(want.shape)}"
            return Diagnosis("shape", self._worded(message), place=place)
        return Diagnosis("unknown", self._worded(MESSAGES["unknown"]), place=place)


def _locals(node: ast.stmt) -> set[str]:
    """Names that a compound statement binds for itself, such as its counters."""
    return uses(node).binds if isinstance(node, ast.For | ast.While | ast.With | ast.If) else set()


def _brings_a_path(edit: Edit) -> bool:
    """Whether an edit may do more than change what is there."""
    return edit.kind not in ("sign", "scale", "bessel", "wrong-constant", "shape", "transpose", "extra-term")


def _factor(text: str) -> str:
    return f"({text})" if " " in text else text


def _constant_ratio(got: Tensor, want: Tensor, tolerance: float) -> float | None:
    top = got.abs().max() if got.numel() else torch.tensor(0.0)
    if not bool(torch.isfinite(got).all()) or float(top) == 0:
        return None
    ratio = float((got * want).sum() / (got * got).sum())
    return ratio if ratio and agrees(got * ratio, want, 0.0, max(tolerance, 1e-6)) else None


def _shown(node: ast.AST) -> str:
    return ast.unparse(ast.fix_missing_locations(node)).strip() if not isinstance(node, ast.Pass) else "nothing"


def edited_text(code: str | None, simple: ast.stmt, edit: Edit, spelled: Callable[[str], str] = str) -> str:
    """The statement with the edit made in the user's own spelling, as far as that gives the same program."""
    statement = edit.edited
    whole = spelled(ast.unparse(ast.fix_missing_locations(statement)))
    if isinstance(statement, ast.Pass):
        return ""
    old: Any = edit.old
    if not code or old is simple or not hasattr(old, "lineno"):
        return whole
    written = segment(code, simple)
    start = _offset(code, simple.lineno, simple.col_offset)
    begin = _offset(code, old.lineno, old.col_offset) - start
    end = _offset(code, old.end_lineno, old.end_col_offset) - start
    new = spelled(ast.unparse(ast.fix_missing_locations(edit.new)))
    for text in (new, f"({new})"):
        candidate = written[:begin] + text + written[end:]
        try:
            if ast.unparse(ast.parse(textwrap.dedent(candidate)).body[0]) == ast.unparse(ast.parse(whole).body[0]):
                return textwrap.dedent(candidate)
        except (SyntaxError, IndexError):
            continue
    return whole


def _offset(code: str, line: int, column: int) -> int:
    lines = code.split("\n")
    before = sum(len(part) + 1 for part in lines[: line - 1])
    return before + len(lines[line - 1].encode()[:column].decode(errors="ignore"))


__all__ = ["MESSAGES", "diagnose", "edited_text"]
