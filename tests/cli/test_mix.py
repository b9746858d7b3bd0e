"""`handgrad mix`: what it shows, and a run folder that the other commands take for one like any other."""

import itertools
import json
import os
import re
import shutil
import signal
import subprocess

import pytest

from handgrad.data import resolve_corpus

from .command import ENVIRONMENT, command, listing, refused

pytestmark = pytest.mark.slow
MIX = ("mix", "run", "counted", "--out", "mixture")


@pytest.fixture(scope="module")
def mixed(handgrad, trained, tmp_path_factory):
    """A folder with `names.txt`, `run`, `counted` and `mixture` of both, not to be changed; and what `mix` said."""
    folder = tmp_path_factory.mktemp("mixed")
    shutil.copytree(trained[0], folder, dirs_exist_ok=True)
    config = folder / "run" / "config.json"
    config.write_text(config.read_text().replace(str(trained[0]), str(folder)))
    assert handgrad("train", "names.txt", "--model", "ngram", "--out", "counted", folder=folder).code == 0
    return folder, handgrad(*MIX, folder=folder)


@pytest.fixture
def mixture(mixed, tmp_path):
    """A folder with `mixture` alone, and the text."""
    folder, ended = mixed
    assert (ended.code, ended.err) == (0, ""), ended
    for name in ("mixture", "names.txt"):
        (shutil.copytree if (folder / name).is_dir() else shutil.copy)(folder / name, tmp_path / name)
    config = tmp_path / "mixture" / "config.json"
    config.write_text(config.read_text().replace(str(folder), str(tmp_path)))
    return tmp_path


def test_what_it_shows(handgrad, mixed):
    """The weights, what each run was worth alone, and what is shown of every run."""
    folder, ended = mixed
    heading, first, second, *_ = ended.out.splitlines()
    assert heading.split() == ["run", "model", "weight", "validation", "loss"]
    rows = [re.split(r" {2,}", row.strip()) for row in (first, second)]
    assert [row[:2] for row in rows] == [["run", "mlp"], ["counted", "ngram"]]
    assert sum(float(row[2]) for row in rows) == pytest.approx(1, abs=2e-3)
    for name, *_, loss in rows:
        alone = json.loads(handgrad("evaluate", name, "--json", folder=folder).out)["loss"]["val"]
        assert float(loss) == pytest.approx(alone, abs=1e-4)
    measured = handgrad("evaluate", "mixture", folder=folder)
    assert measured.out in ended.out
    assert re.search(r"^saved +mixture$", ended.out, re.MULTILINE)
    assert "handgrad sample mixture" in ended.out
    lines = (folder / "mixture" / "samples.txt").read_text().splitlines()
    assert re.findall(r"^  (\w+) +(?:new|known)$", ended.out, re.MULTILINE) == lines


def test_for_a_program(handgrad, mixed):
    folder, ended = mixed
    shown = handgrad(*MIX[:-1], "another", "--json", folder=folder)
    content = json.loads(shown.out)
    assert content["run"] == "another"
    assert [run["run"] for run in content["runs"]] == ["run", "counted"]
    assert sum(run["weight"] for run in content["runs"]) == pytest.approx(1)
    for run in content["runs"]:
        assert re.search(rf" {run['weight']:.3f} +{run['val']:.4f}$", ended.out, re.MULTILINE)
    assert list(content["loss"]) == ["train", "val", "test"]
    assert content["loss"]["val"] <= min(run["val"] for run in content["runs"])
    assert len(content["samples"]) == 20
    ours, theirs = listing(folder / "another"), listing(folder / "mixture")
    assert ours.keys() == theirs.keys() == {"config.json", "model.safetensors", "results.json", "samples.txt"}
    assert ours["model.safetensors"] == theirs["model.safetensors"]
    shutil.rmtree(folder / "another")


def test_it_is_a_run_like_any_other(handgrad, mixture):
    """Without the runs it was made of: sampled with all flags, and evaluated."""
    wishes = ("--seed", 3, "--prefix", "ma", "--temperature", 0.8, "--max-length", 6, "--unique", "--new-only")
    drawn = handgrad("sample", "mixture", "-n", 9, *wishes, folder=mixture)
    assert (drawn.code, drawn.err, drawn.out.count("\n")) == (0, "", 9)
    assert all(line.startswith("ma") and len(line) <= 6 for line in drawn.out.splitlines())
    assert handgrad("sample", "mixture", "-n", 9, *wishes, folder=mixture) == drawn
    content = json.loads(
        handgrad("evaluate", "mixture", "--line", "emma", "--line", "mmae", "--json", folder=mixture).out
    )
    assert content["log_likelihood"]["emma"] > content["log_likelihood"]["mmae"]
    assert handgrad("evaluate", "mixture", "--text", "names.txt", folder=mixture).code == 0
    refused(handgrad, "sample", "mixture", "--prefix", "m3x!", folder=mixture, says=("'m3x!'", "letters", "'!', '3'"))


def test_the_same_samples_whatever_the_threads(mixture):
    seen = set()
    for threads in "13":
        environment = {**ENVIRONMENT, "HANDGRAD_THREADS": threads}
        words = command("sample", "mixture", "-n", "5000", "--seed", "4")
        seen.add(subprocess.run(words, cwd=mixture, env=environment, capture_output=True, check=True).stdout)
    assert len(seen) == 1


def test_a_run_without_weight_is_named(handgrad, tmp_path):
    lines = itertools.islice(resolve_corpus().lines(), 200)
    (tmp_path / "names.txt").write_text("".join(f"{line}\n" for line in lines))
    for out, length in (("[red]", 1), ("counted", 5)):
        settings = ("--model", "ngram", "--block-size", length)
        assert handgrad("train", "names.txt", "--out", out, *settings, folder=tmp_path).code == 0
    ended = handgrad("mix", "counted", "[red]", folder=tmp_path)
    assert re.search(r"^\[red\] +ngram +0\.000 +\d", ended.out, re.MULTILINE)
    assert "\n[red] gets no weight, and is left out.\n" in ended.out
    (made,) = (tmp_path / "runs").iterdir()
    assert re.fullmatch(r"names-mix-\d{4}-\d\d-\d\d-\d{6}", made.name)


MISTAKES = {
    "": ("two runs at least (got 0)",),
    "run": ("two runs at least (got 1)",),
    "run nowhere": ("nowhere: no such run folder",),
    "run names.txt": ("names.txt: no such run folder",),
    "run other": ("run and other: these runs are not of the same text", "got names, sha256 ", " and other, "),
    "run run --out run": ("run: there is something here already", "--out"),
    "run run --out names.txt/mixture": ("cannot be written", "Choose a folder"),
    "run run --corpus nowhere.txt": ("there is no such file", "--corpus FILE"),
    "run run --oot mixture": ("--oot", "Did you mean --out?", "mix --help"),
}


@pytest.mark.parametrize("words", MISTAKES)
def test_mistakes(handgrad, work, words):
    if "other" in words:
        (work / "other.txt").write_bytes((work / "names.txt").read_bytes() + b"zoe\n")
        assert handgrad("train", "other.txt", "--model", "ngram", "--out", "other", folder=work).code == 0
    refused(handgrad, "mix", *words.split(), folder=work, says=MISTAKES[words])


def test_it_cannot_be_gone_on_with(handgrad, mixture):
    says = ("mixture: this is a mixture of runs, which takes no steps", "handgrad mix")
    refused(handgrad, "train", "--resume", "mixture", folder=mixture, says=says)


@pytest.mark.parametrize("command_", ["sample", "evaluate"])
def test_a_damaged_mixture(handgrad, mixture, command_):
    config = mixture / "mixture" / "config.json"
    config.write_text(config.read_text().replace('"weight": 0.', '"weight": 7.'))
    refused(
        handgrad, command_, "mixture", folder=mixture, says=("mixture: config.json is damaged", "weights make no sense")
    )


@pytest.mark.skipif(os.name == "nt", reason="signals are Unix's")
def test_killed_at_any_moment_there_is_a_mixture_or_none(mixed):
    """Every file is there before `config.json`, which makes a folder a run folder."""
    folder, _ = mixed
    whole = 0
    for delay in (0.2, 0.5, 0.8, 1.1, 1.4, 1.7, 2.0, 3.0):
        with subprocess.Popen(
            command(*MIX[:-1], "killed"), cwd=folder, env=ENVIRONMENT, stdout=subprocess.DEVNULL
        ) as process:
            try:
                process.wait(delay)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
        if (folder / "killed" / "config.json").exists():
            whole += 1
            subprocess.run(
                command("sample", "killed"), cwd=folder, env=ENVIRONMENT, check=True, stdout=subprocess.DEVNULL
            )
        shutil.rmtree(folder / "killed", ignore_errors=True)
    assert whole > 0
