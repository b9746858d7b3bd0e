"""One page over what the checker, `derive` and training know: the server, the views' data, and the page itself.

In Python it is `handgrad.studio(...)`: the package can be called.
"""

import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from handgrad.models.trained import Model
    from handgrad.studio.widget import Studio


class _Callable(ModuleType):
    def __call__(self, subject: "str | Path | Model", *more: "str | Path | Model", **options: Any) -> "Studio":
        """Show in a notebook what flows where in a program, and which line is wrong; or how runs are trained.

        Args:
            subject: a `.py` or `.ipynb` file, which runs in a process of its own; or a run folder, or a model of one.
            more: further runs beside the first.
            options: of a file `loss`, `data`, `timeout`, as of `handgrad check`, and `hint`, as of `handgrad studio`.

        Returns:
            A widget, which the notebook displays.

        Raises:
            HandgradError: the file cannot be judged, or there is no such run.
        """
        from handgrad.studio.widget import of_file, of_runs

        if isinstance(subject, str | Path) and not more and Path(subject).suffix in (".py", ".ipynb"):
            return of_file(Path(subject), **options)
        return of_runs([_run_of(one) for one in (subject, *more)])


def _run_of(subject: "str | Path | Model") -> Path:
    from handgrad.errors import RunError
    from handgrad.training.folders import refuse_folder_of_runs

    folder = Path(subject) if isinstance(subject, str | Path) else subject.run
    if folder is None:
        raise RunError("this model has no run folder that could be looked at")
    refuse_folder_of_runs(folder)
    if not (folder / "config.json").is_file():
        raise RunError("there is no such file or run", where=folder)
    return folder


sys.modules[__name__].__class__ = _Callable
