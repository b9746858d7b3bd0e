"""`%studio`: the cells under `%%forward` and `%%backward`, looked at line by line."""

from typing import Any

from IPython.core.magic import Magics, line_magic, magics_class
from IPython.core.magic_arguments import argument, magic_arguments, parse_argstring

from handgrad.checker.faces.magics import Cell, CheckerMagics
from handgrad.errors import ConfigError, HandgradError
from handgrad.studio.derivations import derivation_of_cell
from handgrad.studio.judged import Judged


@magics_class
class StudioMagics(Magics):
    """The studio in a notebook."""

    shell: Any

    @line_magic
    @magic_arguments()
    @argument("--loss", help="the name of the loss, where it is not clear")
    @argument("--hint", type=int, choices=(1, 2, 3), default=2, help="1 the line, 2 the kind too, 3 the answer too")
    def studio(self, line: str) -> Any:
        """Show the gradients that were written since the last forward cell: what flows where, and which is wrong."""
        options = parse_argstring(self.studio, line)
        try:
            return self._widget(options.loss, options.hint)
        except HandgradError as error:
            print(f"handgrad: {error}")
            return None

    def _widget(self, loss: str | None, hint: int) -> Any:
        try:
            from handgrad.studio.views.backward import judged_state
            from handgrad.studio.widget import Studio
        except ModuleNotFoundError as error:
            if error.name not in ("anywidget", "traitlets", "watchfiles"):
                raise
            what = f"the studio needs {error.name} in a notebook"
            raise ConfigError(what, next_step="Install it with: pip install 'handgrad[studio]'.") from None
        checker: CheckerMagics = self.shell.magics_manager.registry["CheckerMagics"]
        judged = Judged(lambda look: checker.report(loss, look=look))
        cells = [("forward", checker.forward_cell), *(("backward", cell) for cell in checker.backward_cells)]
        parts = [{"cell": cell.number, "text": f"%%{magic}\n{cell.code}"} for magic, cell in cells if cell]
        document = {"file": "this notebook", "version": "", "parts": parts}
        overview = judged.answer({"what": "overview"})
        states = {"backward": judged_state(document, overview, hint)}
        if checker.forward_cell is not None:
            states["derivation"] = self._derivation(checker.forward_cell, loss)
        return Studio(states, {"backward": judged.answer})

    def _derivation(self, cell: Cell, loss: str | None) -> dict[str, Any]:
        try:
            return derivation_of_cell(f"\n{cell.code}", cell.number, self.shell.user_ns, loss)
        except HandgradError as error:
            return {"error": str(error)}
