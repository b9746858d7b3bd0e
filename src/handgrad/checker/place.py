"""Where something stands in the user's program."""

from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class Place:
    """Where a statement stands.

    `cell` counts a notebook's code cells from 1 and is None for a script; `number` is what the cell is called:
    Jupyter's own `In [number]` where the notebook has one for each cell, else `cell`.
    """

    file: str
    line: int
    cell: int | None = None
    number: int | None = field(default=None, compare=False)

    @property
    def called(self) -> int | None:
        """The number by which the user knows the cell."""
        return self.cell if self.number is None else self.number

    @property
    def unit(self) -> str:
        """What Python compiles as one: the script, or the cell."""
        return self.file if self.cell is None else f"{self.file}, cell {self.called}"

    def at(self, line: int) -> "Place":
        """Another line of the same script or cell."""
        return replace(self, line=line)

    def __str__(self) -> str:
        """The place in words."""
        return f"line {self.line}" if self.cell is None else f"cell {self.called}, line {self.line}"
