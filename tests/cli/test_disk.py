"""Folders that cannot be written, and disks that are or become full."""

import ctypes
import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

import handgrad as library
from handgrad.training.checkpoint import read_settings, read_state

from .command import SMALL, assert_refused, cold, command, listing, refused

PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 24, 1, 2
FULL = ("cannot be written", "Free some space, then go on with --resume")


def bind() -> None:
    """Let permissions bind root as they bind everyone else, from the next exec on."""
    if os.geteuid() == 0:
        for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
            if ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, capability, 0, 0, 0):
                os._exit(1)


@pytest.fixture
def locked(work):
    """`work/locked`, a run folder that its owner has made read-only; skips where permissions cannot be made to bind."""
    folder = work / "locked"
    shutil.copytree(work / "run", folder)
    folder.chmod(0o555)
    probe = subprocess.run(["touch", folder / "probe"], preexec_fn=bind, stderr=subprocess.DEVNULL, check=False)
    if probe.returncode == 0:
        pytest.skip("needs permissions that bind: this user passes them all")
    yield folder
    folder.chmod(0o755)


@pytest.mark.slow
def test_a_read_only_folder(work, locked):
    says = ("cannot be written", "got Permission denied", "Choose a folder you may write to")
    new = ("train", "names.txt", "--out", locked / "run", *SMALL)
    refused(cold, *new, folder=work, says=(f"{locked}/run: ", *says), preexec_fn=bind)
    refused(cold, "train", "--resume", locked, "--json", folder=work, says=(f"{locked}: ", *says), preexec_fn=bind)


@pytest.mark.slow
def test_a_folder_no_one_may_enter(work, locked):
    locked.chmod(0o000)
    for words in (("train", "names.txt", "--out", "locked/run", *SMALL), ("sample", "locked")):
        assert_refused(cold(*words, folder=work, preexec_fn=bind), "locked", "Permission denied")


@pytest.mark.slow
def test_a_read_only_run_can_be_sampled_from(work, locked):
    ended = cold("sample", locked, "-n", "2", "--new-only", folder=work, preexec_fn=bind)
    assert (ended.code, ended.out.count("\n"), ended.err) == (0, 2, "")


def at_most(size: int):
    """No file larger than so many bytes, as a full disk or a quota would have it."""
    resource = pytest.importorskip("resource")
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@pytest.mark.slow
def test_a_disk_full_at_the_start(work):
    says = ("new/run", "got File too large", *FULL)
    refused(cold, "train", "names.txt", "--out", "new/run", folder=work, says=says, preexec_fn=at_most(100))


@pytest.mark.slow
def test_a_disk_full_at_a_later_checkpoint(handgrad, work):
    """The state grows by four bytes a step, and passes the limit after some checkpoints."""
    size = (work / "run" / "state.safetensors").stat().st_size + 400
    flags = ("--steps", "400", *SMALL[2:], "--keep", "last", "--checkpoint-every", "20")
    ended = cold("train", "names.txt", "--out", "late", *flags, "--json", folder=work, preexec_fn=at_most(size))
    assert_refused(ended, "late", "got File too large", *FULL)
    folder = work / "late"
    assert list(listing(folder)) == [
        "config.json", "history.csv", "model.safetensors", "results.json", "state.safetensors",
    ]  # fmt: skip
    step = read_state(folder, read_settings(folder)).step
    assert 20 < step < 400
    assert library.load(folder).steps == step
    assert handgrad("train", "--resume", "late", folder=work).code == 0
    assert library.load(folder).steps == 400


@pytest.mark.slow
def test_a_disk_of_a_hundred_kilobytes(work):
    """A real one: the parameters fit, the picture of the loss curve does not."""
    (work / "disk").mkdir()
    space = ["unshare", "--mount", "sh", "-c"] if os.geteuid() == 0 else ["unshare", "-r", "--mount", "sh", "-c"]
    mount = f"mount -t tmpfs -o size=100k handgrad {shlex.quote(str(work / 'disk'))}"
    if not shutil.which("unshare") or subprocess.run([*space, mount], capture_output=True, check=False).returncode:
        pytest.skip("needs a file system of its own, and 'unshare --mount' with 'mount' may not make one here")
    train = shlex.join(
        command(
            "train",
            "names.txt",
            "--out",
            "disk/run",
            "--model",
            "mlp",
            "--n-hidden",
            40,
            "--n-embd",
            8,
            "--steps",
            20,
            "--json",
        )
    )
    script = f"{mount}; {train} 2>said; echo $? >code; ls -A disk/run >left"
    subprocess.run([*space, script], cwd=work, capture_output=True, check=False)
    *progress, last = (work / "said").read_text().splitlines()
    assert [line for line in progress if not line.startswith("step ")] == []
    assert [fragment for fragment in ("handgrad: disk/run", "No space left", *FULL) if fragment not in last] == []
    assert (work / "code").read_text() == "2\n"
    left = (work / "left").read_text().split()
    assert left == ["config.json", "history.csv", "model.safetensors", "state.safetensors"]


def test_standard_output_on_a_full_disk():
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("needs /dev/full")
    with full.open("w") as out:
        ended = subprocess.run(command("data", "list", "--json"), stdout=out, stderr=subprocess.PIPE, check=False)
    assert (ended.returncode, ended.stderr) == (2, b"handgrad: standard output: No space left on device.\n")
