"""`%load_ext handgrad` in a real kernel: the lecture's cells as they are, and what the page then shows."""

import base64
import io
import re

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from PIL import Image

from .lecture import CHUNKED, FORWARD, FUSED_SOFTMAX, PARAMETERS, SETUP, planted

pytestmark = pytest.mark.slow

DRAW = "import torch; [hash(state.numpy().tobytes()) for state in (g.get_state(), torch.get_rng_state())]"
WRONG = planted(CHUNKED, "wrong-square")
WRONG_LINE = 2 + WRONG.split("\n").index("dbndiff += (2*bndiff2) * dbndiff2")
CELLS = {
    "extension": "%load_ext handgrad",
    "too early": "%check",
    "setup": f"%matplotlib inline\n{SETUP}",
    "parameters": PARAMETERS,
    "forward": f"%%forward\n{FORWARD}",
    "before": f"torch.rand(1) + torch.rand(1, generator=g)\n{DRAW}",
    "wrong": f"%%backward\n{WRONG}",
    "after": DRAW,
    "values": "dbndiff.shape, 'dbndiff' in globals(), C.grad is not None",
    "hint 1": "%check --hint 1",
    "fix": "%check --fix",
    "mended": f"%%backward\n{CHUNKED}",
    "fused": f"%%backward --hint 3\n{FUSED_SOFTMAX.replace('dlogits /= n', 'dlogits /= 2*n')}",
    "fused, mended": f"%%backward\n{FUSED_SOFTMAX}",
    "no such loss": "%check --loss energy",
    "no such option": "%check --hints 1",
    "another forward": "%%forward\n%time loss = (logits**2).mean()",
    "another backward": "%%backward --prove\ndlogits = 2 * logits / logits.numel()",
    "raises": "%%backward\ndlogits = 1 / 0",
    "elsewhere": "seen = []",
    "uses what is elsewhere": "%%backward\nseen.append(1)\ndlogits = 2 * logits / logits.numel()",
    "forward with an option": "%%forward --loss energy\n0",
    "forward that awaits": "%%forward\nimport asyncio\nawait asyncio.sleep(0)",
}
MAY_FAIL = {"no such option", "raises", "forward with an option", "forward that awaits"}


@pytest.fixture(scope="module")
def shown(tmp_path_factory) -> dict[str, list]:
    """The outputs of each cell of a notebook that a kernel has run."""
    cells = [nbformat.v4.new_code_cell(source) for source in CELLS.values()]
    for name, cell in zip(CELLS, cells, strict=True):
        cell.metadata["tags"] = ["raises-exception"] * (name in MAY_FAIL)
    client = NotebookClient(nbformat.v4.new_notebook(cells=cells), timeout=120, kernel_name="python3")
    client.execute(cwd=str(tmp_path_factory.mktemp("notebook")))
    return {name: cell.outputs for name, cell in zip(CELLS, cells, strict=True)}


def text(outputs: list) -> str:
    return "".join(o.get("text") or o.get("data", {}).get("text/plain") or o.get("evalue", "") for o in outputs)


def page(outputs: list) -> str:
    (html,) = (o.data["text/html"] for o in outputs if "text/html" in o.get("data", {}))
    return html


@pytest.mark.slow
def test_the_cells_do_what_they_did(shown):
    assert text(shown["forward"]).startswith("tensor(")
    assert re.search(r"logits +\| exact: ", text(shown["wrong"]))
    assert text(shown["values"]) == "(torch.Size([32, 64]), True, True)"


def test_checking_draws_no_random_numbers(shown):
    assert text(shown["before"]) == text(shown["after"])


def test_a_wrong_line_is_shown_with_its_cell_and_line(shown):
    html = page(shown["wrong"])
    assert f"cell 7, line {WRONG_LINE}: dbndiff += (2*bndiff2) * dbndiff2" in html
    assert html.count("<tr style=") == 26
    assert "<td style='text-align:left'>wrong (own)</td>" in html
    assert "<th style='text-align:left'>cell</th>" in html
    assert "1 line is at fault." in html
    assert "right:" not in html


def test_the_line_at_fault_has_four_heat_maps(shown):
    (encoded,) = re.findall(r"src='data:image/png;base64,([^']+)'", page(shown["wrong"]))
    picture = Image.open(io.BytesIO(base64.b64decode(encoded))).convert("RGB")
    assert picture.width > 4 * picture.height
    pixels = [pixel for _, pixel in picture.getcolors(1 << 24)]
    assert any(r > b + 80 for r, _, b in pixels)
    assert any(b > r + 80 for r, _, b in pixels)


def test_hints_and_fix(shown):
    assert "look at dbndiff again" in page(shown["hint 1"])
    assert "wrong-variable" not in page(shown["hint 1"])
    assert re.search(r"right: dbndiff \+= \(?2 ?\* ?bndiff\)? \* dbndiff2", page(shown["fix"]))


def test_a_cell_run_again_takes_the_place_of_the_old_one(shown):
    html = page(shown["mended"])
    assert "All 26 gradients are right." in html
    assert "<img" not in html


def test_later_backward_cells_are_checked_with_the_earlier_ones(shown):
    assert "cell 13, line 8: dlogits /= 2*n" in page(shown["fused"])
    assert "(scale)" in page(shown["fused"]) or "(wrong-constant)" in page(shown["fused"])
    assert "27 gradients are right." in page(shown["fused, mended"])


def test_a_forward_cell_begins_with_what_is_there(shown):
    assert "The gradient is right, 1 proven." in page(shown["another backward"])


def test_mistakes_in_use_are_one_line(shown):
    assert text(shown["too early"]) == (
        "handgrad: no forward pass is known. Put %%forward over the cell that computes the loss.\n"
    )
    assert "no loss called 'energy'" in text(shown["no such loss"])
    assert "unrecognized arguments: --hints" in text(shown["no such option"])
    assert "%%forward takes no options (got --loss energy)" in text(shown["forward with an option"])
    assert "%%forward runs no 'await' outside of a function" in text(shown["forward that awaits"])


def test_an_exception_is_the_users_own_and_stops_the_notebook(shown):
    (error,) = (o for o in shown["raises"] if o.output_type == "error")
    assert error.ename == "ZeroDivisionError"
    assert "handgrad" not in "".join(error.traceback)
    assert "cell 19, line 2: dlogits = 1 / 0" in text(shown["raises"])
    assert "this line raises ZeroDivisionError" in text(shown["raises"])


def test_what_raised_nothing_in_the_notebook_is_no_fault(shown):
    html = page(shown["uses what is elsewhere"])
    assert "cell 21, line 2: NameError" in html
    assert "The gradient is right." in html


def test_a_forward_cell_that_raises_stops_the_notebook():
    cells = [nbformat.v4.new_code_cell(source) for source in ("%load_ext handgrad", "%%forward\n1 / 0", "2")]
    client = NotebookClient(nbformat.v4.new_notebook(cells=cells), timeout=120, kernel_name="python3")
    with pytest.raises(CellExecutionError):
        client.execute()
    assert [cell.execution_count for cell in cells] == [1, 2, None]


RAISING = {
    "%%forward\ndef f():\n    return 1 / 0\nf()": ("ZeroDivisionError", "Cell In[2], line 3"),
    "1 / 0": ("ZeroDivisionError", "Cell In[3], line 1"),
    "%%forward\nx = (": ("SyntaxError", "x = ("),
    "%%backward\nnowhere": ("NameError", "Cell In[5], line 1"),
    "def g():\n    raise ValueError('mine')\ng()": ("ValueError", "Cell In[6], line 2, in g()"),
    "%%derive\n{}[1]": ("KeyError", "Cell In[7], line 1"),
}


def test_a_cell_that_raises_shows_its_own_traceback_and_so_do_later_ones():
    cells = [nbformat.v4.new_code_cell(source) for source in ("%load_ext handgrad", *RAISING, "'done'")]
    client = NotebookClient(
        nbformat.v4.new_notebook(cells=cells), timeout=120, kernel_name="python3", allow_errors=True
    )
    client.execute()
    for cell, (name, place) in zip(cells[1:], RAISING.values(), strict=False):
        (error,) = (o for o in cell.outputs if o.output_type == "error")
        shown = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(error.traceback))
        assert error.ename == name
        assert place in shown
        assert "handgrad" not in shown
        assert "run_cell_magic" not in shown
    assert text(cells[-1].outputs) == "'done'"
