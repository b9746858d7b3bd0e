"""What `handgrad train` shows: the text and the plan, the training, what came of it."""

import json as json_format
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from handgrad.cli.console import (
    console,
    samples_content,
    show_figures,
    show_losses,
    show_outcome,
    working,
)
from handgrad.cli.judging import of_ngram, show_judgement, show_together, stopped, which_step
from handgrad.data.cuts import are_repeated
from handgrad.models.shown import described
from handgrad.training.config import TrainConfig
from handgrad.training.processes import current
from handgrad.training.progress import TrainingProgress, clock

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from handgrad.cli.train import Train
    from handgrad.data.corpus import Corpus
    from handgrad.data.dataset import Splits
    from handgrad.models.family import Family
    from handgrad.training.job import Job
    from handgrad.training.loop import Every
    from handgrad.training.loop import Progress as Reported
    from handgrad.training.parts import Whole
    from handgrad.training.run import Outcome, Run, Text
    from handgrad.training.runs import Results

FEW_LINES = 20
"""Held out, a loss on fewer of them says little."""
CURVES = " (the loss curves are loss.png there)"


def show_start(job: "Job") -> None:
    """The text, what is to be trained on it, and where it goes."""
    from handgrad.training.parts import Whole, settings_of

    run, show = job.run, console().print
    if isinstance(run, Whole):
        show_text(run.text.corpus, run.text.splits, run.plan.text.distinct)
        show(f"[bold]plan[/]    {escape(run.plan.why)}")
        alike = Counter(settings.model for settings in settings_of(run))
        for model, many in alike.items():
            _show_model(model, f" ({many} of them, with seeds of their own)" * (many > 1))
    else:
        show_text(run.corpus, run.splits, run.settings.text.distinct)
        _show_model(run.settings.model)
        if not run.settings.model.counted:
            _show_steps(run)
    show(f"[bold]run[/]     {escape(str(run.folder))}")


def show_text(corpus: "Corpus", splits: "Splits", distinct: bool) -> None:
    """The text: its lines, letters and splits."""
    sizes = " / ".join(f"{len(part):,}" for part in splits)
    lines = f"{corpus.n_lines:,} lines"
    if distinct and (n_distinct := corpus.n_distinct) < corpus.n_lines:
        together = "each counts" if are_repeated(corpus.n_lines, n_distinct) else "equal ones are held out together"
        lines += f" ({n_distinct:,} different: {together})"
    console().print(f"[bold]text[/]    {escape(corpus.source)}: {lines}, {corpus.vocabulary.size - 1:,} letters")
    console().print(f"        {sizes} characters to predict (train / validation / test)")
    if splits.val.n_lines < FEW_LINES:
        text = f"Only {splits.val.n_lines:,} lines are held out for validation: what is measured on them is rough."
        console().print(text, style="dim")


def _show_model(model: "Family", remark: str = "") -> None:
    console().print(f"[bold]model[/]   {described(model)}{remark}")


def _show_steps(run: "Run") -> None:
    config, state = run.settings.config, run.state
    onwards = f", from step {state.step:,} on" if 0 < state.step < state.schedule.stop else ""
    seeds = f"seed {config.seed}" if config.runs == 1 else f"seeds {config.seed} to {config.seeds[-1]}"
    rates = f"batch_size {config.batch_size}, {config.optimizer}, lr {config.lr:g}, {seeds}"
    console().print(f"[bold]steps[/]   {state.schedule.stop:,}{onwards}: {rates}")


def remark(text: "Text", parts: tuple[TrainConfig, ...]) -> None:
    """What its user had better know before the first step."""
    for config in parts:
        n_lines, read = text.splits.train.n_lines, config.steps * config.batch_size
        if (config.random, config.minibatches) == ("python", "in-order") and read > n_lines:
            first = n_lines // config.batch_size + 1
            said = f"From step {first:,} on microgpt.py reads lines held out here: losses differ from there on."
            console(stderr=True).print(said, style="dim")


def compile_all(text: "Text", parts: tuple[TrainConfig, ...]) -> float:
    """Have compiled what the parts need, where that has not been done on this machine; how many seconds it took."""
    from handgrad.training.pace import compile_loops, is_to_compile
    from handgrad.training.run import prepared

    by_family = {config.model: config for config in parts if is_to_compile(config)}
    if not by_family:
        return 0.0
    loops = f"the loops of the {' and the '.join(by_family)}"
    shown = console(stderr=True)
    shown.print(f"Compiling {loops}: once on this machine, some ten seconds each on a fast one.", style="dim")
    with counting_functions(loops, shown):
        return sum(compile_loops(prepared(text, config), text.splits) for config in by_family.values())


@contextmanager
def counting_functions(loops: str, shown: "Console") -> Iterator[None]:
    """Show in a terminal how many functions have been compiled, and for how long."""
    from numba.core import event

    begun = time.monotonic()

    class Counting(event.Listener):
        done = 0

        def on_start(self, event: object) -> None:
            """Another one begins."""

        def on_end(self, event: object) -> None:  # noqa: ARG002
            self.done += 1
            status.update(f"{loops}: {self.done} functions compiled, {clock(time.monotonic() - begun)} elapsed")

    with shown.status(loops) as status, event.install_listener("numba:compile", Counting()):
        yield


def train(job: "Job", every: "Every", options: "Train") -> None:
    """Train what is to be trained, and show what came of it.

    Args:
        job: from `handgrad.training.job`.
        every: how often it is saved.
        options: of the command.
    """
    from handgrad.training.parts import Whole
    from handgrad.training.tensorboard import TensorBoard

    with TensorBoard() if options.tensorboard else nullcontext() as board:
        progress = TrainingProgress(console(stderr=True), board)
        if isinstance(job.run, Whole):
            steps, outcome = _train_parts(job.run, job, every, progress, options.json)
        elif job.run.settings.config.runs == 1:
            steps, outcome = _train_one(job.run, job, every, progress, options.json)
        else:
            steps, outcome = _train_several(job.run, every, progress, options)
        if board:
            board.samples(job.run.folder, steps, outcome.samples)


def _train_parts(
    whole: "Whole", job: "Job", every: "Every", progress: TrainingProgress, json: bool
) -> "tuple[int, Outcome]":
    from handgrad.training.parts import finish_whole, train_parts

    with progress:
        trained = train_parts(whole, every, progress.of, job.ends, job.more_steps)
    with working("mixing the parts, measuring the loss"):
        mixed = finish_whole(whole, trained)
    steps = sum(part.run.state.step for part in trained)
    if json:
        parts = [
            {"part": part.name, "run": str(part.run.folder), "weight": weight, "loss": part.losses}
            for part, weight in zip(trained, mixed.weights.tolist(), strict=True)
        ]
        _print_json({**_content(whole.folder, steps, mixed.outcome), "parts": parts})
        return steps, mixed.outcome
    console().print()
    rows = [
        (part.name, f"{weight:.2f}", *(f"{loss:.4f}" for loss in part.losses.values()))
        for part, weight in zip(trained, mixed.weights.tolist(), strict=True)
    ]
    rows.append(("mixture", "", *(f"{loss:.4f}" for loss in mixed.outcome.losses.values())))
    show_figures(("loss, nats a character", "weight", "train", "validation", "test"), rows)
    show_judgement(mixed.outcome, {part.name: part.losses["val"] for part in trained}, whole.plan.vocabulary.size)
    show_outcome(whole.folder, mixed.outcome, CURVES)
    return steps, mixed.outcome


def _train_one(run: "Run", job: "Job", every: "Every", progress: TrainingProgress, json: bool) -> "tuple[int, Outcome]":
    from handgrad.training.loop import take_steps
    from handgrad.training.run import finish

    if run.settings.config.steps:
        with progress:
            shown = progress.of(done=run.state.step, steps=run.state.schedule.stop)
            run = take_steps(run, every, shown, job.pacer)
    with working(_measuring(run)):
        outcome = finish(run)
    if json:
        together = {"together": asdict(used)} if (used := current().used) else {}
        _print_json({**_content(run.folder, run.state.step, outcome), **together})
        return run.state.step, outcome
    console().print()
    show_losses(outcome.losses)
    show_together(current().used)
    kept = run.state.kept[0]
    if kept < run.state.step:
        console().print(which_step(kept, run.state.step, stopped(run)), style="dim")
    show_judgement(outcome, {} if run.settings.model.counted else of_ngram(run), run.settings.vocabulary.size)
    show_outcome(run.folder, outcome, CURVES * bool(run.state.step))
    return run.state.step, outcome


def _train_several(run: "Run", every: "Every", progress: TrainingProgress, options: "Train") -> "tuple[int, Outcome]":
    from handgrad.training.runs import finish_all, folder_of, take_all_steps

    def told(seed: int) -> "Reported":
        return progress.of(f"seed {seed}", steps=run.settings.config.steps)

    with progress:
        if options.address is None:
            diverged = take_all_steps(run, every, told)
        else:
            from handgrad.sweep import seeds

            diverged = seeds.take_all_steps(run, options.address, told)
    with working(_measuring(run)):
        results = finish_all(run, diverged)
    best = results.outcomes[results.best]
    if options.json:
        each = [
            {"seed": seed, "run": str(folder_of(run, seed)), "loss": outcome.losses}
            for seed, outcome in results.outcomes.items()
        ]
        stopped = [{"seed": seed, "error": str(error)} for seed, error in results.diverged.items()]
        summary = {"seed": results.best, "mean": results.mean, "standard_deviation": results.deviation}
        content = _content(run.folder, run.settings.config.steps, best)
        _print_json({**content, **summary, "runs": each, "diverged": stopped})
        return run.settings.config.steps, best
    console().print()
    _show_runs(results)
    show_judgement(best, {}, run.settings.vocabulary.size)
    show_outcome(run.folder, best, CURVES)
    return run.settings.config.steps, best


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


def _content(folder: "Path", steps: int, outcome: "Outcome") -> dict[str, Any]:
    return {"run": str(folder), "steps": steps, "loss": outcome.losses, "samples": samples_content(outcome)}


def _print_json(content: dict[str, Any]) -> None:
    print(json_format.dumps(content, ensure_ascii=False, indent=2))
