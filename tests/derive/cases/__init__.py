"""Forward passes as data, for all forms of a derivation: see `schema` for what a case is."""

from . import attention, convolution, distances, first, gates, losses, models, norms, numpy_programs, recurrent
from .course import CASES as COURSE
from .course import Exercise
from .schema import Case, tokens

KINDS: dict[str, tuple[Case | Exercise, ...]] = {
    "first": first.CASES,
    "course": COURSE,
    "losses": losses.CASES,
    "norms": norms.CASES,
    "gates": gates.CASES,
    "attention": attention.CASES,
    "distances": distances.CASES,
    "recurrent": recurrent.CASES,
    "convolution": convolution.CASES,
    "models": models.CASES,
    "numpy": numpy_programs.CASES,
}
"""The cases, by kind."""
CASES = tuple(case for cases in KINDS.values() for case in cases)

__all__ = ["CASES", "COURSE", "KINDS", "Case", "Exercise", "tokens"]
