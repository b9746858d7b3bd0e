"""Say why a line is wrong: hypotheses from the numbers, then a search over edits of the user's own lines."""

import ast
import itertools
from collections.abc import Collection
from dataclasses import replace

import torch

from handgrad.checker.explain.again import elsewhere
from handgrad.checker.explain.differences import are_alike
from handgrad.checker.explain.edits import scales
from handgrad.checker.explain.pairs import repairing_pair
from handgrad.checker.explain.search import Search
from handgrad.checker.explain.trials import MOST_WORK
from handgrad.checker.judge.blame import Judge, Judgement
from handgrad.checker.read.names import base_name
from handgrad.checker.read.trees import Edit, simple_statements
from handgrad.checker.report import Diagnosis
from handgrad.checker.truth.compare import agrees, align
from handgrad.checker.truth.numbers import constant_ratio


def diagnose(
    judge: Judge, judgement: Judgement, suspected: Collection[ast.stmt] = (), others: Collection[Judgement] = ()
) -> list[Diagnosis]:
    """Why the chain is at fault, as simply as it can be said; two diagnoses where two statements or two parts are.

    Of a compound statement, the `suspected` lines are edited before the others; no edit breaks what is right of the
    `others`.
    """
    chain = judgement.chain
    if judgement.fault == "missing":
        return [Diagnosis("missing", chain.last.statement.place, fact="unwritten", about=(chain.name,))]
    search = _Search(judge, judgement, suspected, others)
    if chain.refused and search.trials.right():
        return [Diagnosis("unknown", chain.refused.place, fact="refused", about=(chain.refused.message,))]
    return search.run()


def shared_repair(judge: Judge, judgement: Judgement) -> Diagnosis | None:
    """An edit of a temporary that mends another gradient and this one too; None without any."""
    elsewhere = [(edit, step) for edit, step in judge.repairs if not step.gradients]
    if judgement.fault not in ("wrong", "masked") or not elsewhere:
        return None
    return _Search(judge, judgement).known_repair(elsewhere)


class _Search(Search):
    """One line's diagnosis."""

    def run(self) -> list[Diagnosis]:
        if (found := self.symptoms.not_a_tensor()) is not None:
            return [found]
        attempts = [
            *(
                self._known_repairs,
                self._mends_all_that_share,
                self._overwrites,
                self._paths,
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
            pair = repairing_pair(self.trials) if whole is None or whole.fix is None else None
            if pair and (not self.by_chance or self.trials.right_elsewhere(*pair)):
                return self.telling.of_both(*pair)
            if whole is not None:
                return [whole]
            if least := [*self.by_chance, *self.in_context]:
                return [self.telling.of(least[0].edit, least[0].step)]
        return [self.symptoms.numbers() or self.symptoms.unknown()]

    # --- edits ---------------------------------------------------------------------------------------------------

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

    def _overwrites(self) -> Diagnosis | None:
        return self._edits(lambda e: e.kind == "overwrite" and e.cost < 0.95)

    def _plain_edits(self) -> Diagnosis | None:
        return self._edits(lambda e: e.cost < 1.35)

    def _late_edits(self) -> Diagnosis | None:
        return self._edits(late=True)

    def _rewritten_shortly(self) -> Diagnosis | None:
        """The same where names or numbers alone are exchanged for others."""
        return self._rewritten(lambda e: are_alike(e.old, e.new))

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


def _left_out(product: ast.BinOp, simple: ast.stmt) -> Edit:
    """The edit that leaves the right factor of a product out, or the statement where nothing else is in it."""
    target = simple.targets[0] if isinstance(simple, ast.Assign) and simple.value is product else None
    alone = target is not None and ast.unparse(target) == ast.unparse(product.left)
    return Edit("extra-factor", 1.0, simple if alone else product, ast.Pass() if alone else product.left, simple)


def _brings_a_path(edit: Edit) -> bool:
    """Whether an edit may do more than change what is there."""
    return edit.kind not in ("sign", "scale", "bessel", "wrong-constant", "shape", "transpose", "extra-term")


def _rescales(edit: Edit) -> bool:
    """Whether an edit may multiply everything by the same number."""
    return edit.kind in ("scale", "bessel") or (edit.kind == "missing-factor" and edit.cost < 1.6)


def _factor(text: str) -> str:
    return f"({text})" if " " in text else text


__all__ = ["diagnose", "shared_repair"]
