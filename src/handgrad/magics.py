"""`%load_ext handgrad`: the magics of the checker and of derivations."""

from typing import Any

from handgrad.checker.faces import magics as checker
from handgrad.forward.magics import DeriveMagics


def load_ipython_extension(shell: Any) -> None:
    """Called by `%load_ext handgrad`."""
    checker.load_ipython_extension(shell)
    shell.register_magics(DeriveMagics)
