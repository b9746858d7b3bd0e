"""The way to Ray: one of our own on this machine, which no other user can reach, or a cluster that is there."""

import logging
import os
import secrets
import socket
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from handgrad.errors import ConfigError
from handgrad.threads import n_threads

CONNECT_SECONDS = 5
"""An address that does not answer within them is none."""
START = "On its head: ray start --head --port 6379."
ALONE = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
"""With this variable 0, all of Ray listens on the loopback address, as it does elsewhere than on Linux."""
MODE, TOKEN, TOKEN_PATH = "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"
LEVEL = "RAY_BACKEND_LOG_LEVEL"


def connect(address: str | None) -> Any:
    """Ray, quiet, on this machine, which no other can then reach, or on a cluster; as it is, if it is there already.

    Our own has a token that is written nowhere; a cluster is told that of this user, if there is one.

    Raises:
        ConfigError: nothing answers, or the cluster has another Python or Ray, or asks for a token.
    """
    if address is None:
        more = {ALONE: "0", TOKEN: secrets.token_hex(32)}
    else:
        more = {MODE: "token"} if MODE not in os.environ and _has_token() else {}
        more[LEVEL] = os.environ.get(LEVEL, "fatal")
    with _quietly(RAY_USAGE_STATS_ENABLED="0", **more):
        import ray

        if ray.is_initialized():
            return ray
        logging.getLogger("ray").setLevel(logging.CRITICAL)
        options: dict[str, Any] = {"address": address or "local"}
        if address is None:
            options |= {"num_cpus": n_threads(), "include_dashboard": False}
        else:
            options["address"] = _answering(address, ray)
        with _aside() as said:
            try:
                ray.init(log_to_driver=False, configure_logging=False, **options)
            except (ConnectionError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
                raise _refused(address, str(error), said()) from None
    return ray


@contextmanager
def _aside() -> Iterator[Callable[[], str]]:
    """Keep what Ray's C++ writes to stderr from the terminal; what that is."""
    with tempfile.TemporaryFile() as file:
        before = os.dup(2)
        os.dup2(file.fileno(), 2)
        try:
            yield lambda: os.pread(file.fileno(), 1 << 20, 0).decode(errors="replace")
        finally:
            os.dup2(before, 2)
            os.close(before)


def _has_token() -> bool:
    """Whether this user has one for clusters."""
    with_default = Path(os.environ.get(TOKEN_PATH) or Path.home() / ".ray" / "auth_token")
    return bool(os.environ.get(TOKEN)) or with_default.is_file()


def _refused(address: str | None, why: str, said: str) -> ConfigError:
    got = " ".join(why.split())[:300]
    if address is None:
        return ConfigError("Ray does not start on this machine", got=got)
    where = f"--address {address}"
    if "ersion mismatch" in why:
        return ConfigError(
            "the cluster has another Python or Ray than this", where=where, got=got,
            next_step="Install the same on all machines.",
        )  # fmt: skip
    if "authenticat" in f"{why} {said}".lower():
        return ConfigError(
            "the token for this cluster is lacking or wrong", where=where,
            next_step="Copy ~/.ray/auth_token of its head to the same place here, or set RAY_AUTH_MODE=disabled where "
            "it asks for none.",
        )  # fmt: skip
    return ConfigError("this cluster cannot be reached", where=where, got=got, next_step=START)


def _answering(address: str, ray: Any) -> str:
    """The address, 'auto' resolved, where something listens at it: Ray itself would try for a long time.

    Raises:
        ConfigError: nothing does.
    """
    if "://" in address:
        return address
    found = _resolved() if address == "auto" else address
    host, _, port = found.rpartition(":")
    # a head on this machine listens at the address by which Ray knows it
    hosts = (host, ray.util.get_node_ip_address()) if host in ("127.0.0.1", "localhost") else (host,)
    got = "this is no HOST:PORT"
    for each in hosts if host and port.isdecimal() else ():
        try:
            socket.create_connection((each, int(port)), timeout=CONNECT_SECONDS).close()
            return found
        except (OSError, OverflowError) as error:
            got = getattr(error, "strerror", None) or str(error)
    raise ConfigError(
        "this cluster cannot be reached", where=f"--address {address}",
        got=got if found == address else f"{got} at {found}", expected="HOST:PORT of a head that runs, or auto",
        next_step=START,
    )  # fmt: skip


def _resolved() -> str:
    """What 'auto' stands for: the cluster that was last begun on this machine."""
    from ray._private.services import canonicalize_bootstrap_address

    try:
        found = canonicalize_bootstrap_address("auto")
    except (ConnectionError, ValueError, OSError):
        found = None
    if found is None:
        raise ConfigError("there is no Ray cluster on this machine", where="--address auto", next_step=START)
    return found


@contextmanager
def _quietly(**environment: str) -> Iterator[None]:
    """With these variables, and without what Ray warns its own developers of."""
    before = {name: os.environ.get(name) for name in environment}
    os.environ.update(environment)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
