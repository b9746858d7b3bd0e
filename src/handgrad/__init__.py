"""handgrad: write the backward pass by hand, prove it right line by line, and train with it.

The public names are those of `__all__`; each is loaded when it is first used, so that `import handgrad` is fast. Only
`derive` is bound at once, since it has the name of the package that it comes from: the first import of one of its
modules would leave the package here.
"""

import importlib
from typing import TYPE_CHECKING, Any

from handgrad.derive import derive as derive

if TYPE_CHECKING:
    from handgrad import ops as ops
    from handgrad import studio as studio
    from handgrad.checker import check as check
    from handgrad.errors import HandgradError as HandgradError
    from handgrad.evaluation import evaluate as evaluate
    from handgrad.evaluation import log_likelihoods as log_likelihoods
    from handgrad.exporting import export as export
    from handgrad.lecture.cmp import cmp as cmp
    from handgrad.models.trained import Model as Model
    from handgrad.sampling import SampleConfig as SampleConfig
    from handgrad.sampling import sample as sample
    from handgrad.training.checkpoint import load as load
    from handgrad.training.config import TrainConfig as TrainConfig
    from handgrad.training.mix import mix as mix
    from handgrad.training.train import train as train

_HOME = {
    "HandgradError": "handgrad.errors",
    "Model": "handgrad.models.trained",
    "SampleConfig": "handgrad.sampling",
    "TrainConfig": "handgrad.training.config",
    "check": "handgrad.checker",
    "cmp": "handgrad.lecture.cmp",
    "evaluate": "handgrad.evaluation",
    "export": "handgrad.exporting",
    "load": "handgrad.training.checkpoint",
    "log_likelihoods": "handgrad.evaluation",
    "load_ipython_extension": "handgrad.magics",
    "mix": "handgrad.training.mix",
    "sample": "handgrad.sampling",
    "train": "handgrad.training.train",
}

__all__ = [
    "HandgradError",
    "Model",
    "SampleConfig",
    "TrainConfig",
    "check",
    "cmp",
    "derive",
    "evaluate",
    "export",
    "load",
    "log_likelihoods",
    "mix",
    "ops",
    "sample",
    "studio",
    "train",
]


def __getattr__(name: str) -> Any:
    if name in ("ops", "studio"):
        return importlib.import_module(f"handgrad.{name}")
    if name == "__version__":
        from importlib.metadata import version

        return version("handgrad")
    if name not in _HOME:
        raise AttributeError(f"module 'handgrad' has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(_HOME[name]), name)
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
