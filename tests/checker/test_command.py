"""`handgrad check` as its users run it: exit codes, streams, each flag, and files that cannot be checked."""

import json

import pytest

from ..cli.command import Warm, assert_refused, cold, listing, refused
from .cases import BADLY_FORMED, MISTAKES
from .cases.schema import program

BY_ID = {mistake.id: mistake for mistake in MISTAKES}
WRONG = BY_ID["checker-md-01"]
WRONG_LINE = "line 68: dbndiff += (2 * bndiff2) * dbndiff2"
ENDLESS_S, TIMEOUT_S = 2, 30

SMALL = """\
import torch

x, w = torch.randn(5, 3), torch.randn(3, 2, requires_grad=True)
y = x @ w
loss = (y**2).mean()
dy = 2 * y / y.numel()
dw = x.T @ dy
"""


@pytest.fixture(scope="module")
def handgrad():
    warm = Warm()
    yield warm
    warm.close()


@pytest.fixture
def check(handgrad, tmp_path):
    """Write a program to `mine.py` and check it with the words."""

    def run(text: str, *words: object):
        (tmp_path / "mine.py").write_bytes(text.encode())
        return handgrad("check", "mine.py", *words, folder=tmp_path)

    return run


def test_a_right_program(check, tmp_path):
    ended = check(program("lecture_chunked"))
    assert (ended.code, ended.err) == (0, "")
    rows = ended.out.splitlines()
    assert rows[0].split() == ["variable", "shape", "exact", "approximate", "maxdiff", "verdict"]
    assert {row.split()[-1] for row in rows[1:27]} <= {"exact", "close"}
    assert rows[27:] == ["", "All 26 gradients are right."]
    assert [path.name for path in tmp_path.iterdir()] == ["mine.py"]


@pytest.mark.slow
def test_right_lines_that_are_proven(check):
    ended = check(program("lecture_chunked"), "--prove")
    assert ended.out.endswith("All 26 gradients are right, 25 proven.\n")
    assert [row.split()[0] for row in ended.out.splitlines()[1:27] if not row.endswith("(proven)")] == ["C"]


def test_a_wrong_line_is_named_and_nothing_else(check):
    ended = check(WRONG.source)
    assert (ended.code, ended.err) == (1, "")
    assert [line for line in ended.out.splitlines() if line.startswith("line ")] == [WRONG_LINE]
    assert "wrong (wrong-variable): uses `bndiff2`; it should be `bndiff`." in ended.out
    assert ended.out.endswith("1 line is at fault.\n")


@pytest.mark.slow
@pytest.mark.one_in(5)
@pytest.mark.parametrize(
    ("words", "where", "kind", "answer"),
    [
        (("--hint", 1), True, False, False),
        (("--hint", 2), True, True, False),
        ((), True, True, False),
        (("--hint", 3), True, True, True),
        (("--fix",), True, True, True),
    ],
)
def test_hints_give_away_more_and_more(check, words, where, kind, answer):
    out = check(WRONG.source, *words).out
    assert (WRONG_LINE in out, "wrong-variable" in out) == (where, kind)
    assert ("right: dbndiff += (2 * bndiff) * dbndiff2" in out) is answer


@pytest.mark.slow
def test_fix_write_keeps_a_backup_and_mends(check, handgrad, tmp_path):
    ended = check(WRONG.source, "--fix", "--write")
    assert ended.code == 1
    assert ended.err == f"handgrad: 1 line written; the old file is {'mine.py.bak'}.\n"
    assert (tmp_path / "mine.py.bak").read_text() == WRONG.source
    assert (tmp_path / "mine.py").read_text() == program(WRONG.program)
    again = handgrad("check", "mine.py", "--fix", "--write", folder=tmp_path)
    assert (again.code, again.err) == (0, "")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.py", "mine.py.bak"]


@pytest.mark.parametrize(
    ("written", "mended"),
    [
        ("dw = x.T @ dy * 2  # the weights", "dw = x.T @ dy  # the weights"),
        ("k = 3; dw = x.T @ dy * 2; m = 'é'", "k = 3; dw = x.T @ dy; m = 'é'"),
        ("if True: dw = x.T @ dy * 2", "if True: dw = x.T @ dy"),
    ],
)
def test_fix_write_keeps_what_else_is_on_the_line(check, tmp_path, written, mended):
    ended = check(SMALL.replace("dw = x.T @ dy", written), "--fix", "--write")
    assert "line 7: dw = x.T @ dy * 2" in ended.out
    assert (tmp_path / "mine.py").read_text() == SMALL.replace("dw = x.T @ dy", mended)


@pytest.mark.slow
def test_fix_alone_changes_nothing(check, tmp_path):
    check(WRONG.source, "--fix", "--hint", 3)
    assert listing(tmp_path) == {"mine.py": WRONG.source.encode()}


VARIABLE = {
    "name": str, "gradient": str, "shape": list, "cell": (int, type(None)), "line": (int, type(None)), "verdict": str,
    "exact": bool, "approximate": bool, "maxdiff": (float, type(None)), "relative_error": (float, type(None)),
    "cause": (str, type(None)), "proven": bool, "diagnosis": list,
}  # fmt: skip
PLACE = {"cell": (int, type(None)), "line": (int, type(None))}
DIAGNOSIS = {"kind": str, "message": str, "fix": (str, type(None)), "left_over": (str, type(None)), **PLACE}
HAZARD = {"kind": str, "variable": str, **PLACE, "message": str}


def assert_fields(record: dict, fields: dict) -> None:
    assert list(record) == list(fields)
    assert [name for name, kind in fields.items() if not isinstance(record[name], kind)] == []


def test_json_field_for_field(check):
    text = WRONG.source.replace("dhprebn = dbndiff.clone()", "dhprebn = dbndiff").replace("db1 = dhprebn.sum(0)\n", "")
    text = text.replace("dbnbias = dhpreact.sum(0, keepdim=True)", "dbnbias = dhpreact.sum(0)")
    ended = check(text, "--json")
    report = json.loads(ended.out)
    assert (ended.code, list(report)) == (1, ["loss", "right", "variables", "hazards", "unjudged", "notes", "errors"])
    assert report["loss"] == pytest.approx(3.5, abs=0.5)
    assert report["right"] is False
    for variable in report["variables"]:
        assert_fields(variable, VARIABLE)
        for diagnosis in variable["diagnosis"]:
            assert_fields(diagnosis, DIAGNOSIS)
    rows = {variable["name"]: variable for variable in report["variables"]}
    bndiff, logits, b1, bnbias, W1 = (rows[name] for name in ("bndiff", "logits", "b1", "bnbias", "W1"))
    assert (bndiff["gradient"], bndiff["shape"], bndiff["line"]) == ("dbndiff", [32, 64], 68)
    assert (bndiff["verdict"], bndiff["cause"], bndiff["exact"]) == ("wrong", "own", False)
    assert [d["kind"] for d in bndiff["diagnosis"]] == ["wrong-variable"]
    assert bndiff["diagnosis"][0]["fix"] == "dbndiff += (2 * bndiff) * dbndiff2"
    assert bndiff["diagnosis"][0]["left_over"] == "too much by 2 * bndiff * dbndiff2 * (bndiff - 1)."
    assert (bndiff["proven"], rows["h"]["proven"], b1["proven"]) == (False, True, False)
    assert 0 < bndiff["maxdiff"] < 1
    assert (logits["verdict"], logits["cause"], logits["diagnosis"]) == ("exact", None, [])
    assert (b1["verdict"], b1["cause"], b1["line"], b1["maxdiff"]) == ("missing", None, None, None)
    assert (bnbias["verdict"], bnbias["cause"], bnbias["maxdiff"]) == ("shape", "own", None)
    assert (W1["verdict"], W1["cause"]) == ("wrong", "inherited")
    (hazard,) = report["hazards"]
    assert_fields(hazard, HAZARD)
    assert (hazard["kind"], hazard["variable"]) == ("in-place", "dbndiff")


@pytest.mark.parametrize(
    "lines",
    [
        "def d_w(up):\n    return x.T @ up\ndw = d_w(dy)",
        "dw = x.T @ dy\ndef d_w(up):\n    return x.T @ up",
    ],
)
def test_a_function_named_like_a_gradient_is_none_where_there_is_another(check, lines):
    assert check(SMALL.replace("dw = x.T @ dy", lines)).code == 0


@pytest.mark.slow
def test_strict_makes_faults_of_warnings(check):
    unwritten = SMALL.replace("dw = x.T @ dy\n", "")
    broadcasts = program("lecture_chunked").replace(
        "dbnbias = dhpreact.sum(0, keepdim=True)", "dbnbias = dhpreact.sum(0)"
    )
    for changed in (unwritten, broadcasts):
        lax, strict = check(changed), check(changed, "--strict")
        assert (lax.code, strict.code) == (0, 1), strict.out
    assert "warning (shape)" in lax.out
    assert "wrong (shape)" in strict.out


def test_loss_by_name(check):
    text = SMALL.replace("loss =", "penalty = y.abs().mean()\nobjective =")
    named = check(text, "--loss", "objective", "--json")
    assert (named.code, json.loads(named.out)["right"]) == (0, True)
    assert_refused(check(text, "--loss", "nothing"), "no loss called 'nothing'", "--loss NAME")
    assert_refused(check(text, "--loss", "y"), "no loss called 'y'", "torch.float32, of shape (5, 2)")


def test_data_of_another_folder(check, tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "numbers.txt").write_text("1 2 3")
    text = SMALL.replace("\n\n", "\n\nnumbers = open('numbers.txt').read().split()\nassert len(numbers) == 3\n", 1)
    beside = check(text)
    assert beside.code == 2
    assert beside.err.startswith("handgrad: line 3: FileNotFoundError")
    assert "--data" in beside.err
    assert "1 of 2" not in beside.out
    assert check(text, "--data", "data").code == 0


@pytest.mark.slow
def test_timeout_ends_an_endless_loop(check):
    before_the_last = check(SMALL.replace("dw =", "while True:\n    pass\ndw ="), "--timeout", ENDLESS_S)
    assert before_the_last.code == 0
    assert f"line 7: stopped after {ENDLESS_S} s" in before_the_last.out
    assert "--timeout" in before_the_last.out
    assert_refused(check("while True:\n    pass\n" + SMALL, "--timeout", ENDLESS_S), "line 1", "--timeout")
    assert check(SMALL, "--timeout", "inf").code == 0


def test_a_line_of_the_users_that_raises_is_on_stderr_beside_json(check):
    ended = check("import nowhere\n" + SMALL, "--json")
    assert (ended.code, json.loads(ended.out)["right"]) == (2, False)
    assert ended.err == "handgrad: line 1: ModuleNotFoundError: No module named 'nowhere'\n"


BAD_WORDS = {
    "": ("FILE", "check --help"),
    "nowhere.py": ("nowhere.py", "no such file"),
    "folder": ("folder", "cannot be read", "directory"),
    "notes.txt": ("notes.txt", "got .txt", "expected .py or .ipynb"),
    "list.ipynb": ("list.ipynb", "not a Jupyter notebook"),
    "latin.py": ("latin.py", "utf-8"),
    "mine.py --hint 4": ("--hint", "'4'", "check --help"),
    "mine.py --timeout 0": ("--timeout", "got 0.0", "above 0"),
    "mine.py --data nowhere": ("nowhere", "no such folder", "--data"),
    "mine.py --timeout soon": ("--timeout", "'soon'", "check --help"),
    "mine.py --write": ("--write", "--fix"),
    "mine.py --strickt": ("--strickt", "--strict", "check --help"),
    "nowhere.py --watch": ("nowhere.py", "no such file"),
}


@pytest.mark.parametrize("words", BAD_WORDS)
def test_bad_words_are_refused_on_one_line(handgrad, tmp_path, words):
    (tmp_path / "folder").mkdir()
    for name, content in {
        "mine.py": SMALL.encode(),
        "notes.txt": b"",
        "list.ipynb": b"[]",
        "latin.py": b"\xe9",
    }.items():
        (tmp_path / name).write_bytes(content)
    refused(handgrad, "check", *words.split(), folder=tmp_path, says=BAD_WORDS[words])


@pytest.mark.slow
def test_a_reader_that_has_enough(tmp_path):
    (tmp_path / "mine.py").write_text(SMALL)
    ended = cold("check", "mine.py", folder=tmp_path, before=("sh", "-c", '"$@" | head -n 1', "sh"))
    assert (ended.code, ended.err, ended.out.split()[0]) == (0, "", "variable")


@pytest.mark.slow
def test_the_exit_code_does_not_hang_on_the_reader(tmp_path):
    (tmp_path / "mine.py").write_text(SMALL.replace("2 * y", "3 * y"))
    enough = ("bash", "-c", 'set -o pipefail; "$@" | head -c 5', "bash")
    assert cold("check", "mine.py", "--json", folder=tmp_path, before=enough).code == 1


@pytest.mark.parametrize(
    ("before", "says"),
    [
        ("import numpy as torch_free\n", "loss = np.mean("),
        (
            "import torch\nclass Twice(torch.autograd.Function):\n    pass\nloss = torch.ones(3).sum()\n",
            "handgrad.check(Twice",
        ),
        ("import torch\nx = torch.ones(3) * 1j\nloss = x.abs().sum()\ndx = x / x.abs()\n", "complex"),
    ],
    ids=["numpy", "a Function", "complex"],
)
def test_what_is_not_judged_is_told(check, before, says):
    assert_refused(check(before), says)


@pytest.mark.one_in(6)
@pytest.mark.parametrize("case", BADLY_FORMED, ids=lambda case: case.id)
def test_what_cannot_be_checked_ends_in_a_sentence(check, case):
    ended = check(case.source, "--json", "--timeout", ENDLESS_S if case.endless else TIMEOUT_S)
    report = json.loads(ended.out)
    diagnoses = [one["message"] for row in report["variables"] for one in row["diagnosis"]]
    said = [*report["errors"], *report["notes"], *diagnoses, *(h["message"] for h in report["hazards"])]
    said += [one["reason"] for one in report["unjudged"]]
    said += [row["verdict"] for row in report["variables"] if row["verdict"] not in ("exact", "close")]
    assert "Traceback" not in ended.err + ended.out
    assert "handgrad/" not in " ".join(said)
    assert ended.code in case.exit_codes, ended
    assert not case.expect or any(word in one for word in case.expect for one in said), said
    assert ended.code == (2 if report["errors"] else 0 if report["right"] else 1)
    assert {row["name"] for row in report["variables"] if row["cause"] == "own"} == set(case.blamed)
    if not report["variables"] and report["errors"]:
        assert ended.err == f"handgrad: {report['errors'][0]}\n"


def test_the_users_own_output_and_plots_stay_away(check):
    text = "import matplotlib.pyplot as plt\nprint('loud')\nplt.plot([1]); plt.savefig('p.png'); plt.show()\n" + SMALL
    ended = check(text)
    assert ended.code == 0
    assert "loud" not in ended.out + ended.err
