"""`%load_ext handgrad`: check the lecture's cells where they stand.

`%%forward` over the cell with the forward pass, `%%backward` over each cell with gradients; both run the cell as
before. `%check` alone checks the gradients at hand against the last forward cell.
"""

import contextlib
import html
from typing import Any

from handgrad.checker.inspection import CheckError, check_source
from handgrad.checker.machine import Machine
from handgrad.checker.report import Report, VariableReport
from handgrad.checker.source import Source, parse_code
from handgrad.errors import HandgradError

COLOURS = {"exact": "#2a7", "close": "#2a7", "wrong": "#c33", "masked": "#a3a", "shape": "#b80", "missing": "#999"}


class Session:
    """The forward and backward cells of one notebook, and the values they started from."""

    def __init__(self, shell: Any):
        """Belong to one shell."""
        self.shell = shell
        self.before: dict[str, Any] = {}
        self.forward_cell: str | None = None
        self.backward_cells: list[str] = []

    def forward(self, _line: str, cell: str) -> None:
        """Run a cell and remember it as the forward pass."""
        self.before = _copied(self.shell.user_ns)
        self.forward_cell, self.backward_cells = cell, []
        self.shell.run_cell(cell)

    def backward(self, line: str, cell: str) -> "HtmlReport | None":
        """Run a cell, then check the gradients in it and in the backward cells before it."""
        self.shell.run_cell(cell)
        if cell in self.backward_cells:
            self.backward_cells.remove(cell)
        self.backward_cells.append(cell)
        return self.check(line)

    def check(self, line: str = "") -> "HtmlReport | None":
        """Check the gradients written since the last forward cell."""
        try:
            if self.forward_cell is None:
                raise CheckError(
                    "no forward pass is known", next_step="Put %%forward over the cell that computes the loss."
                )
            return HtmlReport(self._checked(line.strip() or None))
        except HandgradError as error:
            print(f"handgrad: {error}")
            return None

    def _checked(self, loss: str | None) -> Report:
        machine = Machine(None, name=self.shell.user_ns.get("__name__", "__main__"))
        machine.namespace.update({k: v for k, v in _copied(self.before).items() if not k.startswith("__")})
        statements, faults = [], []
        for number, cell in enumerate([self.forward_cell or "", *self.backward_cells], start=1):
            part = parse_code(cell, file="<notebook>", cell=number)
            statements += part.statements
            faults += part.faults
        with contextlib.suppress(ImportError):
            import torch

            torch.manual_seed(0)
        return check_source(Source(None, statements, faults=faults), machine, loss=loss, timeout=60.0)


def _copied(namespace: dict[str, Any]) -> dict[str, Any]:
    from handgrad.checker.trace import copy_values

    shown = {
        k: v
        for k, v in namespace.items()
        if not k.startswith("_") and k not in ("In", "Out", "get_ipython", "exit", "quit")
    }
    return copy_values(shown, lambda t: t.detach().clone().requires_grad_(t.requires_grad and t.is_leaf))


class HtmlReport:
    """A report that a notebook shows as a table, with heat maps for the lines at fault."""

    def __init__(self, report: Report):
        """Show one report."""
        self.report = report

    def __repr__(self) -> str:
        """As text, where there is no HTML."""
        return str(self.report)

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr style='color:{COLOURS[v.verdict]}'>"
            + "".join(f"<td>{html.escape(cell)}</td>" for cell in row)
            + "</tr>"
            for v, row in zip(self.report.variables, self.report.table_rows(), strict=True)
        )
        heads = "".join(f"<th>{h}</th>" for h in ("variable", "shape", "exact", "approximate", "maxdiff", "verdict"))
        said = "".join(f"<pre>{html.escape(text)}</pre>" for text in self.report.explanations())
        maps = "".join(heat_maps(row) for row in self.report.blamed)
        colour = "#2a7" if self.report.right else "#c33"
        return (
            f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>{said}{maps}"
            f"<p style='color:{colour}'><b>{html.escape(self.report.summary())}</b></p>"
        )


def heat_maps(row: VariableReport, largest: int = 48) -> str:
    """The gradient as it is, as it should be, and their difference, as pictures; nothing where shapes differ."""
    actual, reference = row.tensors or (None, None)
    if actual is None or reference is None or actual.shape != reference.shape or actual.numel() < 2:
        return ""
    import torch

    grids = [
        t.detach().double().reshape(t.shape[0] if t.dim() > 1 else 1, -1)[:largest, :largest]
        for t in (actual, reference, actual - reference)
    ]
    top = max(float(torch.nan_to_num(g).abs().max()) for g in grids[:2]) or 1.0
    tops = (top, top, float(torch.nan_to_num(grids[2]).abs().max()) or 1.0)
    titles = (row.gradient, "as it should be", "difference")
    cells = "".join(
        f"<td>{title}<br>{_picture(grid, t)}</td>" for title, grid, t in zip(titles, grids, tops, strict=True)
    )
    return f"<table><tr>{cells}</tr></table>"


def _picture(grid: Any, top: float, side: int = 6) -> str:
    parts = []
    for i, line in enumerate(grid.tolist()):
        for j, value in enumerate(line):
            share = max(-1.0, min(1.0, value / top)) if value == value else 0.0
            fade = int(255 * (1 - abs(share)))
            colour = f"rgb(255,{fade},{fade})" if share > 0 else f"rgb({fade},{fade},255)"
            parts.append(f"<rect x='{j * side}' y='{i * side}' width='{side}' height='{side}' fill='{colour}'/>")
    height, width = grid.shape[0] * side, grid.shape[1] * side
    return f"<svg width='{width}' height='{height}' xmlns='http://www.w3.org/2000/svg'>{''.join(parts)}</svg>"


def load_ipython_extension(shell: Any) -> None:
    """Called by `%load_ext handgrad`."""
    session = Session(shell)
    shell.register_magic_function(session.forward, "cell", "forward")
    shell.register_magic_function(session.backward, "cell", "backward")
    shell.register_magic_function(session.check, "line", "check")
