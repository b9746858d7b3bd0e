"""Where something stands in the user's program."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """Where a statement stands; `cell` counts a notebook's code cells from 1 and is None for a script."""

    file: str
    line: int
    cell: int | None = None

    def __str__(self) -> str:
        """The place in words."""
        return f"line {self.line}" if self.cell is None else f"cell {self.cell}, line {self.line}"
