"""`%derive` and `%%derive`: the backward pass of the cells of a notebook, where they stand.

`%derive` takes the forward pass that the notebook has run last, without running it again. `%%derive` stands over a cell
with forward lines, which is run as before.
"""

from argparse import Namespace
from collections.abc import Callable
from typing import Any

from IPython.core.magic import Magics, line_cell_magic, magics_class
from IPython.core.magic_arguments import argument, magic_arguments, parse_argstring

from handgrad.checker.faces.magics import copied, run_cell
from handgrad.checker.inspection import undisturbed
from handgrad.checker.read.source import Source, parse_code
from handgrad.checker.run.machine import Machine
from handgrad.checker.run.randomness import Randomness
from handgrad.derive.derivation import Derivation
from handgrad.derive.showing import page
from handgrad.errors import DeriveError, HandgradError
from handgrad.forward.deriving import Wish, contained_faults, derive_forward, explained
from handgrad.forward.goal import Lines
from handgrad.forward.program import Forward, Part, forward_of_source, registered
from handgrad.forward.recollection import forward_of_cells

TIMEOUT_S = 60.0
OPTIONS = (
    argument("--form", choices=("lines", "closed", "shortest"), default="lines", help="how short the lines are to be"),
    argument("--of", help="the loss, or another variable to start from"),
    argument("--in", dest="start", help="differentiate by this variable alone, or by several: NAME,NAME"),
    argument("--out", dest="end", help="start from this variable, whose gradient is given"),
    argument("--style", choices=("torch", "numpy"), help="write for PyTorch or for NumPy"),
    argument("--no-quotes", action="store_true", help="leave out the forward lines beside the lines"),
    argument("--explain", action="store_true", help="show the derivation, step by step"),
    argument("--check", action="store_true", help="show how each gradient compares with autograd's"),
    argument("--write", action="store_true", help="write the lines into the next cell"),
)


def _with_options(magic: Callable) -> Callable:
    for option in reversed(OPTIONS):
        magic = option(magic)
    return magic_arguments()(magic)


@magics_class
class DeriveMagics(Magics):
    """The backward pass of what a notebook has run."""

    shell: Any

    @line_cell_magic
    @_with_options
    def derive(self, line: str, cell: str | None = None) -> "Shown | None":
        """Write the backward pass of the last forward pass; over a cell, run it and write that of its lines."""
        options = parse_argstring(self.derive, line)
        part = Part(options.of, options.end, tuple(options.start.split(",")) if options.start else ())
        find = self._recalled if cell is None else self._run(cell)
        try:
            with contained_faults("the notebook"), undisturbed():
                forward = find(part)
                shown = Shown(forward, derive_forward(forward, Wish(options.form, options.style, part)), options)
        except HandgradError as error:
            print(f"handgrad: {error}")
            return None
        if options.write:
            self.shell.set_next_input(shown.source)
        return shown

    def _recalled(self, part: Part) -> Forward:
        history = list(enumerate(self.shell.history_manager.input_hist_raw))[1:-1]
        cells = [registered(parse_code(code, f"<cell {number}>", number)) for number, code in history]
        return forward_of_cells(cells, self.shell.user_ns, part)

    def _run(self, cell: str) -> Callable[[Part], Forward]:
        """Run a cell as the notebook does; what then finds the forward pass in it starts from what was there before."""
        namespace = self.shell.user_ns
        values, before = copied(namespace), Randomness.now(namespace)
        number = len(namespace["In"]) - 1
        run_cell(self.shell, cell, "derive")

        def find(part: Part) -> Forward:
            now = Randomness.now(namespace)
            machine = Machine(None, name=namespace.get("__name__", "__main__"))
            machine.namespace.update(values)
            source = registered(parse_code(f"\n{cell}", f"<cell {number}>", number))
            before.restore(namespace)
            try:
                return _of_cell(source, machine, part, number, cell.count("\n") + 2)
            finally:
                now.restore(namespace)

        return find


def _of_cell(source: Source, machine: Machine, part: Part, number: int, last: int) -> Forward:
    """The forward pass of a cell: up to its loss, or all of it where it has none."""
    if part.goal is None and not any(machine.namespace):
        raise DeriveError("the cell is empty")
    try:
        return forward_of_source(source, machine, part, TIMEOUT_S)
    except DeriveError:
        if part.goal is not None:
            raise
        return forward_of_source(source, machine, Part(None, None, part.start, Lines(1, last, number)), TIMEOUT_S)


class Shown:
    """A derivation as the options of a magic ask for it."""

    def __init__(self, forward: Forward, derivation: Derivation, options: Namespace):
        """See the class."""
        self.derivation, self.options = derivation, options
        self.explanation = explained(derivation, forward) if options.explain else None

    @property
    def source(self) -> str:
        """The lines, with quotations where they are wanted."""
        return self.derivation.source if self.options.no_quotes else self.derivation.quoted()

    def __repr__(self) -> str:
        """As a terminal shows it."""
        if self.explanation is not None:
            return self.explanation.text()
        return f"{self.source}\n\n{self.derivation.remarks}"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        if self.explanation is not None:
            return {"text/plain": repr(self), "text/markdown": self.explanation._repr_markdown_()}
        return {"text/plain": repr(self), "text/html": page(self.derivation, self.source, self.options.check)}
