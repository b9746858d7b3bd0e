"""What `handgrad sweep` reaches, measured on this machine: python studies/sweep.py COMMAND

cost         seconds a step of shapes of all families beside the formula by which trials get their steps
workers      the same sweep by one worker and by two, in turns: how many times as fast
overhead     what Ray costs a trial: the same sweep by one worker on Ray and by none, in turns
found        40 trials of 5 s on three texts, beside the default recipe in the same time and in 12 s
constants    what a sweep moves: seconds a task, bytes of text and checkpoint; writes docs/sweep.json,
             of which sweep_scale.py makes the table of docs/scale.md

'cost', 'workers', 'overhead' and 'found' want a quiet machine. That a killed worker loses nothing is a test:
python -m pytest -n 0 -m cluster tests/sweep/test_on_ray.py -k killed
"""

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from lines import TEXTS

from handgrad.sweep.cost import seconds_a_step
from handgrad.sweep.driver import Sweep, run
from handgrad.sweep.job import Options, begin
from handgrad.sweep.on_ray import RayWorkers
from handgrad.sweep.space import default_space
from handgrad.sweep.work import Bench, Done, Work, to_go_on
from handgrad.threads import VARIABLE
from handgrad.training.config import TrainConfig
from handgrad.training.pace import take_some
from handgrad.training.run import prepared, read_text
from handgrad.training.state import initial_state

CONSTANTS = Path(__file__).parents[1] / "docs" / "sweep.json"
SHAPES: dict[str, list[dict[str, int]]] = {
    "mlp": [
        {"n_hidden": 128, "n_embd": 16, "block_size": 4, "batch_size": 512},
        {"n_hidden": 384, "batch_size": 256},
        {"n_hidden": 384, "batch_size": 1024},
        {"n_hidden": 768, "n_embd": 48, "block_size": 10, "batch_size": 1024},
    ],
    "gru": [
        {"n_hidden": 64, "batch_size": 16}, {"n_hidden": 128}, {"n_hidden": 256}, {"n_hidden": 256, "batch_size": 64},
    ],
    "lstm": [{"n_hidden": 64}, {"n_hidden": 128}, {"n_hidden": 256}],
    "rnn": [{"n_hidden": 80}, {"n_hidden": 160}, {"n_hidden": 320}],
    "transformer": [
        {"n_embd": 32, "n_layer": 2}, {"n_embd": 64}, {"n_embd": 128}, {"n_embd": 96, "n_layer": 3, "batch_size": 64},
    ],
    "wavenet": [{"n_hidden": 64}, {"n_hidden": 128}, {"n_hidden": 256}],
    "bow": [{"n_hidden": 32}, {"n_hidden": 128}],
    "bigram": [{"batch_size": 256}, {"batch_size": 1024}],
    "microgpt": [{"n_embd": 16}, {"n_embd": 64, "n_layer": 2}],
}  # fmt: skip
A_TURN = Options(trials=16, budget=10.0)
"""The sweep of `workers` and `overhead`; of its GRUs two rounds."""
FOUND = ("names", "identifiers", "names-1000")


def main() -> None:
    """Do what the command says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = {each.__name__: each for each in (cost, workers, overhead, found, constants)}
    parser.add_argument("command", choices=[*commands, "turn"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--texts", nargs="+", default=FOUND, choices=TEXTS)
    parser.add_argument("--budget", type=float, default=A_TURN.budget, help="seconds of a trial in a turn")
    parser.add_argument("--by", choices=["ray", "none"], default="ray", help="of one turn")
    options = parser.parse_args()
    if options.command == "turn":
        print(json.dumps(turn(options.by, options.budget)))
    else:
        commands[options.command](options)


def cost(_: argparse.Namespace) -> None:
    """The formula beside what steps take."""
    text = read_text(None, TrainConfig())
    os.environ[VARIABLE] = "1"
    for model, shapes in SHAPES.items():
        for shape in shapes:
            settings = prepared(text, TrainConfig.of(model, **{"block_size": 16, **shape} if model in (
                "transformer", "microgpt", "bow") else shape))  # fmt: skip
            state, best, chunk = take_some(initial_state(settings), settings, text.splits, 3), math.inf, 4
            for _turn in range(6):
                begun = time.process_time()
                state = take_some(state, settings, text.splits, chunk)
                a_step = (time.process_time() - begun) / chunk
                best, chunk = min(best, a_step), max(chunk, min(4 * chunk, round(0.15 / a_step)))
            formula = seconds_a_step(settings, text.splits)
            said = ", ".join(f"{name} {value}" for name, value in shape.items())
            print(f"{model:<12}{said:<60}{best * 1e3:8.3f} ms, formula {formula * 1e3:8.3f} ms: {formula / best:.2f}")


class Inline:
    """One worker, in this process."""

    def __init__(self, do: Callable[[Work], Done]):  # noqa: D107
        self.do, self.work = do, []

    def free(self) -> int:
        """One, unless it works."""
        return 1 - len(self.work)

    def size(self) -> int:
        """One."""
        return 1

    def begin(self, key: str, work: Work) -> None:
        """Give it some work."""
        self.work.append((key, work))

    def ended(self, seconds: float) -> list[tuple[str, Done]]:  # noqa: ARG002
        """Do the work."""
        key, work = self.work.pop()
        return [(key, self.do(work))]

    def close(self) -> None:
        """Nothing to let go."""


def turn(by: str, budget: float) -> dict[str, float]:
    """One sweep, without the start of its workers: its seconds, those of its training, and how many trials."""
    with tempfile.TemporaryDirectory() as folder:
        sweep = begin(None, default_space(["gru"]), Options(A_TURN.trials, budget), Path(folder) / "sweep")
        those: Any = RayWorkers(sweep.text) if by == "ray" else Inline(Bench(sweep.text).do)
        if by == "ray":
            while those.free() < those.size():
                those.ended(0.1)
        _warm_up(sweep, those)
        begun = time.monotonic()
        run(sweep, those, lambda _: None)
        took = time.monotonic() - begun
        those.close()
        return {"seconds": took, "training": sum(t.seconds for t in sweep.trials.values()), "trials": len(sweep.trials)}


def _warm_up(sweep: Sweep, workers: Any) -> None:
    """Have each worker load the compiled loops and what draws pictures."""
    config = TrainConfig.of("gru", steps=2)
    for number in range(workers.size()):
        workers.begin(str(number), Work("warm", config, 2, {}))
    left = workers.size()
    while left:
        left -= len(workers.ended(0.1))
    assert not sweep.trials


def turns(options: argparse.Namespace, *kinds: tuple[str, str]) -> dict[tuple[str, str], list[dict[str, float]]]:
    """Sweeps by (workers, by what), in turns, each in a process of its own."""
    found: dict[tuple[str, str], list[dict[str, float]]] = {kind: [] for kind in kinds}
    for _ in range(options.rounds):
        for threads, by in kinds:
            words = [sys.executable, __file__, "turn", "--by", by, "--budget", str(options.budget)]
            ended = subprocess.run(words, env={**os.environ, VARIABLE: threads}, stdout=subprocess.PIPE, check=True)
            found[threads, by].append(json.loads(ended.stdout.splitlines()[-1]))
            print(threads, by, found[threads, by][-1], flush=True)
    return found


def workers(options: argparse.Namespace) -> None:
    """Two workers beside one."""
    found = turns(options, ("1", "ray"), ("2", "ray"))
    gains = sorted(
        one["seconds"] / two["seconds"] for one, two in zip(found["1", "ray"], found["2", "ray"], strict=True)
    )
    print(f"two workers are {median(gains):.2f} times as fast as one ({gains[0]:.2f} to {gains[-1]:.2f})")


def overhead(options: argparse.Namespace) -> None:
    """Ray beside none, one worker each."""
    found = turns(options, ("1", "none"), ("1", "ray"))
    besides = {
        by: [(one["seconds"] - one["training"]) / one["trials"] for one in found["1", by]] for by in ("ray", "none")
    }
    more = sorted(ray - none for ray, none in zip(besides["ray"], besides["none"], strict=True))
    print(f"Ray adds {median(more):.3f} s a trial ({more[0]:.3f} to {more[-1]:.3f})")
    for by, seconds in besides.items():
        print(f"{by}: besides its training a trial takes {median(seconds):.3f} s, samples and pictures included")


def found(options: argparse.Namespace) -> None:
    """What a sweep finds beside the default recipe."""
    for name in options.texts:
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "text.txt").write_text("".join(f"{line}\n" for line in TEXTS[name].lines()))
            defaults = {time: _handgrad(folder, "train", "text.txt", "--time", time) for time in ("5s", "12s")}
            swept = _handgrad(folder, "sweep", "text.txt", "--trials", "40", "--budget", "5s", "--mix")
        best, default, mix = swept["best"], swept["default"], swept["mix"]
        print(f"\n{name}: validation, test loss")
        print(f"  best of {swept['trials']} trials   {best['val']:.4f} {best['test']:.4f}  {swept['command']}")
        print(f"  the default's network {default['val']:.4f} {default['test']:.4f}")
        print(f"  mixture of the best   {mix['loss']['val']:.4f} {mix['loss']['test']:.4f}")
        print(f"  default and n-gram    {mix['default']['val']:.4f} {mix['default']['test']:.4f}")
        for seconds, trained in defaults.items():
            print(
                f"  handgrad train, {seconds:<6}{trained['loss']['val']:.4f} {trained['loss']['test']:.4f}", flush=True
            )


def _handgrad(folder: str, *words: str) -> dict[str, Any]:
    started = [sys.executable, "-m", "handgrad", *words, "--json"]
    return json.loads(subprocess.run(started, cwd=folder, stdout=subprocess.PIPE, check=True).stdout)


def constants(_: argparse.Namespace) -> None:
    """What a sweep moves, and what a task costs."""
    import pickle

    begun = time.monotonic()
    text = read_text(None, TrainConfig())
    those = RayWorkers(text, most=1)
    while not those.free():
        those.ended(0.1)
    start = time.monotonic() - begun
    config = TrainConfig.of("gru", n_hidden=256, steps=4_000)
    with tempfile.TemporaryDirectory() as folder:
        files: dict[str, bytes] = {}
        tasks = []
        for step in range(10, 210, 10):
            begun = time.monotonic()
            those.begin("one", Work("one", config, step, files, measure=False))
            while not (ended := those.ended(0.01)):
                pass
            done = ended[0][1]
            assert isinstance(done, Done)
            before = json.loads(files["results.json"])["seconds"] if files else 0.0
            tasks.append(time.monotonic() - begun - (done.seconds - before))
            for name, content in done.files.items():
                (Path(folder) / name).write_bytes(content)
            files = to_go_on(Path(folder))
    those.close()
    content = {
        "driver": round(min(_driver() for _ in range(3)), 4),
        "start": round(start, 2),
        "task": round(min(tasks), 4),
        "text": len(pickle.dumps(text)),
        "characters": len(text.corpus.tokens),
        "parameters": config.sizes(text.corpus.vocabulary.size).n_parameters,
        "sent": sum(map(len, files.values())),
        "returned": sum(map(len, done.files.values())),
    }
    CONSTANTS.write_text(json.dumps(content, indent=1) + "\n")
    print(json.dumps(content, indent=1))


def _driver() -> float:
    """Seconds that the driver needs for a task: to choose it, to write down what came back, to propose."""
    spent, tasks = 0.0, 0
    with tempfile.TemporaryDirectory() as folder:
        sweep = begin(None, default_space(["gru"]), Options(32, 0.1), Path(folder) / "sweep")
        bench = Bench(sweep.text)

        def do(work: Work) -> Done:
            nonlocal spent, tasks
            begun = time.monotonic()
            done = bench.do(work)
            spent, tasks = spent + time.monotonic() - begun, tasks + 1
            return done

        begun = time.monotonic()
        run(sweep, Inline(do), lambda _: None)
        return (time.monotonic() - begun - spent) / tasks


if __name__ == "__main__":
    main()
