"""Every case in its shortest form: right, or refused by name."""

import pytest

from handgrad.derive.shortest import shortest
from handgrad.derive.styling import styled
from handgrad.derive.verify import verify
from handgrad.errors import DeriveError

from .cases.lanes import REFUSED, each

FAULTS = {
    "s4d-scan": "an error that names no line",
    "delta-rule": "an error that names no line",
    "exponential-average": "an error that names no line",
    "average-pool-2d": "wrong where a size is no multiple of the window",
    "lenet": "wrong where a size is no multiple of the window",
    "makemore-gru": "gradients are missing",
    "numpy-min-char-rnn-step": "a shape in NumPy",
    "numpy-min-char-rnn": "a shape in NumPy",
    "numpy-word-embedding": "a method that NumPy has not",
    "numpy-max-pool": "a method that NumPy has not",
}
"""What is wrong and not refused: to be mended."""
ENDLESS = {"convnext-block", "upsample-and-skip", "llama-block"}
"""What takes longer than half a minute."""


@pytest.mark.parametrize("case", each())
def test_a_case_in_its_shortest_form(case, request):
    if case.name in ENDLESS:
        pytest.skip("it takes too long")
    if case.name in FAULTS:
        request.applymarker(pytest.mark.xfail(reason=FAULTS[case.name], strict=True))
    if case.name in REFUSED["shortest"]:
        with pytest.raises(DeriveError):
            shortest(case.program())
        return
    program = case.program()
    derived = styled(program, shortest(program))
    found = verify(program, derived)
    assert found.complete, (found.failure, found.changed, found.missing, found.wrong, derived.source)
