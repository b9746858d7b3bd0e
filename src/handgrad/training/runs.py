"""Several runs at once, of one seed each, in threads; the best of them is what their folder shows.

FOLDER/               a run folder: model, history, loss curve and samples are those of the best run
FOLDER/runs.csv       the losses of all
FOLDER/seed-1/, …     the run folder of each, the same bit for bit as if its seed had been trained alone
"""

import csv
import io
import statistics
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from handgrad.data.dataset import Splits
from handgrad.errors import DivergedError
from handgrad.threads import n_threads
from handgrad.training import checkpoint, files, run
from handgrad.training.loop import Every, Progress, Report, take_steps
from handgrad.training.results import write_results
from handgrad.training.run import Interrupted, Outcome, Run

SHOWN = ("model.safetensors", "history.csv", "loss.png", "samples.txt", "results.json")


@dataclass(frozen=True)
class Results:
    """What came of several runs.

    Args:
        outcomes: of the runs that came to their end, by seed.
        diverged: why each of the others did not.
    """

    outcomes: dict[int, Outcome]
    diverged: dict[int, DivergedError]

    @property
    def best(self) -> int:
        """The seed of the run with the least validation loss, the first where there are several."""
        return min(self.outcomes, key=lambda seed: self.outcomes[seed].losses["val"])

    @property
    def mean(self) -> dict[str, float]:
        """Of the loss of each split."""
        return {name: statistics.fmean(losses) for name, losses in self._losses().items()}

    @property
    def deviation(self) -> dict[str, float]:
        """The standard deviation of the loss of each split, with Bessel's correction; none of a single run."""
        many = len(self.outcomes) > 1
        return {name: statistics.stdev(losses) for name, losses in self._losses().items() if many}

    def _losses(self) -> dict[str, list[float]]:
        return {name: [outcome.losses[name] for outcome in self.outcomes.values()] for name in Splits._fields}


def folder_of(whole: Run, seed: int) -> Path:
    """The run folder of one seed."""
    return whole.folder / f"seed-{seed}"


def take_all_steps(
    whole: Run, every: Every, progress: Callable[[int], Progress | None] | None = None
) -> dict[int, DivergedError]:
    """Train every seed to its last step, as many at once as there are threads.

    Args:
        whole: from `run.start` or `run.reopen`, with more than one seed.
        every: how often each is saved.
        progress: what is to be called for a seed.

    Returns:
        The runs that stopped, by seed; their folders keep the last good checkpoint.

    Raises:
        Interrupted: Ctrl-C; each run folder holds all but the last moment.
        HandgradError: a run folder cannot be written; the other runs are saved and stopped.
    """
    config, stop = whole.settings.config, threading.Event()

    def train(seed: int) -> None:
        seen = progress(seed) if progress else None

        def told(report: Report) -> None:
            if stop.is_set():
                raise KeyboardInterrupt
            if seen:
                seen(report)

        if stop.is_set():
            return
        try:
            begun = open_seed(whole, seed)
            if not begun.state.is_done:
                trained = take_steps(begun, every, told)
                checkpoint.save_state(trained.folder, trained.state)
                write_results(trained.folder, run.results_of(trained))
        except DivergedError:
            raise
        except BaseException:
            stop.set()
            raise

    with _one_thread_each(whole), ThreadPoolExecutor(min(config.runs, n_threads())) as pool:
        futures = {seed: pool.submit(train, seed) for seed in config.seeds}
        try:
            wait(futures.values())
        except KeyboardInterrupt:
            stop.set()
    failures = {seed: future.exception() for seed, future in futures.items()}
    diverged = {seed: failure for seed, failure in failures.items() if isinstance(failure, DivergedError)}
    for seed, failure in failures.items():
        if failure and seed not in diverged and not isinstance(failure, KeyboardInterrupt):
            raise failure
    if stop.is_set():
        raise Interrupted(whole.folder, None)
    return diverged


def finish_all(whole: Run, diverged: dict[int, DivergedError]) -> Results:
    """Finish each run, write down the losses of all, and show the best as that of the whole.

    Raises:
        DivergedError: no run came to its end.
        Interrupted: Ctrl-C; nothing is lost.
    """
    outcomes, failed = {}, dict(diverged)
    try:
        for seed in whole.settings.config.seeds:
            if seed not in failed:
                try:
                    outcomes[seed] = run.finish(open_seed(whole, seed))
                except DivergedError as error:
                    failed[seed] = error
        if not outcomes:
            raise next(iter(failed.values()))
        results = Results(outcomes, dict(sorted(failed.items())))
        for name in SHOWN:
            files.write(whole.folder, name, (folder_of(whole, results.best) / name).read_bytes())
        files.write(whole.folder, "runs.csv", _to_csv(results))
    except KeyboardInterrupt:
        raise Interrupted(whole.folder, None) from None
    return results


def open_seed(whole: Run, seed: int) -> Run:
    """The run of a seed, made if it is not there yet."""
    folder, settings = folder_of(whole, seed), whole.settings
    settings = replace(settings, config=replace(settings.config, seed=seed, runs=1))
    if not (folder / "config.json").exists():
        files.make_within(folder)
        checkpoint.create(folder, settings)
    return run.opened(folder, settings, run.Text(whole.corpus, settings.text, whole.splits))


def _one_thread_each(whole: Run) -> AbstractContextManager[None]:
    """PyTorch's number of threads belongs to all that run; one is set before, so that none changes it for another."""
    if whole.settings.config.chosen_engine == "compiled":
        return nullcontext()
    from handgrad.models.threads import one_thread

    return one_thread()


def _to_csv(results: Results) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("seed", *Splits._fields, "best"))
    for seed in sorted({*results.outcomes, *results.diverged}):
        outcome = results.outcomes.get(seed)
        losses = [f"{outcome.losses[name]:.6f}" if outcome else "" for name in Splits._fields]
        writer.writerow((seed, *losses, int(seed == results.best)))
    return text.getvalue().encode()
