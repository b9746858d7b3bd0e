"""`handgrad train`: what it shows, where, and what it leaves."""

import csv
import io
import json
import re
import shlex
import sys
import unicodedata
from dataclasses import asdict

import numpy as np
import pytest
from safetensors.numpy import load_file

from handgrad.training.config import PRESETS

from .command import ENVIRONMENT, SMALL, command

FILES = ["config.json", "history.csv", "loss.png", "model.safetensors", "results.json", "samples.txt",
    "state.safetensors",
]  # fmt: skip


def test_what_it_shows(trained):
    folder, ended = trained
    shown = ended.out
    assert re.search(r"text +.*names\.txt: 60 lines, \d\d letters\n +\d+ / \d+ / \d+ characters to predict", shown)
    assert re.search(r"model +mlp, \d+ parameters: block_size 3, n_embd 2, n_hidden 8\n", shown)
    assert re.search(r"steps +20: batch_size 4, adam, lr 0\.\d+, seed 1\n", shown)
    losses = dict(re.findall(r"^(train|validation|test) +(\d\.\d{4}) +\d+\.\d+$", shown, re.MULTILINE))
    assert list(losses) == ["train", "validation", "test"]
    samples = re.findall(r"^  (\S+) +(new|known)$", shown, re.MULTILINE)
    assert (folder / "run" / "samples.txt").read_text().split() == [line for line, _ in samples]
    assert len(samples) == 20
    assert re.search(r"\nsaved +run \(the loss curves are loss\.png there\)\nnext +handgrad sample run ", shown)
    assert sorted(path.name for path in (folder / "run").iterdir()) == FILES
    assert (folder / "run" / "loss.png").read_bytes().startswith(b"\x89PNG\r\n")


def test_samples_are_marked_new_or_known(learnt):
    samples = re.findall(r"^  (\S+) +(new|known)$", learnt[1].out, re.MULTILINE)
    assert {mark for _, mark in samples} == {"new", "known"}
    assert [mark for _, mark in samples] == ["known" if line in ("a", "b", "ab") else "new" for line, _ in samples]


def test_progress_without_a_terminal_is_plain_lines_on_stderr(trained):
    assert re.fullmatch(r"step 20 of 20: loss \d\.\d{4}, validation \d\.\d{4}, [\d,]+ steps/s\n", trained[1].err)


@pytest.mark.slow
def test_what_it_says_to_try_next_works(handgrad, trained):
    folder, ended = trained
    commands = re.findall(r"^(?:next)? +handgrad (.*)$", ended.out, re.MULTILINE)
    assert [words.split()[0] for words in commands] == ["sample", "evaluate"]
    for words in commands:
        assert handgrad(*shlex.split(words), folder=folder).code == 0


def test_for_a_program(handgrad, trained, work):
    ended = handgrad("train", "names.txt", "--out", "again", *SMALL, "--json", folder=work)
    content = json.loads(ended.out)
    assert (content["run"], content["steps"], list(content["loss"])) == ("again", 20, ["train", "val", "test"])
    shown = re.findall(r"^  (\S+) +(new|known)$", trained[1].out, re.MULTILINE)
    assert [(sample["line"], "new" if sample["new"] else "known") for sample in content["samples"]] == shown
    same, again = (load_file(work / run / "state.safetensors") for run in ("run", "again"))
    assert all(np.array_equal(same[name], again[name]) for name in same)


OF_OTHER_MODELS = {"n_layer", "n_head", "dropout", "tied"}


@pytest.mark.slow
def test_every_setting_reaches_the_run(handgrad, work):
    flags = {
        "model": "mlp", "steps": 7, "batch_size": 5, "block_size": 2, "n_embd": 3, "n_hidden": 6, "optimizer": "sgd",
        "lr": 0.25, "warmup": 0.5, "weight_decay": 0.5, "minibatches": "epochs", "random": "python", "seed": 11,
        "split": "lines", "keep": "last",
        "runs": 1, "engine": "torch", "device": "cpu",
    }  # fmt: skip
    words = [word for name, value in flags.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    assert handgrad("train", "names.txt", "--out", "set", *words, folder=work).code == 0
    settings = json.loads((work / "set" / "config.json").read_text())["training"]
    assert {name: value for name, value in settings.items() if name not in OF_OTHER_MODELS} == flags
    assert settings.keys() == flags.keys() | OF_OTHER_MODELS
    rows = list(csv.DictReader(io.StringIO((work / "set" / "history.csv").read_text())))
    assert [(row["step"], row["lr"]) for row in rows] == [(str(k), "0.25" if k <= 4 else "0.025") for k in range(1, 8)]


@pytest.mark.slow
def test_the_lectures_preset_and_a_flag_beside_it(handgrad, work):
    words = ("--preset", "lecture", "--steps", "2", "--out", "lecture", "--json")
    assert handgrad("train", "names.txt", *words, folder=work).code == 0
    settings = json.loads((work / "lecture" / "config.json").read_text())["training"]
    assert settings == {**asdict(PRESETS["lecture"]), "steps": 2}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("flags", "says"), [("", "From step 49 on"), ("--batch-size 5", "From step 10 on"), ("--steps 48", "")]
)
def test_microgpts_preset_says_where_its_losses_leave_those_of_the_script(handgrad, work, flags, says):
    words = ("--preset", "microgpt", "--steps", "50", *flags.split(), "--out", "micro")
    ended = handgrad("train", "names.txt", *words, folder=work)
    assert ended.code == 0
    assert (says in ended.err) if says else "held out" not in ended.err
    settings = json.loads((work / "micro" / "config.json").read_text())
    assert {name: settings["training"][name] for name in ("model", "seed", "lr", "minibatches")} == {
        "model": "microgpt", "seed": 42, "lr": 0.01, "minibatches": "in-order",
    }  # fmt: skip
    assert settings["text"]["shuffle_seed"] == 42


@pytest.mark.slow
def test_without_out_the_folder_is_named_after_the_text_and_the_time(handgrad, work):
    runs = [json.loads(handgrad("train", "names.txt", *SMALL, "--json", folder=work).out)["run"] for _ in range(2)]
    assert all(re.fullmatch(r"runs/names-\d{4}-\d\d-\d\d-\d{6}(-\d+)?", run) for run in runs)
    assert runs[0] != runs[1]
    assert all((work / run / "model.safetensors").exists() for run in runs)


@pytest.mark.slow
def test_a_finished_run_resumed_says_the_same_again(handgrad, trained, work):
    ended = handgrad("train", "--resume", "run", folder=work)
    assert (ended.code, ended.err) == (0, "")
    before, after = trained[1].out, ended.out
    assert after[after.index("loss ") :] == before[before.index("loss ") :]


CYRILLIC = ["Анна", "Борис", "Вера", "Глеб", "Дарья", "Егор", "Жанна", "Зоя", "Игорь", "Йосиф", "Кира", "Лев"]
DOTTED = ["Dr. No", "U.S.A.", "e.g.", "a.m.", "p.m.", "etc.", "...", "St. Ives", "No. 5", "vs.", "Mr. X", "i.e."]
ACCENTED = ["Zoë", "José", "Chloé", "Renée", "Noël", "André", "Inès", "Félix", "Aïda", "Loïc", "Éva", "Jürgen"]
BEARS = [f"🦊{'🐻' * k}" for k in range(12)]


def decomposed(text: str) -> str:
    return unicodedata.normalize("NFD", text)


TEXTS = {
    "cyrillic": ("\n".join(CYRILLIC).encode(), CYRILLIC, "Б"),
    "full stops": ("\n".join(DOTTED).encode(), DOTTED, "."),
    "crlf and bom": (b"\xef\xbb\xbf" + "\r\n".join(ACCENTED).encode() + b"\r\n\r\n", ACCENTED, "é"),
    "decomposed": (decomposed("\n".join(ACCENTED)).encode(), ACCENTED, decomposed("é")),
    "emoji": ("\n".join(BEARS).encode(), BEARS, "🐻"),
}


@pytest.mark.slow
@pytest.mark.one_in(8)
@pytest.mark.parametrize(("content", "lines", "prefix"), TEXTS.values(), ids=list(TEXTS))
def test_text_as_people_have_it(handgrad, tmp_path, content, lines, prefix):
    (tmp_path / "text.txt").write_bytes(content)
    assert handgrad("train", "text.txt", "--out", "my run", *SMALL, folder=tmp_path).code == 0
    vocabulary = json.loads((tmp_path / "my run" / "config.json").read_text())["vocabulary"]
    assert vocabulary == "".join(sorted(set("".join(lines))))
    ended = handgrad("sample", "my run", "-n", "5", "--prefix", prefix, "--seed", "1", folder=tmp_path)
    sampled = ended.out.removesuffix("\n").split("\n")
    assert (ended.code, len(sampled)) == (0, 5)
    assert all(line.startswith(unicodedata.normalize("NFC", prefix)) for line in sampled)
    assert set("".join(sampled)) <= set(vocabulary)
    words = ("evaluate", "my run", "--line", decomposed(lines[0]), "--json")
    measured = json.loads(handgrad(*words, folder=tmp_path).out)
    assert list(measured["log_likelihood"]) == [lines[0]]


@pytest.mark.slow
def test_a_bar_in_a_terminal(work):
    pexpect = pytest.importorskip("pexpect")
    if sys.platform == "win32":
        pytest.skip("needs a pseudo-terminal")
    script, *words = command("train", "names.txt", "--out", "seen", *SMALL[2:], "--steps", "300")
    environment = ENVIRONMENT | {"TERM": "xterm"}
    terminal = pexpect.spawn(script, words, cwd=work, env=environment, dimensions=(40, 140), timeout=60)
    terminal.expect(pexpect.EOF)
    terminal.close()
    shown = terminal.before.decode()
    assert terminal.exitstatus == 0, shown
    assert "━" in shown
    assert re.search(r"300/300.*loss \d\.\d{4}, validation \d\.\d{4}, [\d,]+ steps/s.*elapsed", shown)
    assert "step 300 of 300" not in shown
    assert shown.index("300/300") < shown.index("20 samples")
