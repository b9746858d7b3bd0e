"""The command on real Ray: on this machine, on a cluster of two nodes on it, and through kills and Ctrl-C."""

import csv
import json
import os
import secrets
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from handgrad.data import resolve_corpus

pytestmark = pytest.mark.cluster

ENVIRONMENT = {**os.environ, "HANDGRAD_THREADS": "2", "COLUMNS": "200", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
ENVIRONMENT.pop("RAY_AUTH_MODE", None)
SPACE = """
epochs = {from = 1, to = 4}
lr = {from = 0.002, to = 0.02, log = true}
[gru]
n_hidden = [32, 48]
[mlp]
n_hidden = [16, 32]
batch_size = 128
"""
SWEEP = ("sweep", "names.txt", "--space", "space.toml", "--trials", "8", "--round", "4", "--budget", "0.5s")
PATIENCE_S = 120


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "handgrad", *words]


def ran(folder: Path, *words: str, code: int = 0, **environment: str) -> subprocess.CompletedProcess[str]:
    ended = subprocess.run(
        command(*words), cwd=folder, env={**ENVIRONMENT, **environment}, capture_output=True, text=True,
        timeout=PATIENCE_S, check=False,
    )  # fmt: skip
    assert ended.returncode == code, ended
    return ended


def table(folder: Path) -> list[list[str]]:
    """All but the seconds."""
    return [row[:-1] for row in csv.reader((folder / "sweep.csv").read_text().splitlines())]


@pytest.fixture(scope="module")
def work(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("work")
    (folder / "names.txt").write_text("\n".join(list(resolve_corpus().lines())[:2_000]))
    (folder / "space.toml").write_text(SPACE)
    return folder


@pytest.fixture(scope="module")
def whole(work) -> dict:
    """What an undisturbed sweep on this machine says of itself."""
    token = Path.home() / ".ray" / "auth_token"
    had_one = token.exists()
    ended = ran(work, *SWEEP, "--out", "whole", "--mix", "--json", RAY_AUTH_TOKEN="")
    assert token.exists() == had_one
    expected = ("Compiling the loops of ", "of 8 trials done, ")
    assert all(any(words in line for words in expected) for line in ended.stderr.splitlines())
    return json.loads(ended.stdout)


def test_a_sweep_on_this_machine(work, whole):
    folder = work / "whole"
    rows = list(csv.DictReader((folder / "sweep.csv").read_text().splitlines()))
    assert [row["trial"] for row in rows] == [f"trial-{number:03d}" for number in range(8)]
    finished = [row for row in rows if row["status"] == "finished"]
    best = min(finished, key=lambda row: float(row["val"]))
    assert whole["best"]["trial"] == best["trial"]
    assert whole["best"]["val"] == pytest.approx(float(best["val"]), abs=1e-6)
    assert whole["default"]["trial"] == "trial-000"
    assert whole["mix"]["loss"]["val"] < whole["best"]["val"]
    assert (folder / "sweep.png").read_bytes().startswith(b"\x89PNG")


def test_its_command_gives_the_best_run_again(work, whole):
    words = shlex.split(whole["command"])
    assert words[:3] == ["handgrad", "train", "names.txt"]
    ran(work, *words[1:], "--out", "again")
    for name in ("model.safetensors", "state.safetensors", "history.csv", "samples.txt"):
        assert (work / "again" / name).read_bytes() == (work / "whole" / whole["best"]["trial"] / name).read_bytes()


@contextmanager
def driving(folder: Path, *words: str) -> Iterator[subprocess.Popen[str]]:
    """The command, while it runs; ended should the test fail to, and all that it started."""
    process = subprocess.Popen(
        command(*words), cwd=folder, env=ENVIRONMENT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


def descendants(pid: int) -> list[tuple[int, str]]:
    """All processes that come from one, and their names."""
    children: dict[int, list[int]] = {}
    names = {}
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            children.setdefault(int((path / "stat").read_text().rpartition(")")[2].split()[1]), []).append(
                int(path.name)
            )
            names[int(path.name)] = (path / "cmdline").read_bytes().decode().replace("\0", " ")
    found, new = [], [pid]
    while new:
        new = [child for parent in new for child in children.get(parent, [])]
        found += [(child, names[child]) for child in new]
    return found


def until(condition, process: subprocess.Popen[str]):
    """What the condition is once it is true, while the process runs."""
    ends = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < ends
        time.sleep(0.01)
    return found


def some_are_compared(folder: Path) -> bool:
    return sum('"rungs": []' not in path.read_text() for path in folder.glob("trial-*/trial.json")) > 3


def gone(processes: list[tuple[int, str]]) -> bool:
    """Whether they have ended."""
    with suppress(OSError):
        return not any(
            Path(f"/proc/{pid}").exists() and Path(f"/proc/{pid}/cmdline").read_bytes() for pid, _ in processes
        )
    return False


def test_a_driver_and_then_a_worker_are_killed(work, whole):  # noqa: ARG001
    with driving(work, *SWEEP, "--out", "bereft") as process:
        until(lambda: some_are_compared(work / "bereft"), process)
        started = [one for one in descendants(process.pid) if "_Worker" in one[1]]
        process.kill()
        process.communicate()
    ends = time.monotonic() + PATIENCE_S
    while not gone(started):
        assert time.monotonic() < ends, "its workers live on"
        time.sleep(0.1)
    with driving(work, "sweep", "--resume", "bereft") as process:
        (worker, _), *_ = until(lambda: [one for one in descendants(process.pid) if "_Worker.do" in one[1]], process)
        os.kill(worker, signal.SIGKILL)
        _, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, err
    assert table(work / "bereft") == table(work / "whole")


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@contextmanager
def node(address: str, *words: str, **environment: str) -> Iterator[None]:
    """A node of a cluster, of one core, on a loopback address."""
    ray = [sys.executable, "-c", "from ray.scripts.scripts import main; main()"]
    started = [
        *ray,
        "start",
        "--block",
        "--num-cpus=1",
        "--disable-usage-stats",
        f"--node-ip-address={address}",
        *words,
    ]
    with tempfile.TemporaryFile("w+") as said:
        environment = {**ENVIRONMENT, "RAY_AUTH_MODE": "token", **environment}
        process = subprocess.Popen(started, env=environment, stdout=said, stderr=subprocess.STDOUT)
        ends = time.monotonic() + PATIENCE_S
        try:
            while "Ray runtime started" not in (said.seek(0), said.read())[1]:
                assert process.poll() is None, (said.seek(0), said.read())[1]
                assert time.monotonic() < ends
                time.sleep(0.1)
            yield
        finally:
            mine = descendants(process.pid)
            process.terminate()
            process.wait(timeout=PATIENCE_S)
            for pid, _ in mine:
                with suppress(OSError):
                    os.kill(pid, signal.SIGKILL)


@contextmanager
def head(**environment: str) -> Iterator[str]:
    """The first node of a cluster; its address."""
    port = free_port()
    with node("127.0.0.2", "--head", f"--port={port}", "--include-dashboard=false", **environment):
        yield f"127.0.0.2:{port}"


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """The address of two nodes."""
    with head() as address, node("127.0.0.3", f"--address={address}"):
        yield address


def test_a_cluster_of_two_nodes_gives_the_same_table(work, whole, cluster):  # noqa: ARG001
    ran(work, *SWEEP, "--out", "far", "--address", cluster)
    assert table(work / "far") == table(work / "whole")


def test_the_seeds_of_a_run_on_a_cluster(work, cluster):
    words = ("train", "names.txt", "--model", "gru", "--n-hidden", "16", "--steps", "60", "--runs", "3")
    ran(work, *words, "--out", "here")
    ran(work, *words, "--out", "there", "--address", cluster)
    assert (work / "there" / "runs.csv").read_bytes() == (work / "here" / "runs.csv").read_bytes()
    for name in ("model.safetensors", "seed-2/state.safetensors", "seed-3/model.safetensors"):
        assert (work / "there" / name).read_bytes() == (work / "here" / name).read_bytes()


def test_ctrl_c_and_the_rest_on_a_cluster(work, whole, cluster):  # noqa: ARG001
    with driving(work, *SWEEP, "--out", "stopped") as process:
        until(lambda: some_are_compared(work / "stopped"), process)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130, err
    assert err.splitlines()[-1].startswith("handgrad: stopped. ")
    assert err.endswith("go on with 'handgrad sweep --resume stopped'.\n")
    assert (work / "stopped" / "sweep.csv").exists()
    ran(work, "sweep", "--resume", "stopped", "--address", cluster)
    assert table(work / "stopped") == table(work / "whole")


def test_an_address_where_nothing_answers(work):
    begun = time.monotonic()
    ended = ran(work, *SWEEP, "--out", "nowhere", "--address", f"127.0.0.1:{free_port()}", code=2)
    assert time.monotonic() - begun < 30
    assert "this cluster cannot be reached" in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert not (work / "nowhere").exists()


def test_a_token_that_is_lacking_or_wrong(work, cluster, tmp_path):
    for environment in ({"RAY_AUTH_TOKEN": "", "RAY_AUTH_MODE": "token"}, {"RAY_AUTH_TOKEN": "0" * 64}):
        ended = ran(work, *SWEEP, "--out", "shut", "--address", cluster, code=2, HOME=str(tmp_path), **environment)
        assert "the token for this cluster is lacking or wrong" in ended.stderr
        assert ended.stderr.count("\n") == 1
    assert not (work / "shut").exists()


def test_auto_where_the_cluster_is_gone(work):
    ended = ran(work, *SWEEP, "--out", "gone", "--address", "auto", code=2, RAY_ADDRESS=f"127.0.0.1:{free_port()}")
    assert "--address auto: this cluster cannot be reached" in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_a_cluster_without_handgrad(work, whole, tmp_path):  # noqa: ARG001
    (tmp_path / "handgrad").mkdir()
    (tmp_path / "handgrad" / "__init__.py").touch()
    with head(PYTHONPATH=str(tmp_path)) as address:
        ended = ran(work, *SWEEP, "--out", "lacking", "--address", address, code=2)
    said = ended.stderr.splitlines()[-1]
    assert "the workers of the cluster cannot begin (got ModuleNotFoundError: No module named 'handgrad" in said
