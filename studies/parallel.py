"""What several processes gain, measured on this machine, and on paper beyond it: python studies/parallel.py COMMAND

parity       1, 2 and 4 processes take 100 steps of every family in float64: how far they end apart
speed        two processes beside one, in turns: seconds a step, the all-reduce's share, bytes a step
constants    what a sum over 2 and 4 processes takes by its size, and what a step takes; writes docs/scale.json
scale        the tables of docs/scale.md, from docs/scale.json

Each is one command; they start torchrun themselves. 'speed' and 'constants' want a quiet machine.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[1]
CONSTANTS = ROOT / "docs" / "scale.json"
SHAPES: dict[str, dict[str, Any]] = {
    "mlp, hidden 1,024": {"model": "mlp", "n_hidden": 1024, "batch_size": 4096},
    "transformer, 4 blocks of 64": {"model": "transformer", "batch_size": 4096, "dropout": 0.0, "block_size": 16},
    "transformer with dropout 0.15": {"model": "transformer", "batch_size": 4096, "block_size": 16},
    "gru, hidden 128": {"model": "gru", "batch_size": 4096},
}
SUMMED = [2**size for size in (8, 12, 16, 20, 24)]
"""Bytes of the sums that are timed."""
WORKERS = (1, 8, 64, 512)
NETWORKS = {"1 Gbit/s": (100e-6, 0.125e9), "10 Gbit/s": (50e-6, 1.25e9), "100 Gbit/s": (10e-6, 12.5e9)}
"""What is assumed of a network: seconds until a message has arrived, and bytes a second."""


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
        print(tables(json.loads(CONSTANTS.read_text())))


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
            print(f"\n{many} processes beside one, 100 steps in float64: greatest difference, relative to the greatest entry")
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

    def steps(these: Any) -> float:
        begun = time.perf_counter()
        taker = TorchSteps(settings.model, seed=1, processes=these)
        batches = batches_of(settings, train, range(options.steps), these)
        taker.adam_steps(state.parameters, state.moments, batches, rates, 0.1)
        return (time.perf_counter() - begun) / options.steps

    def compiled() -> float:
        begun = time.perf_counter()
        stepped(start, settings, train, rates)
        return (time.perf_counter() - begun) / options.steps

    rounds = []
    for number in range(options.rounds + 1):
        one = (steps(ALONE), compiled()) if processes.rank == 0 else (0.0, 0.0)
        processes.agree("")  # the others wait here for process 0
        summing, bytes_before = processes._summing_s, processes._bytes
        together = steps(processes)
        share = (processes._summing_s - summing) / (together * options.steps)
        if number:  # the first is for warming up
            rounds.append({"one": one[0], "compiled": one[1], "together": together, "all_reduce": share})
        a_step = (processes._bytes - bytes_before) // options.steps
    lines = settings.model.reads == "lines"
    targets = config.batch_size * (len(train) / train.n_lines if lines else 1)
    sizes = {"parameters": settings.model.n_parameters, "bytes": a_step, "targets": round(targets)}
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
    """Print a row for each shape."""
    for name, shape in found.items():
        one, compiled, together, share = (
            [a_round[key] for a_round in shape["rounds"]] for key in ("one", "compiled", "together", "all_reduce")
        )
        gains = sorted(a / b for a, b in zip(one, together, strict=True))
        print(
            f"{name}: one process {median(one):.3f} s a step, {shape['processes']} {median(together):.3f} s: "
            f"{median(gains):.2f} times as fast ({gains[0]:.2f} to {gains[-1]:.2f}); all-reduce {median(share):.1%} of a "
            f"step, {shape['bytes']:,} bytes; the compiled loops of one process {median(compiled):.3f} s"
        )


def fitted(sums: dict[str, float], many: int) -> tuple[float, float]:
    """Seconds until a message has arrived, and bytes a second, of a ring: the least squares of relative errors."""
    sizes, seconds = np.array(list(map(int, sums)), float), np.array(list(sums.values()))
    terms = np.stack([np.full_like(sizes, 2 * (many - 1)), 2 * (many - 1) / many * sizes], 1) / seconds[:, None]
    latency, a_byte = np.linalg.lstsq(terms, np.ones_like(seconds), rcond=None)[0]
    return latency, 1 / a_byte


def ring(workers: int, size: float, network: tuple[float, float]) -> float:
    """Seconds in which so many workers have the sum of so many bytes: each sends 2 (n − 1) parts of an n-th."""
    latency, rate = network
    return 2 * (workers - 1) * (latency + size / workers / rate)


def tables(constants: dict[str, Any]) -> str:
    """In Markdown: a model by the number of workers and the network."""
    said = []
    for many, sums in constants["sums"].items():
        latency, rate = fitted(sums, int(many))
        said.append(f"{many} processes on this machine: {latency * 1e6:.0f} µs a message, {rate / 1e9:.2f} GB/s\n")
    for name, shape in constants["shapes"].items():
        step = median(a_round["one"] for a_round in shape["rounds"])
        said.append(f"\n{name}: {step:.3f} s a step of {shape['targets']:,} targets, {shape['bytes']:,} bytes\n")
        said.append("| workers | " + " | ".join(f"{kind}, {net}" for net in NETWORKS for kind in ("same", "grown")) + " |")
        said.append("|--:|" + "--:|" * 2 * len(NETWORKS))
        for workers in WORKERS:
            cells = []
            for network in NETWORKS.values():
                summing = ring(workers, shape["bytes"], network)
                cells += [step / (step / workers + summing), workers * step / (step + summing)]
            said.append(f"| {workers} | " + " | ".join(f"{gain:,.1f}" for gain in cells) + " |")
    return "\n".join(said)


if __name__ == "__main__":
    main()
