"""Say why a line is wrong: hypotheses from the numbers, then a search over edits of the user's own lines."""

import ast
import functools
import itertools
import math
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace

import torch

from handgrad.checker.explain.again import elsewhere
from handgrad.checker.explain.candidates import Candidate, Candidates
from handgrad.checker.explain.differences import are_alike
from handgrad.checker.explain.edits import scales
from handgrad.checker.explain.formulas import Formulas, rewritten
from handgrad.checker.explain.pairs import repairing_pair
from handgrad.checker.explain.readable import is_readable
from handgrad.checker.explain.rewrite import unparsed
from handgrad.checker.explain.symptoms import Symptoms
from handgrad.checker.explain.telling import Telling
from handgrad.checker.explain.trials import MOST_WORK, Change, Trials, temporaries
from handgrad.checker.judge.blame import Judge, Judgement
from handgrad.checker.read.names import base_name
from handgrad.checker.read.trees import Edit, simple_statements
from handgrad.checker.report import Diagnosis
from handgrad.checker.run.trace import Step
from handgrad.checker.run.values import is_float
from handgrad.checker.truth.compare import agrees, align
from handgrad.checker.truth.numbers import constant_ratio

SUMMED = ("{0}", "({0}).sum(0)", *(f"({{0}}).sum({dim}, keepdim=True)" for dim in (0, 1, -1)), "({0}).sum()")
"""What may have to be done to a product before it is a gradient."""


def diagnose(
    judge: Judge, judgement: Judgement, suspected: Collection[ast.stmt] = (), right: Collection[Judgement] = ()
) -> list[Diagnosis]:
    """Why the chain is at fault, as simply as it can be said; two diagnoses where two statements or two parts are.

    Of a compound statement, the `suspected` lines are edited before the others; no edit breaks what is `right`.
    """
    chain = judgement.chain
    if judgement.fault == "missing":
        return [Diagnosis("missing", chain.last.statement.place, fact="unwritten", about=(chain.name,))]
    search = _Search(judge, judgement, suspected, right)
    if chain.refused and search.trials.right():
        return [Diagnosis("unknown", chain.refused.place, fact="refused", about=(chain.refused.message,))]
    return search.run()


def shared_repair(judge: Judge, judgement: Judgement) -> Diagnosis | None:
    """An edit of a temporary that mends another gradient and this one too; None without any."""
    elsewhere = [(edit, step) for edit, step in judge.repairs if not step.gradients]
    if judgement.fault not in ("wrong", "masked") or not elsewhere:
        return None
    return _Search(judge, judgement).known_repair(elsewhere)


class _Search:
    """One line's diagnosis."""

    def __init__(
        self,
        judge: Judge,
        judgement: Judgement,
        suspected: Collection[ast.stmt] = (),
        right: Collection[Judgement] = (),
    ):
        self.judge, self.judgement, self.chain = judge, judgement, judgement.chain
        self.others = [(other, temporaries(judge, other.plan)) for other in right]
        self.trials = Trials(judge, judgement)
        self.raises = self.trials.full.outcome.error is not None
        self.telling = Telling(judgement, self.trials.full.outcome, judge.trace.closed)
        self.symptoms = Symptoms(self.trials.full, self.telling)
        self.candidates = Candidates(judge, judgement, self.raises, suspected)
        self.gradients = self.candidates.gradients
        self.case, self.own = self.trials.case, self.trials.own
        self.formulas = Formulas(judge, self.chain, self.case, self.trials.full.cases[0], self.candidates.values)
        self.failed: set[Edit] = set()
        self.by_chance: list[Candidate] = []

    def run(self) -> list[Diagnosis]:
        if (found := self.symptoms.not_a_tensor()) is not None:
            return [found]
        attempts = [
            *(
                self._known_repairs,
                self._overwrites,
                self._paths,
                self._constants,
                self._plain_edits,
                self._scaled,
                self._edits,
            ),
            *(self._rewritten_shortly, self._late_edits, self._later_statements),
        ]
        if self.telling.place.line and not self.symptoms.asks_autograd():  # else a function whose lines are not at hand
            for attempt in attempts:
                if (found := attempt()) is not None:
                    return self._without_cancelling() or [found]
            whole = self._rewritten()
            if (whole is None or whole.fix is None) and (pair := repairing_pair(self.trials)):
                return self.telling.of_both(*pair)
            if whole is not None:
                return [whole]
            if self.by_chance:
                return [self.telling.of(self.by_chance[0].edit, self.by_chance[0].step)]
        return [self.symptoms.numbers() or self.symptoms.unknown()]

    # --- edits ---------------------------------------------------------------------------------------------------

    def _edits(self, only: Callable[[Edit], bool] | None = None, late: bool = False) -> Diagnosis | None:
        for candidate in self.candidates.sorted(late):
            if only is None or only(candidate.edit):
                if self.trials.exhausted():
                    return None
                if self._repairs(candidate):
                    self.judge.repairs.append((candidate.edit, candidate.step))
                    return self.telling.of(candidate.edit, candidate.step)
        return None

    def _repairs(self, candidate: Candidate) -> bool:
        change = candidate.edit, candidate.step
        if candidate.edit in self.failed:
            return False
        if self.trials.right(change) and self._harms_nothing(*change):
            if self.trials.right_elsewhere(change):
                return True
            self.by_chance.append(candidate)
        self.failed.add(candidate.edit)
        return False

    def _harms_nothing(self, edit: Edit, step: Step) -> bool:
        """Whether every other gradient that is right, and comes of the edited statement too, stays so."""
        readers = (other for other, before in self.others if step in (*other.plan.steps, *before))
        return all(Trials(self.judge, other).right((edit, step)) for other in readers)

    def _without_cancelling(self) -> list[Diagnosis] | None:
        """In the place of a repair that cancels one mistake by another, both factors left out."""
        edit, step = self.judge.repairs[-1] if self.judge.repairs else (None, None)
        if edit is None or step is None or edit.kind != "wrong-operator" or not isinstance(edit.old, ast.BinOp):
            return None
        if not isinstance(edit.new, ast.BinOp) or {type(edit.old.op), type(edit.new.op)} != {ast.Div, ast.Mult}:
            return None
        here, factor = _left_out(edit.old, edit.statement), base_name(edit.old.right)
        for other in self.judgement.plan.steps:
            for simple in simple_statements(other.statement.node):
                for part in ast.walk(simple):
                    if not isinstance(part, ast.BinOp) or part is edit.old or type(part.op) is not type(edit.old.op):
                        continue
                    there = _left_out(part, simple)
                    if base_name(part.right) == factor and self.trials.right((there, other), (here, step)):
                        return self.telling.of_both((there, other), (here, step))
        return None

    def _known_repairs(self) -> Diagnosis | None:
        if (found := self.known_repair(self.judge.repairs)) is not None:
            return found
        for change in elsewhere(self.judge.repairs, self.candidates.editable()):
            if self.trials.right(change):
                return self.telling.of(*change)
        return None

    @functools.cached_property
    def usable(self) -> set[Step]:
        """The statements that an edit of another gradient's may be one of."""
        return {*self.judgement.plan.steps, *self.candidates.temporaries, *self.candidates.editable()}

    def known_repair(self, repairs: Iterable[Change]) -> Diagnosis | None:
        """An edit that mended another gradient, of a line that both use."""
        for edit, step in repairs:
            if step in self.usable and self.trials.right((edit, step)) and self._harms_nothing(edit, step):
                return self.telling.of(edit, step)
        return None

    def _overwrites(self) -> Diagnosis | None:
        return self._edits(lambda e: e.kind == "overwrite" and e.cost < 0.95)

    def _constants(self) -> Diagnosis | None:
        """A number other than one in the line that is as many times too large as the whole is."""
        got = align(self.own, self.case.want) if self.own is not None and not self.own.is_complex() else None
        ratio = constant_ratio(self.case.want.double(), got.double(), 1e-7) if got is not None else None
        return self._edits(lambda e: _is_off_by(ratio, e)) if ratio is not None and ratio > 0 else None

    def _plain_edits(self) -> Diagnosis | None:
        return self._edits(lambda e: e.cost < 1.35)

    def _late_edits(self) -> Diagnosis | None:
        return self._edits(late=True)

    @functools.cached_property
    def _rewrites(self) -> list[Candidate]:
        return list(rewritten(self.formulas, self.candidates))

    def _rewritten_shortly(self) -> Diagnosis | None:
        """The same where names or numbers alone are exchanged for others."""
        return self._rewritten(lambda e: are_alike(e.old, e.new))

    def _rewritten(self, only: Callable[[Edit], bool] = lambda _: True) -> Diagnosis | None:
        """The line, or one term of it, as the forward pass has it."""
        for candidate in self._rewrites:
            if only(candidate.edit) and self._repairs(candidate):
                found = self.telling.of(candidate.edit, candidate.step)
                if found.fix is not None and not is_readable(found.fix, unparsed(candidate.edit.statement)):
                    found = replace(found, fix=None)
                if self.raises:
                    raised = self.symptoms.unknown()
                    return replace(raised, fix=found.fix, place=found.place, start=found.start, end=found.end)
                if self.own is not None and self.own.shape != self.case.want.shape:
                    return replace(found, kind="shape", old="", new="")
                return found
        return None

    # --- paths ---------------------------------------------------------------------------------------------------

    def _paths(self) -> Diagnosis | None:
        """A consumer's share that is missing, or there twice."""
        case = self.case
        got = align(self.own, case.want) if self.own is not None else None
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
        about = (self.chain.variable, " and ".join(names))
        missing = Diagnosis("missing-path", fact="path missing", about=about)
        named = all(self.formulas.upstream(name) for name in names)
        found = self._added_terms(names) if named else None
        if found is None:
            again = self._edits(_brings_a_path) or self._edits(_brings_a_path, late=True)
            if again is not None and again.kind == "misplaced-sum":
                return again
            if again is not None:
                return replace(again, kind="missing-path", fact=missing.fact, about=about)
        found = found or self._added_terms(names)
        if found is None and (whole := self._rewritten()) is not None:
            return replace(whole, kind="missing-path", fact=missing.fact, about=about)
        return self._added(missing, found)

    def _extra_path(self, names: list[str]) -> Diagnosis:
        twice = Diagnosis("extra-path", fact="path twice", about=(names[0],))
        rescales = ("scale", "wrong-constant", "missing-factor")
        found = self._edits(lambda e: e.kind in ("extra-term", "extra-factor", *rescales))
        if found is not None and found.kind in rescales:
            return found
        if found is not None:
            return replace(found, kind="extra-path", fact=twice.fact, about=twice.about)
        return self._added(twice, None)

    def _added_terms(self, names: list[str]) -> str | None:
        """A line to add that brings the missing path."""
        if len(names) != 1:
            return None
        texts = sorted(self._terms_through(names[0]), key=len)
        for template, text in itertools.product(SUMMED, texts):
            if self.trials.exhausted():
                return None
            line = self.candidates.spelled(f"{self.chain.name} += {template.format(text)}")
            for spelled in (line, line.replace("+=", f"= {self.chain.name} +", 1)):
                if self.trials.right_after(spelled):
                    return spelled
        return None

    def _terms_through(self, consumer: str) -> Iterator[str]:
        upstream = self.formulas.upstream(consumer)
        copies = f" * torch.ones_like({self.chain.variable})"
        through = [text.removesuffix(copies) for text in self.formulas.through(consumer)]
        yield from dict.fromkeys(text for text in (" + ".join(through), *through, upstream) if text)
        if upstream not in (None, "1.0"):
            for other, value in self.candidates.values.items():
                if is_float(value) and other not in self.gradients:
                    yield f"{upstream} * {other}"

    # --- later statements and numbers -----------------------------------------------------------------------------

    def _scaled(self) -> Diagnosis | None:
        """A line that divides or multiplies by a size, where all elements are off by the same factor."""
        got = align(self.own, self.case.want) if self.own is not None and not self.own.is_complex() else None
        if got is None or constant_ratio(got.double(), self.case.want.double(), self.judge.truth.tolerance) is None:
            return None
        if (found := self._edits(_rescales)) is not None:
            return found
        gradient = self.chain.name
        for factor in scales(self.candidates.context()):
            text = ast.unparse(factor)
            for op in ("/", "*"):
                kind = "bessel" if "/" in text else "scale"
                if (found := self._try_line(kind, f"{gradient} = {gradient} {op} {_factor(text)}")) is not None:
                    return found
        return None

    def _later_statements(self) -> Diagnosis | None:
        """A line that has to be added: a factor, a sum, another path."""
        self.trials.most_work = self.trials.work + MOST_WORK / 3
        for consumer in self.formulas.consumers:
            if (added := self._added_terms([consumer])) is not None:
                return self._added(Diagnosis("missing-term"), added)
        gradient = self.chain.name
        names = [n for n in self.candidates.context().tensors if n not in self.gradients]
        for name in names:
            for pattern in ("{0} * {1}", "{0} / {1}", "{0} * (1 - {1}**2)"):
                line = f"{gradient} = {pattern.format(gradient, name)}"
                if (found := self._try_line("missing-factor", line)) is not None:
                    return found
        terms = [t for g in sorted(self.gradients) for t in (g, f"-{g}", *(f"{g} * {n}" for n in names))]
        for text in (*terms, *(t for n in names for t in (f"2 * {n}", n))):
            if (found := self._try_line("missing-term", f"{gradient} = {gradient} + {text}")) is not None:
                return found
        return None

    def _try_line(self, kind: str, line: str) -> Diagnosis | None:
        line = self.candidates.spelled(line)
        if self.trials.exhausted() or not self.trials.right_after(line):
            return None
        return self._added(Diagnosis(kind), line)

    def _added(self, found: Diagnosis, line: str | None) -> Diagnosis:
        return self.telling.of_added(found, line, self.gradients)


def _left_out(product: ast.BinOp, simple: ast.stmt) -> Edit:
    """The edit that leaves the right factor of a product out, or the statement where nothing else is in it."""
    target = simple.targets[0] if isinstance(simple, ast.Assign) and simple.value is product else None
    alone = target is not None and ast.unparse(target) == ast.unparse(product.left)
    return Edit("extra-factor", 1.0, simple if alone else product, ast.Pass() if alone else product.left, simple)


def _is_off_by(ratio: float, edit: Edit) -> bool:
    """Whether an edit makes a number in the line smaller by this factor."""
    match edit.old, edit.new:
        case ast.Constant(int() | float() as old), ast.Constant(int() | float() as new):
            left_out = new == 1 and _is_a_factor(edit.old, edit.statement)
            return (
                old not in (0, 1)
                and new in (0.5, 1, 2)
                and math.isclose(old, ratio * new, rel_tol=1e-6)
                and not left_out
            )
    return False


def _is_a_factor(node: ast.AST, statement: ast.stmt) -> bool:
    """Whether something is multiplied or divided by a node, which can then be left out in the place of a 1."""
    products = (n for n in ast.walk(statement) if isinstance(n, ast.BinOp) and isinstance(n.op, ast.Mult | ast.Div))
    return any(node is n.right or (node is n.left and isinstance(n.op, ast.Mult)) for n in products)


def _brings_a_path(edit: Edit) -> bool:
    """Whether an edit may do more than change what is there."""
    return edit.kind not in ("sign", "scale", "bessel", "wrong-constant", "shape", "transpose", "extra-term")


def _rescales(edit: Edit) -> bool:
    """Whether an edit may multiply everything by the same number."""
    return edit.kind in ("scale", "bessel") or (edit.kind == "missing-factor" and edit.cost < 1.6)


def _factor(text: str) -> str:
    return f"({text})" if " " in text else text


__all__ = ["diagnose", "shared_repair"]
