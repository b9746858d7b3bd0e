"""Notebooks as people keep them: magics, shell lines, plots, cells out of order, several passes, a training loop."""

import json

import pytest

from handgrad import check
from handgrad.checker import SourceError

from .lecture import CELLS, CHUNKED, FORWARD, FUSED_BATCH_NORM, FUSED_SOFTMAX, PARAMETERS, SETUP, planted

NOISE = (
    "!wget https://example.org/names.txt",
    "%matplotlib inline\n%load_ext autoreload\n%autoreload 2",
    "%%bash\nls -l | head",
    "%%html\n<b>bold</b>",
    "files = !ls",
    "torch.randn?",
    "import matplotlib.pyplot as plt\nfig, ax = plt.subplots(figsize=(3, 3))\nax.imshow([[1]])\nplt.show()",
)
TRAINING = """\
max_steps = 200000
lossi = []
with torch.no_grad():
  for i in range(max_steps):
    ix = torch.randint(0, Xtr.shape[0], (batch_size,), generator=g)
    Xb, Yb = Xtr[ix], Ytr[ix]
    emb = C[Xb]
    embcat = emb.view(emb.shape[0], -1)
    h = torch.tanh(embcat @ W1 + b1)
    logits = h @ W2 + b2
    loss = F.cross_entropy(logits, Yb)
    dlogits = F.softmax(logits, 1)
    dlogits[range(n), Yb] -= 1
    dlogits /= n
    dh = dlogits @ W2.T
    dW2 = h.T @ dlogits
    db2 = dlogits.sum(0)
    for p, grad in zip([W2, b2], [dW2, db2]):
      p.data += -0.1 * grad
    if i % 1000 == 0:
      print(i, loss.item())
    lossi.append(loss.log10().item())
"""


@pytest.fixture
def checked(tmp_path):
    """Check a notebook of these cells, saved with these execution counts."""

    def run(*cells: str, counts: tuple[int | None, ...] | None = None, **options):
        numbers = counts or tuple(range(1, len(cells) + 1))
        rows = [
            {"cell_type": "code", "execution_count": number, "metadata": {}, "outputs": [], "source": source}
            for number, source in zip(numbers, cells, strict=True)
        ]
        rows.insert(1, {"cell_type": "markdown", "metadata": {}, "source": ["# Exercise 1\n"]})
        path = tmp_path / "mine.ipynb"
        path.write_text(json.dumps({"cells": rows, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
        return check(path, **options)

    return run


def places(report) -> list[tuple[int, int]]:
    return [(row.place.cell, row.place.line) for row in report.blamed]


def line_of(cell: str, text: str) -> int:
    return 1 + cell.split("\n").index(text)


def test_the_whole_lecture_with_all_that_is_not_python(checked):
    report = checked(*CELLS[:1], *NOISE, *CELLS[1:])
    assert report.right, str(report)
    assert [row.name for row in report.variables].count("logits") == 2
    assert report.notes == []


def test_a_wrong_line_has_its_cell_and_line(checked):
    wrong = planted(CHUNKED, "wrong-square")
    report = checked("!pip install torch", SETUP, PARAMETERS, FORWARD, f"# my attempt\n%time x = 1\n{wrong}")
    assert places(report) == [(5, 2 + line_of(wrong, "dbndiff += (2*bndiff2) * dbndiff2"))]


def test_what_a_cell_times_or_awaits_is_run(checked):
    forward = FORWARD.replace("h = torch.tanh(", "%time h = torch.tanh(")
    waits = "import asyncio\nawait asyncio.sleep(0)\nprint(_, In, Out)"
    report = checked(SETUP, PARAMETERS, forward, waits, CHUNKED)
    assert report.right, str(report)
    assert report.notes == []


@pytest.mark.slow
def test_every_pass_is_checked(checked):
    softmax, norm = planted(FUSED_SOFTMAX, "not-divided"), planted(FUSED_BATCH_NORM, "biased")
    report = checked(SETUP, PARAMETERS, FORWARD, CHUNKED, softmax, norm)
    assert {(row.name, row.place.cell) for row in report.blamed} == {("logits", 5), ("hprebn", 6)}


@pytest.mark.slow
def test_cells_run_in_another_order_are_mentioned(checked):
    report = checked(SETUP, PARAMETERS, FORWARD, CHUNKED, counts=(1, 2, 9, 4))
    assert report.right
    assert any("another order" in note for note in report.notes)
    assert checked(SETUP, PARAMETERS, FORWARD, CHUNKED, counts=(1, 2, None, 7)).notes == []


@pytest.mark.parametrize("wrong", [False, True])
def test_a_training_loop_is_not_run_to_its_end(checked, wrong):
    loop = TRAINING.replace("db2 = dlogits.sum(0)", "db2 = dlogits.mean(0)") if wrong else TRAINING
    report = checked(SETUP, PARAMETERS, loop, timeout=20.0)
    assert places(report) == ([(3, line_of(loop, "    db2 = dlogits.mean(0)"))] if wrong else [])
    assert report.right is not wrong
    assert {"logits", "h", "W2", "b2"} <= {row.name for row in report.variables}


def test_a_file_beside_the_notebook_is_found(checked, tmp_path):
    (tmp_path / "names.txt").write_text("emma\nava\n")
    read = "words = open('names.txt').read().split()\nassert len(words) == 2"
    assert checked("!wget https://example.org/names.txt", read, SETUP, PARAMETERS, FORWARD, CHUNKED).right


def test_a_mended_notebook_is_still_one(checked, tmp_path):
    from handgrad.checker.faces.mend import mend

    report = checked(SETUP, PARAMETERS, FORWARD, planted(CHUNKED, "not-squared"))
    path = tmp_path / "mine.ipynb"
    before = json.loads(path.read_text())
    count, backup = mend(report, path)
    after = json.loads(path.read_text())
    assert (count, json.loads(backup.read_text())) == (1, before)
    changed = [
        i for i, cell in enumerate(after["cells"]) if "".join(cell["source"]) != "".join(before["cells"][i]["source"])
    ]
    assert changed == [4]
    assert check(path).right


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"cells": 3}', "not json", '{"worksheets": []}'])
def test_what_is_no_notebook_is_refused(tmp_path, content):
    path = tmp_path / "mine.ipynb"
    path.write_text(content)
    with pytest.raises(SourceError, match="not a Jupyter notebook"):
        check(path)
