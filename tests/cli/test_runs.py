"""`handgrad train --runs`: what it shows and leaves, and Ctrl-C."""

import json
import re
import signal
import subprocess
import sys
import time

import pytest
from safetensors.numpy import load_file, save_file

import handgrad as library
from handgrad.training.checkpoint import read_settings, read_state

from .command import ENVIRONMENT, SMALL, assert_refused, command
from .test_interrupt import listen

RUNS = (*SMALL, "--runs", "3", "--seed", "4")


@pytest.mark.slow
def test_what_it_shows(handgrad, work):
    ended = handgrad("train", "names.txt", "--out", "three", *RUNS, folder=work)
    assert ended.code == 0, ended.err
    assert "seeds 4 to 6\n" in ended.out
    lines = r"^(seed \d(?: \(best\))?|mean|standard deviation) +(\d\.\d{4}) +(\d\.\d{4}) +(\d\.\d{4})$"
    losses = {name: [float(x) for x in found] for name, *found in re.findall(lines, ended.out, re.MULTILINE)}
    seeds = {name: found for name, found in losses.items() if name.startswith("seed")}
    (best,) = (name for name in seeds if name.endswith("(best)"))
    assert [name[:6] for name in seeds] == ["seed 4", "seed 5", "seed 6"]
    assert seeds[best][1] == min(found[1] for found in seeds.values())
    assert losses["mean"][1] == pytest.approx(sum(found[1] for found in seeds.values()) / 3, abs=1e-4)
    assert 0 < losses["standard deviation"][1] < 1
    assert sorted(re.findall(r"^(seed \d): step 20 of 20: loss", ended.err, re.MULTILINE)) == [n[:6] for n in seeds]
    assert "\nsaved   three (" in ended.out
    shown = library.evaluate(library.load(work / "three"))["val"]
    assert round(shown, 4) == seeds[best][1]
    assert library.sample(library.load(work / "three" / "seed-5"), 2)


@pytest.mark.slow
def test_for_a_program(handgrad, work):
    content = json.loads(handgrad("train", "names.txt", "--out", "three", *RUNS, "--json", folder=work).out)
    assert [each["seed"] for each in content["runs"]] == [4, 5, 6]
    assert [each["run"] for each in content["runs"]] == [f"three/seed-{seed}" for seed in (4, 5, 6)]
    best = min(content["runs"], key=lambda each: each["loss"]["val"])
    assert (content["run"], content["seed"], content["loss"]) == ("three", best["seed"], best["loss"])
    assert content["mean"].keys() == content["standard_deviation"].keys() == {"train", "val", "test"}
    assert (content["steps"], len(content["samples"]), content["diverged"]) == (20, 20, [])
    again = json.loads(handgrad("train", "--resume", "three", "--json", folder=work).out)
    assert again == content


@pytest.mark.slow
def test_one_that_diverges_is_named_and_the_others_go_on(handgrad, work):
    assert handgrad("train", "names.txt", "--out", "three", *RUNS, folder=work).code == 0
    for seed in (4, 5, 6):
        state = work / "three" / f"seed-{seed}" / "state.safetensors"
        tensors = load_file(state)
        tensors["legs"][0, 1] = 40
        if seed == 5:
            tensors["W2"][:] = 3e38
        save_file(tensors, state)
    ended = handgrad("train", "--resume", "three", folder=work)
    assert ended.code == 0, ended.err
    assert re.search(r"^seed 5 stopped: step 20: the loss is no longer a finite number", ended.out, re.MULTILINE)
    assert re.findall(r"^seed (\d).* \d\.\d{4}$", ended.out, re.MULTILINE) == ["4", "6"]
    content = json.loads(handgrad("train", "--resume", "three", "--json", folder=work).out)
    assert [each["seed"] for each in content["runs"]] == [4, 6]
    assert [each["seed"] for each in content["diverged"]] == [5]
    assert content["seed"] in (4, 6)


def test_where_all_diverge_it_is_refused(handgrad, work):
    ended = handgrad("train", "names.txt", "--out", "three", *RUNS, "--lr", "1e30", "--json", folder=work)
    assert_refused(ended, "step 1: the loss is no longer a finite number", "try --lr")


@pytest.mark.slow
def test_ctrl_c_and_on(handgrad, work):
    flags = ("--steps", 200_000, *SMALL[2:], "--keep", "last", "--runs", 2, "--checkpoint-every", "0.2s")
    started = subprocess.Popen(
        command("train", "names.txt", "--out", "two", *flags), cwd=work, env=ENVIRONMENT | {"HANDGRAD_THREADS": "2"},
        preexec_fn=listen, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    folders = [work / "two" / f"seed-{seed}" for seed in (1, 2)]
    while not all((folder / "history.csv").exists() for folder in folders):
        assert started.poll() is None
        time.sleep(0.005)
    started.send_signal(signal.SIGINT)
    _, err = started.communicate(timeout=60)
    says = "handgrad: stopped. What has been trained is saved; go on with 'handgrad train --resume two'.\n"
    assert (started.returncode, err) == (130, says)
    assert all(0 < read_state(folder, read_settings(folder)).step < 200_000 for folder in folders)
    assert_refused(handgrad("sample", "two", folder=work), "two: no model yet", "handgrad train --resume two")
    ended = handgrad("train", "--resume", "two", folder=work)
    assert ended.code == 0, ended.err
    assert library.load(work / "two").steps == 200_000


def test_a_number_of_threads_that_is_none(work):
    words = command("train", "names.txt", "--out", "three", *RUNS)
    ended = subprocess.run(words, cwd=work, env=ENVIRONMENT | {"HANDGRAD_THREADS": "0"}, capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (
        2, "handgrad: HANDGRAD_THREADS: this is no number of threads (got '0', expected 1 to 1,024).\n"
    )  # fmt: skip
    assert not (work / "three").exists()


@pytest.mark.slow
def test_a_bar_a_run_in_a_terminal(work):
    pexpect = pytest.importorskip("pexpect")
    if sys.platform == "win32":
        pytest.skip("needs a pseudo-terminal")
    script, *words = command("train", "names.txt", "--out", "seen", *SMALL[2:], "--steps", "300", "--runs", "3")
    terminal = pexpect.spawn(
        script, words, cwd=work, env=ENVIRONMENT | {"TERM": "xterm"}, dimensions=(40, 140), timeout=60
    )
    terminal.expect(pexpect.EOF)
    shown = terminal.before.decode()
    for seed in (1, 2, 3):
        losses = r"loss \d\.\d{4}, validation \d\.\d{4}"
        assert re.search(rf"seed {seed} .*━.*300/300.*{losses}, [\d,]+ steps/s", shown), shown
