"""Why rewriting steps hold, as they are noted while steps are made."""

from typing import NamedTuple

from handgrad.derive.expr import ZERO, Expr


class Reason(NamedTuple):
    """Why a step holds: its kind, the name that it is about, and what it puts for what."""

    kind: str
    name: str
    before: Expr = ZERO
    after: Expr = ZERO
