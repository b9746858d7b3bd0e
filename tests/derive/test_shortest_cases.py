"""Every case in its shortest form: right, or refused by name."""

import pytest

from handgrad.derive.shortest import shortest
from handgrad.derive.styling import styled
from handgrad.derive.verify import verify
from handgrad.errors import DeriveError

from .cases.lanes import REFUSED, each


@pytest.mark.parametrize("case", each())
def test_a_case_in_its_shortest_form(case):
    if case.name in REFUSED["shortest"]:
        with pytest.raises(DeriveError):
            shortest(case.program())
        return
    program = case.program()
    derived = styled(program, shortest(program))
    found = verify(program, derived)
    assert found.complete, (found.failure, found.changed, found.missing, found.wrong, derived.source)
