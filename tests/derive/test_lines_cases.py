"""Every case line by line: right, or refused by name."""

import pytest

from handgrad.derive.lines import lines_backward
from handgrad.derive.styling import styled
from handgrad.derive.verify import verify
from handgrad.errors import DeriveError

from .cases.lanes import REFUSED, each


@pytest.mark.parametrize("case", each())
def test_a_case_line_by_line(case):
    if case.name in REFUSED["lines"]:
        with pytest.raises(DeriveError):
            lines_backward(case.program())
        return
    program = case.program()
    derived = styled(program, lines_backward(program))
    found = verify(program, derived)
    assert found.complete, (found.failure, found.changed, found.missing, found.wrong, derived.source)
