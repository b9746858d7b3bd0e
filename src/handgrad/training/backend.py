"""What takes the steps: compiled loops, or PyTorch's operations on the processor or a GPU."""

import warnings
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from handgrad.data.dataset import Dataset
from handgrad.errors import ConfigError
from handgrad.models.family import Family, OfContexts
from handgrad.training.config import TrainConfig
from handgrad.training.masks import share_dropped
from handgrad.training.processes import Alone, Start, Taken, current
from handgrad.training.schedule import examples_of
from handgrad.training.shares import Batch

if TYPE_CHECKING:
    from handgrad.training.state import Settings, State

NUMBERS_A_BATCH = 2**28
"""Most numbers that a step on whole lines may need, all that is kept for the way back included: 1 GB."""

LINES_AT_ONCE = 2**20
"""Whose lengths are looked at together."""

Arrays = Mapping[str, np.ndarray]


def require_backend(config: TrainConfig) -> None:
    """Make sure that what is to take the steps is there.

    Raises:
        ConfigError: there is no such device here.
        ModuleNotFoundError: PyTorch is not installed.
    """
    if config.chosen_engine == "torch":
        import torch

        import handgrad.training.torch_steps  # noqa: F401 - what else it needs is missed now, and not half way

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that no driver is found is said below
            found = config.device != "cuda" or torch.cuda.is_available()
        if not found:
            raise ConfigError(
                "PyTorch finds no CUDA GPU on this machine", where="device cuda", got=f"PyTorch {torch.__version__}",
                expected="a GPU, its driver, and PyTorch built for CUDA",
                next_step="Without a GPU: --device cpu, whose compiled loops suit models of this size.",
            )  # fmt: skip


def require_room(settings: "Settings", starts: np.ndarray) -> None:
    """Make sure that minibatches of whole lines can be read and have room, were they of the longest lines alone.

    Args:
        settings: of the run.
        starts: where each line of the text starts, and at last where the next would.

    Raises:
        ConfigError: a line is too long, or too many are read at once.
    """
    network, batch_size = settings.model, settings.config.batch_size
    if network.reads != "lines":
        return
    places = np.resize(longest_lines(starts, batch_size), batch_size)
    longest = int(places[0]) - 1
    if network.longest is not None and longest + 1 > network.longest:
        raise ConfigError(
            f"this {network.name} reads lines of at most {network.longest - 1:,} characters", where="block_size",
            got=f"a line of {longest:,}", expected=f"a block_size of at least {longest + 1:,}",
            next_step="0 is as much as the longest line needs.",
        )  # fmt: skip
    fitting = fitting_lines(network, places, padded=settings.config.chosen_engine == "torch")
    if fitting < batch_size:
        raise ConfigError(
            "minibatches of such long lines need too much memory", where="batch_size",
            got=f"{batch_size:,} lines, the longest of {longest:,} characters",
            expected=f"at most {fitting:,} lines" if fitting else f"shorter lines, or a smaller {network.name}",
            next_step="The mlp takes lines of any length, and many at once.",
        )  # fmt: skip


def longest_lines(starts: np.ndarray, n: int) -> np.ndarray:
    """How many places the n longest lines take, the longest first; all, where there are fewer."""
    longest = np.empty(0, np.int64)
    for first in range(0, len(starts) - 1, LINES_AT_ONCE):
        lengths = np.append(longest, np.diff(starts[first : first + LINES_AT_ONCE + 1]))
        longest = np.partition(lengths, -min(n, len(lengths)))[-n:]
    return np.sort(longest)[::-1]


def fitting_lines(network: Family, places: np.ndarray, padded: bool = False) -> int:
    """How many lines of so many places each, the longest first, have room in a minibatch.

    Args:
        network: that reads them.
        places: of each line: its characters and its end, (lines,).
        padded: whether all take as many places as the longest.
    """
    targets = np.arange(1, len(places) + 1) * places[0] if padded else np.cumsum(places)
    return int(np.count_nonzero(targets * network.numbers_a_target(int(places[0])) <= NUMBERS_A_BATCH))


def take(state: "State", settings: "Settings", split: Dataset, stop: int) -> Taken:
    """The parameters, the moments and the losses after the steps up to `stop`, which all processes take."""
    rates = [state.schedule.rate(step) for step in range(state.step, stop)]
    start = Start(state.step, state.parameters, state.moments)
    return current().together(start, rates, lambda: stepped(start, settings, split, rates))


def stepped(start: Start, settings: "Settings", split: Dataset, rates: list[float]) -> Taken:
    """The parameters, the moments and the losses after steps at these rates."""
    config = settings.config
    taker, batches, more = _taker(settings, split, range(start.step, start.step + len(rates)))
    if config.optimizer == "sgd":
        parameters, losses = taker.sgd_steps(start.parameters, *batches, rates, **more)
        return parameters, {}, losses
    return taker.adam_steps(start.parameters, start.moments, *batches, rates, config.weight_decay, **more)


def _taker(settings: "Settings", split: Dataset, steps: range) -> tuple[Any, tuple[Any, ...], dict[str, Any]]:
    """What takes those steps, their minibatches, and what else it needs to know."""
    config, network = settings.config, settings.model
    if config.chosen_engine == "torch":
        from handgrad.training.torch_steps import TorchSteps

        taker = TorchSteps(network, config.device, config.seed, steps.start, current())
        return taker, (batches_of(settings, split, steps),), {}
    if network.reads == "lines":
        from handgrad.engine.lines import Dropping, read_lines
        from handgrad.engine.models.lines import compiled_lines

        numbers = examples_of(config, steps, split.n_lines)
        dropping = Dropping(config.dropout, config.seed, steps.start)
        return compiled_lines(network), (read_lines(split.tokens, split.starts, numbers),), {"dropping": dropping}
    from handgrad.engine.contexts import Contexts
    from handgrad.engine.models.contexts import compiled_contexts
    from handgrad.engine.training import read_batches

    assert isinstance(network, OfContexts)
    positions = examples_of(config, steps, len(split))
    batches = read_batches(split.tokens, positions, network.block_size)
    return compiled_contexts(network), (Contexts(*batches),), {}


def batches_of(settings: "Settings", split: Dataset, steps: range, processes: Alone | None = None) -> Iterator[Batch]:
    """What this process reads for these steps, if the minibatches are shared among these processes."""
    share = (processes or current()).share
    config, network = settings.config, settings.model
    width = network.block_size if isinstance(network, OfContexts) else None
    for numbers in examples_of(config, steps, split.n_lines if width is None else len(split)):
        mine = share(len(numbers))
        if width is not None:
            yield Batch(split.contexts(numbers[mine], width), split.targets(numbers[mine]), of=len(numbers))
        elif share_dropped(network):
            yield Batch(*split.lines(numbers), mine)
        else:
            yield Batch(*split.lines(numbers[mine]), of=int(split.lengths(numbers).sum()))
