"""`handgrad train`."""

import json
import math
import shlex
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro
from rich.markup import escape

from handgrad.cli.console import TrainingProgress, console, show_losses, working
from handgrad.cli.parse import parse
from handgrad.errors import ConfigError
from handgrad.training.config import PRESETS, TrainConfig

if TYPE_CHECKING:
    from handgrad.training.loop import Every, Outcome, Run

PROGRAM = "handgrad train"


@dataclass(frozen=True)
class Train:
    """Train a model on a text file with one thing a line: names, places, products, words.

    Every gradient is derived by hand. The result is a run folder, saved as it grows: after Ctrl-C or a crash,
    'handgrad train --resume RUN' goes on as if nothing had happened.

    examples:
      handgrad train                        the built-in US names of 2018
      handgrad train towns.txt --steps 5000
      handgrad train --resume runs/towns-2026-01-31-120000
    """

    text: Annotated[
        tyro.conf.Positional[str | None],
        tyro.conf.arg(metavar="[FILE]", help_behavior_hint="(default: the built-in names)"),
    ] = None
    """A text file with one thing a line, or the name of a fetched corpus ('handgrad data list')."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="RUN", help_behavior_hint="(default: runs/<corpus>-<time>)")] = (
        None
    )
    """The run folder to make."""
    resume: Annotated[Path | None, tyro.conf.arg(metavar="RUN", help_behavior_hint="")] = None
    """A run folder to go on with; it keeps its settings."""
    checkpoint_every: Annotated[str, tyro.conf.arg(metavar="STEPS|SECONDSs")] = "10s"
    """How often to save: a number of steps such as 1000, or of seconds such as 30s."""
    preset: Literal["default", "lecture"] = "default"
    """Where the settings below start from; 'lecture' has those of the notebook."""
    json: bool = False
    """Print the result as JSON."""
    config: TrainConfig = PRESETS["default"]

    def rebased(self) -> "Train":
        """The defaults that '--preset' and '--resume' give the other flags."""
        from handgrad.training.checkpoint import read_settings

        base = PRESETS[self.preset] if self.resume is None else read_settings(self.resume).config
        return Train(config=base)


def main(words: list[str]) -> None:
    """Parse, train, and show what came of it."""
    from handgrad.training import loop

    base = parse(Train, PROGRAM, words, Train()).rebased()
    options = parse(Train, PROGRAM, words, base)
    every = loop.Every.parse(options.checkpoint_every)
    if options.resume is None:
        run = loop.start(options.text, options.config, options.out)
    else:
        _refuse_changes(options, base.config)
        run = loop.reopen(options.resume, options.text)
    try:
        _carry_out(run, every, options.json)
    except loop.Interrupted:
        raise
    except KeyboardInterrupt:
        raise loop.Interrupted(run.folder, run.state.step) from None


def _carry_out(run: "Run", every: "Every", json: bool) -> None:
    from handgrad.training import loop

    if not json:
        _show_start(run)
    if run.settings.config.engine == "compiled":
        _announce_compiling()
    with TrainingProgress(run.state.step, run.settings.config.steps) as progress:
        run = loop.take_steps(run, every, progress)
    with working("calibrating batch norm, measuring the loss"):
        outcome = loop.finish(run)
    if json:
        print(_as_json(run, outcome))
    else:
        _show_outcome(run, outcome)


def _announce_compiling() -> None:
    from handgrad.engine import is_compiled

    if not is_compiled():
        remark = "Compiling the training loop: some ten seconds, this first time only."
        console(stderr=True).print(remark, style="dim")


def _refuse_changes(options: Train, saved: TrainConfig) -> None:
    changed = [f.name for f in fields(TrainConfig) if getattr(options.config, f.name) != getattr(saved, f.name)]
    flags = [f"--{name.replace('_', '-')}" for name in changed] + ["--out"] * (options.out is not None)
    if flags or options.preset != "default":
        raise ConfigError(
            "a resumed run keeps its settings", where=" ".join(flags) or "--preset",
            next_step="Leave that out to go on, or start a new run without --resume.",
        )  # fmt: skip


def _show_start(run: "Run") -> None:
    model, splits, config = run.settings.model, run.splits, run.settings.config
    sizes = " / ".join(f"{len(part):,}" for part in splits)
    show = console().print
    show(f"[bold]text[/]    {escape(run.corpus.source)}: {run.corpus.n_lines:,} lines, {model.vocab_size - 1} letters")
    show(f"        {sizes} characters to predict (train / validation / test)")
    show(f"[bold]model[/]   {model.n_parameters:,} parameters: block_size {model.block_size}, n_embd {model.n_embd}, "
         f"n_hidden {model.n_hidden}")  # fmt: skip
    onwards = f", from step {run.state.step:,} on" if 0 < run.state.step < config.steps else ""
    rates = f"batch_size {config.batch_size}, {config.optimizer}, lr {config.lr:g}, seed {config.seed}"
    show(f"[bold]steps[/]   {config.steps:,}{onwards}: {rates}")
    show(f"[bold]run[/]     {escape(str(run.folder))}")


def _show_outcome(run: "Run", outcome: "Outcome") -> None:
    show = console().print
    show()
    show_losses(outcome.losses)
    if outcome.losses["train"] > math.log(run.settings.vocabulary.size):
        show("Guessing would do better: the learning rate is too high, or the steps are too few.", style="yellow")
    show("\n[bold]20 samples[/]")
    for line in outcome.samples:
        show(f"  {escape(line):<24} [dim]{'known' if line in outcome.known else 'new'}[/]")
    folder = escape(shlex.quote(str(run.folder)))
    show(f"\n[bold]saved[/]   {folder} (the loss curve is loss.png there)")
    show(f"[bold]next[/]    handgrad sample {folder} -n 50 --new-only")
    show(f"        handgrad evaluate {folder} --line {escape(shlex.quote(outcome.samples[0]))}")


def _as_json(run: "Run", outcome: "Outcome") -> str:
    samples = [{"line": line, "new": line not in outcome.known} for line in outcome.samples]
    content = {"run": str(run.folder), "steps": run.state.step, "loss": outcome.losses, "samples": samples}
    return json.dumps(content, ensure_ascii=False, indent=2)
