"""Serve the page on this machine until Ctrl-C."""

import contextlib
import os
import secrets
import socket
import sys
import threading
import webbrowser
from collections.abc import Callable, Sequence

import uvicorn

from handgrad.errors import ConfigError
from handgrad.studio.app import create_app
from handgrad.studio.views.view import View

HOST = "127.0.0.1"
GRACE_S = 1


def serve(views: Sequence[View], *, port: int = 0, browser: bool = True) -> None:
    """Serve the page until Ctrl-C; its address goes to stdout.

    Args:
        views: what the page shows.
        port: 0 for any that is free.
        browser: open it there.

    Raises:
        ConfigError: the port is taken.
    """
    token = secrets.token_urlsafe(24)
    with contextlib.closing(_listening(port)) as listener:
        port = listener.getsockname()[1]
        address = f"http://{HOST}:{port}/?token={token}"
        app = create_app(views, token, port)
        config = uvicorn.Config(
            app, log_level="error", access_log=False, timeout_graceful_shutdown=GRACE_S, ws="none", server_header=False
        )
        server = _Server(config, lambda: _tell(address, browser), app.state.events.close)
        with contextlib.suppress(KeyboardInterrupt):  # which uvicorn raises again once it has ended
            server.run([listener])


class _Server(uvicorn.Server):
    """Says when it is ready, and ends the pages' streams when it is to end."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None], end: Callable[[], None]) -> None:
        super().__init__(config)
        self.ready, self.end = ready, end

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.end()
        await super().shutdown(sockets)


def _listening(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except (OSError, OverflowError) as error:
        listener.close()
        reason = getattr(error, "strerror", None) or error
        raise ConfigError("the page cannot be served there", got=reason, where=f"--port {port}",
                          next_step="Leave it out to have a free one chosen.") from None  # fmt: skip
    return listener


def _tell(address: str, browser: bool) -> None:
    print(f"handgrad studio: {address}\nCtrl-C ends it.", flush=True)
    if browser and _has_a_screen():
        threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()


def _has_a_screen() -> bool:
    """Whether a browser has a window of its own; one in the terminal would take that away."""
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
