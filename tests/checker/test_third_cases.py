"""The third set: no right program is blamed, and the programs and their mistakes are what they are said to be."""

import contextlib
import io
import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))
from cases.schema import KINDS
from cases.third import PLANTED_LINES, PROVEN_PROGRAMS


@pytest.mark.one_in(15)
@pytest.mark.parametrize("program", PROVEN_PROGRAMS, ids=lambda program: program.id)
def test_a_right_program_gives_no_alarm(program, check_text):
    report = check_text(program.source)
    assert report.right
    assert not [row for row in report.variables if row.verdict in ("wrong", "masked", "shape")]


def same(loss, pairs) -> None:
    """Each gradient agrees with the central differences of the loss."""
    for tensor, gradient in pairs:
        tensor, gradient = tensor.detach(), gradient.detach()
        slopes, entries = torch.zeros_like(tensor), tensor.view(-1)
        for i, kept in enumerate(entries.tolist()):
            entries[i] = kept + 1e-5
            above = float(loss().detach())
            entries[i] = kept - 1e-5
            slopes.view(-1)[i] = (above - float(loss().detach())) / 2e-5
            entries[i] = kept
        assert gradient.shape == slopes.shape
        assert (gradient - slopes).abs().max() < 1e-5 + 1e-4 * slopes.abs().max()


def prove(source: str, proof: str) -> None:
    names = {"__name__": "__main__", "same": same}
    torch.set_default_dtype(torch.float64)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            exec(compile(source, "<program>", "exec"), names)
        exec(compile(proof, "<proof>", "exec"), names)
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.mark.tables
@pytest.mark.parametrize("program", PROVEN_PROGRAMS, ids=lambda program: program.id)
def test_a_program_is_right(program):
    prove(program.source, program.proof)


@pytest.mark.tables
@pytest.mark.parametrize("planted", PLANTED_LINES, ids=lambda planted: planted.id)
def test_a_planted_line_is_wrong(planted):
    assert planted.kinds <= set(KINDS)
    with pytest.raises(AssertionError):
        prove(planted.source, planted.proof)
