"""A sweep from its start to its results: begun or opened again, run, written down."""

import shlex
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from handgrad.errors import ConfigError, CorpusError
from handgrad.models.config import require_integer
from handgrad.models.trained import MOVED
from handgrad.sweep import records
from handgrad.sweep.driver import Sweep, Told, run
from handgrad.sweep.on_ray import RayWorkers
from handgrad.sweep.picture import picture
from handgrad.sweep.records import Asked
from handgrad.sweep.results import Judged, judged
from handgrad.sweep.search import ROUND, Maker, require_some
from handgrad.sweep.space import Space, default_space
from handgrad.sweep.table import to_csv
from handgrad.sweep.trials import Trial
from handgrad.training import files
from handgrad.training.config import TrainConfig
from handgrad.training.mix import Mixed, mix_runs
from handgrad.training.recipes import recipe
from handgrad.training.run import Text, finish, new_folder, read_text, start, text_of

BUDGET, TRIALS = 10.0, 40
MODELS = ("mlp", "gru", "transformer")
MIXED = 8
"""So many of the best are mixed, at most."""


class SweepInterrupted(KeyboardInterrupt):
    """Ctrl-C during a sweep, all of which is kept but the steps under way."""

    def __init__(self, sweep: Sweep):  # noqa: D107
        ended = sum(not trial.is_running for trial in sweep.trials.values())
        kept = sum(trial.is_running and trial.step > 0 for trial in sweep.trials.values())
        under_way = f", {kept:,} more {'has a checkpoint' if kept == 1 else 'have checkpoints'}" if kept else ""
        folder, done = shlex.quote(str(sweep.folder)), "trial is" if ended == 1 else "trials are"
        super().__init__(f"{ended:,} {done} done{under_way}; go on with 'handgrad sweep --resume {folder}'.")
        self.folder = sweep.folder


@dataclass(frozen=True)
class Results:
    """What came of a sweep.

    Args:
        recipes: that came to their end, the best first.
        mixed: a mixture of the best, and the loss of each split of the default recipe mixed with an n-gram.
    """

    recipes: list[Judged]
    mixed: tuple[Mixed, dict[str, float]] | None = None

    @property
    def best(self) -> Judged:
        """The recipe with the least validation loss."""
        return self.recipes[0]

    @property
    def default(self) -> Judged | None:
        """The default recipe, within the same time."""
        return next((one for one in self.recipes if one.trial.origin == "default"), None)


@dataclass(frozen=True)
class Options:
    """What a new sweep is asked for; see `Asked`."""

    trials: int | None = TRIALS
    budget: float = BUDGET
    seed: int = 1
    seeds: int = 1
    round: int = ROUND

    def __post_init__(self):  # noqa: D105
        require_counts(self.trials, self.seeds)
        require_integer("--round", self.round, at_least=2, at_most=100_000)
        require_integer("--seed", self.seed, at_least=0, at_most=2**32)


def require_counts(trials: int | None = None, seeds: int | None = None) -> None:
    """Raise ConfigError where as many trials or seeds make no sense."""
    for name, value in (("--trials", trials), ("--seeds", seeds)):
        if value is not None:
            require_integer(name, value, at_least=1, at_most=100_000)


def begin(name: str | None, space: Space | None, options: Options, out: Path | None) -> Sweep:
    """Make a sweep's folder.

    Args:
        name: of the text, as `handgrad train` takes it.
        space: to search; None for the default one.
        options: what is asked for.
        out: the folder; by default `runs/<corpus>-sweep-<time>`.

    Raises:
        ConfigError: a family of the space cannot read the text, or its sizes do not go together.
        CorpusError: the text cannot be used.
        RunError: the folder is taken, or cannot be written.
    """
    text = read_text(name, TrainConfig())
    maker = Maker(text, options.budget, options.seed)
    chosen = default_space(_able(MODELS, maker)) if space is None else space
    for model in chosen.families:
        maker.made(TrainConfig.of(model))
    require_some(chosen, maker)
    asked = Asked(text.reference, chosen.content, **asdict(options))
    folder = out or new_folder(f"{text.corpus.name}-sweep")
    records.create(folder, asked)
    return Sweep(folder, asked, text)


def reopen(
    folder: Path, moved: str | None = None, trials: int | None = None, seeds: int | None = None, timed: bool = False
) -> Sweep:
    """Open a sweep to go on with.

    Args:
        folder: of the sweep.
        moved: where its text is now, if it has moved.
        trials: how many there shall be in all, if not those that it was asked for.
        seeds: with how many the best shall be trained, likewise.
        timed: whether there shall be as many trials as there is time for, if no number is said.

    Raises:
        ConfigError: there are more trials already.
        RunError: it is no sweep, or damaged.
    """
    asked = records.read_asked(folder)
    asked = replace(asked, trials=trials or (None if timed else asked.trials), seeds=seeds or asked.seeds)
    sweep = Sweep(folder, asked, _text(folder, asked, moved))
    there = sum(map(len, sweep.rounds.values()))
    if asked.trials is not None and there > asked.trials:
        raise ConfigError(
            "there are more trials already", where="--trials", got=asked.trials, expected=f"{there} or more"
        )
    records.write_asked(folder, asked)
    return sweep


def _text(folder: Path, asked: Asked, moved: str | None) -> Text:
    try:
        return text_of(asked.text, moved)
    except CorpusError as error:
        if error.next_step != MOVED:
            raise
        again = f"handgrad sweep FILE --resume {shlex.quote(str(folder))}"
        raise CorpusError(error.what, got=error.got, expected=error.expected, where=error.where,
                          next_step=f"Say where the unchanged file is: '{again}'.") from None  # fmt: skip


def go(sweep: Sweep, address: str | None, told: Told, seconds: float | None, begun: float) -> None:
    """Run a sweep to its end, on this machine or on the cluster of an address.

    Args:
        sweep: to go on with.
        address: as `RayWorkers` takes it.
        told: is called whenever something has changed.
        seconds: that all of it may take; None for as long as the trials take.
        begun: when its time began, on the clock of `time.monotonic`.

    Raises:
        ConfigError: the cluster cannot be reached.
        SweepInterrupted: Ctrl-C.
    """
    try:
        workers = RayWorkers(sweep.text, address, most=2 * sweep.asked.round)
        try:
            run(sweep, workers, told, None if seconds is None else begun + seconds)
        finally:
            workers.close()
    except KeyboardInterrupt:
        _write_table(sweep)
        raise SweepInterrupted(sweep) from None


def write_results(sweep: Sweep, mix: bool = False) -> Results:
    """Write table and picture, and mix the best, if asked to.

    Raises:
        RunError: something cannot be written.
    """
    trials = _write_table(sweep)
    title = f"{sweep.text.corpus.name}: {len(trials):,} trials"
    files.write(sweep.folder, "sweep.png", picture(trials, title))
    recipes = judged(sweep)
    return Results(recipes, _mixed(sweep, recipes) if mix else None)


def _write_table(sweep: Sweep) -> list[Trial]:
    """Write `sweep.csv`; the trials in its order."""
    trials = records.in_order(sweep.trials.values())
    files.write(sweep.folder, "sweep.csv", to_csv(trials))
    return trials


def _mixed(sweep: Sweep, recipes: Sequence[Judged]) -> tuple[Mixed, dict[str, float]]:
    """The best and an n-gram in one model; beside it, the default recipe with an n-gram."""
    counted, place = sweep.folder / "ngram", sweep.folder / "mix"
    if not (counted / "samples.txt").exists():
        shutil.rmtree(counted, ignore_errors=True)
        config = recipe(sweep.text.splits, sweep.asked.budget).parts[0]
        finish(start(sweep.text, config, counted))
    best = [sweep.folder / one.trial.name for one in recipes[:MIXED] if one.trial.config.steps]
    shutil.rmtree(place, ignore_errors=True)
    source = sweep.text.corpus.source if Path(sweep.text.corpus.source).is_file() else None
    with tempfile.TemporaryDirectory() as elsewhere:
        default = mix_runs([sweep.folder / "trial-000", counted], Path(elsewhere) / "default", source)
    return mix_runs([*best, counted], place, source), default.outcome.losses


def _able(models: Sequence[str], maker: Maker) -> list[str]:
    """The families that can read the text."""
    able = []
    for model in models:
        try:
            maker.made(TrainConfig.of(model))
            able.append(model)
        except ConfigError:
            continue
    return able
