"""`handgrad lecture`."""

import json as json_format
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro
from rich.markup import escape
from rich.table import Table

from handgrad.cli.console import console, show_figures
from handgrad.cli.parse import call
from handgrad.models.config import require_integer
from handgrad.training.progress import TrainingProgress

if TYPE_CHECKING:
    from handgrad.lecture.cmp import Comparison


def lecture(
    *,
    names: Annotated[
        Path | None, tyro.conf.arg(metavar="PATH", help_behavior_hint="(default: the fetched 'names', or the built-in)")
    ] = None,
    steps: int = 200_000,
    json: bool = False,
) -> int:
    """Run the notebook "makemore part 4: becoming a backprop ninja" from its first cell to its last.

    Each figure stands beside the published one. The gradients of exercises 1 to 4 are all by hand; autograd is there
    to check them. The exit code is 1 if one of them is wrong.

    examples:
      handgrad data fetch names && handgrad lecture
      handgrad lecture --names names.txt --steps 20000

    Args:
        names: The lecture's names.txt.
        steps: Training steps of exercise 4.
        json: Print all figures as JSON.
    """
    require_integer("steps", steps, at_least=1, at_most=100_000_000)
    report = Report(quiet=json)
    _run(report, _corpus(names), steps)
    if json:
        print(json_format.dumps(report.content, ensure_ascii=False, indent=2))
    return 0 if report.right else 1


@dataclass
class Report:
    """Shows each section as it is ready, and keeps it for `--json`."""

    quiet: bool
    right: bool = True
    content: dict[str, Any] = field(default_factory=dict)

    def section(self, title: str) -> None:
        """Begin a section."""
        self.key = title
        self.content[title] = {}
        if not self.quiet:
            console().print(f"\n[bold]{title}[/]")

    def figures(self, rows: list[tuple[str, Any, Any]]) -> None:
        """Figures beside the published ones; None where there is none."""
        self.content[self.key]["figures"] = [
            {"figure": name, "here": here, "published": published} for name, here, published in rows
        ]
        if not self.quiet:
            show_figures(("figure", "here", "published"), [(name, _text(a), _text(b)) for name, a, b in rows])

    def gradients(self, comparisons: "list[Comparison]") -> None:
        """The lecture's table of gradients by hand beside autograd's."""
        self.right &= all(comparison.approximate for comparison in comparisons)
        self.content[self.key]["gradients"] = [comparison._asdict() for comparison in comparisons]
        if self.quiet:
            return
        table = Table("gradient", "exact", "approximate", "maxdiff", box=None, pad_edge=False, header_style="dim")
        for c in comparisons:
            colour = "green" if c.exact else "cyan" if c.approximate else "red"
            remark = c.remark or f"{c.maxdiff:.3g}"
            table.add_row(f"d{c.name}", str(c.exact), f"[{colour}]{c.approximate}[/]", remark)
        console().print(table)

    def remark(self, text: str) -> None:
        """A sentence on what was just shown."""
        if not self.quiet:
            console().print(f"[dim]{text}[/]")

    def lines(self, lines: list[str]) -> None:
        """Lines drawn from the model."""
        self.content[self.key]["lines"] = lines
        if not self.quiet:
            console().print("\n".join(escape(line) for line in lines))


def _corpus(names: Path | None):
    from handgrad.data import CATALOGUE, read_corpus, resolve_corpus

    if names is None and CATALOGUE["names"].path().is_file():
        names = CATALOGUE["names"].path()
    if names is not None:
        return read_corpus(names)
    console(stderr=True).print(
        "The published figures are those of names.txt: 'handgrad data fetch names' brings it. "
        "This run takes the built-in names instead."
    )
    return resolve_corpus(None)


def _run(report: Report, corpus, steps: int) -> None:
    from handgrad.lecture import notebook, published

    report.section("The text")
    splits = notebook.split_as_in_lecture(corpus)
    report.figures([
        ("lines", corpus.n_lines, published.LINES),
        ("characters of the longest", corpus.longest, published.LONGEST),
        ("vocab_size", corpus.vocabulary.size, published.VOCABULARY),
        *zip(("examples to train", "to validate", "to test"), map(len, splits), published.SPLITS, strict=True),
    ])  # fmt: skip
    report.content[report.key]["vocabulary"] = corpus.vocabulary.chars

    report.section("Exercise 1: every line of the forward pass, backward by hand")
    small = notebook.network(corpus.vocabulary.size, n_hidden=64)
    batch = notebook.minibatch(small, splits.train)
    loss, comparisons = notebook.exercise_1(small, batch)
    report.figures([
        ("parameters", small.config.n_parameters, published.PARAMETERS_64),
        ("loss of the first batch (of another names.txt there)", round(loss, 4), published.FIRST_LOSS),
    ])  # fmt: skip
    report.gradients(comparisons)
    report.remark(
        "From hpreact on, exact may be False where every line is right: PyTorch rounds 1 - h**2 once "
        "(a fused multiply-add), the line by hand twice."
    )

    report.section("Exercise 2: cross-entropy in one go")
    cross_entropy = notebook.exercise_2(small, batch)
    report.figures([
        ("loss", round(cross_entropy.value, 4), published.FIRST_LOSS),
        ("difference from the loss in steps", cross_entropy.difference, 0.0),
        ("maxdiff of dlogits", cross_entropy.gradient.maxdiff, published.LOGITS_MAXDIFF),
    ])  # fmt: skip
    report.gradients([cross_entropy.gradient])

    report.section("Exercise 3: batch norm in one go")
    batchnorm = notebook.exercise_3(small, batch)
    report.figures([
        ("greatest difference from hpreact in steps", batchnorm.difference, published.HPREACT_MAXDIFF),
        ("maxdiff of dhprebn", batchnorm.gradient.maxdiff, published.HPREBN_MAXDIFF),
    ])  # fmt: skip
    report.gradients([batchnorm.gradient])

    report.section("Exercise 4: training with the backward pass by hand")
    net = notebook.network(corpus.vocabulary.size, n_hidden=200)
    begun = time.monotonic()
    with TrainingProgress(console(stderr=True)) as progress:
        trained = notebook.exercise_4(net, splits.train, steps, progress.of(steps=steps))
    seconds = time.monotonic() - begun
    report.figures([
        ("parameters", net.config.n_parameters, published.PARAMETERS_200),
        ("steps", steps, notebook.STEPS),
        ("microseconds a step", round(seconds / steps * 1e6), None),
    ])  # fmt: skip
    report.gradients(trained.gradients)

    report.section("Loss with calibrated batch norm")
    losses = [round(notebook.split_loss(trained, part), 4) for part in (splits.train, splits.val)]
    known = [" / ".join(f"{loss:.4f}" for loss in copies) for copies in zip(*published.FINAL_LOSSES, strict=True)]
    report.figures(list(zip(("train", "validation"), losses, known, strict=True)))
    report.section("Samples")
    report.lines(notebook.sample(trained, corpus.vocabulary.itos))


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.4g}" if isinstance(value, float) and abs(value) < 1e-3 else str(value)


def main(words: list[str]) -> int:
    """Parse and run the command."""
    return call(lecture, "handgrad lecture", words) or 0
