"""`handgrad sweep`."""

import json as json_format
import time as clocks
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from handgrad.cli.console import console, working
from handgrad.cli.parse import call
from handgrad.errors import ConfigError

if TYPE_CHECKING:
    from handgrad.sweep.driver import Sweep
    from handgrad.sweep.job import Options
    from handgrad.sweep.space import Space


def sweep(
    text: Annotated[
        tyro.conf.Positional[str | None],
        tyro.conf.arg(metavar="[FILE]", help_behavior_hint="(default: the built-in names)"),
    ] = None,
    *,
    trials: Annotated[int | None, tyro.conf.arg(metavar="N", help_behavior_hint="(default: 40, if no time)")] = None,
    time: Annotated[str | None, tyro.conf.arg(metavar="TIME", help_behavior_hint="")] = None,
    budget: Annotated[str | None, tyro.conf.arg(metavar="TIME", help_behavior_hint="(default: 10s)")] = None,
    models: Annotated[
        str | None, tyro.conf.arg(metavar="A,B", help_behavior_hint="(default: mlp,gru,transformer)")
    ] = None,
    space: Annotated[Path | None, tyro.conf.arg(metavar="FILE.toml", help_behavior_hint="")] = None,
    seeds: Annotated[int | None, tyro.conf.arg(metavar="K", help_behavior_hint="(default: 1)")] = None,
    mix: bool = False,
    address: Annotated[str | None, tyro.conf.arg(metavar="ADDRESS", help_behavior_hint="")] = None,
    round: Annotated[int | None, tyro.conf.arg(metavar="N", help_behavior_hint="(default: 8)")] = None,
    seed: Annotated[int | None, tyro.conf.arg(metavar="INT", help_behavior_hint="(default: 1)")] = None,
    out: Annotated[
        Path | None, tyro.conf.arg(metavar="FOLDER", help_behavior_hint="(default: runs/<corpus>-sweep-<time>)")
    ] = None,
    resume: Annotated[Path | None, tyro.conf.arg(metavar="SWEEP", help_behavior_hint="")] = None,
    json: bool = False,
) -> None:
    """Try many recipes on a text, and say which is best, and by how much.

    As many are trained at once as there are cores, one thread each, or on all cores of a Ray cluster that exists. They
    are proposed in rounds, the later from what came of the earlier; of each round the worse half is stopped after a
    quarter of its steps, and after half of them. The first is the default recipe, which is not stopped. Each is a run
    folder like any other, and the sweep is kept as it goes: after Ctrl-C or a crash, 'handgrad sweep --resume SWEEP'
    goes on with it. The same seed tries the same recipes. It needs the extra: pip install 'handgrad[cluster]'.

    examples:
      handgrad sweep towns.txt                     40 recipes, each of 10 seconds of one core at most
      handgrad sweep towns.txt --time 10m --models gru,lstm --mix
      handgrad sweep towns.txt --space space.toml --trials 100 --seeds 3
      handgrad sweep towns.txt --address 10.0.0.1:6379 --round 128 --trials 640
      handgrad sweep --resume runs/towns-sweep-2026-01-31-120000 --trials 80

    Args:
        text: A text file with one thing a line, or the name of a fetched corpus ('handgrad data list').
        trials: How many recipes to try; with --resume, in all.
        time: How long all of it may take: 10m, 1h. No round is begun that would not be done by then.
        budget: How long a trial may train on one core, about: by a formula, so that it takes as many steps everywhere.
        models: The families to try.
        space: A TOML file with what may be tried: see docs/sweep.md.
        seeds: Train the three best and the default recipe with so many seeds, for mean and spread.
        mix: Mix the best with an n-gram into one model.
        address: Of a Ray cluster, HOST:PORT, or 'auto' for that of this machine.
        round: How many are proposed and compared at once: for a cluster, twice as many as it has cores.
        seed: Of what is tried, and of each run.
        out: The folder to make.
        resume: A sweep to go on with; it keeps what it was asked for, but for trials, time and seeds.
        json: Print the result as JSON.
    """
    from handgrad.sweep.extra import require_extra

    require_extra()
    from handgrad.cli.sweeping import SweepProgress, content_of, show_results, show_start
    from handgrad.sweep.alone import alone
    from handgrad.sweep.job import BUDGET, TRIALS, Options, begin, go, reopen, require_counts, write_results
    from handgrad.sweep.records import read_asked
    from handgrad.training.duration import seconds_of

    begun, seconds = clocks.monotonic(), None if time is None else seconds_of(time, "--time")
    with ExitStack() as held:
        if resume is None:
            wanted = TRIALS if trials is None and time is None else trials
            options = Options(
                wanted,
                seconds_of(BUDGET if budget is None else budget, "--budget"),
                **_said(seed=seed, seeds=seeds, round=round),
            )
            _require_time(options, seconds, address)
            searched = _space(space, models)
            _reach(address)
            job = begin(text, searched, options, out)
            held.enter_context(alone(job.folder))
        else:
            _refuse_changes(models=models, space=space, out=out, budget=budget, seed=seed, round=round)
            require_counts(**_said(trials=trials, seeds=seeds))
            read_asked(resume)  # or there is no sweep
            held.enter_context(alone(resume))
            _reach(address)
            job = reopen(resume, text, trials, seeds, timed=time is not None)
        if not json:
            show_start(job, address)
        if address is None:
            begun += _compile(job)
        with SweepProgress(console(stderr=True)) as told:
            go(job, address, told, seconds, begun)
        with working("writing the table, drawing the picture" + ", mixing the best" * mix):
            results = write_results(job, mix)
    if json:
        print(json_format.dumps(content_of(job, results), ensure_ascii=False, indent=2))
    else:
        show_results(job, results)


def main(words: list[str]) -> None:
    """Parse and run the command."""
    call(sweep, "handgrad sweep", words)


def _said(**options: int | None) -> dict[str, int]:
    """The options that were given."""
    return {name: value for name, value in options.items() if value is not None}


def _reach(address: str | None) -> None:
    """See that a cluster answers at the address, before anything is made."""
    from handgrad.sweep.connecting import connect

    if address is not None:
        connect(address)


def _space(path: Path | None, models: str | None) -> "Space | None":
    from handgrad.sweep.space import default_space, models_of, read_space

    names = None if models is None else models_of(models)
    if path is not None:
        return read_space(path, names)
    return None if names is None else default_space(names)


def _require_time(options: "Options", seconds: float | None, address: str | None) -> None:
    """Raise ConfigError where not even the first round is done in time."""
    from handgrad.sweep.driver import EXPECTED
    from handgrad.threads import n_threads

    if seconds is None or address is not None:
        return
    budget, round_ = options.budget, options.round
    needed = max(budget, EXPECTED * budget * round_ / n_threads())
    if seconds < needed:
        raise ConfigError(
            "the time is too short for a round of trials", where="--time", got=f"{seconds:g}s",
            expected=f"{needed:.0f}s or more, for {round_} trials of {budget:g}s on {n_threads()} cores",
            next_step=f"Say --budget {budget * seconds / needed / 2:.1g}s, or more time.",
        )  # fmt: skip


def _refuse_changes(**said: Any) -> None:
    flags = [f"--{name}" for name, value in said.items() if value is not None]
    if flags:
        raise ConfigError(
            "a sweep that goes on keeps what it was asked for", where=" ".join(flags),
            next_step="Leave that out to go on, or start a new sweep without --resume.",
        )  # fmt: skip


def _compile(job: "Sweep") -> float:
    """Have compiled what the families need, once on a machine; how many seconds it took."""
    from handgrad.cli.training import compile_all
    from handgrad.training.config import TrainConfig

    return compile_all(job.text, tuple(job.maker.made(TrainConfig.of(model)) for model in job.space.families))
