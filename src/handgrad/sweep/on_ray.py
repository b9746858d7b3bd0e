"""Workers on Ray: actors of one core each, on this machine or on a cluster; the text goes to each machine once.

Only Ray's core is used: actors and the object store. What a worker needs for some steps comes with the call and goes
back with the answer, so a worker that dies is replaced by any other.
"""

import hashlib
import os
import platform
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from handgrad.errors import RunError
from handgrad.sweep.connecting import connect
from handgrad.sweep.work import Done, Work
from handgrad.sweep.workers import Lost
from handgrad.threads import VARIABLE, n_threads
from handgrad.training.run import Text

START_SECONDS = 60.0
"""Where no worker is there for so long, there will be none."""
ROOMS = ("data", "engine", "models", "sweep", "training")
"""Of the sources, those on which a trial depends."""
FAILURES = 5
"""So many workers that end one after another before they have begun are no accident."""
LOOK_SECONDS = 2.0
"""So often it is seen whether a cluster has grown."""


class Software(NamedTuple):
    """What must be the same everywhere for a trial to be the same bits wherever it runs."""

    handgrad: str
    python: str
    numpy: str
    numba: str

    @classmethod
    def here(cls) -> "Software":
        """Of this process."""
        python = ".".join(platform.python_version_tuple()[:2])
        return cls(f"{version('handgrad')} ({_digest()})", python, version("numpy"), version("numba"))

    def require(self, other: "Software", where: str) -> None:
        """Raise RunError unless another machine has the same."""
        for name, ours, theirs in zip(self._fields, self, other, strict=True):
            if ours != theirs:
                raise RunError(
                    f"this machine of the cluster has another {name}", where=where, got=theirs, expected=ours,
                    next_step="Install the same on all machines: trials would not be the same bits on each.",
                )  # fmt: skip


def _digest() -> str:
    """Of the sources by which runs are trained."""
    root = Path(__file__).parents[1]
    sources = sorted(path for room in ROOMS for path in (root / room).rglob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:12]


class _Worker:
    """One of the cluster's processes."""

    def __init__(self):
        os.environ[VARIABLE] = "1"

    def hello(self, text: Text) -> tuple[Software, str]:
        """Take the text; what is installed, and where this is."""
        from handgrad.sweep.work import Bench

        self._bench = Bench(text)
        return Software.here(), platform.node()

    def do(self, work: Work) -> Done:
        """Take the steps."""
        return self._bench.do(work)


class RayWorkers:
    """Workers on this machine, one a core, or on a cluster.

    Args:
        text: that is trained on.
        address: of the cluster, such as 'host:6379', or 'auto' for the one that this machine is of; None for this
            machine alone.
        most: of them, however large the cluster is.

    Raises:
        ConfigError: nothing answers at the address.
    """

    def __init__(self, text: Text, address: str | None = None, most: int = 1_000):  # noqa: D107
        self._ray = connect(address)
        self._most, self._local = most, address is None
        self._text = self._ray.put(text)
        self._actor = self._ray.remote(num_cpus=1, max_restarts=0)(_Worker)
        self._starting: dict[Any, Any] = {}
        self._free: list[Any] = []
        self._failed = 0
        self._busy: dict[Any, tuple[str, Any]] = {}
        self._looked, self._last_seen = -LOOK_SECONDS, time.monotonic()
        self._grow()

    def free(self) -> int:
        """How many have nothing to do."""
        return len(self._free)

    def size(self) -> int:
        """How many there are, those that begin included."""
        return len(self._free) + len(self._busy) + len(self._starting)

    def begin(self, key: str, work: Work) -> None:
        """Give one of them some work."""
        worker = self._free.pop()
        self._busy[worker.do.remote(work)] = key, worker

    def ended(self, seconds: float) -> list[tuple[str, Done | Lost]]:
        """What has ended; waits so long for it, or for a worker that has just begun.

        Raises:
            RunError: there is no worker, or one has other software.
        """
        refs = [*self._busy, *self._starting]
        ready, _ = self._ray.wait(refs, num_returns=len(refs), timeout=0) if refs else ([], [])
        if refs and not ready:
            ready, _ = self._ray.wait(refs, timeout=seconds)
        found = []
        for ref in ready:
            if ref in self._starting:
                self._begun(ref, self._starting.pop(ref))
            else:
                key, worker = self._busy.pop(ref)
                found.append((key, self._result(ref, worker)))
        self._grow()
        self._require_some()
        return found

    def close(self) -> None:
        """Let them go."""
        self._ray.shutdown()

    def _result(self, ref: Any, worker: Any) -> Done | Lost:
        from ray.exceptions import RayTaskError

        try:
            done = self._ray.get(ref)
        except RayTaskError as error:
            raise _cause(error) from None
        except self._ray.exceptions.RayError as error:
            self._looked = -LOOK_SECONDS
            return Lost(str(error).strip().splitlines()[0])
        self._free.append(worker)
        return done

    def _begun(self, ref: Any, worker: Any) -> None:
        """A worker has taken the text, or could not."""
        from ray.exceptions import RayTaskError

        try:
            software, where = self._ray.get(ref)
        except (RayTaskError, RuntimeError, self._ray.exceptions.RayError) as error:
            self._failed += 1
            if self._failed < FAILURES and not isinstance(error, RayTaskError):  # its machine may have gone
                return
            install = "Install handgrad on each of its machines, the same as here."
            no_token = "Where the cluster asks for no token, and there is one here: set RAY_AUTH_MODE=disabled."
            raise RunError(
                "the workers of the cluster cannot begin", got=_last_line(error),
                next_step=install if "ModuleNotFoundError" in str(error) else f"{install} {no_token}",
            ) from None  # fmt: skip
        self._failed = 0
        Software.here().require(software, where)
        self._free.append(worker)

    def _grow(self) -> None:
        """Have as many as there are cores."""
        if time.monotonic() - self._looked < LOOK_SECONDS:
            return
        self._looked = time.monotonic()
        cores = n_threads() if self._local else int(self._ray.cluster_resources().get("CPU", 0))
        lacking = min(self._most, cores) - self.size()
        for _ in range(lacking):
            worker = self._actor.remote()
            self._starting[worker.hello.remote(self._text)] = worker

    def _require_some(self) -> None:
        if self._free or self._busy:
            self._last_seen = time.monotonic()
        elif time.monotonic() - self._last_seen > START_SECONDS:
            raise RunError(
                "no worker of the cluster begins", got="none in a minute", expected="a core that is free",
                next_step="See 'ray status': whether others use it, and whether its machines are there.",
            )  # fmt: skip


def _cause(error: Any) -> BaseException:
    cause = getattr(error, "cause", None)
    return cause if isinstance(cause, BaseException) else RunError("a worker failed", got=_last_line(error))


def _last_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[-1][:300]
