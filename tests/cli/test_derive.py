"""`handgrad derive` as its users run it: exit codes, streams, each option, and files that cannot be derived from."""

import json
import os
import signal
import subprocess
import time

import pytest

from .command import ENVIRONMENT, assert_refused, command, listing, refused

MINE = """\
import torch

torch.manual_seed(0)
x, W = torch.randn(5, 3), torch.randn(3, 2, requires_grad=True)
a = x @ W
h = torch.tanh(a)
print("loud")
loss = (h**2).sum()

print(loss.item())
"""
LINES = """\
dh = 2 * h
da = (1 - h**2) * dh
dW = x.T @ da
"""
QUOTED = """\
dh = 2 * h            # loss = (h**2).sum()
da = (1 - h**2) * dh  # h = torch.tanh(a)
dW = x.T @ da         # a = x @ W
"""
CHECKED = "handgrad: all 3 gradients equal autograd's in float64, at its own sizes and 2 others: "
FUNCTION = """\
import torch

def layer(x, W):
    h = torch.tanh(x @ W)
    return h
"""


@pytest.fixture
def derive(handgrad, tmp_path):
    """Write a program to `mine.py` and derive from it with the words."""

    def run(text: str, *words: object, file: str = "mine.py"):
        (tmp_path / "mine.py").write_bytes(text.encode())
        return handgrad("derive", file, *words, folder=tmp_path)

    return run


def test_lines_can_be_pasted_below_the_forward_pass(derive, tmp_path):
    ended = derive(MINE, "--no-quotes")
    assert (ended.code, ended.out) == (0, LINES)
    assert ended.err.startswith(CHECKED)
    assert ended.err.count("\n") == 1
    assert listing(tmp_path) == {"mine.py": MINE.encode()}
    values: dict = {}
    exec(MINE + ended.out + "loss.backward()\nassert torch.allclose(dW, W.grad)", values)


def test_each_line_quotes_the_line_it_undoes(derive):
    assert derive(MINE).out == QUOTED


@pytest.mark.slow
def test_a_part(derive):
    assert derive(MINE, "--in", "a", "--out", "h", "--no-quotes").out == "da = (1 - h**2) * dh\n"
    assert derive(MINE, "--from", 5, "--to", 6, "--no-quotes").out == LINES.split("\n", 1)[1]
    assert derive(MINE, "--of", "h", "--no-quotes").out == LINES.split("\n", 1)[1]


def test_closed_and_shortest(derive):
    closed = derive(MINE, "--form", "closed", "--in", "a", "--out", "loss")
    assert (closed.code, closed.out.count("\n")) == (0, 1)
    assert closed.out.startswith("da = ")
    shortest = derive(MINE, "--form", "shortest")
    assert (shortest.code, shortest.out.count("dW = ")) == (0, 1)


def test_the_table_of_the_check(derive):
    rows = derive(MINE, "--check").out.removeprefix(QUOTED).splitlines()
    assert rows[0].split() == ["gradient", "shape", "exact", "approximate", "error"]
    assert {row.split()[0]: row.split()[1] for row in rows[1:]} == {"dh": "5×2", "da": "5×2", "dW": "3×2"}
    assert {row.split()[3] for row in rows[1:]} == {"True"}


def test_the_derivation_is_markdown_in_a_pipe(derive):
    ended = derive(MINE, "--in", "a", "--out", "h", "--explain")
    assert ended.code == 0
    assert "```math\n" in ended.out
    assert "`a` is used in `h = torch.tanh(a)` (line 6)" in ended.out
    assert ended.out.count("✓ as autograd") == 1
    assert ended.out.endswith("```python\nda = dh * (1 - h**2)\n```\n")


FIELDS = {
    "program": str, "form": str, "output": str, "upstream": (str, type(None)), "source": str, "gradients": dict,
    "lines": list, "facts": list, "check": list, "sizes": list, "unchecked": dict, "notes": list,
}  # fmt: skip
LINE = {"gradient": str, "source": str, "undoes": (dict, type(None))}
CHECK = {"variable": str, "gradient": str, "shape": list, "exact": bool, "approximate": bool, "error": float}


def assert_fields(record: dict, fields: dict) -> None:
    assert list(record) == list(fields)
    assert [name for name, kind in fields.items() if not isinstance(record[name], kind)] == []


def test_json_field_for_field(derive):
    ended = derive(MINE, "--json")
    found = json.loads(ended.out)
    assert_fields(found, FIELDS)
    assert (found["program"], found["form"], found["output"], found["upstream"]) == ("mine.py", "lines", "loss", None)
    assert f"{found['source']}\n" == LINES
    assert found["gradients"] == {"h": "dh", "a": "da", "W": "dW"}
    for line in found["lines"]:
        assert_fields(line, LINE)
    assert found["lines"][0]["undoes"] == {"line": 8, "cell": None, "text": "loss = (h**2).sum()"}
    for check in found["check"]:
        assert_fields(check, CHECK)
    assert found["sizes"][0] == {"W": [3, 2], "x": [5, 3]}
    assert json.loads(derive(MINE, "--of", "h", "--json").out)["upstream"] == "dh"


@pytest.mark.slow
def test_write_adds_the_lines_and_keeps_a_backup(derive, handgrad, tmp_path):
    ended = derive(MINE, "--write")
    assert ended.code == 0
    assert ended.err.splitlines()[1] == "handgrad: the lines are written; the old file is mine.py.bak."
    before, after = MINE.split("\n\nprint(loss")
    assert (tmp_path / "mine.py").read_text() == f"{before}\n\n{QUOTED}\nprint(loss{after}"
    assert (tmp_path / "mine.py.bak").read_text() == MINE
    assert handgrad("check", "mine.py", folder=tmp_path).code == 0
    says = ("mine.py", "these lines stand there already")
    refused(handgrad, "derive", "mine.py", "--write", folder=tmp_path, says=says)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.py", "mine.py.bak"]


def test_write_into_a_cell(handgrad, tmp_path):
    cells = [MINE.split("a = x")[0], f"a = x{MINE.split('a = x')[1]}"]
    rows = [{"cell_type": "code", "metadata": {}, "outputs": [], "source": cell.splitlines(True)} for cell in cells]
    notebook = {"cells": rows, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (tmp_path / "mine.ipynb").write_text(json.dumps(notebook, indent=1))
    assert handgrad("derive", "mine.ipynb", "--write", folder=tmp_path).code == 0
    written = json.loads((tmp_path / "mine.ipynb").read_text())
    first, second = ("".join(cell["source"]) for cell in written["cells"])
    assert first == cells[0]
    assert second == cells[1].replace("sum()\n", f"sum()\n\n{QUOTED}")


def test_a_function(derive):
    ended = derive(FUNCTION, "--shape", "x=5,3", "--shape", "W=3,2", "--no-quotes", file="mine.py:layer")
    lines = ["def backward(dh, x, W):", "    h = torch.tanh(x @ W)", "", "    da = (1 - h**2) * dh",
             "    dx = da @ W.T", "    dW = x.T @ da", "    return dx, dW"]  # fmt: skip
    assert (ended.code, ended.out.splitlines()) == (0, lines)
    called = f"{FUNCTION}\nlayer(torch.ones(4, 2), W=torch.ones(2, 2))\n1 / 0\n"
    assert derive(called, "--no-quotes", file="mine.py:layer").out == ended.out


def test_a_function_is_written_below_its_own(derive, tmp_path):
    ended = derive(FUNCTION, "--shape", "x=5,3", "--shape", "W=3,2", "--write", file="mine.py:layer")
    assert ended.code == 0
    assert (tmp_path / "mine.py").read_text() == f"{FUNCTION}\n\n{ended.out}"


DROPS = MINE.replace("torch.tanh(a)", "torch.nn.functional.dropout(a)")
NOT_COVERED = MINE.replace("torch.tanh(a)", "torch.linalg.lstsq(a, a).solution")


def test_what_cannot_be_differentiated_is_refused_by_line(derive):
    assert_refused(derive(NOT_COVERED), "mine.py, line 6: h = torch.linalg.lstsq(a, a).solution", "lstsq")


def test_a_mask_that_is_not_kept_is_made_in_a_line_of_its_own(derive):
    ended = derive(DROPS)
    assert "\nmask = torch.nn.functional.dropout(torch.ones_like(a))\nh = a * mask\n" in ended.out
    assert "\nda = mask * dh " in ended.out
    assert "line 6 draws random numbers that it does not keep" in ended.err


def test_a_refusal_as_json_has_what_where_and_what_next(derive):
    ended = derive(NOT_COVERED, "--json")
    error = json.loads(ended.out)["error"]
    assert (error["line"], error["text"]) == (6, "h = torch.linalg.lstsq(a, a).solution")
    assert "lstsq" in error["what"]
    assert error["next"]
    assert ended.code == 2


BAD_WORDS = {
    "": ("FILE", "derive --help"),
    "nowhere.py": ("nowhere.py", "no such file"),
    "notes.txt": ("notes.txt", "got .txt", "expected .py or .ipynb"),
    "list.ipynb": ("list.ipynb", "not a Jupyter notebook"),
    "mine.py --form short": ("--form", "'short'", "derive --help"),
    "mine.py --style jax": ("--style", "'jax'", "derive --help"),
    "mine.py --timeout 0": ("--timeout", "got 0.0", "above 0"),
    "mine.py --data nowhere": ("nowhere", "no such folder", "--data"),
    "mine.py --of cost": ("mine.py", "nothing is called 'cost'"),
    "mine.py --in h --out a": ("mine.py", "a does not depend on", "'h'"),
    "mine.py --from a": ("--from", "got a", "LINE"),
    "mine.py --from 50 --to 60": ("mine.py", "no statement"),
    "mine.py --explainn": ("--explainn", "--explain", "derive --help"),
    "mine.py:layer": ("mine.py", "no function is called 'layer'"),
    "mine.py:1": ("mine.py:1", "no name of a function"),
    "mine.py:f --shape x": ("--shape", "NAME=32,10"),
    "mine:f --write": ("mine", "'f'"),
}


@pytest.mark.parametrize("words", BAD_WORDS)
def test_bad_words_are_refused_on_one_line(handgrad, tmp_path, words):
    for name, content in {"mine.py": MINE, "notes.txt": "", "list.ipynb": "[]"}.items():
        (tmp_path / name).write_text(content)
    refused(handgrad, "derive", *words.split(), folder=tmp_path, says=BAD_WORDS[words])


@pytest.mark.slow
def test_a_program_that_raises_or_has_no_end(derive):
    assert_refused(derive(MINE.replace("a = x @", "a = y @")), "mine.py, line 5", "NameError", "program itself")
    assert_refused(derive("while True:\n    pass\n" + MINE, "--timeout", 2), "line 1", "--timeout")
    assert_refused(derive("import sys\nsys.exit(3)\n" + MINE), "line 2", "ended itself")


def test_data_of_another_folder(derive, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "numbers.txt").write_text("2")
    text = MINE.replace("a = x @ W", "k = int(open('numbers.txt').read())\na = x @ W").replace("h**2", "h**k")
    assert_refused(derive(text), "line 5", "FileNotFoundError", "--data")
    assert derive(text, "--data", "data").code == 0


@pytest.mark.slow
def test_ctrl_c_ends_it_quietly(tmp_path):
    (tmp_path / "mine.py").write_text("import time\nopen('started', 'w')\n" + "time.sleep(60)\n" + MINE)
    running = subprocess.Popen(
        command("derive", "mine.py"), cwd=tmp_path, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    time.sleep(float(os.environ.get("HANDGRAD_START_S", "6")))
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=30)
    assert (running.returncode, out) == (130, b"")
    assert err.decode().startswith("handgrad: stopped.")
    assert b"Traceback" not in err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.py"]


TWO_LOSSES = """
import torch

x, y = torch.randn(4, 3), torch.randn(4, 2)
W = torch.randn(3, 2, requires_grad=True)
h = torch.tanh(x @ W)
loss_a = ((h - y)**2).mean()
loss_b = (h - y).abs().mean()
"""

NOTED = {
    "two losses": (TWO_LOSSES, "note: the loss is loss_a, though loss_b may be one too; --of NAME names another"),
    "two numbers": (
        TWO_LOSSES.replace("loss_", "mean_"),
        "note: the loss is mean_b, though mean_a may be one too; --of NAME names another",
    ),
    "no leaves": (
        TWO_LOSSES.replace(", requires_grad=True", "").replace("loss_b = (h - y).abs().mean()\n", ""),
        "note: no tensor requires a gradient: all floats are differentiated by, x, W, y; --in NAME,NAME names others",
    ),
}


@pytest.mark.parametrize("name", NOTED)
def test_what_is_chosen_is_noted(derive, name):
    program, note = NOTED[name]
    ended = derive(program)
    assert ended.code == 0
    assert f"handgrad: {note}\n" in ended.err
    assert ended.err.count("note:") == 1


def test_a_question_for_none_is_not_noted(derive):
    lines = "def forward(x, bias=None):\n    return x if bias is None else x + bias\n"
    ended = derive(
        TWO_LOSSES.replace("h = torch", lines + "h = torch").replace("h - y", "forward(h) - y"), "--of", "loss_a"
    )
    assert ended.code == 0
    assert "note:" not in ended.err
