"""The states of all random generators, so that what is run again draws the same numbers."""

import importlib
import random
import sys
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

SEED = 0


@dataclass(frozen=True)
class Randomness:
    """The states of all random generators at one moment."""

    torch_state: Tensor
    python_state: Any
    numpy_state: Any
    generators: dict[str, Tensor]
    numpy_generators: dict[str, Any]

    @staticmethod
    def now(namespace: dict[str, Any]) -> "Randomness":
        """The states now, those of the generators in `namespace` included."""
        numpy = sys.modules.get("numpy")
        kinds = {torch.Generator, *([numpy.random.Generator] if numpy else [])}
        generators = {k: v for k, v in namespace.items() if not kinds.isdisjoint(type(v).__mro__)}
        return Randomness(
            torch.get_rng_state(),
            random.getstate(),
            numpy.random.get_state() if numpy else None,
            {k: v.get_state() for k, v in generators.items() if isinstance(v, torch.Generator)},
            {k: v.bit_generator.state for k, v in generators.items() if not isinstance(v, torch.Generator)},
        )

    @staticmethod
    def begin() -> None:
        """Seed all generators, so that a program which seeds none makes the same numbers each time."""
        torch.default_generator.manual_seed(SEED)
        random.seed(SEED)
        if numpy := sys.modules.get("numpy"):
            numpy.random.seed(SEED)

    def has_moved(self, after: "Randomness") -> bool:
        """Whether a generator that was there then has drawn since."""
        return (
            not torch.equal(self.torch_state, after.torch_state)
            or self.python_state != after.python_state
            or self.numpy_mark != after.numpy_mark
            or self.numpy_generators != {k: v for k, v in after.numpy_generators.items() if k in self.numpy_generators}
            or any(
                name in self.generators and not torch.equal(self.generators[name], state)
                for name, state in after.generators.items()
            )
        )

    @property
    def numpy_mark(self) -> tuple | None:
        """NumPy's global state in a form that can be compared."""
        state = self.numpy_state
        return None if state is None else (state[1].tobytes(), *state[2:])

    def restore(self, namespace: dict[str, Any]) -> None:
        """Put every generator back where it was."""
        torch.set_rng_state(self.torch_state)
        random.setstate(self.python_state)
        if self.numpy_state is not None:
            numpy = importlib.import_module("numpy")
            numpy.random.set_state(self.numpy_state)
            for name, state in self.numpy_generators.items():
                if isinstance(generator := namespace.get(name), numpy.random.Generator):
                    generator.bit_generator.state = state
        for name, state in self.generators.items():
            if isinstance(generator := namespace.get(name), torch.Generator):
                generator.set_state(state)
