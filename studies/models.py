"""What each family reaches in which time: python studies/models.py [NAME ...] [--seeds N] [--makemore names.txt]

Trains each family with its recipe, as the command does it, on one core, for several seeds; once more each for an
eighth, a quarter and a half of the steps; and mixes runs. Writes docs/models.json, docs/models.png and the table in
docs/models.md. With names, `mix` among them for the mixtures, the figures of the others stay as they are.

With `--makemore`, it does the same on makemore's own split of names.txt, of which 1,000 lines are for testing, and adds
those losses. What a command costs is the processor's time, its own and that of its children, its code compiled before.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from handgrad.models.registry import FAMILIES, family

DOCS = Path(__file__).parents[1] / "docs"
MIXTURES = (("gru", "ngram"), ("mlp", "ngram"), ("transformer", "gru", "ngram"))
SHARES = (0.125, 0.25, 0.5)
MAKEMORE_SEED, MAKEMORE_TEST = 3407, 1_000


def main() -> None:
    """Measure, write and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[*FAMILIES, "mix", []], metavar="NAME")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--makemore", type=Path, metavar="names.txt")
    parser.add_argument("--folder", type=Path, help="where runs are kept, and found again")
    options = parser.parse_args()
    chosen = options.names or [*FAMILIES, "mix"]
    with tempfile.TemporaryDirectory() as folder:
        study = Study(options.folder or Path(folder))
        if options.makemore:
            keep({"makemore": study.makemore(options.makemore, chosen)})
            return
        for name in chosen:
            if name != "mix":
                runs = study.family(name, options.seeds)
                keep({"families": {name: runs}, "curves": {name: study.curve(name, runs)}})
        for parts in MIXTURES:
            if "mix" in chosen:
                keep({"families": {" + ".join(parts): study.mixture(parts, options.seeds)}})


def keep(more: dict[str, Any]) -> None:
    """Add figures to those that there are, and draw and write all of them."""
    path = DOCS / "models.json"
    figures = json.loads(path.read_text()) if path.exists() else {"families": {}, "curves": {}, "makemore": {}}
    for kind, of_kind in more.items():
        figures[kind] |= of_kind
    path.write_text(json.dumps(figures, indent=1) + "\n")
    draw(figures, DOCS / "models.png")
    write_tables(figures, DOCS / "models.md")


class Study:
    """Runs in a folder, each made once.

    Args:
        folder: where they are.
    """

    def __init__(self, folder: Path):  # noqa: D107
        self._folder = folder
        folder.mkdir(exist_ok=True)

    def family(self, name: str, seeds: int) -> list[dict[str, float]]:
        """Losses and seconds of a family with its recipe, a seed each."""
        n = 1 if family(name).counted else seeds
        return [self._train(name, seed) for seed in range(1, n + 1)]

    def curve(self, name: str, whole: list[dict[str, float]]) -> list[dict[str, float]]:
        """Of fewer steps than the recipe has, and of all, with the first seed."""
        steps = 0 if family(name).counted else dict(family(name).recipe).get("steps", 2_500)
        return [*(self._train(name, 1, int(share * steps)) for share in SHARES if steps), whole[0]]

    def mixture(self, parts: Sequence[str], seeds: int) -> list[dict[str, float]]:
        """Of runs of some families, a seed each; the seconds include theirs."""
        return [self._mix(parts, seed) for seed in range(1, seeds + 1)]

    def makemore(self, path: Path, names: Sequence[str]) -> dict[str, dict[str, float]]:
        """The loss on makemore's 1,000 test lines, of families trained on all others, and of their mixtures."""
        import torch

        words = path.read_text().split()
        torch.manual_seed(MAKEMORE_SEED)
        order = [words[i] for i in torch.randperm(len(words)).tolist()]
        texts = {"train": order[:-MAKEMORE_TEST], "test": order[-MAKEMORE_TEST:]}
        for part, lines in texts.items():
            (self._folder / f"{part}.txt").write_text("".join(f"{line}\n" for line in lines))
        train, test = (str(self._folder / f"{part}.txt") for part in texts)
        found = {}
        for name in names:
            if name != "mix":
                found[name] = {"test": self._loss_of(self._run(name, 1, None, train), test)}
        for parts in MIXTURES:
            if set(parts) <= set(names):
                run = self._mixed(parts, 1, train)
                found[" + ".join(parts)] = {"test": self._loss_of(run, test)}
        return found

    def _train(self, name: str, seed: int, steps: int | None = None) -> dict[str, float]:
        return self._figures(self._run(name, seed, steps))

    def _mix(self, parts: Sequence[str], seed: int) -> dict[str, float]:
        return self._figures(self._mixed(parts, seed))

    def _run(self, name: str, seed: int, steps: int | None = None, text: str | None = None) -> Path:
        """Train, unless that was done; code that is not yet compiled is compiled first."""
        folder = self._folder / f"{name}-{seed}-{steps}-{text is None}"
        if not seconds_of(folder).exists():
            seeded = [] if family(name).counted else ["--seed", str(seed)]
            settings = ["--model", name, "--split", "lines", *seeded]
            if steps:
                settings += ["--steps", str(steps)]
            warm = [] if family(name).counted else ["--steps", "2"]
            with tempfile.TemporaryDirectory(dir=self._folder) as nowhere:
                handgrad("train", "--model", name, *warm, "--out", f"{nowhere}/run")
            words = [text] if text else []
            seconds = handgrad("train", *words, *settings, "--out", str(folder))
            seconds_of(folder).write_text(str(seconds))
            print(f"{folder.name}: {seconds:.1f} s", flush=True)
        return folder

    def _mixed(self, parts: Sequence[str], seed: int, text: str | None = None) -> Path:
        folder = self._folder / f"{'-'.join(parts)}-{seed}-{text is None}"
        if not seconds_of(folder).exists():
            runs = [self._run(name, 1 if family(name).counted else seed, None, text) for name in parts]
            alone = handgrad("mix", *map(str, runs), "--out", str(folder))
            seconds_of(folder).write_text(str(alone + sum(float(seconds_of(run).read_text()) for run in runs)))
        return folder

    def _figures(self, folder: Path) -> dict[str, float]:
        losses = json.loads(output("evaluate", str(folder), "--json"))["loss"]
        return {**losses, "seconds": float(seconds_of(folder).read_text())}

    def _loss_of(self, folder: Path, text: str) -> float:
        (loss,) = json.loads(output("evaluate", str(folder), "--text", text, "--json"))["loss"].values()
        return loss


def seconds_of(folder: Path) -> Path:
    """The file that says what a run has cost."""
    return folder.with_name(f"{folder.name}.seconds")


def handgrad(*words: str) -> float:
    """Run the command on one core; the processor's seconds that it took."""
    before = os.times()
    output(*words)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def output(*words: str) -> str:
    """What the command prints."""
    command = [sys.executable, "-m", "handgrad", *words]
    environment = {**os.environ, "HANDGRAD_THREADS": "1"}
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE, env=environment).stdout


def write_tables(figures: dict[str, Any], path: Path) -> None:
    """Put the table between its two marks in a page."""
    head = "| model | seconds | train | validation | test | makemore's test lines |\n|---|---|---|---|---|---|\n"
    begin, end = "<!-- figures: studies/models.py -->\n", "<!-- end of figures -->"
    before, _, rest = path.read_text().partition(begin)
    _, _, after = rest.partition(end)
    rows = [row(name, runs, figures["makemore"].get(name)) for name, runs in figures["families"].items()]
    path.write_text(before + begin + head + "".join(rows) + end + after)


def row(name: str, runs: list[dict[str, float]], makemore: dict[str, float] | None) -> str:
    """Medians, and of validation the least and the greatest."""
    middle = {key: median(run[key] for run in runs) for key in ("seconds", "train", "val", "test")}
    val = [run["val"] for run in runs]
    spread = f" ({min(val):.3f} to {max(val):.3f})" if len(val) > 1 else ""
    cells = [
        " + ".join(f"`{part}`" for part in name.split(" + ")),
        f"{middle['seconds']:.1f}", f"{middle['train']:.3f}", f"{middle['val']:.3f}{spread}", f"{middle['test']:.3f}",
        f"{makemore['test']:.3f}" if makemore else "",
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |\n"


def draw(figures: dict[str, Any], path: Path) -> None:
    """Validation loss against seconds: a line a family, a diamond a mixture."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for name, points in figures["curves"].items():
        at = [(point["seconds"], point["val"]) for point in points]
        (line,) = axes.plot(*zip(*at, strict=True), marker="o", markersize=3.5, linewidth=1.3)
        axes.annotate(name, at[-1], (5, -2), textcoords="offset points", fontsize=8, color=line.get_color())
    for name, runs in figures["families"].items():
        if " + " in name:
            at = median(run["seconds"] for run in runs), median(run["val"] for run in runs)
            axes.plot(*at, marker="D", color="black", markersize=4)
            axes.annotate(name, at, (-6, -12), textcoords="offset points", fontsize=8, ha="right")
    axes.set_xscale("log")
    axes.set_xticks([1, 2, 5, 10, 20, 50, 100, 200], labels=["1", "2", "5", "10", "20", "50", "100", "200"])
    axes.minorticks_off()
    axes.set_xlabel("seconds of one core, the whole command")
    axes.set_ylabel("validation loss, nats a character")
    axes.set_title("Built-in names: what each family reaches in which time", fontsize=11)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.margins(x=0.12)
    figure.savefig(path)


if __name__ == "__main__":
    main()
