"""Seconds and peak memory for reading, splitting and batching a corpus of ten million lines.

Each measurement runs in its own process. Its memory is what the operating system counts as the process's own, without
the files that it looks at, which Linux alone tells. Run: python bench/corpus_memory.py
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

ALPHABETS = {
    "ascii": "abcdefghijklmnopqrstuvwxyz",
    "cyrillic": "абвгдежзийклмнопрстуфхцчшщъыьэюя",
    "cyrillic-decomposed": ("абвгдежзи\u0438\u0306", "клмнопрст", "уфхцчшщъыьэюя"),
}
LINES_AT_ONCE = 500_000


def write_lines(path: Path, alphabet, n_lines: int) -> None:
    """Random lines of 3 to 9 letters."""
    rng = np.random.default_rng(0)
    letters = np.array(list("".join(alphabet)))
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for first in range(0, n_lines, LINES_AT_ONCE):
            lengths = rng.integers(3, 10, min(LINES_AT_ONCE, n_lines - first))
            text = letters[rng.integers(0, len(letters), int((lengths + 1).sum()))]
            text[np.cumsum(lengths + 1) - 1] = "\n"
            file.write("".join(text.tolist()))


class Peak(threading.Thread):
    """Watches the memory of this process; `mb` is the most that it has had."""

    def __init__(self) -> None:  # noqa: D107
        super().__init__(daemon=True)
        self.mb = 0.0
        self.start()

    def run(self) -> None:
        """Look at it, again and again."""
        while True:
            status = Path("/proc/self/status").read_text().splitlines()
            own = next(int(line.split()[1]) for line in status if line.startswith("RssAnon"))
            self.mb = max(self.mb, own / 1024)
            time.sleep(0.005)


def measure(path: Path) -> dict[str, float]:
    """Read, split, do both again, and draw a thousand batches of 512 × 32 contexts."""
    from handgrad.data import read_corpus, split

    peak, times = Peak(), [time.perf_counter()]
    corpus = read_corpus(path)
    times.append(time.perf_counter())
    train = split(corpus, distinct=True).train
    times.append(time.perf_counter())
    split(read_corpus(path), distinct=True)
    times.append(time.perf_counter())
    rng = np.random.default_rng(1)
    for _ in range(1000):
        positions = rng.integers(0, len(train), (512, 32))
        train.contexts(positions, 3), train.targets(positions)
    times.append(time.perf_counter())
    read, cut, again, batches = np.diff(times)
    seconds = {"read_s": read, "split_s": cut, "again_s": again, "batch_us": batches * 1e3}
    return {"lines": corpus.n_lines, **seconds, "peak_mb": peak.mb}


def main() -> None:
    """Generate each corpus in a temporary folder, and measure it in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=10_000_000)
    parser.add_argument("--file", type=Path, help="measure this file, in this process")
    options = parser.parse_args()
    if options.file:
        print(json.dumps(measure(options.file)))
        return
    with tempfile.TemporaryDirectory() as folder:
        for name, alphabet in ALPHABETS.items():
            path = Path(folder) / f"{name}.txt"
            write_lines(path, alphabet, options.lines)
            command = [sys.executable, __file__, "--file", str(path)]
            environment = {**os.environ, "HANDGRAD_DATA": folder}
            done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
            result = json.loads(done.stdout)
            print(
                f"{name}: {result['lines']:,} lines, {path.stat().st_size / 1e6:.0f} MB: "
                f"read {result['read_s']:.1f} s, split {result['split_s']:.1f} s, "
                f"both again {result['again_s']:.2f} s, "
                f"512 × 32 contexts and targets {result['batch_us']:.0f} µs, peak {result['peak_mb']:.0f} MB"
            )
            path.unlink()


if __name__ == "__main__":
    main()
