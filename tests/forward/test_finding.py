"""The forward pass of a program is found wherever people have it, and nothing that is not part of it."""

import json

import pytest
import torch

from handgrad.errors import DeriveError
from handgrad.forward.goal import Lines
from handgrad.forward.program import Forward, Part, forward_of_file

from .programs import DATA, PROGRAMS, REFUSED, WANTED, bare

TIMEOUT_S = 20.0


def found_in(folder, text: str, timeout: float = TIMEOUT_S, **part) -> Forward:
    path = folder / "mine.py"
    path.write_text(text)
    if lines := part.get("lines"):
        part["lines"] = Lines(*lines)
    return forward_of_file(path, Part(**part), timeout=timeout)


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_forward_pass_is_found(tmp_path, name):
    case = PROGRAMS[name]
    found = found_in(tmp_path, case.text, **dict(case.part))
    assert bare(found.source) == case.lines
    assert found.lines.inputs == tuple(case.inputs.split())
    assert found.lines.output == case.output


@pytest.mark.parametrize("name", PROGRAMS)
def test_its_lines_stand_where_they_stand(tmp_path, name):
    case = PROGRAMS[name]
    found = found_in(tmp_path, case.text, **dict(case.part))
    lines = case.text.split("\n")
    for number, line in enumerate(found.source.split("\n"), start=1):
        if line:
            assert line in lines[found.place_of(number).line - 1]


@pytest.mark.parametrize("name", PROGRAMS)
def test_it_runs_from_what_was_there_before(tmp_path, name):
    case = PROGRAMS[name]
    found = found_in(tmp_path, case.text, **dict(case.part))
    before = dict(found.lines.before)
    with torch.no_grad():
        exec(found.source, before)
    assert case.output in before
    assert "nowhere" not in before


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_none_is_refused(tmp_path, name):
    text, part, *says = REFUSED[name]
    with pytest.raises(DeriveError) as refused:
        found_in(tmp_path, text, timeout=1 if name == "endless" else TIMEOUT_S, **part)
    assert [word for word in ("mine.py", *says) if word not in str(refused.value)] == []


def test_values_are_those_before_the_lines(tmp_path):
    text = f"{DATA}{WANTED}n = 2\nloss = (X @ W / n).sum()\nloss.backward()\nn = 5\nW.data -= 1\n"
    found = found_in(tmp_path, text)
    assert found.lines.before["n"] == 2
    assert found.lines.before["W"].requires_grad


def test_tensors_in_containers_require_gradients(tmp_path):
    text = f"{DATA}params = {{'W': torch.randn(5, 3)}}\nloss = (X @ params['W']).sum()\nparams['W'] -= 0.1\n"
    found = found_in(tmp_path, text)
    assert (found.lines.inputs, found.lines.containers) == ((), ("params",))
    assert found.lines.before["params"]["W"].requires_grad


def test_the_same_line_twice(tmp_path):
    found = found_in(tmp_path, f"{DATA}{WANTED}a = X @ W; b = a.tanh()  # both\nloss = b.sum()\n")
    assert bare(found.source) == "a = X @ W\nb = a.tanh()\nloss = b.sum()"


def test_a_notebook_has_cells(tmp_path):
    cells = [DATA, "# nothing", f"%time {WANTED}\nz = X @ W\n", "!ls\nimport matplotlib.pyplot as plt\nplt.show()",
             "loss = z.sum()\n# end", "dz = torch.ones_like(z)"]  # fmt: skip
    rows = [{"cell_type": "code", "metadata": {}, "outputs": [], "source": cell} for cell in cells]
    path = tmp_path / "mine.ipynb"
    path.write_text(json.dumps({"cells": rows, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    found = forward_of_file(path, Part())
    assert found.source == "z = X @ W\nloss = z.sum()"
    assert [(found.place_of(n).cell, found.place_of(n).line) for n in (1, 2)] == [(3, 3), (5, 1)]
    part = forward_of_file(path, Part(lines=Lines(1, 3, cell=3)))
    assert (part.source, part.lines.output) == ("z = X @ W", "z")


def test_nothing_is_printed_written_or_left_behind(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path.parent)
    before = torch.get_rng_state()
    found_in(tmp_path, f"{DATA}{WANTED}print('loud')\nopen('out.txt', 'w').write('x')\nimport os\nloss = W.sum()\n")
    assert torch.equal(torch.get_rng_state(), before)
    assert capsys.readouterr() == ("", "")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.py"]
