"""What takes the steps: compiled loops, or PyTorch's operations on the processor or a GPU."""

import functools
import warnings
from collections.abc import Callable
from typing import Any

from handgrad.errors import ConfigError
from handgrad.training.config import TrainConfig


def steps_of(config: TrainConfig) -> Callable[..., Any]:
    """`adam_steps` or `sgd_steps`, of `handgrad.engine` or of `handgrad.training.torch_steps` for the device.

    Raises:
        ConfigError: there is no such device here.
        ModuleNotFoundError: PyTorch is not installed.
    """
    name = f"{config.optimizer}_steps"
    if config.chosen_engine == "compiled":
        from handgrad import engine

        return getattr(engine, name)
    from handgrad.training import torch_steps

    if config.device == "cuda":
        _require_cuda()
    return functools.partial(getattr(torch_steps, name), device=config.device)


def _require_cuda() -> None:
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that no driver is found is said below
        found = torch.cuda.is_available()
    if not found:
        raise ConfigError(
            "PyTorch finds no CUDA GPU on this machine", where="device cuda", got=f"PyTorch {torch.__version__}",
            expected="a GPU, its driver, and PyTorch built for CUDA",
            next_step="Without a GPU: --device cpu, whose compiled loops suit models of this size.",
        )  # fmt: skip
