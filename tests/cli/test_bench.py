"""`handgrad bench`, by running it: figures, forms, what is missing, what is refused, Ctrl-C."""

import json
import subprocess
import sys

import pexpect
import pytest

from handgrad.bench.rivals import RIVALS

from .command import ENVIRONMENT, Ended, assert_refused, refused

PROGRAM = """
import os, signal, sys
class Missing:
    def find_spec(self, name, *_):
        if name in {without!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Missing())
signal.signal(signal.SIGINT, signal.default_int_handler)
{prelude}
from handgrad.cli import main
sys.exit(main())
"""
SMALL = ("bench", "--batch-size", "8", "--n-hidden", "12", "--rounds", "3")
PIECES = ("torch", "jax")


def program(*words: object, without=PIECES, prelude="") -> list[str]:
    return [sys.executable, "-c", PROGRAM.format(without=without, prelude=prelude), *map(str, words)]


def bench(*words: object, folder, without=PIECES, prelude="") -> Ended:
    """Run the command without the packages named, and without a C++ compiler."""
    ended = subprocess.run(program(*words, without=without, prelude=prelude), cwd=folder, timeout=120, text=True,
                           env={**ENVIRONMENT, "CXX": "no-such-compiler"}, capture_output=True)  # fmt: skip
    return Ended(ended.returncode, ended.stdout, ended.stderr)


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """A folder with the JSON and the picture of a run with PyTorch, and the JSON itself."""
    folder = tmp_path_factory.mktemp("bench")
    ended = bench(*SMALL, "--json", "--png", "bench.png", folder=folder, without=["jax"])
    assert (ended.code, ended.err) == (0, "")
    (folder / "bench.json").write_text(ended.out)
    return folder, json.loads(ended.out)


@pytest.mark.slow
def test_the_figures_of_each_rival(measured):
    _, result = measured
    assert result["method"]["rounds"] == 3
    assert result["method"]["threads"] == 1
    assert {"machine", "cpu", "cores", "system", "python", "numpy", "numba", "torch"} <= result["machine"].keys()
    (shape,) = result["shapes"]
    assert shape["shape"] == {"batch_size": 8, "n_hidden": 12, "block_size": 3, "n_embd": 10, "model": "mlp"}
    assert shape["title"] == "batch 8, hidden 12"
    assert [row["name"] for row in shape["rows"]] == list(RIVALS)[:4]
    assert shape["not_measured"] == {
        "PyTorch by hand, compiled": "no C++ compiler: torch.compile looks for no-such-compiler",
        "JAX jit + scan": "jax is not installed; pip install jax",
    }
    for row in shape["rows"]:
        for figure in (row["us"], row["times_engine"], row["times_floor"], shape["floor_us"]):
            assert 0 < figure["q1"] <= figure["median"] <= figure["q3"]
    assert shape["rows"][0]["times_engine"] == {"median": 1.0, "q1": 1.0, "q3": 1.0}


@pytest.mark.slow
def test_the_picture(measured):
    folder, _ = measured
    picture = (folder / "bench.png").read_bytes()
    assert picture.startswith(b"\x89PNG\r\n")
    assert len(picture) > 5_000


def test_earlier_figures_are_shown_again(measured, handgrad, tmp_path):
    folder, result = measured
    shown = handgrad("bench", "--from", folder / "bench.json", folder=tmp_path)
    assert (shown.code, shown.err) == (0, "")
    rows = result["shapes"][0]["rows"]
    median = rows[2]["times_engine"]["median"]
    assert all(f"\n{row['name']} " in shown.out for row in rows)
    assert "\nJAX jit + scan: jax is not installed; pip install jax\n" in shown.out
    assert f": {median:,.1f} times as fast as PyTorch autograd." in shown.out
    assert "200,000 steps" not in shown.out
    table = handgrad("bench", "--from", folder / "bench.json", "--markdown", folder=tmp_path).out.splitlines()
    assert table[0].startswith("| shape | floor, µs | engine, µs | engine ÷ floor | notebook's own loop ÷ engine | ")
    assert table[2].startswith("| batch 8, hidden 12 | ")
    assert {line.count("|") for line in table} == {8}
    again = handgrad("bench", "--from", folder / "bench.json", "--json", folder=tmp_path)
    assert json.loads(again.out) == result


@pytest.mark.slow
def test_without_pytorch_and_jax(tmp_path):
    ended = bench("bench", "--rounds", "1", folder=tmp_path)
    assert (ended.code, ended.err) == (0, "")
    assert "PyTorch autograd: torch is not installed; pip install 'handgrad[torch]'\n" in ended.out
    assert "\nOn this machine the engine takes a lecture's step in " in ended.out
    assert "\nThe 200,000 steps of the lecture take about " in ended.out
    assert "times as fast" not in ended.out


@pytest.mark.slow
def test_a_rival_that_computes_something_else_gets_no_time(tmp_path):
    wrong = 'from handgrad.bench.rivals import RIVALS; RIVALS["PyTorch autograd"] = lambda p: lambda n: p.parameters'
    ended = bench(*SMALL, folder=tmp_path, prelude=wrong)
    assert ended.code == 0
    assert "\nPyTorch autograd: does not compute the same: after 8 steps C is " in ended.out
    assert "times as fast" not in ended.out


STOPPING = """
from handgrad.bench.rivals import RIVALS, engine
def stopping(problem, calls=[]):
    def take(n):
        calls.append(n)
        if len(calls) == {call}:
            os.kill(os.getpid(), signal.SIGINT)
        return engine(problem)(n)
    return take
RIVALS["JAX jit + scan"] = stopping
"""


@pytest.mark.slow
@pytest.mark.parametrize("words", [(), ("--json",)], ids=str)
def test_ctrl_c_shows_the_rounds_before(tmp_path, words):
    prelude = STOPPING.format(call=5 + 2 + 1)  # to compare, twice to estimate and to warm up; two rounds
    ended = bench(*SMALL, *words, folder=tmp_path, prelude=prelude)
    assert (ended.code, ended.err) == (130, "handgrad: stopped. batch 8, hidden 12: 2 of 3 rounds.\n")
    assert json.loads(ended.out)["shapes"][0]["rounds"] == 2 if words else "JAX jit + scan" in ended.out


@pytest.mark.slow
def test_ctrl_c_before_the_first_round(tmp_path):
    ended = bench(*SMALL, folder=tmp_path, prelude=STOPPING.format(call=1))
    assert ended == Ended(130, "", "handgrad: stopped. Nothing was measured yet.\n")


@pytest.mark.slow
def test_on_a_terminal_it_says_how_long_and_shows_what_goes_on(tmp_path):
    first, *rest = program(*SMALL)
    environment = {**ENVIRONMENT, "TERM": "xterm"}
    screen = pexpect.spawn(first, rest, cwd=str(tmp_path), env=environment, timeout=60, encoding="utf-8")
    screen.expect(r"batch 8, hidden 12, 3 rounds: about \d+ s, up to a minute more the first time")
    for part in ("hidden 12: engine", "round 3 of 3", "On this machine", pexpect.EOF):
        screen.expect(part)
    screen.close()
    assert screen.exitstatus == 0


REFUSED = {
    "--png nowhere/bench.png": ("nowhere/bench.png", "no picture", "a folder that can be written to"),
    "--png .": ("no picture", "expected a file"),
    "--rounds 0": ("rounds", "got 0", "expected 1 to"),
    "--rounds few": ("--rounds", "'few'", "bench --help"),
    "--threads 0": ("threads", "got 0", "expected 1 to"),
    "--threads 100000": ("threads", "got 100000"),
    "--batch-size 1": ("batch_size 1", "at least 2"),
    "--n-hidden 0": ("n_hidden", "got 0", "expected 1 to"),
    "--all --n-hidden 7": ("--all", "got batch 32, hidden 7", "Leave out"),
    "--json --markdown": ("--json and --markdown", "Choose one"),
    "--model microgpt --script microgpt.py": ("microgpt.py", "no such script", "a copy of microgpt.py"),
    "--model microgpt --n-embd 32 --script here.py": ("--script", "embedding 32", "Say --model microgpt"),
    "--script here.py": ("--script", "got batch 32, hidden 200", "Say --model microgpt"),
    "--from bench.json --rounds 3": ("--from measures nothing", "Leave out"),
    "--from missing.json": ("missing.json", "No such file"),
}


@pytest.mark.one_in(3)
@pytest.mark.parametrize(("words", "says"), REFUSED.items(), ids=list(REFUSED))
def test_what_is_refused_before_anything_is_measured(handgrad, tmp_path, words, says):
    (tmp_path / "here.py").touch()
    refused(handgrad, "bench", *words.split(), folder=tmp_path, says=says)


OTHER = [b"", b"hello", b"[1]", b"{}", b'{"shapes": []}', b'{"shapes": [{"rows": 3}]}', b"\x89PNG\xff"]


@pytest.mark.parametrize("content", OTHER, ids=str)
def test_a_file_that_holds_something_else(handgrad, tmp_path, content):
    (tmp_path / "other.json").write_bytes(content)
    ended = handgrad("bench", "--from", "other.json", folder=tmp_path)
    assert_refused(ended, "other.json: this is not what 'handgrad bench --json' prints")


def test_threads_are_chosen_before_numpy_is_imported():
    """A library for products that has threads of its own lets them spin, and the processor's time counts that."""
    program = "import sys, handgrad.cli.bench; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
