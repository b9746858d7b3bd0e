"""`%load_ext handgrad`: the magics of the checker, of derivations and of the studio."""

from typing import Any

from handgrad.checker.faces import magics as checker
from handgrad.forward.magics import DeriveMagics
from handgrad.studio.magics import StudioMagics


def load_ipython_extension(shell: Any) -> None:
    """Called by `%load_ext handgrad`."""
    checker.load_ipython_extension(shell)
    shell.register_magics(DeriveMagics)
    shell.register_magics(StudioMagics)
