"""`handgrad mix`."""

import json as json_format
from pathlib import Path
from typing import Annotated

import tyro
from rich.markup import escape

from handgrad.cli.console import console, samples_content, show_figures, show_losses, show_outcome, working
from handgrad.cli.parse import call


def mix(
    runs: Annotated[tyro.conf.Positional[tuple[Path, ...]], tyro.conf.arg(metavar="RUN RUN …", help_behavior_hint="")],
    *,
    out: Annotated[
        Path | None, tyro.conf.arg(metavar="FOLDER", help_behavior_hint="(default: runs/<corpus>-mix-<time>)")
    ] = None,
    corpus: Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="")] = None,
    json: bool = False,
) -> None:
    """Mix trained runs of one text into one model, which predicts better than each of them.

    The probability of each next character is the weighted mean of what the runs say. The weights are those under which
    the validation split is most likely. Runs of different kinds gain most, and 'ngram' takes no time to train.

    examples:
      handgrad mix runs/gru runs/ngram --out runs/mix
      handgrad sample runs/mix -n 10

    Args:
        runs: The run folders that 'handgrad train' made; a mixture stands for the runs in it.
        out: The run folder to make. It does not need the others any more.
        corpus: Where the training text is now, if it has moved.
        json: Print the result as JSON.
    """
    from handgrad.training.mix import mix_runs

    with working("reading the validation split, measuring the loss"):
        mixed = mix_runs(runs, out, corpus)
    each = list(zip(mixed.parts, mixed.losses, strict=True))
    if json:
        content = {
            "run": str(mixed.folder),
            "runs": [{"run": part.run, "weight": part.weight, "val": loss} for part, loss in each],
            "loss": mixed.outcome.losses,
            "samples": samples_content(mixed.outcome),
        }
        print(json_format.dumps(content, ensure_ascii=False, indent=2))
        return
    rows = [(part.run, part.training.model, f"{part.weight:.3f}", f"{loss:.4f}") for part, loss in each]
    show_figures(("run", "model", "weight", "validation loss"), rows)
    for part, _ in each:
        if not part.weight:
            console().print(f"{escape(part.run)} gets no weight, and is left out.", style="yellow")
    console().print()
    show_losses(mixed.outcome.losses)
    show_outcome(mixed.folder, mixed.outcome)


def main(words: list[str]) -> None:
    """Parse and run the command."""
    call(mix, "handgrad mix", words)
