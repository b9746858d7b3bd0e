"""Make the pictures of README and docs from real runs: python docs/pictures.py (needs tmux)."""

import os
import subprocess
import tempfile
import time
import uuid
from pathlib import Path

from rich.console import Console
from rich.text import Text

COLUMNS, ROWS = 100, 60
DOWN = "\x1b[B"
HERE = Path(__file__).parent


def capture(command: str, folder: Path, done: str, rows: int = ROWS, typed: str = "", timeout_s: float = 300.0) -> str:
    """The screen of a real terminal after a command, with its colours, once `done` stands on it.

    What is `typed` is typed first, as soon as there is something on the screen.
    """
    session = f"handgrad-{uuid.uuid4().hex[:8]}"
    words = ["tmux", "new-session", "-d", "-s", session, "-x", str(COLUMNS), "-y", str(rows), "-c", str(folder)]
    environment = ["-e", f"PATH={os.environ['PATH']}", "-e", "COLORTERM=truecolor"]
    subprocess.run([*words, *environment, f"{command}; sleep 60"], check=True)
    try:
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            time.sleep(0.5)
            screen = ["tmux", "capture-pane", "-e", "-p", "-t", session]
            text = subprocess.run(screen, check=True, capture_output=True, text=True).stdout
            if typed and text.strip():
                subprocess.run(["tmux", "send-keys", "-t", session, "-l", typed], check=True)
                typed = ""
            elif done in text:
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
        interactive(folder)


def interactive(folder: Path) -> None:
    """Train a mixture, type a beginning, keep the terminal's picture."""
    for words in ("train --model gru --out gru", "train --model ngram --out ngram", "mix gru ngram --out runs/names"):
        subprocess.run(["handgrad", *words.split()], cwd=folder, check=True, capture_output=True)
    command = "handgrad sample runs/names --interactive"
    screen = capture(f"{command} --seed 1", folder, done="temperature 0.8", rows=22, typed=f"mar{DOWN * 2}")
    draw(command, screen, HERE / "interactive.svg")


if __name__ == "__main__":
    main()
