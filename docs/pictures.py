"""Make the README's pictures from real runs: python docs/pictures.py (needs tmux)."""

import os
import subprocess
import tempfile
import time
import uuid
from pathlib import Path

from rich.console import Console
from rich.text import Text

COLUMNS, ROWS = 100, 60
HERE = Path(__file__).parent


def capture(command: str, folder: Path, done: str, timeout_s: float = 300.0) -> str:
    """The screen of a real terminal after a command, with its colours, once `done` stands on it."""
    session = f"handgrad-{uuid.uuid4().hex[:8]}"
    words = ["tmux", "new-session", "-d", "-s", session, "-x", str(COLUMNS), "-y", str(ROWS), "-c", str(folder)]
    environment = ["-e", f"PATH={os.environ['PATH']}", "-e", "COLORTERM=truecolor"]
    subprocess.run([*words, *environment, f"{command}; sleep 60"], check=True)
    try:
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            time.sleep(0.5)
            screen = ["tmux", "capture-pane", "-e", "-p", "-t", session]
            text = subprocess.run(screen, check=True, capture_output=True, text=True).stdout
            if done in text:
                return text.rstrip()
        raise TimeoutError(f"{command}: {done!r} did not appear in {timeout_s:g} s; the screen is\n{text}")
    finally:
        subprocess.run(["tmux", "kill-session", "-t", session], check=True)


def draw(command: str, screen: str, path: Path) -> None:
    """An SVG of the screen below the command."""
    with Path(os.devnull).open("w") as nowhere:
        console = Console(record=True, width=COLUMNS, file=nowhere, force_terminal=True, color_system="truecolor")
        console.print(Text(f"$ {command}", style="bold"))
        console.print(Text.from_ansi(screen))
        path.write_text(console.export_svg(title=""), encoding="utf-8")


def main() -> None:
    """Train on the built-in names, keep the terminal's picture and the loss curve."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command = "handgrad train --out names"
        draw(command, capture(command, folder, done="handgrad evaluate"), HERE / "train.svg")
        (HERE / "loss.png").write_bytes((folder / "names" / "loss.png").read_bytes())


if __name__ == "__main__":
    main()
