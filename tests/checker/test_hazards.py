"""What spoils another value is mended where the repair is evident, and a change of a copy is no hazard."""

import json

import pytest

from handgrad.checker import check
from handgrad.checker.faces.mend import mend, mended

from .cases import MISTAKES
from .cases.schema import program

IN_PLACE = [m for m in MISTAKES if m.hazard and m.kind == "in-place"]
WITHOUT_REPAIR = {
    *("lecture_chunked/W2-updated-too-soon", "lecture_fused/weights-updated-before-use"),
    *("swiglu/weights-updated-first", "rms_norm/head-updated-first"),
}
"""A statement that comes too soon has to be moved."""


@pytest.mark.slow
@pytest.mark.one_in(5)
@pytest.mark.parametrize("mistake", IN_PLACE, ids=lambda m: m.id)
def test_the_repair_of_an_alias_makes_the_program_right(mistake, tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(mistake.source)
    report = check(path)
    assert [hazard.repair is None for hazard in report.hazards] == [mistake.id in WITHOUT_REPAIR]
    if mistake.id not in WITHOUT_REPAIR:
        report.show_fix = True
        assert f"right: {report.hazards[0].repair.fix}" in str(report)
        mend(report, path)
        assert check(path).right


@pytest.mark.slow
def test_an_alias_is_mended_in_its_own_cell_and_once(tmp_path):
    text = program("lecture_chunked").replace("dhprebn = dbndiff.clone()\n", "dhprebn = dbndiff\n# --- next\n")
    parts = text.split("# --- next\n")
    cells = [{"cell_type": "code", "execution_count": None, "source": part} for part in parts]
    path = tmp_path / "mine.ipynb"
    path.write_text(json.dumps({"cells": cells, "nbformat": 4, "nbformat_minor": 5, "metadata": {}}))
    report = check(path)
    (hazard,) = report.hazards
    assert (hazard.place.cell, hazard.repair.place.cell) == (2, 1)
    assert "start from a copy in cell 1, line" in hazard.message
    assert mend(report, path)[0] == 1
    assert check(path).right


@pytest.mark.parametrize(
    "line",
    [
        "dhpreact = (1.0 - h.clone().pow_(2)) * dh",
        "dhpreact = h.square().neg_().add_(1).mul_(dh)",
        "dhpreact = dh.clone().mul_(1.0 - h**2)",
    ],
)
def test_a_copy_changed_in_place_is_no_hazard(line, check_text):
    text = program("lecture_chunked")
    assert text.count("dhpreact = (1.0 - h**2) * dh") == 1
    report = check_text(text.replace("dhpreact = (1.0 - h**2) * dh", line))
    assert not report.hazards
    assert report.right


def test_a_temporary_that_is_an_alias_is_one_hazard(check_text):
    text = program("lecture_chunked")
    assert text.count("dhpreact = (1.0 - h**2) * dh") == 1
    alias = "slope = h\nslope *= -h\nslope += 1\ndhpreact = slope * dh"
    report = check_text(text.replace("dhpreact = (1.0 - h**2) * dh", alias))
    (hazard,) = report.hazards
    assert (hazard.variable, hazard.repair.fix) == ("h", "slope = h.clone()")


ALIASES = """\
import torch

g = torch.Generator().manual_seed(1)
x = torch.randn(5, 3, generator=g)
W, V = torch.randn(3, 2, generator=g), torch.randn(3, 2, generator=g)
a = x @ W
c = x @ V
z = a + c
loss = (z**2).mean() + (a**3).mean()
dz = 2 * z / z.numel()
da, dc = dz.clone(), dz.clone()
da += 3 * a**2 / a.numel()
dW = x.T @ da
dV = x.T @ dc
"""


@pytest.mark.parametrize(
    ("alias", "fix"),
    [
        ("da, dc = dz, dz", "da, dc = dz.clone(), dz"),
        ("da = dc = dz", "da, dc = (dz.clone(), dz.clone())"),
        ("dc, da = dz, dz", "dc, da = dz, dz.clone()"),
        ("(da, k), dc = (dz, 1), dz", None),
    ],
)
def test_names_given_together_are_told_apart(alias, fix, tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(ALIASES.replace("da, dc = dz.clone(), dz.clone()", alias))
    report = check(path)
    (hazard,) = report.hazards
    assert (hazard.variable, hazard.place.line) == ("dz", 12)
    assert (hazard.repair and hazard.repair.fix) == fix
    if fix is not None:
        mend(report, path)
        assert check(path).right


FORGOTTEN = """
import torch
x, W, b = torch.randn(6, 5), torch.randn(5, 4), torch.randn(4)
z = x @ W + b
h = torch.tanh(z)
loss = (h**2).sum()
dh = 2 * h
z = (1 - h**2) * dh  # the letter is lost
dW = x.T @ dz
db = dz.sum(0)
"""


def test_a_gradient_that_lost_its_letter(check_text):
    report = check_text(FORGOTTEN)
    (hazard,) = report.hazards
    assert (hazard.kind, hazard.variable, hazard.place.line) == ("shadowed", "z", 8)
    assert hazard.message == "this is the gradient of z, and takes the place of z: call it dz."
    assert check_text(mended(FORGOTTEN, report.repairs)).right
    assert check_text(FORGOTTEN.replace("dz", "z").replace("z.sum", "(z * 1).sum")).hazards == []
