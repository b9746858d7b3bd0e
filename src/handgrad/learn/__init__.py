"""A course in deriving gradients by hand: exercises, solutions, hints, and the runner that checks them."""

from typing import Any


def load_ipython_extension(shell: Any) -> None:
    """Have a notebook check exercises: `%load_ext handgrad.learn`, then `%%exercise NAME`, `%hint` and `%solution`."""
    from handgrad.learn.magics import CourseMagics

    shell.register_magics(CourseMagics)
