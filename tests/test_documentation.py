"""The examples of README and docs run as they stand; links lead somewhere."""

import json
import linecache
import os
import re
import shlex
import shutil
import subprocess
import sys
import types
from pathlib import Path

import pytest
import torch

import handgrad
from handgrad import ops
from handgrad.bench.report import markdown
from handgrad.cli import COMMANDS, main
from handgrad.models.registry import FAMILIES

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
DERIVE = ROOT / "docs" / "derive.md"


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", (ROOT / page).read_text(), re.DOTALL | re.MULTILINE)


def test_notebook_page_runs_in_order(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    for block in blocks("docs/notebook.md", "python"):
        exec(compile(block, "docs/notebook.md", "exec"), names)
    lines = capsys.readouterr().out.splitlines()
    compared = [line for line in lines if line[16:17] == "|"]
    assert len(compared) == 10
    assert [line for line in compared if "approximate: True" not in line] == [
        "b2              | wrong shape: got (32, 27), expected (27,)",
        "h               | not written yet",
    ]
    assert names["model"].steps == 200


def test_the_examples_of_adding_a_model_run():
    for block in blocks("docs/adding-a-model.md", "python"):
        assert "assert " in block
        exec(compile(block, "docs/adding-a-model.md", "exec"), {})


def test_every_model_is_on_its_page():
    named = re.findall(r"^\| `(\w+)` \|", (ROOT / "docs/models.md").read_text().partition("## Sizes")[0], re.MULTILINE)
    assert named == list(FAMILIES)


@pytest.mark.slow
def test_readme_python_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = [line.split()[0] for line in handgrad.sample(_a_model(tmp_path / "source"), 40, seed=0)]
    Path("names.txt").write_text("\n".join(["mar", *names]))
    library, operations = blocks("README.md", "python")
    exec(library.replace("2_000", "20"), {})
    assert "'train'" in capsys.readouterr().out
    logits = torch.randn(5, 7, requires_grad=True)
    targets = torch.arange(5)
    torch.nn.functional.cross_entropy(logits, targets).backward()
    exec(operations, {"handgrad": handgrad, "ops": ops, "torch": torch, "logits": logits, "targets": targets})
    assert "approximate: True" in capsys.readouterr().out


def _a_model(folder: Path) -> handgrad.Model:
    return handgrad.train(model="mlp", steps=20, batch_size=8, n_hidden=8, out=folder)


@pytest.mark.slow
def test_readme_exercise_4_is_what_comes_out(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    lecture = (ROOT / "tests/checker/cases/programs/lecture_chunked.py").read_text()
    Path("lecture.py").write_text(
        lecture.replace("import torch\n", "import torch\nimport torch.nn.functional as F\n", 1)
    )
    (block,) = (block for block in blocks("README.md", "text") if block.startswith("handgrad derive"))
    command, _, shown = block.partition("\n")
    assert main([*shlex.split(command)[1:], "--no-quotes"]) == 0
    assert capsys.readouterr().out == shown


@pytest.mark.slow
def test_readme_commands_are_accepted(tmp_path):
    """Every '$ handgrad …' line of the README runs, with fewer steps, on a small text, and nothing compiled in C++."""
    towns = [f"new{a}{b}town" for a in "abcdefghijklmnopqrstuvwxyz" for b in "xyzw"]
    (tmp_path / "towns.txt").write_text("\n".join(towns))
    (tmp_path / "names.txt").write_text("\n".join(towns))
    shutil.copy(ROOT / "tests/checker/cases/programs/lecture_chunked.py", tmp_path / "backprop.py")
    commands = re.findall(r"^\$ (handgrad .*)$", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert {shlex.split(command)[1] for command in commands} == set(COMMANDS)
    for command in commands:
        words = shlex.split(command.replace("2000", "20"))[1:]
        shorter = {
            "lecture": ["--steps", "20"],
            "bench": ["--rounds", "1"],
            "sweep": ["--trials", "2", "--budget", "1s"],
        }
        words += shorter.get(words[0], [])
        process = [sys.executable, "-m", "handgrad", *words]
        environment = {**os.environ, "CXX": "no-such-compiler"}
        run = subprocess.run(process, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert run.returncode == 0, f"{command}\n{run.stderr}"


@pytest.mark.slow
def test_the_page_on_sampling_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    _a_model(tmp_path / "runs" / "names")
    for command in re.findall(r"^\$ handgrad (.*)$", (ROOT / "docs/sample.md").read_text(), re.MULTILINE):
        assert main(shlex.split(command)) == 2 * ("--interactive" in command)
    flags = set(re.findall(r"^\| `--([\w-]+)", (ROOT / "docs/sample.md").read_text(), re.MULTILINE))
    assert {name.replace("-", "_") for name in flags} >= set(handgrad.SampleConfig.__dataclass_fields__)
    (block,) = blocks("docs/sample.md", "python")
    exec(block, {})
    assert capsys.readouterr().out.rstrip().endswith("]")


@pytest.mark.slow
def test_the_page_on_deriving_shows_what_happens(tmp_path, monkeypatch, capsys):
    """Each `handgrad derive` on it, on the files on it, prints what stands below it; and its Python runs."""
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    page = DERIVE.read_text()
    quoted = "".join(line[2:] + "\n" for line in page.splitlines() if line.startswith(">"))
    for language, block in re.findall(r"^```(\w+)\n(.*?)^```$", page, re.DOTALL | re.MULTILINE):
        if language == "python" and (file := re.match(r"# (\w+\.py)\n", block)):
            Path(file[1]).write_text(block)
        elif language == "python" and not block.startswith("%"):
            exec(_with_lines(block), names)
        elif language == "console":
            command, _, shown = block.partition("\n")
            words, _, into = command.partition(" > ")
            assert main(shlex.split(words)[2:]) == 0
            assert _without_rounding(capsys.readouterr().out) == _without_rounding(quoted if into else shown)
        elif language == "text":
            assert _without_rounding(capsys.readouterr().out) == _without_rounding(block)
    assert capsys.readouterr().out == ""


def _with_lines(block: str) -> types.CodeType:
    """Code whose functions have their source at hand."""
    file = f"<page {len(linecache.cache)}>"
    linecache.cache[file] = len(block), None, block.splitlines(keepends=True), file
    return compile(block, file, "exec")


def _without_rounding(shown: str) -> list[list[str]]:
    return [
        [word for word in line.split() if not re.search(r"\de-\d\d$|^0$|^bit$|^for$", word)]
        for line in shown.split("\n")
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_table_of_the_performance_page_is_what_was_measured():
    measured = json.loads((ROOT / "bench" / "compare.json").read_text(encoding="utf-8"))
    assert markdown(measured) in (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
