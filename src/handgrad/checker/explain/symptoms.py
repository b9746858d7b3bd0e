"""What is said of a wrong line where no edit repairs it: what its values alone show, or what it raises."""

import math
import traceback

from torch import Tensor

from handgrad.checker.explain.settings import Setting
from handgrad.checker.explain.telling import Telling
from handgrad.checker.guard import said
from handgrad.checker.place import Place
from handgrad.checker.report import Diagnosis
from handgrad.checker.run.values import is_array
from handgrad.checker.truth.compare import agrees, align, as_tensor
from handgrad.checker.truth.numbers import constant_ratio, missing_sum


class Symptoms:
    """What the lines of one chain make as they stand, in their own sizes."""

    def __init__(self, setting: Setting, telling: Telling):  # noqa: D107
        self.telling, self.chain, self.outcome = telling, telling.chain, setting.outcome
        self.want, self.noise = setting.cases[0].want, setting.cases[0].noise
        self.tolerance = setting.judge.truth.tolerance

    def not_a_tensor(self) -> Diagnosis | None:
        """A gradient that is neither a tensor nor, where it may be one, a number."""
        got = self.outcome.got
        if isinstance(got, Tensor) or is_array(got) or self.outcome.error is not None or got is None:
            return None
        if isinstance(got, int | float) and self.want.numel() == 1:
            return None
        kind = "shape" if as_tensor(got, self.want) is not None or isinstance(got, int | float | list) else "unknown"
        about = (self.chain.name, type(got).__name__, str(tuple(self.want.shape)))
        return Diagnosis(kind, self.telling.place, fact="type", about=about)

    def asks_autograd(self) -> bool:
        """Whether the line is right to run where it stands, but has no graph when it is run alone."""
        return "require grad" in str(self.outcome.error) and not any(step.error for step in self.chain.steps)

    def numbers(self) -> Diagnosis | None:
        """What the values alone say."""
        got, want = as_tensor(self.outcome.got, self.want), self.want
        if got is None:
            return None
        kind, fact, about = None, "", ()
        if got.shape != want.shape and (dims := missing_sum(got, want, self.noise, self.tolerance)):
            kind, fact, about = "missing-sum", "dimensions", (str(dims),)
        elif got.shape != want.shape and got.dim() == 2 and agrees(got.T, want, self.noise, self.tolerance):
            kind = "transpose"
        elif (aligned := align(got, want)) is not None:
            ratio = constant_ratio(aligned.double(), want.double(), self.tolerance)
            if ratio is not None and math.isclose(ratio, -1, rel_tol=1e-6):
                kind = "sign"
            elif ratio is not None:
                kind, fact, about = "scale", "ratio", (f"{ratio:.6g}",)
        return self.telling.told(Diagnosis(kind, self.telling.place, fact=fact, about=about)) if kind else None

    def unknown(self) -> Diagnosis:
        """That the line is wrong, and what it raises, or that its shape is wrong."""
        error, place = self.outcome.error, self.telling.place
        if self.asks_autograd():
            return Diagnosis("unknown", place)
        if error is not None:
            return Diagnosis("unknown", self._raised_in(error), fact="raises", about=(said(error),))
        got, shape = as_tensor(self.outcome.got, self.want), str(tuple(self.want.shape))
        if got is None:
            return Diagnosis("unknown", place, fact="no tensor", about=(type(self.outcome.got).__name__, shape))
        if align(got, self.want) is None:
            about = (str(tuple(got.shape)), self.chain.variable, shape)
            return self.telling.told(Diagnosis("shape", place, fact="other shape", about=about))
        return self.telling.told(Diagnosis("unknown", place))

    def _raised_in(self, error: Exception) -> Place:
        """The statement of the chain that an exception came from."""
        places = {step.statement.place.line: step.statement.place for step in self.chain.steps}
        frames = traceback.walk_tb(error.__traceback__)
        lines = [number for frame, number in frames if frame.f_code.co_filename == self.telling.place.unit]
        return next((places[number] for number in lines if number in places), self.telling.place)
