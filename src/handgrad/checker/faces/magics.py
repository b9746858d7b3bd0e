"""`%load_ext handgrad`: check the lecture's cells where they stand.

`%%forward` stands over the cell with the forward pass, `%%backward` over each cell with gradients; both run the cell as
before. `%check` alone checks again. All but `%%forward` take `--loss NAME`, `--hint 1|2|3`, `--fix`, `--prove` and
`--strict`.
"""

import ast
import base64
import contextlib
import html
import io
from argparse import Namespace
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from IPython.core.error import UsageError
from IPython.core.magic import Magics, cell_magic, line_magic, magics_class
from IPython.core.magic_arguments import argument, magic_arguments, parse_argstring
from IPython.display import display
from torch import Tensor

from handgrad.checker import render
from handgrad.checker.inspection import CheckError, Look, check_source
from handgrad.checker.read.source import Source, parse_code
from handgrad.checker.report import Report, VariableReport
from handgrad.checker.run.machine import Machine
from handgrad.checker.run.randomness import Randomness
from handgrad.checker.run.values import copy_values
from handgrad.errors import HandgradError

NOTEBOOK = "<notebook>"
TIMEOUT_S = 60.0
OPTIONS = (
    argument("--loss", help="the name of the loss, where it is not clear"),
    argument("--hint", type=int, choices=(1, 2, 3), help="1 the line, 2 the kind too, 3 the answer too"),
    argument("--fix", action="store_true", help="show each wrong line as it should be"),
    argument("--prove", action="store_true", help="say which right lines are right whatever the numbers"),
    argument("--strict", action="store_true", help="a missing gradient or a shape that only broadcasts is a fault too"),
)


def _with_options(magic: Callable) -> Callable:
    for option in reversed(OPTIONS):
        magic = option(magic)
    return magic_arguments()(magic)


@dataclass(frozen=True)
class Cell:
    """A cell as it was run, and its number in the notebook."""

    code: str
    number: int

    @property
    def assigned(self) -> set[str]:
        """The names it gives a value."""
        try:
            nodes = list(ast.walk(ast.parse(self.code)))
        except SyntaxError:
            return set()
        return {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}


@magics_class
class CheckerMagics(Magics):
    """The forward cell and the backward cells of one notebook, and what they started from."""

    shell: Any

    def __init__(self, shell: Any):  # noqa: D107
        super().__init__(shell)
        self.forward_cell: Cell | None = None
        self.backward_cells: list[Cell] = []
        self.values: dict[str, Any] = {}
        self.raised = False
        self.randomness = Randomness.now({})

    @cell_magic
    def forward(self, line: str, cell: str) -> None:
        """Run a cell and remember it as the forward pass."""
        if line.strip():
            raise UsageError(f"%%forward takes no options (got {line.strip()}); %%backward and %check do.")
        self.values = copied(self.shell.user_ns)
        self.randomness = Randomness.now(self.shell.user_ns)
        self.forward_cell, self.backward_cells = Cell(cell, self._number()), []
        self._run(cell, "forward")

    @cell_magic
    @_with_options
    def backward(self, line: str, cell: str) -> "HtmlReport | None":
        """Run a cell, then check the gradients in it and in the backward cells before it."""
        options = parse_argstring(self.backward, line)
        new = Cell(cell, self._number())
        self.backward_cells = [old for old in self.backward_cells if not _replaces(new, old)] + [new]
        try:
            self._run(cell, "backward")
        except UsageError:
            raise
        except BaseException:
            if (report := self._checked(options)) is not None:
                display(report)
            raise
        return self._checked(options)

    def _run(self, cell: str, magic: str) -> None:
        self.raised = True
        run_cell(self.shell, cell, magic)
        self.raised = False

    @line_magic
    @_with_options
    def check(self, line: str) -> "HtmlReport | None":
        """Check the gradients written since the last forward cell."""
        return self._checked(parse_argstring(self.check, line))

    def _checked(self, options: Namespace) -> "HtmlReport | None":
        now = Randomness.now(self.shell.user_ns)
        try:
            report = self.report(options.loss, options.strict)
        except HandgradError as error:
            print(f"handgrad: {error}")
            return None
        finally:
            now.restore(self.shell.user_ns)
        report.hint, report.show_fix, report.show_proofs = options.hint, options.fix, options.prove
        return HtmlReport(report, {row.name: self.shell.user_ns.get(row.name) for row in report.blamed})

    def _number(self) -> int:
        """The number in the brackets of the cell that is being run."""
        return len(self.shell.user_ns["In"]) - 1

    def report(self, loss: str | None = None, strict: bool = False, look: Look | None = None) -> Report:
        """Check the forward cell and the backward cells; `look` is that of `check_source`.

        Raises:
            HandgradError: there is no forward cell, or nothing in it to check.
        """
        if self.forward_cell is None:
            raise CheckError(
                "no forward pass is known", next_step="Put %%forward over the cell that computes the loss."
            )
        machine = Machine(None, name=self.shell.user_ns.get("__name__", "__main__"))
        machine.namespace.update(copied(self.values))
        source = Source(Path(NOTEBOOK), [])
        for cell in (self.forward_cell, *self.backward_cells):
            part = parse_code(f"\n{cell.code}", file=NOTEBOOK, cell=cell.number)  # below the line of the magic
            source.statements += part.statements
            source.faults += part.faults
        self.randomness.restore(self.shell.user_ns)
        report = check_source(source, machine, loss=loss, timeout=TIMEOUT_S, strict=strict, look=look)
        if not self.raised:  # then what raises here raised nothing in the notebook, which has more to go by
            report.notes, report.faults = report.notes + report.faults, []
        return report


def run_cell(shell: Any, cell: str, magic: str) -> None:
    """Run a cell as the notebook does; of what it raises, IPython then shows the cell's own traceback, and that alone.

    Raises:
        UsageError: the cell awaits something outside of a function.
    """
    if shell.should_run_async(cell, transformed_cell=shell.transform_cell(cell)):
        raise UsageError(f"%%{magic} runs no 'await' outside of a function; await it in a cell of its own.")
    with _held_back(shell) as shown:
        result = shell.run_cell(cell)
    error = result.error_before_exec or result.error_in_exec
    if isinstance(error, SyntaxError):  # which IPython shows in a way of its own
        error = type(type(error).__name__, (Exception,), {})(str(error))
    if error is not None:
        error._render_traceback_ = lambda: shown
        raise error from None


@contextlib.contextmanager
def _held_back(shell: Any) -> Iterator[list[str]]:
    """What would be shown of an exception is kept in place of being shown; the cell keeps its number."""
    shown: list[str] = []
    before, shell.execution_count = shell.execution_count, len(shell.user_ns["In"]) - 1
    shell._showtraceback = lambda _kind, _error, lines: shown.extend(lines)
    shell.show_usage_error = lambda _error: None
    try:
        yield shown
    finally:
        del shell._showtraceback, shell.show_usage_error
        shell.execution_count = before


def _replaces(new: Cell, old: Cell) -> bool:
    """Whether `new` is `old` run again, changed or not: it assigns most of the same names."""
    return new.code == old.code or len(new.assigned & old.assigned) > len(old.assigned) / 2


def copied(namespace: dict[str, Any]) -> dict[str, Any]:
    """The notebook's own values; what an earlier cell computed is where the next forward pass starts from."""
    hidden = {"In", "Out", "get_ipython", "exit", "quit", "open"}
    shown = {name: value for name, value in namespace.items() if not name.startswith("_") and name not in hidden}
    return copy_values(shown, lambda tensor: tensor.detach().clone().requires_grad_(tensor.requires_grad))


class HtmlReport:
    """A report that a notebook shows as a table, with heat maps for each line at fault."""

    def __init__(self, report: Report, values: dict[str, Any]):  # noqa: D107
        self.report, self.values = report, values

    def __repr__(self) -> str:
        """The report as a terminal shows it."""
        return str(self.report)

    def _repr_html_(self) -> str:
        blamed = (row for row in self.report.blamed if self.report.is_fault(row))
        return render.html(self.report, "".join(heat_maps(row, self.values.get(row.name)) for row in blamed))


def heat_maps(row: VariableReport, value: Any = None) -> str:
    """The variable, its gradient as it is and as it should be, and their difference, in one picture in the page.

    Tensors of more than two dimensions are laid flat after the first. A panel that cannot be drawn is left out: the
    difference where shapes differ, all of them for a scalar.
    """
    actual, reference = (*(row.tensors or ()), None, None)[:2]
    panels = {row.name: value, row.gradient: actual, "as it should be": reference}
    if isinstance(actual, Tensor) and isinstance(reference, Tensor) and actual.shape == reference.shape:
        panels["difference"] = actual - reference
    shown = {title: tensor for title, tensor in panels.items() if isinstance(tensor, Tensor) and tensor.numel() > 1}
    if not shown:
        return ""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.2 * len(shown), 2.8), layout="constrained")
    for axes, (title, tensor) in zip(figure.subplots(1, len(shown), squeeze=False)[0], shown.items(), strict=True):
        grid = _grid(tensor)
        finite = grid[grid.isfinite()]
        top = float(finite.abs().max()) if finite.numel() else 1.0
        image = axes.imshow(grid, cmap="RdBu_r", vmin=-top, vmax=top, aspect="auto", interpolation="nearest")
        axes.set_title(f"{title}  {'×'.join(map(str, tensor.shape))}", fontsize=9)
        axes.tick_params(labelsize=7)
        figure.colorbar(image, ax=axes).ax.tick_params(labelsize=7)
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=90)
    encoded = base64.b64encode(picture.getvalue()).decode()
    return f"<img alt='{html.escape(row.gradient)}' src='data:image/png;base64,{encoded}'>"


def _grid(tensor: Tensor, largest: int = 512) -> Tensor:
    flat = tensor.detach().double().reshape(tensor.shape[0] if tensor.dim() > 1 else 1, -1)
    return flat[:largest, :largest].cpu()


def load_ipython_extension(shell: Any) -> None:
    """Called by `%load_ext handgrad`."""
    shell.register_magics(CheckerMagics)
