"""`handgrad check` as a user runs it."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from handgrad.cli.check import main
from handgrad.errors import HandgradError

sys.path.insert(0, str(Path(__file__).parent))
import lecture

FIELDS = ["name", "gradient", "shape", "line", "verdict", "exact", "approximate", "maxdiff", "relative_error", "cause",
          "diagnosis"]  # fmt: skip

SMALL = """\
import torch
x = torch.randn(5, 3, generator=torch.Generator().manual_seed(1))
W = torch.randn(3, 2, requires_grad=True)
y = x @ W
loss = (y**2).mean()
dy = 2 * y / y.numel()
dW = x.T @ dy
"""


@pytest.fixture
def program(tmp_path):
    def write(text: str) -> str:
        (tmp_path / "program.py").write_text(text)
        return str(tmp_path / "program.py")

    return write


def test_a_right_program_exits_with_0(program, capsys):
    assert main([program(SMALL)]) == 0
    assert "All 2 gradients are right." in capsys.readouterr().out


def test_json_has_the_fields_of_the_specification(program, capsys):
    assert main([program(SMALL.replace("x.T @ dy", "x.T @ dy / 2")), "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert list(report) == ["loss", "right", "variables", "hazards"]
    assert report["right"] is False
    assert [list(v) for v in report["variables"]] == [FIELDS, FIELDS]
    wrong = report["variables"][1]
    assert (wrong["name"], wrong["line"], wrong["verdict"], wrong["cause"]) == ("W", 7, "wrong", "own")
    assert list(wrong["diagnosis"][0]) == ["kind", "message", "fix"]
    assert wrong["relative_error"] == pytest.approx(0.5)


def test_a_hint_gives_away_no_more_than_asked(program, capsys):
    path = program(SMALL.replace("2 * y", "-2 * y"))
    said = {}
    for hint in "123":
        main([path, "--hint", hint])
        said[hint] = capsys.readouterr().out
    assert "line 6" in said["1"]
    assert "sign" not in said["1"]
    assert "sign" in said["2"]
    assert "dy = 2 * y / y.numel()" not in said["2"]
    assert "dy = 2 * y / y.numel()" in said["3"]


def test_fix_shows_the_line_and_write_mends_the_file(program, capsys, tmp_path):
    path = program(SMALL.replace("x.T @ dy", "dy.T @ x"))
    assert main([path, "--fix"]) == 1
    assert "right: dW = " in capsys.readouterr().out
    assert "dy.T @ x" in Path(path).read_text()
    assert main([path, "--fix", "--write"]) == 1
    assert "dy.T @ x" in (tmp_path / "program.py.bak").read_text()
    assert main([path]) == 0


def test_strict_counts_what_is_not_there(program):
    path = program(SMALL.replace("dy = 2 * y / y.numel()\ndW = x.T @ dy", "dW = x.T @ (2 * y / y.numel())"))
    assert main([path]) == 0
    assert main([path, "--strict"]) == 1


def test_a_shape_that_broadcasts_is_a_warning(program, capsys):
    text = SMALL.replace("y = x @ W", "b = torch.ones(1, 2, requires_grad=True)\ny = x @ W + b") + "db = dy.sum(0)\n"
    assert main([program(text)]) == 0
    assert "warning (shape)" in capsys.readouterr().out
    assert main([program(text), "--strict"]) == 1


def test_another_name_of_the_loss(program):
    text = SMALL.replace("loss = (y**2).mean()", "energy = (y**2).mean()\nloss = y.sum()")
    assert main([program(text), "--loss", "energy"]) == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [("x = 1\n", "no scalar loss"), (SMALL.split("dy =")[0], "no gradients were found"), ("", "no scalar loss")],
)
def test_nothing_to_check_is_an_error_in_one_sentence(program, text, said):
    with pytest.raises(HandgradError, match=said):
        main([program(text)])


def test_a_missing_file_is_an_error():
    with pytest.raises(HandgradError, match="there is no such file"):
        main(["nowhere.py"])


def test_write_without_fix_is_an_error(program):
    with pytest.raises(HandgradError, match="--write needs --fix"):
        main([program(SMALL), "--write"])


def test_an_endless_loop_is_stopped(program):
    begun = time.monotonic()
    with pytest.raises(HandgradError, match="time limit in line 2"):
        main([program("import torch\nwhile True:\n    pass\n" + SMALL), "--timeout", "1"])
    assert time.monotonic() - begun < 10


def test_a_file_of_data_is_found_in_the_folder_named(program, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "names.txt").write_text("5")
    path = program("rows = int(open('names.txt').read())\n" + SMALL.replace("randn(5,", "randn(rows,"))
    assert main([path, "--data", str(tmp_path / "elsewhere")]) == 0


def test_the_program_prints_nothing_and_plots_nothing(program, capsys):
    assert main([program("import matplotlib.pyplot as plt\nprint('noise')\nplt.plot([1])\n" + SMALL), "--json"]) == 0
    assert "noise" not in capsys.readouterr().out


def test_a_lecture_sized_file_is_checked_in_seconds(program):
    path = program(lecture.SCRIPT)
    code = f"import sys; from handgrad.cli.check import main; sys.exit(main([{path!r}]))"
    begun = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - begun < 15  # 3 s on an idle machine; the tests share theirs
