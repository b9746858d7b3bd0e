"""What stands in for plots and progress bars in a program under check."""

import builtins
from types import ModuleType
from typing import Any


class Nothing(ModuleType):
    """A module, and anything in it, that does nothing: stands in for plots."""

    def __init__(self, name: str = "nothing"):
        """Give it the name it stands for."""
        super().__init__(name)

    def __getattr__(self, name: str) -> Any:
        """Whatever is asked for does nothing either."""
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        return Nothing(name)

    def __call__(self, *_args, **_kwargs):
        """Do nothing, whatever the arguments."""
        return self

    def __getitem__(self, _key):
        """One more of the same."""
        return self

    def __setitem__(self, _key, _value):
        """Nothing is kept."""
        pass

    def __iter__(self):
        """Two, since `fig, ax = plt.subplots()` unpacks two."""
        return iter((Nothing(), Nothing()))

    def __enter__(self):
        """A context that does nothing."""
        return self

    def __exit__(self, *_exception):
        """Leave exceptions alone."""
        return False


QUIET_MODULES = {"matplotlib", "seaborn", "plotly", "IPython", "google", "graphviz", "tqdm", "wandb", "pylab"}


def import_quietly(name, globals=None, locals=None, fromlist=(), level=0):
    """`__import__` for a program under check: plots and progress bars do nothing."""
    root = name.split(".")[0]
    if root == "tqdm":
        module = Nothing("tqdm")
        module.__dict__.update(tqdm=lambda it=None, *_a, **_k: it, trange=lambda *a, **_k: range(*a))
        module.__dict__.update(notebook=module, auto=module)
        return module
    if root in QUIET_MODULES:
        return Nothing(name)
    return builtins.__import__(name, globals, locals, fromlist, level)
