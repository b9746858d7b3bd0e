"""What one command makes of texts of many kinds: python studies/texts.py [NAME ...] [--lecture names.txt]

On each text of lines.py: the default command, beside what was the default before (the lecture's network, 2,500 steps,
the last state kept), an n-gram, and a GRU and an MLP whose settings were tried by hand: the best of `BY_HAND` on the
validation split. All on the same split of lines, each line drawn for itself; where lines repeat, the default command
once more with equal lines kept together, as it does. The built-in names are trained for other times, too.

Writes docs/texts.json, docs/texts.png and the tables in docs/texts.md. With names of texts, the figures of the others
stay as they are. With `--folder`, what was trained there is found again. On one core, which should have nothing else
to do: the default command stops by the clock.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lines import TEXTS

from handgrad.data.corpus import Corpus, resolve_corpus

DOCS = Path(__file__).parents[1] / "docs"
LECTURE = "lecture"
TIMES = {"names": ("3s", "12s", "1m", "5m"), LECTURE: ("12s",), "words": ("1m",)}
"""Of the texts whose time is not the default one alone."""
BEFORE = ("--model", "mlp", "--steps", "2500", "--keep", "last")
MOST_STEPS = 8_000
BY_HAND: dict[str, tuple[dict[str, float], ...]] = {
    "gru": (
        {"n_hidden": 64, "epochs": 40, "batch_size": 16, "lr": 0.004, "dropout": 0.5, "weight_decay": 1.0},
        {"n_hidden": 64, "epochs": 30, "batch_size": 16, "lr": 0.004, "dropout": 0.5, "weight_decay": 0.2},
        {"n_hidden": 128, "epochs": 20, "batch_size": 32, "lr": 0.004, "dropout": 0.3, "weight_decay": 0.2},
        {"n_hidden": 256, "epochs": 8, "batch_size": 32, "lr": 0.007, "dropout": 0.3, "weight_decay": 0.1},
    ),
    "mlp": (
        {"n_hidden": 64, "n_embd": 8, "block_size": 3, "epochs": 16, "batch_size": 16, "weight_decay": 1.5},
        {
            "n_hidden": 256, "n_embd": 8, "block_size": 5, "epochs": 20, "batch_size": 32, "lr": 0.003,
            "weight_decay": 1.5,
        },
        {"n_hidden": 384, "epochs": 14, "batch_size": 1024},
    ),
    "ngram": ({"block_size": 5},),
}  # fmt: skip
"""Epochs of lines, or of characters where that is what a family reads; `MOST_STEPS` at most."""


def main() -> None:
    """Measure, write and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[*TEXTS, LECTURE, []], metavar="NAME")
    parser.add_argument("--folder", type=Path, help="where texts and runs are kept, and found again")
    parser.add_argument("--lecture", type=Path, metavar="names.txt", help="the list of the lecture")
    options = parser.parse_args()
    chosen = options.names or [*TEXTS, *([LECTURE] if options.lecture else [])]
    with tempfile.TemporaryDirectory() as nowhere:
        folder = (options.folder or Path(nowhere)).resolve()
        warm(folder)
        for name in chosen:
            path = options.lecture.resolve() if name == LECTURE else written(name, folder)
            keep(name, Study(folder, name, path).measured())


def written(name: str, folder: Path) -> Path:
    """The file with the lines of a text."""
    path = folder / f"{name}.txt"
    if not path.exists():
        path.write_text("".join(f"{line}\n" for line in TEXTS[name].lines()), "utf-8")
    return path


def warm(folder: Path) -> None:
    """Have all code compiled before anything is timed."""
    folder.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as nowhere:
        for name in BY_HAND:
            handgrad(
                "train", "--model", name, *([] if name == "ngram" else ["--steps", "2"]), "--out", f"{nowhere}/{name}"
            )


class Study:
    """All runs on a text, each made once.

    Args:
        folder: where they are.
        name: of the text.
        path: its file.
    """

    def __init__(self, folder: Path, name: str, path: Path):  # noqa: D107
        self._folder, self._name, self._path = folder, name, path
        self._corpus = resolve_corpus(path)

    def measured(self) -> dict[str, Any]:
        """Figures of the text, of the default command, and of all that it is compared with."""
        corpus = self._corpus
        by_hand = {family: self._by_hand(family) for family in BY_HAND}
        figures = {
            **facts(corpus), "before": self._run("before", *BEFORE), "by_hand": by_hand,
            "now": {seconds: self._now(seconds) for seconds in TIMES.get(self._name, ("12s",))},
        }  # fmt: skip
        if corpus.n_distinct < corpus.n_lines:
            figures["distinct"] = self._run("distinct", "--split", "distinct")
        return figures

    def _now(self, seconds: str) -> dict[str, Any]:
        words = () if seconds == "12s" else ("--time", seconds)
        return self._run(f"now-{seconds}", *words)

    def _by_hand(self, family: str) -> dict[str, Any]:
        runs = []
        for number, settings in enumerate(BY_HAND[family]):
            words = [word for key, value in self._steps(family, settings).items() for word in (flag(key), str(value))]
            runs.append(self._run(f"{family}-{number}", "--model", family, *words))
        return min(runs, key=lambda run: run["val"])

    def _steps(self, family: str, settings: Mapping[str, float]) -> dict[str, float]:
        """The settings, with epochs of four fifths of the text as steps."""
        steps = dict(settings)
        if epochs := steps.pop("epochs", 0):
            examples = 0.8 * (self._corpus.n_lines if family == "gru" else len(self._corpus.tokens))
            steps["steps"] = max(30, min(MOST_STEPS, round(epochs * examples / settings["batch_size"])))
        return steps

    def _run(self, name: str, *words: str) -> dict[str, Any]:
        """Losses of the command with those words, its seconds by the clock and of the processor, and what it drew."""
        folder = self._folder / f"{self._name}-{name}"
        kept = folder.with_suffix(".json")
        if not kept.exists():
            split = [] if "--split" in words else ["--split", "lines"]
            figures = handgrad("train", str(self._path), *split, *words, "--out", str(folder))
            kept.write_text(json.dumps(figures))
            print(f"{folder.name}: {figures['val']:.3f}, {figures['seconds']:.1f} s", flush=True)
        return json.loads(kept.read_text())


def facts(corpus: Corpus) -> dict[str, Any]:
    """What there is to know about a text; guessing gives each letter, and the end, the same probability."""
    return {
        "lines": corpus.n_lines, "distinct_lines": corpus.n_distinct, "characters": len(corpus.tokens),
        "letters": corpus.vocabulary.size - 1, "guessing": math.log(corpus.vocabulary.size),
    }  # fmt: skip


def flag(key: str) -> str:
    """The command line's word for a setting."""
    return f"--{key.replace('_', '-')}"


def handgrad(*words: str) -> dict[str, Any]:
    """Run the command on one core."""
    command = [sys.executable, "-m", "handgrad", *words, "--json"]
    begun, before = time.monotonic(), os.times()
    environment = {**os.environ, "HANDGRAD_THREADS": "1"}
    output = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
    ).stdout
    after, result = os.times(), json.loads(output)
    processor = after.children_user + after.children_system - before.children_user - before.children_system
    new = sum(sample["new"] for sample in result["samples"]) / len(result["samples"])
    return {**result["loss"], "seconds": time.monotonic() - begun, "processor": processor, "new": new}


def keep(name: str, figures_of_text: dict[str, Any]) -> None:
    """Add figures to those that there are, and draw and write all of them."""
    path = DOCS / "texts.json"
    figures = json.loads(path.read_text()) if path.exists() else {}
    figures[name] = figures_of_text
    figures = {each: figures[each] for each in (*TEXTS, LECTURE) if each in figures}
    path.write_text(json.dumps(figures, indent=1) + "\n")
    draw(figures, DOCS / "texts.png")
    page = DOCS / "texts.md"
    page.write_text(between(between(page.read_text(), "texts", table(figures)), "times", table_of_times(figures)))


def between(page: str, mark: str, text: str) -> str:
    """The page with a text between its marks of a name."""
    begin, end = f"<!-- {mark}: studies/texts.py -->\n", f"<!-- end of {mark} -->"
    before, _, rest = page.partition(begin)
    return before + begin + text + end + rest.partition(end)[2]


def what_of(name: str) -> str:
    """The lines of a text, in words."""
    return "US first names, the lecture's list" if name == LECTURE else TEXTS[name].what


def newest(figures: Mapping[str, Any]) -> dict[str, Any]:
    """The default command's figures, or those of the one time that there is."""
    return figures["now"].get("12s") or next(iter(figures["now"].values()))


def best_by_hand(figures: Mapping[str, Any]) -> float:
    """The least validation loss of what it is compared with."""
    return min(run["val"] for run in figures["by_hand"].values())


def head(columns: str) -> str:
    """The first two rows of a table."""
    return f"| {columns} |\n|{'---|' * len(columns.split(' | '))}\n"


def table(figures: Mapping[str, Any]) -> str:
    """A row a text: validation losses."""
    heads = (
        "text | lines | letters | guessing | before | n-gram | GRU | MLP | now | above the best of three | new samples"
    )
    rows = head(heads)
    for name, of in figures.items():
        now, hand = newest(of), of["by_hand"]
        losses = [of["guessing"], *(run["val"] for run in (of["before"], hand["ngram"], hand["gru"], hand["mlp"]))]
        cells = [
            what_of(name), f"{of['lines']:,}", f"{of['letters']:,}", *(f"{loss:.3f}" for loss in losses),
            f"**{now['val']:.3f}**", f"{now['val'] - best_by_hand(of):+.3f}", f"{100 * now['new']:.0f} %",
        ]  # fmt: skip
        rows += f"| {' | '.join(cells)} |\n"
    return rows


def table_of_times(figures: Mapping[str, Any]) -> str:
    """A row a text and time: losses, seconds by the clock, and the validation loss where equal lines stay together."""
    rows = head("text | `--time` | seconds | validation | test | validation, equal lines together")
    for name in TIMES:
        for seconds, run in figures.get(name, {"now": {}})["now"].items():
            distinct = figures[name].get("distinct", {}).get("val") if seconds == "12s" else None
            cells = [what_of(name), seconds, f"{run['seconds']:.1f}", f"{run['val']:.3f}", f"{run['test']:.3f}"]
            rows += f"| {' | '.join([*cells, f'{distinct:.3f}' if distinct else ''])} |\n"
    return rows


def draw(figures: Mapping[str, Any], path: Path) -> None:
    """A line a text: how far each model's validation loss is above or below that of the n-gram."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 1.5 + 0.27 * len(figures)), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    names = sorted(figures, key=lambda name: -figures[name]["lines"])
    kinds = {
        "n-gram": (lambda of: of["by_hand"]["ngram"], "o", "#888888"),
        "MLP, by hand": (lambda of: of["by_hand"]["mlp"], "s", "#d08770"),
        "GRU, by hand": (lambda of: of["by_hand"]["gru"], "^", "#5e81ac"),
        "before": (lambda of: of["before"], "x", "#bf2020"),
        "handgrad train": (newest, "D", "black"),
    }
    left, right = -0.35, 0.8
    for label, (run, marker, color) in kinds.items():
        above = [run(figures[name])["val"] - figures[name]["by_hand"]["ngram"]["val"] for name in names]
        inside = [min(value, right) for value in above]
        axes.plot(inside, range(len(names)), marker, color=color, markersize=5, label=label, clip_on=False)
        for row, value in enumerate(above):
            if value > right:
                axes.annotate(
                    f"+{value:.1f} →",
                    (right, row),
                    (-8, -3),
                    textcoords="offset points",
                    fontsize=7,
                    ha="right",
                    color=color,
                )
    axes.set_yticks(range(len(names)), [f"{what_of(name)}, {figures[name]['lines']:,}" for name in names], fontsize=8)
    axes.set_xlim(left, right)
    axes.set_xlabel("validation loss less that of the n-gram, nats a character: to the left is better")
    axes.set_title("One command on texts of many kinds, with their numbers of lines", fontsize=11)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(fontsize=8, loc="outside lower center", ncols=len(kinds), frameon=False)
    figure.savefig(path)


if __name__ == "__main__":
    main()
