"""Cases as parameters of tests: one of each kind in the quick lane, and what is refused by form."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from . import KINDS, Case, Exercise

REFUSED: dict[str, dict[str, str]] = {
    **{"lines": {}, "closed": {}, "shortest": {}},
    **tomllib.loads(Path(__file__).with_name("refused.toml").read_text()),
}
"""By form, the cases that are refused, each with the reason."""


def each(*, closed: bool = False) -> list[Any]:
    """All cases as parameters, slow but for the first of each kind; with `closed` one for each person's closed form."""
    found: list[Any] = []
    for cases in KINDS.values():
        quick = True
        for case in cases:
            for target in case.closed if closed else ("",):
                marks = () if quick else (pytest.mark.slow,)
                found.append(pytest.param(case, target, id=named(case, target), marks=marks) if closed else
                             pytest.param(case, id=case.name, marks=marks))  # fmt: skip
                quick = False
    return found


def named(case: Case | Exercise, target: str) -> str:
    """A case's name, or that of a closed form of it."""
    return f"{case.name}: {target}" if target else case.name
