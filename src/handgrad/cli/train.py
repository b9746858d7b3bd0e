"""`handgrad train`."""

import json
import math
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro
from rich.markup import escape

from handgrad.cli.console import (
    TrainingProgress,
    console,
    samples_content,
    show_figures,
    show_losses,
    show_outcome,
    working,
)
from handgrad.cli.parse import parse, saying
from handgrad.errors import ConfigError
from handgrad.models.registry import ModelName
from handgrad.training.config import PRESETS, TrainConfig

if TYPE_CHECKING:
    from handgrad.training.loop import Every
    from handgrad.training.run import Outcome, Run
    from handgrad.training.runs import Results

PROGRAM = "handgrad train"


@dataclass(frozen=True)
class Train:
    """Train a model on a text file with one thing a line: names, places, products, words.

    Every gradient is derived by hand. The result is a run folder, saved as it grows: after Ctrl-C or a crash,
    'handgrad train --resume RUN' goes on as if nothing had happened.

    examples:
      handgrad train                        the built-in US names of 2018
      handgrad train towns.txt --steps 5000
      handgrad train towns.txt --runs 4     four seeds at once; the best is kept in front
      handgrad train --model gru            another kind of network; --model gru --help shows its defaults
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
    """A run folder to go on with; it keeps its settings, but for '--device'."""
    checkpoint_every: Annotated[str, tyro.conf.arg(metavar="STEPS|SECONDSs")] = "10s"
    """How often to save: a number of steps such as 1000, or of seconds such as 30s."""
    preset: Literal["default", "lecture", "microgpt"] = "default"
    """Where the settings below start from; 'lecture' has those of the notebook, 'microgpt' the very steps of
    microgpt.py."""
    json: bool = False
    """Print the result as JSON."""
    config: TrainConfig = PRESETS["default"]


@dataclass(frozen=True)
class Base:
    """The flags on which the defaults of the others depend."""

    model: ModelName = PRESETS["default"].model
    preset: Literal["default", "lecture", "microgpt"] = "default"
    resume: Path | None = None

    @classmethod
    def of(cls, words: list[str]) -> "Base":
        """What the words say of these flags; whether the others make sense is seen once their defaults are known."""
        preset = parse(cls, PROGRAM, saying({"--preset"}, words), cls()).preset
        default = cls(PRESETS[preset].model, preset)
        return parse(cls, PROGRAM, saying({"--model", "--preset", "--resume"}, words), default)

    def config(self) -> TrainConfig:
        """The settings from which the words may depart."""
        from handgrad.training.checkpoint import read_settings

        if self.resume is not None:
            return read_settings(self.resume).config
        preset = PRESETS[self.preset]
        if self.model == preset.model:
            return preset
        if self.preset != "default":
            raise ConfigError(
                f"--preset {self.preset} is one of the {preset.model}", where="--model", got=self.model,
                next_step="Leave out one of the two.",
            )  # fmt: skip
        return TrainConfig.of(self.model)


def main(words: list[str]) -> None:
    """Parse, train, and show what came of it."""
    from handgrad.training import run as runs
    from handgrad.training.loop import Every

    base = Train(config=Base.of(words).config())
    options = parse(Train, PROGRAM, words, base)
    every = Every.parse(options.checkpoint_every)
    if options.resume is None:
        run = runs.start(options.text, options.config, options.out)
    else:
        _refuse_changes(options, base.config)
        run = runs.reopen(options.resume, options.text, options.config.device)
    one = run.settings.config.runs == 1
    try:
        if not options.json:
            _show_start(run)
        _remark(run, base.config)
        (_train_one if one else _train_several)(run, every, options.json)
    except runs.Interrupted:
        raise
    except KeyboardInterrupt:
        raise runs.Interrupted(run.folder, run.state.step if one else None) from None


def _train_one(run: "Run", every: "Every", json: bool) -> None:
    from handgrad.training.loop import take_steps
    from handgrad.training.run import finish

    if run.settings.config.steps:
        with TrainingProgress(run.settings.config.steps) as progress:
            run = take_steps(run, every, progress.of(done=run.state.step))
    with working(_measuring(run)):
        outcome = finish(run)
    if json:
        _print_json(_content(run, outcome))
        return
    console().print()
    show_losses(outcome.losses)
    _show_outcome(run, outcome)


def _train_several(run: "Run", every: "Every", json: bool) -> None:
    from handgrad.training.runs import finish_all, folder_of, take_all_steps

    with TrainingProgress(run.settings.config.steps) as progress:
        diverged = take_all_steps(run, every, lambda seed: progress.of(f"seed {seed}"))
    with working(_measuring(run)):
        results = finish_all(run, diverged)
    best = results.outcomes[results.best]
    if json:
        each = [
            {"seed": seed, "run": str(folder_of(run, seed)), "loss": outcome.losses}
            for seed, outcome in results.outcomes.items()
        ]
        stopped = [{"seed": seed, "error": str(error)} for seed, error in results.diverged.items()]
        summary = {"seed": results.best, "mean": results.mean, "standard_deviation": results.deviation}
        _print_json({**_content(run, best), **summary, "runs": each, "diverged": stopped})
        return
    console().print()
    _show_runs(results)
    _show_outcome(run, best)


def _measuring(run: "Run") -> str:
    first = "counting, " if run.settings.model.counted else "calibrating batch norm, "
    return f"{first * bool(run.settings.model.buffer_shapes)}measuring the loss"


def _show_runs(results: "Results") -> None:
    """The losses of each run, their mean and standard deviation."""
    rows = [
        (f"seed {seed}{' (best)' * (seed == results.best)}", *(f"{loss:.4f}" for loss in outcome.losses.values()))
        for seed, outcome in results.outcomes.items()
    ]
    for name, losses in (("mean", results.mean), ("standard deviation", results.deviation)):
        rows += [(name, *(f"{loss:.4f}" for loss in losses.values()))] if losses else []
    show_figures(("loss, nats a character", "train", "validation", "test"), rows)
    for seed, error in results.diverged.items():
        console().print(f"seed {seed} stopped: {escape(str(error))}", style="yellow")


def _remark(run: "Run", began: TrainConfig) -> None:
    """What its user had better know before the first step."""
    config = run.settings.config
    if config.device != began.device:
        remark = f"The run began on {began.device}; on {config.device} sums round differently."
        console(stderr=True).print(remark, style="dim")
    n_lines, read = run.splits.train.n_lines, config.steps * config.batch_size
    if (config.random, config.minibatches) == ("python", "in-order") and read > n_lines:
        first = n_lines // config.batch_size + 1
        remark = f"From step {first:,} on microgpt.py reads lines that are held out here: losses differ from there on."
        console(stderr=True).print(remark, style="dim")
    if config.chosen_engine == "compiled":
        from handgrad.engine.compiling import is_compiled

        if not is_compiled(config.model):
            loops = "counting" if run.settings.model.counted else "training"
            remark = f"Compiling the {loops} loop: some ten seconds, this first time only."
            console(stderr=True).print(remark, style="dim")


def _refuse_changes(options: Train, saved: TrainConfig) -> None:
    settings = [f.name for f in fields(TrainConfig) if f.name != "device"]
    changed = [name for name in settings if getattr(options.config, name) != getattr(saved, name)]
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
    has = ", ".join(f"{f.name} {getattr(model, f.name)}" for f in fields(model) if f.name != "vocab_size")
    knows = "counted" if model.counted else f"{model.n_parameters:,} parameters"
    show(f"[bold]model[/]   {model.name}, {knows}{': ' * bool(has)}{has}")
    onwards = f", from step {run.state.step:,} on" if 0 < run.state.step < config.steps else ""
    seeds = f"seed {config.seed}" if config.runs == 1 else f"seeds {config.seed} to {config.seeds[-1]}"
    rates = f"batch_size {config.batch_size}, {config.optimizer}, lr {config.lr:g}, {seeds}"
    if not model.counted:
        show(f"[bold]steps[/]   {config.steps:,}{onwards}: {rates}")
    show(f"[bold]run[/]     {escape(str(run.folder))}")


def _show_outcome(run: "Run", outcome: "Outcome") -> None:
    if outcome.losses["train"] > math.log(run.settings.vocabulary.size):
        text = "Guessing would do better: the learning rate is too high, or the steps are too few."
        console().print(text, style="yellow")
    show_outcome(run.folder, outcome, "" if run.settings.model.counted else " (the loss curve is loss.png there)")


def _content(run: "Run", outcome: "Outcome") -> dict[str, Any]:
    return {
        "run": str(run.folder),
        "steps": outcome.model.steps,
        "loss": outcome.losses,
        "samples": samples_content(outcome),
    }


def _print_json(content: dict[str, Any]) -> None:
    print(json.dumps(content, ensure_ascii=False, indent=2))
