"""Every closed form that a person writes: ours is right, or refused by name, and about as short."""

import pytest

from handgrad.derive.closed import closed
from handgrad.derive.styling import styled
from handgrad.derive.verify import verify
from handgrad.errors import DeriveError

from .cases import CASES, tokens
from .cases.lanes import REFUSED, each, named

LONGER = {
    "cross-entropy: logits",
    "hinge-multiclass: margins",
    "hinge-multiclass: scores",
    "info-nce: L",
    "soft-label-cross-entropy: z",
}
"""Closed forms of the well-known passes that are more than two tokens longer than a person's."""


def derived(case, target):
    name, _, end = target.partition(" from ")
    program = case.program(output=end or None)
    return program, styled(program, closed(program, name, end or None))


@pytest.mark.parametrize(("case", "target"), each(closed=True))
def test_a_closed_form(case, target):
    if named(case, target) in REFUSED["closed"]:
        with pytest.raises(DeriveError):
            derived(case, target)
        return
    program, backward = derived(case, target)
    found = verify(program, backward)
    assert found.right, (found.failure, found.changed, found.wrong, backward.source)


@pytest.mark.slow
def test_closed_forms_are_as_short_as_a_person_writes_them():
    well_known = [case for case in CASES[:33] if case.closed]
    longer = set()
    for case in well_known:
        for target, person in case.closed.items():
            if named(case, target) not in REFUSED["closed"]:
                _, backward = derived(case, target)
                if tokens(backward.source) - 2 > tokens(person) + 2:
                    longer.add(named(case, target))
    assert longer == LONGER
