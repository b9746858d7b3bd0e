"""Several processes, each with a share of every minibatch, on torch.distributed: sums, orders, and their end."""

import json
import os
import signal
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from handgrad import ctrl_c
from handgrad.errors import ConfigError, ProcessLost, RunError
from handgrad.models.registry import family
from handgrad.training.ending import end_in_time
from handgrad.training.processes import Alone, Start, Taken, Used
from handgrad.training.shares import share_of

os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "FATAL")  # what it would warn of is said below
import torch
import torch.distributed as dist
from torch import Tensor

if TYPE_CHECKING:
    from handgrad.training.config import TrainConfig
    from handgrad.training.state import Settings

JOINING = timedelta(seconds=60)
"""In which all processes have to come."""
WORKING = timedelta(days=30)
"""For which they may wait for process 0, which measures and saves; that one of them has ended is noticed at once."""
ANSWER = 1024
"""Bytes in which a process says what keeps it from taking part."""


class Joined(Alone):
    """As `Alone`, of several processes.

    Args:
        rank: the number of this one.
        many: how many there are.
        store: which all reach, to say a thing once.
    """

    def __init__(self, rank: int, many: int, store: dist.Store):  # noqa: D107
        self.rank, self.many, self._store = rank, many, store
        self._on_gpus: Any = None
        self._known: tuple[Any, Any] = (None, None)
        self._is_in_step = self._is_lost = False
        self._steps, self._bytes, self._seconds, self._summing_s = 0, 0, 0.0, 0.0
        self._events: list[tuple[torch.cuda.Event, torch.cuda.Event]] = []

    @classmethod
    def from_environment(cls) -> "Joined":
        """As the variables RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT say.

        Raises:
            ConfigError: they say nothing that leads to the other processes.
        """
        rank, many = _numbers_of("RANK", "WORLD_SIZE")
        host, port = (os.environ.get(name, "") for name in ("MASTER_ADDR", "MASTER_PORT"))
        try:
            socket.getaddrinfo(host, port)
            store, _, _ = next(dist.rendezvous("env://", rank, many, timeout=JOINING))
            again = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
            store = dist.PrefixStore(again, store)  # torchrun's own, in which an earlier try has left its addresses
            dist.init_process_group("gloo", store=store, rank=rank, world_size=many, timeout=WORKING)
        except (RuntimeError, ValueError, OSError) as error:
            raise ConfigError(
                f"process {rank} cannot join the {many} that were started together",
                where="MASTER_ADDR and MASTER_PORT", got=f"{host}:{port}: {str(error).splitlines()[0]}",
                next_step="Start them with torchrun, which sets these; on several machines all must reach the first.",
            ) from None  # fmt: skip
        processes = cls(rank, many, store)
        end_in_time(processes.rank)
        return processes

    def leave(self) -> None:
        """Let the other processes go, too; where one is lost, they notice that now."""
        if self.rank == 0 and not self._is_in_step and not self._is_lost:
            with suppress(ProcessLost):
                self.tell({"order": "end"})
        if dist.is_initialized():
            with suppress(RuntimeError):
                dist.destroy_process_group()

    def is_to_speak(self) -> bool:
        """Whether no other process has said yet that one is lost."""
        try:
            return self._store.add("said", 1) == 1
        except RuntimeError:  # the store was that of process 0
            return self.rank == 1

    def share(self, n: int) -> slice:
        """A part of them that lies together."""
        return share_of(self.rank, self.many, n)

    def total(self, x: Tensor) -> Tensor:
        """In the same order for the same number of processes, and so the same bits."""
        x = x.clone(memory_format=torch.contiguous_format)
        self._bytes += x.numel() * x.element_size()
        with self._timed(x):
            self._call(dist.all_reduce, x, group=self._on_gpus if x.is_cuda else None)
        return x

    def summed(self, loss: Tensor, gradients: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """One sum, of all numbers in a row."""
        flat = self.total(torch.cat([loss.reshape(1), *(gradient.reshape(-1) for gradient in gradients.values())]))
        sizes = [gradient.numel() for gradient in gradients.values()]
        apart = zip(gradients.items(), flat[1:].split(sizes), strict=True)
        return flat[0], {name: part.view(gradient.shape) for (name, gradient), part in apart}

    def settled(self, config: "TrainConfig") -> "TrainConfig":
        """By PyTorch's operations, a single network.

        Raises:
            ConfigError: these settings are not for several processes.
        """
        refused = {
            "engine": (config.engine == "compiled", "compiled", "torch", "The compiled loops run in one process."),
            "model": (family(config.model).counted, config.model, "a family that takes steps", ""),
            "runs": (config.runs > 1, config.runs, "1", "Train each seed on its own."),
            "batch_size": (config.batch_size < self.many, config.batch_size, f"at least {self.many}, one for each", ""),
        }
        for where, (is_so, got, expected, next_step) in refused.items():
            if is_so:
                raise ConfigError(
                    f"{self.many} processes cannot share that", where=where, got=got, expected=expected,
                    next_step=next_step or "Or start one process, without torchrun.",
                )  # fmt: skip
        return replace(config, engine="torch")

    def gather(self, settings: "Settings") -> None:
        """Tell the others the run, and wait until all have its text.

        Raises:
            RunError: one of them cannot take part.
        """
        vocabulary, text = settings.vocabulary.chars, asdict(settings.text)
        self.tell({"order": "run", **settings.content, "vocabulary": vocabulary, "text": text})
        self.agree(self.device_missing(settings.config.device))
        self.use(settings.config.device)

    def device_missing(self, device: str) -> str:
        """What is to be said where this process has none such; nothing where it has."""
        number = int(os.environ.get("LOCAL_RANK", 0))
        if device != "cuda" or number < torch.cuda.device_count():
            return ""
        return f"there is no GPU {number} on {socket.gethostname()}, which has {torch.cuda.device_count()}"

    def use(self, device: str) -> None:
        """Sum on this device from now on; all processes call it together."""
        if device == "cuda" and self._on_gpus is None:
            torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", 0)))
            self._on_gpus = dist.new_group(backend="nccl", timeout=WORKING)

    def agree(self, error: str) -> None:
        """Exchange what keeps any process from taking part; all call it together.

        Raises:
            RunError: in process 0, where something does.
        """
        said = error.encode()[:ANSWER]
        answers = [torch.zeros(ANSWER, dtype=torch.uint8) for _ in range(self.many)]
        mine = torch.tensor(list(said.ljust(ANSWER, b"\0")), dtype=torch.uint8)
        self._call(dist.all_gather, answers, mine)
        for rank, answer in enumerate(answers):
            if self.rank == 0 and answer.any():
                words = bytes(answer.numpy()).rstrip(b"\0").decode(errors="replace").rstrip(".")
                raise RunError(f"process {rank} cannot take part: {words}")

    def together(self, start: Start, rates: list[float], take: Callable[[], Taken]) -> Taken:
        """Have all take these steps; parameters travel where the others do not have them from the steps before.

        Raises:
            ProcessLost: one of them has ended.
        """
        with ctrl_c.held_back():
            is_known = start.parameters is self._known[0] and start.moments is self._known[1]
            self._is_in_step = True
            self.tell({"order": "steps", "first": start.step, "rates": rates, "known": is_known})
            if not is_known:
                self.send(start)
            begun = time.perf_counter()
            taken = take()
            self._seconds += time.perf_counter() - begun
            self._summing_s += sum(before.elapsed_time(after) for before, after in self._events) / 1000
            self._events.clear()
            self._steps += len(rates)
            self._known, self._is_in_step = taken[:2], False
        return taken

    @property
    def used(self) -> Used | None:
        """As it was measured in this process."""
        if not self._steps:
            return None
        return Used(self.many, round(self._summing_s / self._seconds, 4), self._bytes // self._steps)

    def tell(self, order: dict[str, Any]) -> None:
        """Give the others an order."""
        words = torch.tensor(list(json.dumps(order).encode()), dtype=torch.uint8)
        self._call(dist.broadcast, torch.tensor(len(words)), src=0)
        self._call(dist.broadcast, words, src=0)

    def heard(self) -> dict[str, Any]:
        """The next order."""
        size = torch.zeros((), dtype=torch.int64)
        self._call(dist.broadcast, size, src=0)
        words = torch.zeros(int(size), dtype=torch.uint8)
        self._call(dist.broadcast, words, src=0)
        return json.loads(bytes(words.numpy()))

    def send(self, start: Start) -> None:
        """Give the others parameters and moments."""
        for value in _arrays(start):
            self._call(dist.broadcast, torch.tensor(value), src=0)

    def receive(self, like: Start) -> Start:
        """Parameters and moments from process 0, of the same names, shapes and types."""
        received = []
        for value in _arrays(like):
            tensor = torch.tensor(value)
            self._call(dist.broadcast, tensor, src=0)
            received.append(tensor.numpy())
        names = [*like.parameters, *like.moments]
        arrays = dict(zip(names, received, strict=True))
        return Start(
            like.step, {name: arrays[name] for name in like.parameters}, {name: arrays[name] for name in like.moments}
        )

    def _call(self, collective: Callable[..., Any], *tensors: Any, **options: Any) -> None:
        """Call what all processes call together.

        Raises:
            ProcessLost: one of them is not there any more. From then on no signal disturbs the saving.
        """
        try:
            collective(*tensors, **options)
        except RuntimeError:
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_IGN)
            self._is_lost = True
            if self.rank == 0:
                self.is_to_speak()
            raise self.lost() from None

    def lost(self) -> ProcessLost:
        """What is to be said where one of them is not there any more."""
        return ProcessLost(
            f"another of the {self.many} processes has ended",
            next_step="What was saved last is in the run folder; go on with --resume, with any number of processes.",
        )

    @contextmanager
    def _timed(self, x: Tensor) -> Iterator[None]:
        if x.is_cuda:
            before, after = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            before.record()
            yield
            after.record()
            self._events.append((before, after))
        else:
            begun = time.perf_counter()
            yield
            self._summing_s += time.perf_counter() - begun


def _arrays(start: Start) -> Iterable[np.ndarray]:
    return [*start.parameters.values(), *start.moments.values()]


def _numbers_of(rank: str, many: str) -> tuple[int, int]:
    """The number of this process and how many there are, as these variables say."""
    said = [os.environ[rank], os.environ[many]]
    if not all(word.isdecimal() for word in said) or int(said[0]) >= int(said[1]):
        raise ConfigError(
            "these say nothing of several processes", where=f"{rank} and {many}", got=" and ".join(map(repr, said)),
            expected=f"a number of processes, and for each process one from 0 up to it in {rank}",
            next_step="Start them with torchrun, which sets these.",
        )  # fmt: skip
    return int(said[0]), int(said[1])
