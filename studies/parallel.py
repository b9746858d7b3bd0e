"""What several processes gain, measured on this machine, and on paper beyond it: python studies/parallel.py COMMAND

parity       1, 2 and 4 processes take 100 steps of every family in float64: how far they end apart
speed        two processes beside one, in turns: seconds a step, the all-reduce's share, bytes a step
constants    what a sum over 2 and 4 processes takes by its size, and what a step takes; writes docs/scale.json
scale        writes the tables of docs/scale.md from docs/scale.json

Each is one command; they start torchrun themselves. 'speed' and 'constants' want a quiet machine.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[1]
CONSTANTS = ROOT / "docs" / "scale.json"
SHAPES: dict[str, dict[str, Any]] = {
    "mlp, hidden 1,024": {"model": "mlp", "n_hidden": 1024, "batch_size": 4096},
    "transformer, 4 blocks of 64": {"model": "transformer", "batch_size": 4096, "block_size": 16},
    "gru, hidden 128": {"model": "gru", "batch_size": 4096},
}
SUMMED = [2**size for size in (8, 12, 16, 20, 24)]
"""Bytes of the sums that are timed."""
WORKERS = (1, 8, 64, 512)
NETWORKS = {"1 Gbit/s": (100e-6, 0.125e9), "10 Gbit/s": (50e-6, 1.25e9), "100 Gbit/s": (10e-6, 12.5e9)}
"""What is assumed of a network: seconds until a message has arrived, and bytes a second."""
BEGINS, ENDS = "<!-- studies/parallel.py scale -->", "<!-- end -->"


def main() -> None:
    """Do what the command says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["parity", "speed", "constants", "scale"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=2, help="in a turn")
    options = parser.parse_args()
    if "RANK" in os.environ:
        work(options)
    elif options.command == "parity":
        parity()
    elif options.command == "speed":
        show_speed(launched(2, "speed", options))
    elif options.command == "constants":
        found = {many: launched(many, "constants", options) for many in (2, 4)}
        content = {"sums": {many: one["sums"] for many, one in found.items()}, "shapes": launched(2, "speed", options)}
        CONSTANTS.write_text(json.dumps(content, indent=1) + "\n")
    else:
        written(tables(json.loads(CONSTANTS.read_text())))


def launched(many: int, command: str, options: argparse.Namespace) -> Any:
    """What process 0 of so many found."""
    words = [__file__, command, "--rounds", str(options.rounds), "--steps", str(options.steps)]
    return torchrun(many, words)


def torchrun(many: int, words: list[str]) -> Any:
    """What process 0 of so many writes to a file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "found.json"
        start = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(many)]
        subprocess.run([*start, *words], check=True, env={**os.environ, "FOUND": str(path)})
        return json.loads(path.read_text())


def parity() -> None:
    """Print how far processes and one process alone end apart, in the worst parameter of each family."""
    sys.path.insert(0, str(ROOT / "tests" / "parallel"))
    with tempfile.TemporaryDirectory() as folder:
        for many in (2, 4):
            path = Path(folder) / f"{many}.json"
            start = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(many)]
            subprocess.run([*start, str(ROOT / "tests" / "parallel" / "worker.py"), str(path)], check=True)
            found = json.loads(path.read_text())
            print(f"\n{many} processes beside one, 100 steps in float64: differences relative to the greatest entry")
            for case, differences in found["differences"].items():
                worst = sorted(differences, key=differences.__getitem__)[-2:][::-1]
                print(f"  {case:<18}" + ", ".join(f"{name} {differences[name]:.1e}" for name in worst))
            print(f"  the same bits a second time: {found['same bits']}")


def work(options: argparse.Namespace) -> None:
    """As one of several processes."""
    from handgrad.training.processes import joined

    with joined() as processes:
        if options.command == "speed":
            found: Any = {name: speed(shape, processes, options) for name, shape in SHAPES.items()}
        else:
            found = {"sums": {size: sum_seconds(size, processes, options.rounds) for size in SUMMED}}
        if processes.rank == 0:
            Path(os.environ["FOUND"]).write_text(json.dumps(found))


def speed(shape: dict[str, Any], processes: Any, options: argparse.Namespace) -> dict[str, Any]:
    """Seconds of a step by one process, by the compiled loops of one, and by all, round by round."""
    from handgrad.data import resolve_corpus, split
    from handgrad.models.trained import TextReference
    from handgrad.training.backend import batches_of, stepped
    from handgrad.training.config import TrainConfig
    from handgrad.training.processes import ALONE, Start
    from handgrad.training.state import Settings, initial_state
    from handgrad.training.torch_steps import TorchSteps

    corpus = resolve_corpus()
    config = TrainConfig.of(**shape)
    settings = Settings(config, corpus.vocabulary, TextReference.to(corpus))
    train, state = split(corpus).train, initial_state(settings)
    start, rates = Start(0, state.parameters, state.moments), [1e-3] * options.steps

    def by(these: Any) -> None:
        taker = TorchSteps(settings.model, seed=1, processes=these)
        batches = batches_of(settings, train, range(options.steps), these)
        taker.adam_steps(state.parameters, state.moments, batches, rates, 0.1)

    def seconds(take: Callable[[], Any]) -> tuple[float, float]:
        """Of a step, by the clock and of the processor's work, which other programs hardly lengthen."""
        begun, worked = time.perf_counter(), time.process_time()
        take()
        return (time.perf_counter() - begun) / options.steps, (time.process_time() - worked) / options.steps

    rounds = []
    for number in range(options.rounds + 1):
        a_round: dict[str, Any] = {}
        if processes.rank == 0:
            a_round["one"] = seconds(lambda: by(ALONE))
            a_round["compiled"] = seconds(lambda: stepped(start, settings, train, rates))
        processes.agree("")  # the others wait here for process 0
        summing, bytes_before = processes._summing_s, processes._bytes
        a_round["together"] = seconds(lambda: by(processes))
        a_round["all_reduce"] = (processes._summing_s - summing) / options.steps / a_round["together"][0]
        a_step = (processes._bytes - bytes_before) // options.steps
        rounds += [a_round] * (number > 0)  # the first is for warming up
    lines = settings.model.reads == "lines"
    targets = config.batch_size * (len(train) / train.n_lines if lines else 1)
    norms = sum(name.startswith("bngain") for name in settings.model.shapes)
    sizes = {
        "parameters": settings.model.n_parameters,
        "bytes": a_step,
        "sums": 1 + 3 * norms,
        "targets": round(targets),
    }
    return {**sizes, "processes": processes.many, "rounds": rounds}


def sum_seconds(size: int, processes: Any, rounds: int) -> float:
    """Of the sum of so many bytes over all processes, the median of many."""
    import torch

    x, taken = torch.zeros(size // 4), []
    for _ in range(20 * rounds):
        begun = time.perf_counter()
        processes.total(x)
        taken.append(time.perf_counter() - begun)
    return median(taken)


def show_speed(found: dict[str, Any]) -> None:
    """Print what was measured of each shape."""
    for name, shape in found.items():
        many = shape["processes"]
        clock, work = gains(shape)
        one, together, compiled = (median_of(shape, key) for key in ("one", "together", "compiled"))
        print(
            f"{name}: {one:.3f} s a step by one process, {together:.3f} s by {many}, {compiled:.3f} s by compiled loops"
        )
        print(f"  {many} are {median(clock):.2f} times as fast as one ({clock[0]:.2f} to {clock[-1]:.2f}),", end=" ")
        print(f"by the processor's work {median(work):.2f} ({work[0]:.2f} to {work[-1]:.2f})")
        print(f"  all-reduce {share_of(shape):.1%} of a step, {shape['bytes']:,} bytes")


def gains(shape: dict[str, Any]) -> tuple[list[float], ...]:
    """How many times as fast all were as one in each round, by the clock and by the work of a process; sorted."""
    rounds = shape["rounds"]
    return tuple(sorted(a_round["one"][n] / a_round["together"][n] for a_round in rounds) for n in (0, 1))


def share_of(shape: dict[str, Any]) -> float:
    """The all-reduce's of a step."""
    return median(a_round["all_reduce"] for a_round in shape["rounds"])


def median_of(shape: dict[str, Any], key: str, clock: int = 0) -> float:
    """Seconds of a step by the clock, or of work."""
    return median(a_round[key][clock] for a_round in shape["rounds"])


def fitted(sums: dict[str, float], many: int) -> tuple[float, float]:
    """Seconds until a message has arrived, and bytes a second, of a ring: the least squares of relative errors."""
    sizes, seconds = np.array(list(map(int, sums)), float), np.array(list(sums.values()))
    terms = np.stack([np.full_like(sizes, 2 * (many - 1)), 2 * (many - 1) / many * sizes], 1) / seconds[:, None]
    latency, a_byte = np.linalg.lstsq(terms, np.ones_like(seconds), rcond=None)[0]
    return latency, 1 / a_byte


def ring(workers: int, shape: dict[str, Any], network: tuple[float, float]) -> float:
    """Seconds in which so many workers have the sums of a step: for each they send 2 (n − 1) parts of an n-th."""
    latency, rate = network
    return 2 * (workers - 1) * (shape["sums"] * latency + shape["bytes"] / workers / rate)


def tables(constants: dict[str, Any]) -> str:
    """What was measured, and how much faster so many workers are by the network, in Markdown.

    `same` is one minibatch shared by all, `grown` one of that size for each worker.
    """
    said = ["| processes on this machine | a message | bytes a second | 1 MB | 16 MB |", "|--:|--:|--:|--:|--:|"]
    for many, sums in constants["sums"].items():
        latency, rate = fitted(sums, int(many))
        times = " | ".join(f"{sums[str(size)] * 1e3:.1f} ms" for size in (2**20, 2**24))
        said.append(f"| {many} | {latency * 1e6:.0f} µs | {rate / 1e9:.2f} GB | {times} |")
    for name, shape in constants["shapes"].items():
        step, compiled = (median_of(shape, key, clock=1) for key in ("one", "compiled"))
        said += ["", f"**{name}**: {shape['parameters']:,} parameters, {shape['bytes']:,} bytes a step."]
        said += [
            f"A step of {shape['targets']:,} targets is {step:.2f} s of work, by the compiled loops {compiled:.2f} s."
        ]
        clock, _ = gains(shape)
        said += [f"Two processes on two cores are {median(clock):.1f} times as fast as one,"]
        said += [f"{clock[0]:.1f} to {clock[-1]:.1f}; all-reduce {share_of(shape):.0%} of a step.", ""]
        kinds = [f"{kind}, {network}" for network in NETWORKS for kind in ("same", "grown")]
        said += [f"| workers | {' | '.join(kinds)} |", "|--:|" + "--:|" * len(kinds)]
        for workers in WORKERS:
            cells = []
            for network in NETWORKS.values():
                summing = ring(workers, shape, network)
                cells += [step / (step / workers + summing), workers * step / (step + summing)]
            said.append(f"| {workers} | " + " | ".join(f"{gain:,.1f}" for gain in cells) + " |")
    return "\n".join(said)


def written(content: str) -> None:
    """Put it into docs/scale.md, in place of what stands there."""
    page = ROOT / "docs" / "scale.md"
    before, _, rest = page.read_text().partition(BEGINS)
    page.write_text(f"{before}{BEGINS}\n{content}\n{ENDS}{rest.partition(ENDS)[2]}")


if __name__ == "__main__":
    main()
