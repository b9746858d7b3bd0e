"""One page over what the checker, `derive` and training know: the server, the views' data, and the page itself.

In Python it is `handgrad.studio(...)`: the package can be called.
"""

import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from handgrad.studio.widget import Studio


class _Callable(ModuleType):
    def __call__(self, subject: str | Path, **options: Any) -> "Studio":
        """Show a script or notebook in a notebook: what flows where, and which line is wrong.

        Args:
            subject: a `.py` or `.ipynb` file. It runs in a process of its own.
            options: `loss`, `data` and `timeout`, as of `handgrad check`, and `hint`, as of `handgrad studio`.

        Returns:
            A widget, which the notebook displays.

        Raises:
            HandgradError: the file cannot be judged.
        """
        from handgrad.studio.widget import of_file

        return of_file(Path(subject), **options)


sys.modules[__name__].__class__ = _Callable
