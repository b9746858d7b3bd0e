"""`handgrad train`."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, fields, make_dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from handgrad.cli.console import console
from handgrad.cli.parse import parse
from handgrad.errors import ConfigError, CorpusError, RunError
from handgrad.models.registry import ModelName
from handgrad.training.config import PRESETS, TrainConfig

if TYPE_CHECKING:
    from handgrad.training.job import Job
    from handgrad.training.loop import Every

PROGRAM = "handgrad train"
HELP = {"-h", "--help"}
STDIN = "standard input"


@dataclass(frozen=True)
class Train:
    """Train a model on a text file with one thing a line: names, places, products, words.

    Every gradient is derived by hand. What is trained follows from the text and from the time there is: mostly a
    network of the right size, mixed with an n-gram; --model and the settings below say otherwise. The result is a run
    folder, saved as it grows: after Ctrl-C or a crash, 'handgrad train --resume RUN' goes on as if nothing had
    happened.

    examples:
      handgrad train                        the built-in US names of 2018, in some 12 seconds
      handgrad train towns.txt --time 1m    more time, a better model
      handgrad train --model gru            one network alone; --model gru --help shows its settings
      handgrad train towns.txt --model mlp --runs 4      four seeds at once; the best is kept in front
      handgrad train towns.txt --model mlp --runs 64 --address 10.0.0.1:6379      on a Ray cluster
      handgrad train --resume runs/towns-2026-01-31-120000
      handgrad train --resume runs/towns-2026-01-31-120000 --time 1m    one more minute
      cut -d, -f2 towns.csv | handgrad train -           from a pipe
      torchrun --nproc-per-node 2 -m handgrad train towns.txt --model gru     each process takes half of every minibatch
    """

    text: Annotated[
        tyro.conf.Positional[str | None],
        tyro.conf.arg(metavar="[FILE]", help_behavior_hint="(default: the built-in names)"),
    ] = None
    """A text file with one thing a line, the name of a fetched corpus ('handgrad data list'), or '-' for what is piped
    in."""
    time: Annotated[str | None, tyro.conf.arg(metavar="TIME", help_behavior_hint="(default: 12s, if no steps)")] = None
    """How long all of it may take: 12s, 1m, 1h. With --resume, how much longer."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="RUN", help_behavior_hint="(default: runs/<corpus>-<time>)")] = (
        None
    )
    """The run folder to make."""
    resume: Annotated[Path | None, tyro.conf.arg(metavar="RUN", help_behavior_hint="")] = None
    """A run folder to go on with; it keeps its settings, but for '--device'. '--steps' and '--time' say how much
    further it goes."""
    checkpoint_every: Annotated[str, tyro.conf.arg(metavar="STEPS|SECONDSs")] = "10s"
    """How often to save: a number of steps such as 1000, or of seconds such as 30s."""
    preset: Literal["default", "lecture", "microgpt"] = "default"
    """Where the settings below start from: 'default' from what suits the text and the time, 'lecture' from those of the
    notebook, 'microgpt' from the very steps of microgpt.py."""
    address: Annotated[str | None, tyro.conf.arg(metavar="ADDRESS", help_behavior_hint="")] = None
    """Of a Ray cluster, HOST:PORT, on which to train the seeds of '--runs', rather than on this machine's cores."""
    tensorboard: bool = False
    """Write losses and samples into the run folder for TensorBoard, too: 'tensorboard --logdir runs'."""
    json: bool = False
    """Print the result as JSON."""
    config: TrainConfig = field(default_factory=TrainConfig)


_Said: Any = make_dataclass(
    "Said",
    [
        ("text", tyro.conf.Positional[str | None], None),
        *((f.name, bool, False) for f in fields(TrainConfig) if f.type in ("bool", bool)),
        *((f.name, str | None, None) for f in fields(Train) if f.name not in ("text", "tensorboard", "json", "config")),
        ("model", ModelName | None, None),
        *((f.name, str | None, None) for f in fields(TrainConfig)[1:] if f.type not in ("bool", bool)),
        ("tensorboard", bool, False),
        ("json", bool, False),
    ],
    frozen=True,
)
"""What the words say of each flag, as it stands there: the defaults of some depend on others."""


def said_by(words: list[str]) -> Any:
    """What the words say of each flag; where they make no sense, the mistake is said of the flags as they are."""
    try:
        return parse(_Said, PROGRAM, [word for word in words if word not in HELP], _Said())
    except ConfigError:
        parse(Train, PROGRAM, words, Train())
        raise


def main(words: list[str]) -> int:
    """Parse, train, and show what came of it; of several processes the first does, and the others do what it tells."""
    from handgrad.training.processes import joined

    with joined() as processes:
        if processes.rank:
            from handgrad.training.following import follow

            return follow()
        _lead(words)
    return 0


def _lead(words: list[str]) -> None:
    from handgrad.cli.training import show_start, train
    from handgrad.training.job import name_freed
    from handgrad.training.run import Interrupted

    begun, said = time.monotonic(), said_by(words)
    options, every, job = (_start if said.resume is None else _reopen)(words, said, begun)
    try:
        if not options.json:
            show_start(job)
        with name_freed(job):
            train(job, every, options)
    except Interrupted:
        raise
    except KeyboardInterrupt:
        raise Interrupted(job.run.folder, None) from None


def _start(words: list[str], said: Any, begun: float) -> tuple[Train, "Every", "Job"]:
    """A new run as the words say."""
    from handgrad.cli.training import compile_all, remark
    from handgrad.training.job import start_job
    from handgrad.training.loop import Every
    from handgrad.training.processes import current, require_alone
    from handgrad.training.recipes import DEFAULT_SECONDS, recipe
    from handgrad.training.run import folder_for, read_text

    seconds, text, chosen = _seconds(said), None, None
    if not HELP.isdisjoint(words):
        parse(Train, PROGRAM, words, Train(config=_settings(said)))
    of_parts = said.model is None and said.preset in (None, "default")
    require_alone(of_parts, said.text or "--model")
    with _at_hand(said.text) as name:
        if of_parts:
            text = read_text(name, TrainConfig(split="lines" if said.split == "lines" else "distinct"))
            chosen = recipe(text.splits, seconds or DEFAULT_SECONDS)
            seconds = DEFAULT_SECONDS if seconds is None and said.steps is None else seconds
        options = parse(Train, PROGRAM, words, Train(config=chosen.main if chosen else _settings(said)))
        options = replace(options, config=current().settled(options.config))
        _reach_cluster(options)
        every = Every.parse(options.checkpoint_every)
        text = text or read_text(name, options.config)
        parts = chosen.with_main(options.config).parts if chosen else (options.config,)
        remark(text, parts)
        begun += text.preparing_s + compile_all(text, parts)
        beside = Path(name).with_suffix("") if name and said.text == "-" else None
        folder = folder_for(text, options.out or beside)
        return options, every, start_job(text, options.config, chosen, seconds, folder, begun)


def _reopen(words: list[str], said: Any, begun: float) -> tuple[Train, "Every", "Job"]:
    """A run to go on with as the words say."""
    from handgrad.training.checkpoint import read_config
    from handgrad.training.job import reopen_job
    from handgrad.training.loop import Every
    from handgrad.training.mixture import Mixture
    from handgrad.training.plan import Plan
    from handgrad.training.processes import require_alone

    saved = read_config(Path(said.resume))
    if isinstance(saved, Mixture):
        raise RunError(
            "this is a mixture of runs, which takes no steps", where=said.resume,
            next_step="Go on with one of its runs, and mix them anew with 'handgrad mix'.",
        )  # fmt: skip
    require_alone(isinstance(saved, Plan), said.resume)
    base = saved.main if isinstance(saved, Plan) else saved.config
    options = parse(Train, PROGRAM, words, Train(config=base))
    _refuse_changes(options, base)
    _reach_cluster(options)
    device = options.config.device
    if device != base.device:
        began = f"The run began on {base.device}; on {device} sums round differently."
        console(stderr=True).print(began, style="dim")
    steps = None if said.steps is None else options.config.steps
    every = Every.parse(options.checkpoint_every)
    job = reopen_job(Path(said.resume), options.text, device, steps, _seconds(said), begun)
    return options, every, job


def _reach_cluster(options: Train) -> None:
    """Where there is an address, see that a cluster answers at it, before anything is made."""
    if options.address is None:
        return
    from handgrad.sweep.connecting import connect
    from handgrad.sweep.extra import require_extra

    require_extra()
    if options.config.runs == 1:
        raise ConfigError(
            "a cluster trains several seeds", where="--address", got="one",
            next_step="Say how many: --runs 8. Many recipes are tried by 'handgrad sweep'.",
        )  # fmt: skip
    connect(options.address)


def _seconds(said: Any) -> float | None:
    from handgrad.training.duration import seconds_of

    if said.time is not None and said.steps is not None:
        raise ConfigError("--time and --steps both say how long to train", next_step="Leave out one of the two.")
    return None if said.time is None else seconds_of(said.time)


def _settings(said: Any) -> TrainConfig:
    """Those from which the words may depart, where they name a family or a preset."""
    preset = PRESETS.get(said.preset)
    if preset is None:
        return TrainConfig.of(said.model or "gru")
    if said.model not in (None, preset.model):
        raise ConfigError(
            f"--preset {said.preset} is one of the {preset.model}", where="--model", got=said.model,
            next_step="Leave out one of the two.",
        )  # fmt: skip
    return preset


@contextmanager
def _at_hand(text: str | None) -> Iterator[str | None]:
    """The text; what is piped in becomes a file beside the run folders, so that it can be read again.

    Where no run is made of it, nothing is left behind.
    """
    from handgrad.training.files import copy, errors_named
    from handgrad.training.run import new_folder

    if text != "-":
        yield text
        return
    if sys.stdin is None:
        raise CorpusError("standard input is closed", expected="a text, one thing a line", where=text)
    folder = new_folder("stdin")
    path, made = folder.with_name(f"{folder.name}.txt"), not folder.parent.exists()
    try:
        with errors_named(path.parent):
            path.parent.mkdir(exist_ok=True)
        copy(path.parent, path.name, sys.stdin.buffer)
        yield str(path)
    except BaseException as error:
        with suppress(OSError):
            path.unlink(missing_ok=True)
            if made:
                path.parent.rmdir()
        if not isinstance(error, CorpusError):
            raise
        where = str(error.where).replace(str(path.resolve()), STDIN).replace(str(path), STDIN)
        got = {"got": error.got, "expected": error.expected}
        raise CorpusError(error.what, **got, where=where, next_step=error.next_step) from None


def _refuse_changes(options: Train, saved: TrainConfig) -> None:
    settings = [f.name for f in fields(TrainConfig) if f.name not in ("device", "steps")]
    changed = [name for name in settings if getattr(options.config, name) != getattr(saved, name)]
    flags = [f"--{name.replace('_', '-')}" for name in changed] + ["--out"] * (options.out is not None)
    if flags or options.preset != "default":
        raise ConfigError(
            "a resumed run keeps its settings", where=" ".join(flags) or "--preset",
            next_step="Leave that out to go on, or start a new run without --resume.",
        )  # fmt: skip
