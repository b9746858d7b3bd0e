"""The page as one piece of HTML: styles, script and, where it is a file to send, all data are in it."""

import base64
import functools
import hashlib
import html
from pathlib import Path
from typing import Any

from handgrad.studio.events import encoded

ASSETS = Path(__file__).parent / "assets"


@functools.cache
def asset(name: str) -> str:
    """A built file of the page."""
    return (ASSETS / name).read_text(encoding="utf-8")


def live_page(token: str) -> str:
    """The page that asks the server."""
    return _page("handgrad studio", {"token": token})


def file_page(title: str, states: dict[str, Any], answers: dict[str, dict[str, Any]]) -> str:
    """The page with all its data in it, which needs no server.

    Args:
        title: of the window.
        states: what each view shows, by the topics of its events.
        answers: for each view, the answers to what the page asks, by the question as JSON.
    """
    return _page(title, {"states": states, "answers": answers})


@functools.cache
def policy() -> str:
    """What the page may do: run its own script, show its own pictures and fonts, and ask its own server."""
    digest = base64.b64encode(hashlib.sha256(_script().encode()).digest()).decode()
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src data: blob:; "
        "font-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'"
    )


@functools.cache
def _script() -> str:
    return asset("studio.js")


def _page(title: str, start: dict[str, Any]) -> str:
    data = encoded(start).replace("<", "\\u003c")
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{html.escape(policy())}">
<title>{html.escape(title)}</title>
<link rel="icon" href="data:,">
<style>{asset("studio.css")}</style>
</head>
<body>
<main id="handgrad-studio" class="handgrad-studio"></main>
<script id="handgrad-start" type="application/json">{data}</script>
<script type="module">{_script()}</script>
</body>
</html>
"""
