"""Running `handgrad` as its users do, and what every refusal has in common."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

SCRIPT = shutil.which("handgrad", path=str(Path(sys.executable).parent)) or shutil.which(
    "handgrad", path=sysconfig.get_path("scripts")
)
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "COLUMNS": "100"}
SMALL = (
    "--steps", "20", "--model", "mlp", "--n-hidden", "8", "--batch-size", "4", "--block-size", "3", "--n-embd", "2",
)  # fmt: skip


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


def cold(*words: object, folder: Path, before: tuple[str, ...] = (), **options) -> Ended:
    """Run the command in a process of its own from the first import on; `before` are words of another around it."""
    ended = subprocess.run([*before, *command(*words)], cwd=folder, env=ENVIRONMENT, capture_output=True, timeout=60,
                           stdin=subprocess.DEVNULL, check=False, **options)  # fmt: skip
    return Ended(ended.returncode, ended.stdout.decode(), ended.stderr.decode())


def command(*words: object) -> list[str]:
    """The words to start a process with."""
    assert SCRIPT, "handgrad is not installed beside this Python"
    return [SCRIPT, *map(str, words)]


class Warm:
    """Runs the command in forks of one process that has imported everything; see `warm.py`."""

    def __init__(self):
        self.process = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("warm.py")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT,
        )  # fmt: skip

    def __call__(self, *words: object, folder: Path) -> Ended:
        """Run it in `folder`."""
        with tempfile.TemporaryDirectory() as elsewhere:
            out, err = Path(elsewhere, "out"), Path(elsewhere, "err")
            out.touch()
            err.touch()
            script, *rest = command(*words)
            request = {"script": script, "words": rest, "folder": str(folder), "out": str(out), "err": str(err)}
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
            code = int(self.process.stdout.readline())
            return Ended(code, out.read_bytes().decode(), err.read_bytes().decode())

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


def listing(folder: Path) -> dict[str, bytes | None]:
    """Everything in a folder: the content of files, None for folders."""
    return {
        str(path.relative_to(folder)): None if path.is_dir() else path.read_bytes()
        for path in sorted(folder.rglob("*"))
    }


def assert_refused(ended: Ended, *fragments: str) -> None:
    """Exit code 2, nothing on stdout, and one line on stderr that says all of it."""
    assert (ended.code, ended.out) == (2, ""), ended
    assert ended.err.startswith("handgrad: "), ended.err
    assert ended.err.count("\n") == 1, ended.err
    assert [fragment for fragment in fragments if fragment not in ended.err] == [], ended.err


def refused(run: Callable[..., Ended], *words: object, folder: Path, says: tuple[str, ...], **options) -> None:
    """Run it, and see that it is refused with these words and leaves the folder as it was."""
    before = listing(folder)
    assert_refused(run(*words, folder=folder, **options), *says)
    assert listing(folder) == before
